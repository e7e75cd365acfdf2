"""The status of a ticket: the table both ways, the walk through Next Cap's machine, substitutes and races."""

from __future__ import annotations

from datetime import datetime

from connector.domain.comparison import Comparison, Winner, first_taken
from connector.domain.decision import STATUS, Decision, LinkState, Outcome, Signals, Values
from connector.domain.final import CLOSED, decide_final
from connector.domain.lifecycle import FINAL, Status, shortest_path
from connector.domain.rules import Direction, First, StatusRule
from connector.domain.ticket import Side, Value


def decide_status(
    rule: StatusRule, link: LinkState, *, nextcap: Values, crm: Values, now: datetime, signals: Signals
) -> Decision:
    """Decide what the two statuses should become."""
    seen = Comparison.of(STATUS, link, nextcap, crm)
    present = parse_status(seen.ours)
    waiting = seen.waiting(link)
    if waiting is not None:
        return waiting
    if present is not None:
        final = decide_final(rule, seen, present, signals)
        if final is not None:
            return final
    if not (seen.ours_changed or seen.theirs_changed):
        return seen.unchanged()
    if present is None:
        reason = f"Next Cap shows the status {seen.ours}, which this version does not know"
        return seen.decided(Outcome.REFUSED, "unknown_status", reason)
    if status_agrees(rule, seen.ours, seen.theirs, link.substitutes):
        return seen.agreed()
    winner = _winner(rule, seen, link, now, signals)
    if winner is None:
        return seen.asking()
    side, reason = winner
    if not rule.direction.carries(side):
        return seen.one_way(reason)
    if side is Side.NEXTCAP:
        return _push(rule, seen, present, reason)
    return _pull(rule, seen, present, reason, signals)


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


def route(rule: StatusRule, present: Status, wanted: Status) -> tuple[Status, tuple[Status, ...]] | None:
    """The status that Next Cap is walked to, and the moves that lead there (none where it has it already).

    That is the wanted one, else the first of its declared substitutes in reach; None where the mapping allows no way.
    """
    for target in (wanted, *rule.substitutes.get(wanted, ())):
        path = shortest_path(present, target, rule.policy)
        if path is not None:
            return target, path
    return None


def _winner(rule: StatusRule, seen: Comparison, link: LinkState, now: datetime, signals: Signals) -> Winner | None:
    if seen.shadow is None:
        return None if rule.first is First.ASK else first_taken(Side.CRM if rule.first is First.CRM else Side.NEXTCAP)
    both_changed = seen.ours_changed and seen.theirs_changed
    if both_changed and rule.direction is Direction.BOTH and signals.moved_by_our_reply:
        return Side.CRM, "the CRM changed; Next Cap only moved because of our own reply"
    return seen.winner(rule, link, now)


def _push(rule: StatusRule, seen: Comparison, present: Status, reason: str) -> Decision:
    if rule.is_final(seen.theirs):
        return seen.decided(Outcome.LEFT, CLOSED, f"{reason}; {rule.label(seen.theirs)} is for good in the CRM")
    wanted = rule.to_crm.get(present)
    if wanted is None:
        text = f"the mapping gives no CRM value for the status {present}"
        return seen.decided(Outcome.REFUSED, "status_not_mapped", text)
    return seen.decided(Outcome.TO_CRM, "carried", reason, write_crm=wanted)


def _pull(rule: StatusRule, seen: Comparison, present: Status, reason: str, signals: Signals) -> Decision:
    label = rule.label(seen.theirs)
    if seen.theirs is None or str(seen.theirs) in rule.ignore:
        return seen.decided(Outcome.LEFT, "ignored", f"the mapping ignores {label}")
    wanted = rule.status_for(seen.theirs, present=present)
    if wanted is None:
        text = f"{label} is neither mapped nor listed under ignore"
        return seen.decided(Outcome.REFUSED, "stage_not_mapped", text)
    if wanted in FINAL and present not in FINAL and signals.unseen_customer_reply:
        return _close_race(rule, seen, present)
    return _walk(rule, seen, present, wanted, reason)


def _close_race(rule: StatusRule, seen: Comparison, present: Status) -> Decision:
    """The CRM closed without having seen the customer's newest reply: never applied as it stands."""
    reason = f"{rule.label(seen.theirs)} was set before the customer's newest reply could be seen there"
    back = rule.to_crm.get(present)
    if rule.close_race == "ask" or rule.direction is not Direction.BOTH or back is None:
        return seen.decided(Outcome.HELD, "close_race", f"{reason}; a person chooses")
    return seen.decided(Outcome.TO_CRM, "close_race", f"{reason}, so it is opened again there", write_crm=back)


def _walk(rule: StatusRule, seen: Comparison, present: Status, wanted: Status, reason: str) -> Decision:
    """The way to the wanted status or to what stands for it, as a decision."""
    way = route(rule, present, wanted)
    if way is None:
        text = f"{reason}, but Next Cap has no allowed way from {present} to {wanted}"
        return seen.decided(Outcome.REFUSED, "no_legal_path", f"{text}, and the mapping declares no substitute")
    reached, path = way
    is_substitute = reached is not wanted
    if is_substitute:
        reason += f"; Next Cap has no legal way to {wanted}, so {reached} stands for it"
    code = "substituted" if is_substitute else ""
    if not path:
        return seen.decided(Outcome.AGREED, code or "agreed", reason, substituted=is_substitute)
    via = f" by way of {', '.join(path[:-1])}" if len(path) > 1 else ""
    return seen.decided(
        Outcome.TO_NEXTCAP,
        code or "carried",
        reason + via,
        write_nextcap=reached.value,
        path=path,
        substituted=is_substitute,
    )
