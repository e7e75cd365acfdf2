"""The status of a ticket: the table both ways, the walk through Next Cap's machine, substitutes and races."""

from __future__ import annotations

from datetime import datetime

from connector.domain.decision import (
    QUARANTINED,
    STATUS,
    Decision,
    LinkState,
    Outcome,
    Signals,
    Values,
    newer_side,
)
from connector.domain.final import CLOSED, decide_final
from connector.domain.lifecycle import FINAL, Status, shortest_path
from connector.domain.rules import Direction, First, Owner, StatusRule
from connector.domain.ticket import Side, Value


def decide_status(
    rule: StatusRule, link: LinkState, *, nextcap: Values, crm: Values, now: datetime, signals: Signals
) -> Decision:
    """Decide what the two statuses should become."""
    shadow = link.shadows.get(STATUS)
    ours = nextcap.get(STATUS, shadow.nextcap if shadow else None)
    theirs = crm.get(STATUS, shadow.crm if shadow else None)
    present = parse_status(ours)
    if STATUS in link.quarantined:
        return _decision(Outcome.HELD, "quarantined", QUARANTINED, ours, theirs)
    if link.held.get(STATUS) == (ours, theirs):
        return _decision(Outcome.HELD, "waits", "still waits for a person", ours, theirs)
    ours_changed = shadow is None or ours != shadow.nextcap
    theirs_changed = shadow is None or theirs != shadow.crm
    if present is not None:
        final = decide_final(rule, present, theirs, ours_changed=ours_changed, signals=signals)
        if final is not None:
            return final
    if not (ours_changed or theirs_changed):
        return _decision(Outcome.UNCHANGED, "unchanged", "neither side changed", ours, theirs)
    if present is None:
        reason = f"Next Cap shows the status {ours}, which this version does not know"
        return _decision(Outcome.REFUSED, "unknown_status", reason, ours, theirs)
    if status_agrees(rule, ours, theirs, link.substitutes):
        return _decision(Outcome.AGREED, "agreed", "both sides say the same", ours, theirs)
    source, reason = _winner(rule, link, ours_changed, theirs_changed, now, signals, first=shadow is None)
    if source is None:
        return _decision(Outcome.HELD, "conflict", "both sides changed; a person chooses", ours, theirs)
    if source is Side.NEXTCAP:
        return _push(rule, reason, present, theirs)
    return _pull(rule, reason, present, theirs, signals)


def status_agrees(rule: StatusRule, nextcap: Value, crm: Value, substitutes: frozenset[tuple[Value, Value]]) -> bool:
    """Whether a status and a CRM value say the same, by the table or by a substitute settled before."""
    present = parse_status(nextcap)
    if present is None:
        return False
    if (nextcap, crm) in substitutes or rule.to_crm.get(present) == crm:
        return True
    return rule.status_for(crm, present=present) is present


def parse_status(value: Value) -> Status | None:
    """The status of that name, or None where Next Cap shows one that is not in the table."""
    return next((status for status in Status if status.value == value), None)


def _winner(
    rule: StatusRule,
    link: LinkState,
    ours_changed: bool,
    theirs_changed: bool,
    now: datetime,
    signals: Signals,
    *,
    first: bool,
) -> tuple[Side | None, str]:
    if first:
        if rule.first is First.ASK:
            return None, ""
        side = Side.CRM if rule.first is First.CRM else Side.NEXTCAP
        return side, "first contact: " + ("the CRM's" if side is Side.CRM else "Next Cap's") + " value is taken"
    if not theirs_changed:
        return Side.NEXTCAP, "Next Cap changed"
    if not ours_changed:
        return Side.CRM, "the CRM changed"
    if rule.direction is not Direction.BOTH:
        side = Side.NEXTCAP if rule.direction is Direction.TO_CRM else Side.CRM
        return side, "both changed; the status travels one way"
    if signals.moved_by_our_reply:
        return Side.CRM, "the CRM changed; Next Cap only moved because of our own reply"
    if rule.owner is Owner.ASK:
        return None, ""
    if rule.owner is Owner.NEWEST:
        return newer_side(link, STATUS, now)
    side = Side.NEXTCAP if rule.owner is Owner.NEXTCAP else Side.CRM
    return side, f"both sides changed; the mapping names {side} as the owner"


