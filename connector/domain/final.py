"""What becomes of something new in Next Cap where the CRM has closed its record for good."""

from __future__ import annotations

from dataclasses import replace

from connector.domain.comparison import Comparison
from connector.domain.decision import Decision, Outcome, Signals
from connector.domain.lifecycle import FINAL, Status
from connector.domain.rules import AfterFinal, Direction, StatusRule
from connector.domain.ticket import Value

CLOSED = "closed_for_good"
NOTED = "closed_for_good_noted"
FOLLOW_UP = "follow_up"
"""Codes of decisions about a status."""


def decide_final(rule: StatusRule, seen: Comparison, present: Status, signals: Signals) -> Decision | None:
    """The decision where a status or a reply in Next Cap cannot reach a record that is closed for good; else None."""
    if not rule.is_final(seen.theirs):
        return None
    asks = seen.ours_changed and present not in FINAL and rule.direction is not Direction.TO_NEXTCAP
    what = f"the ticket is {present}" if asks else "there is a reply"
    reason = f"{what}, but the CRM has closed the record for good ({rule.label(seen.theirs)})"
    if rule.after_final is AfterFinal.PARK or not (asks or signals.unseen_reply):
        return seen.decided(Outcome.REFUSED, CLOSED, f"{reason}; a person decides") if asks else None
    if rule.after_final is AfterFinal.NOTE:
        return seen.decided(Outcome.LEFT, NOTED, f"{reason}; an internal note in Next Cap tells agents")
    return seen.decided(Outcome.FOLLOW_UP, FOLLOW_UP, f"{reason}; a follow-up record continues it")


def without_final(rule: StatusRule, status: Value, decision: Decision) -> Decision:
    """A field's decision, without its write to a record that is closed for good, where nobody is to be asked."""
    if not decision.writes_crm or not rule.is_final(status) or rule.after_final is AfterFinal.PARK:
        return decision
    told = (
        f"{decision.reason}; the CRM has closed the record for good ({rule.label(status)}), so it is not written there"
    )
    if decision.writes_nextcap:
        return replace(decision, outcome=Outcome.TO_NEXTCAP, reason=told, write_crm=None)
    return replace(decision, outcome=Outcome.LEFT, code=CLOSED, reason=told, write_crm=None)
