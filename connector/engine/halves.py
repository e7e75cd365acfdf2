"""The shadows that a link begins with, once its missing half was made: the fields in which both sides agree."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from connector.adapters.base import Written
from connector.domain.decision import STATUS, Shadow, Values
from connector.domain.plan import agrees
from connector.domain.rules import Direction, Directories, Rule, TicketMapping, Untranslatable
from connector.domain.status import parse_status, status_agrees
from connector.domain.ticket import Record, Side, Value, is_form_of, normal
from connector.engine.work import Work, observe


def ours_of(work: Work) -> dict[str, Value]:
    """The ticket's mapped values, by rule name."""
    assert work.nextcap is not None  # noqa: S101 - a record is made from it
    return observe(work.mapping, Side.NEXTCAP, work.nextcap)


def shadows_after_create(
    work: Work, written: Written, people: Directories, sent: Mapping[str, Value], stage: Value = None
) -> dict[str, Shadow]:
    """What both sides say alike. What the record shows otherwise than it was made is a change of somebody there, or of
    the CRM itself: some open what is assigned. `sent` is what an earlier try made it from, where that one did, and
    `stage` the status that it has just been made in.
    """
    ours = sent or ours_of(work)
    theirs = observe(work.mapping, Side.CRM, written.record) if written.record else {}
    made = _as_made(work.mapping, Side.CRM, ours if written.created else sent, people)
    made |= {STATUS: stage} if stage is not None else {}
    theirs |= _changed_since(theirs, made)
    return _settled(work, {name: (value, theirs.get(name)) for name, value in ours.items()}, people)


def shadows_of_new_ticket(
    work: Work, record: Record, people: Directories, sent: Mapping[str, Value]
) -> dict[str, Shadow]:
    """The same for a ticket. It begins as `new`, whatever the CRM shows: its stage is still to come."""
    assert work.crm is not None  # noqa: S101 - a ticket was made from it
    theirs = sent or observe(work.mapping, Side.CRM, work.crm)
    ours = observe(work.mapping, Side.NEXTCAP, record)
    if STATUS not in ours:
        return {}
    ours |= _changed_since(ours, _as_made(work.mapping, Side.NEXTCAP, sent, people))
    settled = _settled(work, {name: (value, theirs.get(name)) for name, value in ours.items()}, people)
    return {**settled, STATUS: Shadow(ours[STATUS], None)}


def _changed_since(shown: Values, made: Values) -> dict[str, Value]:
    """What was made, where it is shown as something else now. What is shown empty may be something never taken."""
    found = {name: (value, shown.get(name)) for name, value in made.items()}
    return {name: value for name, (value, now) in found.items() if now is not None and not is_form_of(now, value)}


def _as_made(mapping: TicketMapping, side: Side, sent: Values, people: Directories) -> dict[str, Value]:
    """What this side was given for these values of the other."""
    made: dict[str, Value] = {}
    against = Direction.TO_NEXTCAP if side is Side.CRM else Direction.TO_CRM
    status = parse_status(sent.get(STATUS)) if side is Side.CRM else None
    if status is not None and status in mapping.status.to_crm:
        made[STATUS] = mapping.status.to_crm[status]
    for rule in mapping.rules:
        native, translate = (rule.crm, rule.to_crm) if side is Side.CRM else (rule.nextcap, rule.to_nextcap)
        if rule.name in sent and native and rule.direction is not against:
            with suppress(Untranslatable):
                made[rule.name] = normal(translate(sent[rule.name], people))
    return made


def _settled(work: Work, pairs: Mapping[str, tuple[Value, Value]], people: Directories) -> dict[str, Shadow]:
    """Shadows for what says the same on both sides. What does not (a vendor's default) is first contact next."""
    settled = {}
    for name, (ours, theirs) in pairs.items():
        rule = work.mapping.rule(name)
        same = status_agrees(work.mapping.status, ours, theirs, frozenset()) if rule is None else False
        if same or (rule is not None and _is_settled(rule, ours, theirs, people)):
            settled[name] = Shadow(ours, theirs)
    return settled


def _is_settled(rule: Rule, ours: Value, theirs: Value, people: Directories) -> bool:
    """Both say the same, and neither is empty where the other is not: that would still be filled."""
    return (ours is None) == (theirs is None) and agrees(rule, ours, theirs, people)