def _push(rule: StatusRule, reason: str, present: Status, theirs: Value) -> Decision:
    if rule.direction is Direction.TO_NEXTCAP:
        return _decision(Outcome.LEFT, "one_way", f"{reason}; the status travels only to Next Cap", present, theirs)
    if rule.is_final(theirs):
        return _decision(
            Outcome.LEFT, CLOSED, f"{reason}; {rule.label(theirs)} is for good in the CRM", present, theirs
        )
    wanted = rule.to_crm.get(present)
    if wanted is None:
        text = f"the mapping gives no CRM value for the status {present}"
        return _decision(Outcome.REFUSED, "status_not_mapped", text, present, theirs)
    return Decision(STATUS, Outcome.TO_CRM, "carried", reason, present.value, theirs, write_crm=wanted)


def _pull(rule: StatusRule, reason: str, present: Status, theirs: Value, signals: Signals) -> Decision:
    label = rule.label(theirs)
    if rule.direction is Direction.TO_CRM:
        return _decision(Outcome.LEFT, "one_way", f"{reason}; the status travels only to the CRM", present, theirs)
    if theirs is None or str(theirs) in rule.ignore:
        return _decision(Outcome.LEFT, "ignored", f"the mapping ignores {label}", present, theirs)
    wanted = rule.status_for(theirs, present=present)
    if wanted is None:
        text = f"{label} is neither mapped nor listed under ignore"
        return _decision(Outcome.REFUSED, "stage_not_mapped", text, present, theirs)
    if wanted in FINAL and present not in FINAL and signals.unseen_customer_reply:
        return _close_race(rule, present, theirs, label)
    return _walk(rule, reason, present, theirs, wanted)


def _close_race(rule: StatusRule, present: Status, theirs: Value, label: str) -> Decision:
    """The CRM closed without having seen the customer's newest reply: never applied as it stands."""
    reason = f"{label} was set before the customer's newest reply could be seen there"
    back = rule.to_crm.get(present)
    if rule.close_race == "ask" or rule.direction is not Direction.BOTH or back is None:
        return _decision(Outcome.HELD, "close_race", f"{reason}; a person chooses", present, theirs)
    return Decision(
        STATUS,
        Outcome.TO_CRM,
        "close_race",
        f"{reason}, so it is opened again there",
        present.value,
        theirs,
        write_crm=back,
    )


def _walk(rule: StatusRule, reason: str, present: Status, theirs: Value, wanted: Status) -> Decision:
    """The shortest legal way to the wanted status, else to the first reachable of its declared substitutes."""
    for target in (wanted, *rule.substitutes.get(wanted, ())):
        substituted = target is not wanted
        note = f"; Next Cap has no legal way to {wanted}, so {target} stands for it" if substituted else ""
        if target is present:
            return Decision(
                STATUS,
                Outcome.AGREED,
                "substituted" if substituted else "agreed",
                reason + note,
                present.value,
                theirs,
                substituted=substituted,
            )
        path = shortest_path(present, target, rule.policy)
        if path is not None:
            via = f" by way of {', '.join(path[:-1])}" if len(path) > 1 else ""
            return Decision(
                STATUS,
                Outcome.TO_NEXTCAP,
                "substituted" if substituted else "carried",
                f"{reason}{note}{via}",
                present.value,
                theirs,
                write_nextcap=target.value,
                path=path,
                substituted=substituted,
            )
    text = (
        f"{reason}, but Next Cap has no allowed way from {present} to {wanted}, and the mapping declares no substitute"
    )
    return _decision(Outcome.REFUSED, "no_legal_path", text, present, theirs)


def _decision(outcome: Outcome, code: str, reason: str, ours: Value, theirs: Value) -> Decision:
    native = ours.value if isinstance(ours, Status) else ours
    return Decision(STATUS, outcome, code, reason, native, theirs)
