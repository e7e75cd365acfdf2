"""The status: whose change counts, which way Next Cap is walked, and what is done where there is no way."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from connector.domain.decision import STATUS, LinkState, Outcome, Shadow, Signals
from connector.domain.lifecycle import FINAL, PathPolicy, Status, is_legal
from connector.domain.rules import Direction, First, Owner, StatusRule
from connector.domain.status import parse_status, status_agrees
from connector.domain.ticket import Side, Value
from tests.domain.helpers import (
    CLOSED,
    CONTACT,
    SETTLED_STATUS,
    STAGES,
    US,
    decide_status,
    mapping,
    plan,
    seconds,
    shipped,
)

NOTHING: frozenset[tuple[Value, Value]] = frozenset()
UNSEEN = Signals(unseen_customer_reply=True)
MOVED = Signals(moved_by_our_reply=True)
NEW_STAGE = "New"


def changed(**options: Any) -> StatusRule:
    """The shipped table, but for these fields."""
    return replace(STAGES, **options)


def test_these_tests_use_the_shipped_table() -> None:
    """What is proved here is proved of the mapping that is delivered."""
    rule = shipped().status

    assert (rule.to_crm, rule.to_nextcap, rule.when) == (STAGES.to_crm, STAGES.to_nextcap, STAGES.when)
    assert (rule.substitutes, rule.direction, rule.owner) == (STAGES.substitutes, STAGES.direction, STAGES.owner)
    assert (rule.first, rule.close_race) == (STAGES.first, STAGES.close_race)


@pytest.mark.parametrize("status", ["in_progress", "waiting_internal", "reopened"])
def test_a_finer_status_is_kept_through_a_coarser_stage(status: str) -> None:
    """Next Cap's `in_progress` is "Waiting on us" as `open` was: nothing is written, and it does not become `open`."""
    moved = decide_status(status, US)
    echoed = decide_status(status, US, shadow=Shadow(status, US))
    round_trip = decide_status(status, US, shadow=Shadow(status, CONTACT))

    assert (moved.outcome, moved.path) == (Outcome.AGREED, ())
    assert echoed.outcome is Outcome.UNCHANGED
    assert (round_trip.outcome, round_trip.path) == (Outcome.AGREED, ())


def test_a_finer_stage_is_kept_through_a_coarser_status() -> None:
    """A stage that Next Cap's statuses are never written as says what the table makes of it: nothing is written."""
    rule = changed(to_nextcap={**STAGES.to_nextcap, "Escalated": Status.WAITING_INTERNAL})

    decision = decide_status("waiting_internal", "Escalated", shadow=Shadow("open", "Escalated"), rule=rule)

    assert (decision.outcome, decision.writes_crm) == (Outcome.AGREED, False)
    assert status_agrees(rule, "waiting_internal", "Escalated", NOTHING)
    assert not status_agrees(rule, "in_progress", "Escalated", NOTHING)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OPEN])
def test_next_caps_change_is_written_as_the_table_says(status: Status) -> None:
    decision = decide_status(status, US)

    assert decision.write_crm == (None if STAGES.to_crm[status] == US else STAGES.to_crm[status])
    assert decision.path == ()


@pytest.mark.parametrize("present", Status)
@pytest.mark.parametrize("stage", STAGES.to_nextcap)
def test_the_crms_change_walks_next_cap_legally_or_not_at_all(present: Status, stage: str) -> None:
    """From every status to every stage: each step is one that Next Cap takes."""
    decision = decide_status(present, stage, shadow=Shadow(present, "?"))

    assert all(is_legal(one, two) for one, two in pairwise((present, *decision.path)))
    assert decision.outcome in (Outcome.AGREED, Outcome.TO_NEXTCAP)
    reached = decision.path[-1] if decision.path else present
    settled = frozenset({(str(reached), stage)}) if decision.substituted else NOTHING
    assert status_agrees(STAGES, reached.value, stage, settled)


@pytest.mark.parametrize("present", [Status.RESOLVED, Status.CLOSED])
def test_the_answer_to_a_stage_may_depend_on_the_present_status(present: Status) -> None:
    assert decide_status(present, US, shadow=Shadow(present, CLOSED)).path == (Status.REOPENED,)


def test_a_longer_way_is_named_in_the_reason() -> None:
    decision = decide_status(Status.CLOSED, CONTACT, shadow=Shadow("closed", CLOSED))

    assert decision.path == (Status.REOPENED, Status.WAITING_CUSTOMER)
    assert "by way of reopened" in decision.reason


