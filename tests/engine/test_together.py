"""What comes at the same time is stored at once, and one that cannot be stored takes no other along."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from connector.engine.together import Together
from connector.store import deliveries, tables
from connector.store.database import Database, StoreAway
from tests.domain.helpers import NOON


class Work:
    """Doubles numbers; the first call waits until it is let go, so that others gather."""

    def __init__(self, fail: Callable[[Sequence[int]], None] = lambda _: None) -> None:
        self.calls: list[list[int]] = []
        self.began, self.go = threading.Event(), threading.Event()
        self.fail = fail

    def __call__(self, items: Sequence[int]) -> list[str]:
        self.calls.append(list(items))
        if len(self.calls) == 1:
            self.began.set()
            assert self.go.wait(10)
        self.fail(items)
        return [str(item * 2) for item in items]


def gathered(work: Work, *items: int) -> list[object]:
    """What each item's caller got, when the first was at work while the others came."""
    together: Together[int, str] = Together(work)

    def ask(item: int) -> object:
        try:
            return together(item)
        except (StoreAway, sa.exc.DataError, ArithmeticError) as problem:
            return type(problem)

    with ThreadPoolExecutor(len(items)) as pool:
        first = pool.submit(ask, items[0])
        assert work.began.wait(10)
        others = [pool.submit(ask, item) for item in items[1:]]
        while len(together._waiting) < len(items) - 1:
            pass
        work.go.set()
        return [first.result(10), *(other.result(10) for other in others)]


def test_one_that_comes_alone_is_worked_alone() -> None:
    work = Work()
    work.go.set()

    assert Together[int, str](work)(21) == "42"
    assert work.calls == [[21]]


def test_those_that_come_meanwhile_are_worked_at_once() -> None:
    work = Work()

    assert gathered(work, 1, 2, 3, 4) == ["2", "4", "6", "8"]
    assert len(work.calls) == 2
    assert sorted(work.calls[1]) == [2, 3, 4]


def test_a_database_that_is_away_is_told_to_everybody() -> None:
    def away(items: Sequence[int]) -> None:
        if len(items) > 1:
            raise StoreAway

    assert gathered(Work(away), 1, 2, 3) == ["2", StoreAway, StoreAway]


def test_one_that_the_database_turns_down_takes_no_other_along() -> None:
    def refuse(items: Sequence[int]) -> None:
        if 3 in items:
            raise sa.exc.DataError("INSERT", {}, ValueError("no"))

    assert gathered(Work(refuse), 1, 2, 3, 4) == ["2", "4", sa.exc.DataError, "8"]


def test_a_defect_that_one_brings_up_takes_no_other_along() -> None:
    """The thread that met it raises it; the others are tried by themselves."""

    def break_down(items: Sequence[int]) -> None:
        if 3 in items:
            raise ArithmeticError

    results = gathered(Work(break_down), 1, 2, 3, 4)

    assert results[0] == "2"
    assert results[2] is ArithmeticError
    assert {"4", "8"} & {str(results[1]), str(results[3])}


@pytest.mark.parametrize("repeat", [1, 3])
def test_deliveries_that_come_at_once_and_again_are_counted(tmp_path: Path, repeat: int) -> None:
    db = Database(f"sqlite:///{tmp_path / 'store.db'}")
    db.upgrade()
    arrived = [("a", b"1"), ("b", b"2"), ("a", b"1")]

    for round_number in range(repeat):
        with db.write() as connection:
            kept = deliveries.store(connection, "hubspot", arrived, NOON)
        assert [first for _, first in kept] == [round_number == 0, round_number == 0, False]
        assert kept[0][0] == kept[2][0] != kept[1][0]

    with db.read() as connection:
        seen = {row.key: row.seen for row in connection.execute(sa.select(tables.deliveries))}
    assert seen == {"a": 2 * repeat, "b": repeat}
    db.close()
