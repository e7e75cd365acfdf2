"""The three-way decision: what each side last said, what it says now, and therefore what to write.

Pure: no clock, no I/O. A side has changed where its native value differs from its native shadow, and only then is
the value translated. So a lossy table, our own write coming back or an edited mapping is never itself a change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from connector.domain.decision import (
    INCOMPLETE,
    QUARANTINED,
    QUIET,
    STATUS,
    Decision,
    LinkState,
    Outcome,
    Plan,
    Shadow,
    Signals,
    Values,
    newer_side,
)
from connector.domain.final import without_final
from connector.domain.rules import (
    Direction,
    Directories,
    First,
    Owner,
    Rule,
    TicketMapping,
    Translate,
    Untranslatable,
)
from connector.domain.status import decide_status
from connector.domain.ticket import Side, Value, normal


def plan_sync(
    mapping: TicketMapping,
    link: LinkState,
    *,
    nextcap: Values,
    crm: Values,
    people: Directories,
    now: datetime,
    signals: Signals = QUIET,
) -> Plan:
    """Decide every field of one link, the status first.

    A value that was not observed counts as unchanged; without a shadow it is never taken nor agreed with.
    """
    status = decide_status(mapping.status, link, nextcap=nextcap, crm=crm, now=now, signals=signals)
    shown = crm.get(STATUS, status.crm)
    decided = (_decide(rule, link, nextcap, crm, people, now) for rule in mapping.rules)
    fields = [without_final(mapping.status, shown, one) for one in decided]
    return Plan((_complete(status, mapping, fields, crm), *fields))


def agrees(rule: Rule, nextcap: Value, crm: Value, people: Directories) -> bool:
    """Whether two native values say the same: the table gives one for the other, in a direction it travels."""
    if rule.direction is not Direction.TO_NEXTCAP and _gives(rule.to_crm, nextcap, crm, people):
        return True
    return rule.direction is not Direction.TO_CRM and _gives(rule.to_nextcap, crm, nextcap, people)


def _gives(translate: Translate, source: Value, target: Value, people: Directories) -> bool:
    try:
        return normal(translate(source, people)) == target
    except Untranslatable:
        return False


def _decide(rule: Rule, link: LinkState, nextcap: Values, crm: Values, people: Directories, now: datetime) -> Decision:
    shadow = link.shadows.get(rule.name)
    ours = nextcap.get(rule.name, shadow.nextcap if shadow else None)
    theirs = crm.get(rule.name, shadow.crm if shadow else None)
    if rule.name in link.quarantined:
        return _decision(rule, Outcome.HELD, "quarantined", QUARANTINED, ours, theirs)
    if link.held.get(rule.name) == (ours, theirs):
        return _decision(rule, Outcome.HELD, "waits", "still waits for a person", ours, theirs)
    if shadow is None:
        first = _first_contact(rule, ours, theirs, people)
        if _is_founded(first, nextcap, crm):
            return first
        return _decision(rule, Outcome.UNCHANGED, "unobserved", "a side has not been read yet", ours, theirs)
    ours_changed, theirs_changed = ours != shadow.nextcap, theirs != shadow.crm
    if not (ours_changed or theirs_changed):
        return _decision(rule, Outcome.UNCHANGED, "unchanged", "neither side changed", ours, theirs)
    if agrees(rule, ours, theirs, people):
        return _decision(rule, Outcome.AGREED, "agreed", "both sides say the same", ours, theirs)
    if rule.only_on_create:
        return _decision(rule, Outcome.LEFT, "only_on_create", "written only when created", ours, theirs)
    if ours_changed and theirs_changed:
        return _both_changed(rule, link, shadow, ours, theirs, people, now)
    if ours_changed:
        return _carry(rule, Side.NEXTCAP, "Next Cap changed", ours, theirs, people)
    return _carry(rule, Side.CRM, "the CRM changed", ours, theirs, people)


def _first_contact(rule: Rule, ours: Value, theirs: Value, people: Directories) -> Decision:
    """A field without a shadow: new in the mapping, or the link joined two records that were there before."""
    fills = rule.first is First.FILL_EMPTY
    one_is_empty = (ours is None) != (theirs is None)
    if not (fills and one_is_empty) and agrees(rule, ours, theirs, people):
        return _decision(rule, Outcome.AGREED, "first_agreed", "both sides already say the same", ours, theirs)
    if rule.first is First.NEXTCAP or (fills and theirs is None):
        return _carry(rule, Side.NEXTCAP, "first contact: Next Cap's value is taken", ours, theirs, people)
    if rule.first is First.CRM or (fills and ours is None):
        return _carry(rule, Side.CRM, "first contact: the CRM's value is taken", ours, theirs, people)
    if rule.first is First.ASK:
        return _decision(rule, Outcome.HELD, "first_ask", "first contact: a person chooses", ours, theirs)
    return _decision(
        rule, Outcome.LEFT, "first_kept", "first contact: both sides had a value, both are kept", ours, theirs
    )


def _is_founded(first: Decision, nextcap: Values, crm: Values) -> bool:
    """Whether what a first contact came to rests on what was read. The side that is written may still be unread."""
    if first.outcome is Outcome.TO_CRM:
        return first.name in nextcap
    if first.outcome is Outcome.TO_NEXTCAP:
        return first.name in crm
    return first.name in nextcap and first.name in crm


def _both_changed(
    rule: Rule,
    link: LinkState,
    shadow: Shadow,
    ours: Value,
    theirs: Value,
    people: Directories,
    now: datetime,
) -> Decision:
    if rule.direction is Direction.TO_CRM:
        return _carry(rule, Side.NEXTCAP, "both changed; the field travels only to the CRM", ours, theirs, people)
    if rule.direction is Direction.TO_NEXTCAP:
        return _carry(rule, Side.CRM, "both changed; the field travels only to Next Cap", ours, theirs, people)
    if rule.is_set:
        return _merge(rule, shadow, ours, theirs, people)
    if rule.owner is Owner.ASK:
        return _decision(rule, Outcome.HELD, "conflict", "both sides changed; a person chooses", ours, theirs)
    if rule.owner is Owner.NEWEST:
        winner, reason = newer_side(link, rule.name, now)
    else:
        winner = Side.NEXTCAP if rule.owner is Owner.NEXTCAP else Side.CRM
        reason = f"both sides changed; the mapping names {winner} as the owner"
    return _carry(rule, winner, reason, ours, theirs, people)


def _merge(rule: Rule, shadow: Shadow, ours: Value, theirs: Value, people: Directories) -> Decision:
    """Element by element against the shadow: what either side added is in, what either side removed is out.

    Elements of ours that become one in the CRM stay apart: they are in as long as the CRM's one is.
    """
    try:
        ours_now, ours_then = _elements(ours), _elements(shadow.nextcap)
        theirs_now, theirs_then = (_elements(rule.to_nextcap(value, people)) for value in (theirs, shadow.crm))
        images = {item: _image(rule, item, people) for item in ours_now | ours_then}
        gone = theirs_then - theirs_now
        kept = {item for item in ours_now if item not in ours_then or not images[item] & gone}
        shown = _joined(images[item] for item in kept)
        dropped = _joined(images[item] for item in ours_then - ours_now) & theirs_then
        merged = normal(kept | (theirs_now - shown - dropped))
        return _decision(
            rule,
            Outcome.MERGED,
            "merged",
            "both sides changed the set; their additions and removals are both kept",
            ours,
            theirs,
            write_nextcap=merged,
            write_crm=normal(rule.to_crm(merged, people)),
        )
    except Untranslatable as problem:
        return _decision(rule, Outcome.REFUSED, problem.code, str(problem), ours, theirs)


def _joined(parts: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*parts)


def _image(rule: Rule, item: str, people: Directories) -> frozenset[str]:
    """One element of Next Cap's set as it comes back from the CRM; itself where the CRM has no word for it."""
    try:
        return _elements(rule.to_nextcap(rule.to_crm((item,), people), people))
    except Untranslatable:
        return frozenset({item})