def test_where_there_is_no_way_the_declared_substitute_stands() -> None:
    """Nothing leads back to `new`: the first substitute in reach is walked to, and the pair counts as agreement."""
    walked = decide_status(Status.WAITING_CUSTOMER, NEW_STAGE, shadow=Shadow("waiting_customer", CONTACT))
    stayed = decide_status(Status.OPEN, NEW_STAGE)

    assert (walked.path, walked.substituted, walked.write_nextcap) == ((Status.OPEN,), True, "open")
    assert (stayed.outcome, stayed.path, stayed.substituted) == (Outcome.AGREED, (), True)
    assert status_agrees(STAGES, "open", NEW_STAGE, frozenset({("open", NEW_STAGE)}))
    assert not status_agrees(STAGES, "open", NEW_STAGE, NOTHING)


def test_the_first_substitute_in_reach_is_taken() -> None:
    rule = changed(
        substitutes={Status.NEW: (Status.WAITING_INTERNAL, Status.OPEN)},
        policy=PathPolicy(forbid=frozenset(Status), max_hops=1),
    )

    from_customer = decide_status(Status.WAITING_CUSTOMER, NEW_STAGE, shadow=Shadow("waiting_customer", CONTACT))
    from_working = decide_status(Status.IN_PROGRESS, NEW_STAGE, shadow=Shadow("in_progress", US), rule=rule)

    assert from_customer.path == (Status.OPEN,)
    assert from_working.path == (Status.WAITING_INTERNAL,)


def test_without_a_way_or_a_substitute_it_is_refused_and_the_step_named() -> None:
    """Never an illegal move, never silence."""
    decision = decide_status(Status.OPEN, NEW_STAGE, rule=changed(substitutes={}))

    assert (decision.outcome, decision.code, decision.path) == (Outcome.REFUSED, "no_legal_path", ())
    assert "from open to new" in decision.reason


def test_the_policy_limits_the_walk() -> None:
    rule = changed(policy=PathPolicy(max_hops=1))

    decision = decide_status(Status.CLOSED, CONTACT, shadow=Shadow("closed", CLOSED), rule=rule)

    assert decision.code == "no_legal_path"


@pytest.mark.parametrize(
    ("nextcap", "crm", "rule", "code"),
    [
        ("open", "Unheard of", STAGES, "stage_not_mapped"),
        ("open", "Spam", changed(ignore=frozenset({"Spam"})), "ignored"),
        ("open", None, STAGES, "ignored"),
        ("merged", US, STAGES, "unknown_status"),
        ("resolved", US, changed(to_crm={Status.OPEN: US}), "status_not_mapped"),
    ],
)
def test_what_the_table_does_not_know_is_said_and_moves_nothing(
    nextcap: str, crm: Value, rule: StatusRule, code: str
) -> None:
    decision = decide_status(nextcap, crm, rule=rule)

    assert (decision.code, decision.path, decision.writes_crm) == (code, (), False)


@pytest.mark.parametrize("present", [status for status in Status if status not in FINAL])
def test_a_close_that_could_not_know_of_a_newer_customer_reply_is_not_applied(present: Status) -> None:
    """The CRM is opened again: its agent closed without having seen what the customer wrote."""
    shadow = Shadow(present.value, STAGES.to_crm[present])

    decision = decide_status(present, CLOSED, shadow=shadow, signals=UNSEEN)

    assert (decision.code, decision.path) == ("close_race", ())
    assert decision.write_crm == STAGES.to_crm[present]


@pytest.mark.parametrize(
    "rule",
    [changed(close_race="ask"), changed(direction=Direction.TO_NEXTCAP), changed(to_crm={Status.RESOLVED: CLOSED})],
)
def test_a_close_race_is_a_persons_where_it_cannot_be_opened_again(rule: StatusRule) -> None:
    decision = decide_status("open", CLOSED, rule=rule, signals=UNSEEN)

    assert (decision.outcome, decision.code, decision.writes_crm) == (Outcome.HELD, "close_race", False)


def test_only_a_close_races_with_an_unseen_reply() -> None:
    assert decide_status("open", CONTACT, signals=UNSEEN).path == (Status.WAITING_CUSTOMER,)
    assert decide_status("open", CLOSED).path == (Status.RESOLVED,)
    closed = Shadow("closed", "Waiting on nobody")
    assert decide_status("closed", CLOSED, shadow=closed, signals=UNSEEN).outcome is Outcome.AGREED


@pytest.mark.parametrize("owner", Owner)
def test_what_our_own_reply_moved_is_no_rival_change(owner: Owner) -> None:
    """The status right after our own reply is the new start of the walk, whoever owns conflicts."""
    decision = decide_status("waiting_customer", CLOSED, rule=changed(owner=owner), signals=MOVED)

    assert decision.path == (Status.RESOLVED,)


