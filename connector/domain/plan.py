"""The three-way decision: what each side last said, what it says now, and therefore what to write.

Pure: no clock, no I/O. A side has changed where its native value differs from its native shadow, and only then is
the value translated. So a lossy table, our own write coming back or an edited mapping is never itself a change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from connector.domain.comparison import Comparison, Winner, first_taken
from connector.domain.decision import (
    INCOMPLETE,
    QUIET,
    STATUS,
    Decision,
    LinkState,
    Outcome,
    Plan,
    Shadow,
    Signals,
    Values,
)
from connector.domain.final import without_final
from connector.domain.rules import Direction, Directories, First, Rule, TicketMapping, Translate, Untranslatable
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
    fields = []
    for rule in mapping.rules:
        field = _Field(rule, Comparison.of(rule.name, link, nextcap, crm), people)
        fields.append(without_final(mapping.status, shown, _decide(field, link, nextcap, crm, now)))
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


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of a link: its rule, what both sides say of it, and the people whom their ids mean."""

    rule: Rule
    seen: Comparison
    people: Directories

    def to_crm(self, value: Value) -> Value:
        """Raises `Untranslatable`."""
        return normal(self.rule.to_crm(value, self.people))

    def to_nextcap(self, value: Value) -> Value:
        """Raises `Untranslatable`."""
        return normal(self.rule.to_nextcap(value, self.people))

    def agrees(self) -> bool:
        """Whether both sides say the same."""
        return agrees(self.rule, self.seen.ours, self.seen.theirs, self.people)

    def refused(self, problem: Untranslatable) -> Decision:
        """A value has no counterpart."""
        return self.seen.decided(Outcome.REFUSED, problem.code, str(problem))


def _decide(field: _Field, link: LinkState, nextcap: Values, crm: Values, now: datetime) -> Decision:
    seen, rule = field.seen, field.rule
    waiting = seen.waiting(link)
    if waiting is not None:
        return waiting
    if seen.shadow is None:
        first = _first_contact(field)
        if _is_founded(first, nextcap, crm):
            return first
        return seen.decided(Outcome.UNCHANGED, "unobserved", "a side has not been read yet")
    if not (seen.ours_changed or seen.theirs_changed):
        return seen.unchanged()
    if field.agrees():
        return seen.agreed()
    if rule.only_on_create:
        return seen.decided(Outcome.LEFT, "only_on_create", "written only when created")
    if rule.is_set and rule.direction is Direction.BOTH and seen.ours_changed and seen.theirs_changed:
        return _merge(field, seen.shadow)
    winner = seen.winner(rule, link, now)
    return seen.asking() if winner is None else _carry(field, winner)


def _first_contact(field: _Field) -> Decision:
    """A field without a shadow: new in the mapping, or the link joined two records that were there before."""
    seen, first = field.seen, field.rule.first
    fills = first is First.FILL_EMPTY
    one_is_empty = (seen.ours is None) != (seen.theirs is None)
    if not (fills and one_is_empty) and field.agrees():
        return seen.decided(Outcome.AGREED, "first_agreed", "both sides already say the same")
    if first is First.NEXTCAP or (fills and seen.theirs is None):
        return _carry(field, first_taken(Side.NEXTCAP))
    if first is First.CRM or (fills and seen.ours is None):
        return _carry(field, first_taken(Side.CRM))
    if first is First.ASK:
        return seen.asking()
    return seen.decided(Outcome.LEFT, "first_kept", "first contact: both sides had a value, both are kept")


def _is_founded(first: Decision, nextcap: Values, crm: Values) -> bool:
    """Whether what a first contact came to rests on what was read. The side that is written may still be unread."""
    if first.outcome is Outcome.TO_CRM:
        return first.name in nextcap
    if first.outcome is Outcome.TO_NEXTCAP:
        return first.name in crm
    return first.name in nextcap and first.name in crm


def _merge(field: _Field, shadow: Shadow) -> Decision:
    """Element by element against the shadow: what either side added is in, what either side removed is out.

    Elements of ours that become one in the CRM stay apart: they are in as long as the CRM's one is.
    """
    try:
        ours_now, ours_then = _elements(field.seen.ours), _elements(shadow.nextcap)
        theirs_now, theirs_then = (_elements(field.to_nextcap(value)) for value in (field.seen.theirs, shadow.crm))
        images = {item: _image(field, item) for item in ours_now | ours_then}
        gone = theirs_then - theirs_now
        kept = {item for item in ours_now if item not in ours_then or not images[item] & gone}
        shown = _joined(images[item] for item in kept)
        dropped = _joined(images[item] for item in ours_then - ours_now) & theirs_then
        merged = normal(kept | (theirs_now - shown - dropped))
        told = "both sides changed the set; their additions and removals are both kept"
        return field.seen.decided(Outcome.MERGED, "merged", told, write_nextcap=merged, write_crm=field.to_crm(merged))
    except Untranslatable as problem:
        return field.refused(problem)


def _joined(parts: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*parts)


def _image(field: _Field, item: str) -> frozenset[str]:
    """One element of Next Cap's set as it comes back from the CRM; itself where the CRM has no word for it."""
    try:
        return _elements(field.to_nextcap(field.to_crm((item,))))
    except Untranslatable:
        return frozenset({item})


def _elements(value: Value) -> frozenset[str]:
    if value is None:
        return frozenset()
    return frozenset(value if isinstance(value, tuple) else (str(value),))


def _carry(field: _Field, winner: Winner) -> Decision:
    """Write the winner's value on the other side, if the field travels that way and has a counterpart.

    Where the other side shows that counterpart already, nothing is left to write and the field is settled.
    """
    source, reason = winner
    seen = field.seen
    if not field.rule.direction.carries(source):
        return seen.one_way(reason)
    try:
        if source is Side.NEXTCAP:
            value, shown = field.to_crm(seen.ours), seen.theirs
        else:
            value, shown = field.to_nextcap(seen.theirs), seen.ours
    except Untranslatable as problem:
        return field.refused(problem)
    if value == shown:
        return seen.agreed()
    if source is Side.NEXTCAP:
        return seen.decided(Outcome.TO_CRM, "carried", reason, write_crm=value)
    return seen.decided(Outcome.TO_NEXTCAP, "carried", reason, write_nextcap=value)


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
