"""What becomes of news in Next Cap where the CRM has closed its record for good: pure, for every policy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connector.domain.decision import STATUS, Decision, LinkState, Outcome, Shadow, Signals
from connector.domain.lifecycle import Status
from connector.domain.rules import AfterFinal, Direction, StatusRule
from connector.domain.status import decide_status

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RULE = StatusRule(
    crm="status",
    to_crm={one: "Solved" if one in (Status.RESOLVED, Status.CLOSED) else "Open" for one in Status},
    to_nextcap={"Open": Status.OPEN, "Solved": Status.RESOLVED},
    ignore=frozenset({"Closed"}),
    final=frozenset({"Closed"}),
)


def decided(
    policy: AfterFinal, ours: str, theirs: str = "Closed", *, reply: bool = False, before: str = "Closed"
) -> Decision:
    """The decision about a ticket that was resolved on both sides."""
    link = LinkState(shadows={STATUS: Shadow("resolved", before)})
    signals = Signals(unseen_reply=reply)
    rule = replace(RULE, after_final=policy)
    return decide_status(rule, link, nextcap={STATUS: ours}, crm={STATUS: theirs}, now=NOON, signals=signals)


@pytest.mark.parametrize(
    ("policy", "outcome"),
    [
        (AfterFinal.FOLLOW_UP, Outcome.FOLLOW_UP),
        (AfterFinal.NOTE, Outcome.LEFT),
        (AfterFinal.PARK, Outcome.REFUSED),
    ],
)
@pytest.mark.parametrize("before", ["Closed", "Solved"])
def test_a_reopened_ticket_takes_the_way_that_is_named(policy: AfterFinal, outcome: Outcome, before: str) -> None:
    """Also where the CRM closed at the same time: a close for good is no rival change."""
    decision = decided(policy, "reopened", before=before)

    assert (decision.outcome, decision.writes_crm, decision.path) == (outcome, False, ())


@pytest.mark.parametrize(
    ("policy", "outcome"),
    [
        (AfterFinal.FOLLOW_UP, Outcome.FOLLOW_UP),
        (AfterFinal.NOTE, Outcome.LEFT),
        (AfterFinal.PARK, Outcome.UNCHANGED),
    ],
)
def test_a_reply_alone_does_too_and_is_parked_by_itself(policy: AfterFinal, outcome: Outcome) -> None:
    assert decided(policy, "resolved", reply=True).outcome is outcome


@pytest.mark.parametrize("policy", list(AfterFinal))
def test_a_ticket_that_ends_too_needs_nothing(policy: AfterFinal) -> None:
    assert decided(policy, "closed").outcome is Outcome.LEFT
    assert decided(policy, "resolved").outcome is Outcome.UNCHANGED


@pytest.mark.parametrize("policy", list(AfterFinal))
def test_a_record_that_is_open_is_written_as_ever(policy: AfterFinal) -> None:
    decision = decided(policy, "reopened", theirs="Solved", before="Solved", reply=True)

    assert (decision.outcome, decision.write_crm) == (Outcome.TO_CRM, "Open")


def test_a_status_that_travels_to_next_cap_only_asks_for_no_follow_up() -> None:
    rule = replace(RULE, after_final=AfterFinal.FOLLOW_UP, direction=Direction.TO_NEXTCAP)
    link = LinkState(shadows={STATUS: Shadow("resolved", "Closed")})

    decision = decide_status(
        rule, link, nextcap={STATUS: "reopened"}, crm={STATUS: "Closed"}, now=NOON, signals=Signals()
    )

    assert decision.outcome is Outcome.LEFT