def test_what_our_own_reply_moved_is_told_to_the_crm() -> None:
    assert decide_status("waiting_customer", US, signals=MOVED).write_crm == CONTACT


def test_what_our_own_reply_moved_is_told_to_a_crm_that_is_never_read() -> None:
    """Where the status travels only to the CRM, a stage that somebody set there does not swallow Next Cap's."""
    rule = changed(direction=Direction.TO_CRM)

    decision = decide_status("waiting_customer", CLOSED, rule=rule, signals=MOVED)

    assert decision.write_crm == CONTACT


@pytest.mark.parametrize(
    ("owner", "ours_at", "theirs_at", "winner"),
    [
        (Owner.NEXTCAP, 0, 60, Side.NEXTCAP),
        (Owner.CRM, 60, 0, Side.CRM),
        (Owner.NEWEST, 0, 60, Side.CRM),
        (Owner.NEWEST, 60, 0, Side.NEXTCAP),
        (Owner.NEWEST, 0, 1.9, Side.NEXTCAP),
        (Owner.ASK, 0, 60, None),
    ],
)
def test_where_both_moved_the_owner_decides(
    owner: Owner, ours_at: float, theirs_at: float, winner: Side | None
) -> None:
    moments = {Side.NEXTCAP: {STATUS: seconds(ours_at)}, Side.CRM: {STATUS: seconds(theirs_at)}}

    decision = decide_status("waiting_customer", CLOSED, rule=changed(owner=owner), moments=moments)

    assert decision.writes_crm is (winner is Side.NEXTCAP)
    assert bool(decision.path) is (winner is Side.CRM)
    assert (decision.outcome is Outcome.HELD) is (winner is None)


def test_a_held_status_waits_until_either_side_moves() -> None:
    held = {STATUS: ("waiting_customer", CLOSED)}
    rule = changed(owner=Owner.ASK)

    assert decide_status("waiting_customer", CLOSED, rule=rule, held=held).code == "waits"
    assert decide_status("resolved", CLOSED, rule=rule, held=held).outcome is Outcome.AGREED


@pytest.mark.parametrize(
    ("first", "outcome"),
    [
        (First.NEXTCAP, Outcome.TO_CRM),
        (First.FILL_EMPTY, Outcome.TO_CRM),
        (First.CRM, Outcome.TO_NEXTCAP),
        (First.ASK, Outcome.HELD),
    ],
)
def test_a_first_contact_of_statuses_is_settled_as_the_mapping_says(first: First, outcome: Outcome) -> None:
    decision = decide_status("waiting_customer", CLOSED, shadow=None, rule=changed(first=first))

    assert decision.outcome is outcome
    assert decision.code == ("first_ask" if first is First.ASK else "carried")


@pytest.mark.parametrize("first", First)
def test_a_first_contact_that_agrees_settles_at_once(first: First) -> None:
    assert decide_status("in_progress", US, shadow=None, rule=changed(first=first)).outcome is Outcome.AGREED


@pytest.mark.parametrize("direction", [Direction.TO_CRM, Direction.TO_NEXTCAP])
@pytest.mark.parametrize("shadow", [None, Shadow("open", CLOSED), Shadow("resolved", US), Shadow("new", CONTACT)])
@pytest.mark.parametrize("signals", [Signals(), UNSEEN, MOVED])
def test_a_one_way_status_never_goes_the_other_way(
    direction: Direction, shadow: Shadow | None, signals: Signals
) -> None:
    for status in Status:
        for stage in STAGES.to_nextcap:
            decision = decide_status(status, stage, shadow=shadow, rule=changed(direction=direction), signals=signals)

            assert not (decision.path if direction is Direction.TO_CRM else decision.writes_crm)


@pytest.mark.parametrize("unread", Side)
def test_a_status_that_was_not_read_counts_as_unchanged(unread: Side) -> None:
    shown = {Side.NEXTCAP: {STATUS: "resolved"}, Side.CRM: {STATUS: CONTACT}} | {unread: {}}
    link = LinkState(shadows={STATUS: SETTLED_STATUS})

    made = plan(mapping(), link, nextcap=shown[Side.NEXTCAP], crm=shown[Side.CRM])

    assert made.walk == (() if unread is Side.CRM else (Status.WAITING_CUSTOMER,))
    assert made.to_crm == ({STATUS: CLOSED} if unread is Side.CRM else {})


def test_a_status_is_known_by_its_name_alone() -> None:
    assert [parse_status(status.value) for status in Status] == list(Status)
    assert [parse_status(value) for value in ("merged", "", None, 1, ("open",))] == [None] * 5