def _elements(value: Value) -> frozenset[str]:
    if value is None:
        return frozenset()
    return frozenset(value if isinstance(value, tuple) else (str(value),))


def _carry(rule: Rule, source: Side, reason: str, ours: Value, theirs: Value, people: Directories) -> Decision:
    """Write the source's value on the other side, if the field travels that way and has a counterpart.

    Where the other side shows that counterpart already, nothing is left to write and the field is settled.
    """
    towards = Direction.TO_CRM if source is Side.NEXTCAP else Direction.TO_NEXTCAP
    if rule.direction not in (Direction.BOTH, towards):
        return _decision(
            rule, Outcome.LEFT, "one_way", f"{reason}, and the field does not travel that way", ours, theirs
        )
    try:
        if source is Side.NEXTCAP:
            value, shown = normal(rule.to_crm(ours, people)), theirs
        else:
            value, shown = normal(rule.to_nextcap(theirs, people)), ours
    except Untranslatable as problem:
        return _decision(rule, Outcome.REFUSED, problem.code, str(problem), ours, theirs)
    if value == shown:
        return _decision(rule, Outcome.AGREED, "agreed", "both sides say the same", ours, theirs)
    if source is Side.NEXTCAP:
        return _decision(rule, Outcome.TO_CRM, "carried", reason, ours, theirs, write_crm=value)
    return _decision(rule, Outcome.TO_NEXTCAP, "carried", reason, ours, theirs, write_nextcap=value)


def _complete(status: Decision, mapping: TicketMapping, fields: list[Decision], crm: Values) -> Decision:
    """Withhold a CRM status whose required fields would be empty, naming the first of them."""
    if not status.writes_crm:
        return status
    by_name = {item.name: item for item in fields}
    for rule in mapping.rules:
        if str(status.write_crm) not in rule.required_on:
            continue
        field = by_name[rule.name]
        value = field.write_crm if field.writes_crm else crm.get(rule.name, field.crm)
        if value is None:
            label = mapping.status.label(status.write_crm)
            return replace(
                status,
                outcome=Outcome.REFUSED,
                code=INCOMPLETE,
                reason=f"{label} needs a value in {rule.name}, which is empty",
                write_crm=None,
            )
    return status


def _decision(
    rule: Rule,
    outcome: Outcome,
    code: str,
    reason: str,
    ours: Value,
    theirs: Value,
    *,
    write_crm: Value = None,
    write_nextcap: Value = None,
) -> Decision:
    return Decision(rule.name, outcome, code, reason, ours, theirs, write_crm=write_crm, write_nextcap=write_nextcap)


__all__ = ["STATUS", "agrees", "plan_sync"]
