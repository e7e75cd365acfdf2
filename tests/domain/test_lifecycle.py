"""Next Cap's state machine is the vendor's, and every walk through it is legal, allowed and the shortest."""

from __future__ import annotations

import re
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.lifecycle import ANY_PATH, TRANSITIONS, PathPolicy, Status, is_legal, shortest_path
from tests.domain.helpers import ROOT

SHEET = ROOT.parent / "shared" / "api" / "nextcap.md"
NEW, OPEN, WORKING, CUSTOMER, INTERNAL, RESOLVED, CLOSED, REOPENED = Status
PAIRS = list(product(Status, Status))
COLUMNS = (OPEN, WORKING, CUSTOMER, INTERNAL, RESOLVED, CLOSED, REOPENED)

# The vendor's table, row by row; x is a legal move, a dot is answered with 400.
PUBLISHED = """
new              x x . . . x .
open             . x x x x x .
in_progress      . . x x x x .
waiting_customer x x . . x x .
waiting_internal x x . . x x .
resolved         . . . . . x x
closed           . . . . . . x
reopened         x x x x x x .
"""

# What the vendor sheet recommends where several ways are equally short.
PREFERRED = [
    (NEW, RESOLVED, (OPEN, RESOLVED)),
    (NEW, CUSTOMER, (OPEN, CUSTOMER)),
    (NEW, INTERNAL, (OPEN, INTERNAL)),
    (NEW, REOPENED, (CLOSED, REOPENED)),
    (WORKING, OPEN, (INTERNAL, OPEN)),
    (CUSTOMER, INTERNAL, (OPEN, INTERNAL)),
    (INTERNAL, CUSTOMER, (OPEN, CUSTOMER)),
    (CLOSED, RESOLVED, (REOPENED, RESOLVED)),
    *(
        (source, target, (REOPENED, target))
        for source in (RESOLVED, CLOSED)
        for target in (OPEN, WORKING, CUSTOMER, INTERNAL)
    ),
    *((source, REOPENED, (RESOLVED, REOPENED)) for source in (OPEN, WORKING, CUSTOMER, INTERNAL)),
]

policies = st.builds(PathPolicy, forbid=st.frozensets(st.sampled_from(Status)), max_hops=st.integers(0, 8))


def published() -> dict[Status, set[Status]]:
    rows = [line.split() for line in PUBLISHED.split("\n") if line]
    return {
        Status(name): {target for target, mark in zip(COLUMNS, marks, strict=True) if mark == "x"}
        for name, *marks in rows
    }


def fewest_moves(source: Status, target: Status, policy: PathPolicy) -> int | None:
    """By growing the set of what can be reached in exactly so many moves; no search, no queue."""
    reached = {source}
    for moves in range(1, policy.max_hops + 1):
        reached = {step for status in reached for step in TRANSITIONS[status]}
        if target in reached:
            return moves
        reached -= policy.forbid
    return None


def test_the_table_is_the_vendors() -> None:
    assert {source: set(targets) for source, targets in TRANSITIONS.items()} == published()


@pytest.mark.skipif(not SHEET.exists(), reason="the vendor sheets are not part of the distribution")
def test_the_table_is_the_sheets() -> None:
    section = SHEET.read_text().split("### 4.3 ", 1)[1].split("\n### ", 1)[0]
    rows = re.findall(r"^\| \*\*(\w+)\*\* \|(.*)\|$", section, re.MULTILINE)
    head = [cell.strip() for cell in section.split("| From \\ To |", 1)[1].split("\n", 1)[0].strip("| ").split("|")]

    sheet = {
        Status(name): {
            Status(target) for target, cell in zip(head, cells.split("|"), strict=True) if cell.strip() == "yes"
        }
        for name, cells in rows
    }

    assert {source: set(targets) for source, targets in TRANSITIONS.items()} == sheet


def test_no_target_is_named_twice_and_none_is_itself() -> None:
    for source, targets in TRANSITIONS.items():
        assert len(set(targets)) == len(targets)
        assert source not in targets


def test_nothing_leads_back_to_new() -> None:
    assert [source for source in Status if shortest_path(source, NEW, PathPolicy(max_hops=8))] == []


def test_staying_is_no_move() -> None:
    for status in Status:
        assert shortest_path(status, status) == ()
        assert not is_legal(status, status)


@given(policy=policies)
def test_every_walk_is_legal_allowed_and_the_shortest(policy: PathPolicy) -> None:
    for source, target in PAIRS:
        path = shortest_path(source, target, policy)

        if source is target:
            assert path == ()
            continue
        assert (None if path is None else len(path)) == fewest_moves(source, target, policy)
        if path is not None:
            assert all(is_legal(one, two) for one, two in pairwise((source, *path)))
            assert path[-1] is target
            assert not policy.forbid & set(path[:-1])


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_everything_but_new_is_within_two_moves(source: Status, target: Status) -> None:
    path = shortest_path(source, target, ANY_PATH)

    assert (path is None) is (target is NEW and source is not NEW)
    assert path is None or len(path) <= 2


@pytest.mark.parametrize(("source", "target", "path"), PREFERRED)
def test_among_equals_the_recommended_way_is_taken(source: Status, target: Status, path: tuple[Status, ...]) -> None:
    assert shortest_path(source, target) == path


def test_a_forbidden_status_may_still_be_the_end_of_a_walk() -> None:
    no_closing = PathPolicy(forbid=frozenset({CLOSED}))

    assert shortest_path(NEW, CLOSED, no_closing) == (CLOSED,)
    assert shortest_path(NEW, REOPENED, no_closing) == (OPEN, RESOLVED, REOPENED)
    assert shortest_path(NEW, REOPENED, PathPolicy(forbid=no_closing.forbid, max_hops=2)) is None
