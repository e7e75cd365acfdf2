"""One budget for all processes: never more calls than the limit, few transactions, one pause for everybody."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from connector.adapters.budget import Limit
from connector.adapters.lanes import Lane
from connector.adapters.transport import Rate, Wait
from connector.engine.budget import SqlBudget, buckets
from connector.store.database import Database
from tests.adapters.test_budget import busiest

from .process import everywhere

pytestmark = everywhere

NOON = datetime(2027, 1, 15, 12, tzinfo=UTC)
LIMITS = {"default": Limit(100, 10.0), "search": Limit(4, 1.0)}


class Counting(Database):
    """A database that counts its writing transactions."""

    writes = 0

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        self.writes += 1
        with super().write() as connection:
            yield connection


class Office:
    """Several processes with one clock."""

    def __init__(self, url: str, processes: int, share: float = 1.0) -> None:
        self.now = NOON
        self.databases = [Counting(url, pool_size=2) for _ in range(processes)]
        self.budgets = [SqlBudget(db, "acme", LIMITS, now=lambda: self.now, share=share) for db in self.databases]

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def close(self) -> None:
        for db in self.databases:
            db.close()


@pytest.fixture
def office(db_url: str) -> Iterator[Office]:
    made = Office(db_url, 3)
    yield made
    made.close()


def test_processes_together_never_make_more_calls_than_the_limit(office: Office) -> None:
    times: list[float] = []
    chance = random.Random(7)
    lock = threading.Lock()

    def call(budget: SqlBudget, lane: Lane) -> None:
        if budget.take("default", lane) is None:
            with lock:
                times.append(office.now.timestamp())

    with ThreadPoolExecutor(6) as threads:
        for _ in range(60):
            asked = [(chance.choice(office.budgets), chance.choice(list(Lane))) for _ in range(24)]
            list(threads.map(lambda one: call(*one), asked))
            office.pass_time(chance.choice([0.05, 0.2, 0.5, 0.9]))

    assert len(times) > 150
    assert busiest(times, 10.0) <= 100


def test_real_processes_share_the_limit(office: Office, db_url: str) -> None:
    program = """
import sys
from datetime import datetime
from connector.adapters.budget import Limit
from connector.adapters.lanes import Lane
from connector.engine.budget import SqlBudget
from connector.store.database import Database
now = datetime.fromisoformat(sys.argv[2])
budget = SqlBudget(Database(sys.argv[1]), "acme", {"default": Limit(100, 10.0)}, now=lambda: now)
made = 0
while budget.take("default", Lane.CHAT) is None:
    made += 1
print(made)
"""
    office.budgets[0].take("search", Lane.CHAT)
    command = [sys.executable, "-c", program, db_url, NOON.isoformat()]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]

    made = [int(one.communicate(timeout=60)[0]) for one in running]

    assert sum(made) == 100


def test_a_transaction_serves_several_calls_where_there_is_room(office: Office) -> None:
    budget, db = office.budgets[0], office.databases[0]

    for _ in range(40):
        assert budget.take("default", Lane.REPLIES) is None

    assert db.writes <= 10


def test_calls_that_were_taken_and_not_made_are_given_back(office: Office) -> None:
    first, second = office.budgets[0], office.budgets[1]
    for _ in range(4):
        first.take("default", Lane.CHAT)
        office.pass_time(1.0)

    made = 0
    while second.take("default", Lane.CHAT) is None:
        made += 1

    # All but the last slice have come back; what is left of that one is not free yet.
    assert made >= 100 - 4 - 8


def test_a_429_pauses_the_bucket_for_every_process_once(office: Office) -> None:
    first, second = office.budgets[0], office.budgets[1]
    first.take("default", Lane.CHAT)

    first.pause("default", 7.0, "rate_limited")
    first.pause("default", 2.0, "rate_limited")
    office.pass_time(1.0)
    answers = [one.take("default", Lane.CHAT) for one in (first, second)]
    other = second.take("search", Lane.CHAT)
    office.pass_time(6.5)
    after = second.take("default", Lane.CHAT)

    assert answers == [Wait(pytest.approx(6.0), for_everybody=True)] * 2
    assert other is None
    assert after is None


def test_the_vendors_word_reaches_every_process(office: Office) -> None:
    first, second = office.budgets[0], office.budgets[1]
    first.take("default", Lane.CHAT)
    first.learn("default", Rate(limit=10, remaining=9, day_limit=1000, day_remaining=400))
    office.pass_time(11.0)
    first.take("default", Lane.CHAT)

    made = 0
    while second.take("default", Lane.CHAT) is None:
        made += 1

    assert made == 9
    with office.databases[0].read() as connection:
        row = next(one for one in buckets(connection, office.now) if one.name == "default")
    assert row.usage is not None
    assert row.usage.day is not None
    assert (row.usage.used, row.usage.ceiling, row.usage.day.remaining) == (10, 10, 400)


def test_nothing_left_stops_everybody_until_the_vendor_says(office: Office) -> None:
    office.budgets[0].learn("default", Rate(limit=60, remaining=0, reset_in=30.0))

    answer = office.budgets[1].take("default", Lane.CHAT)

    assert answer == Wait(pytest.approx(30.0), for_everybody=True)


def test_a_share_holds_for_all_processes_together(db_url: str) -> None:
    office = Office(db_url, 2, share=0.5)
    made = 0
    for budget in office.budgets:
        while budget.take("default", Lane.CHAT) is None:
            made += 1
    office.close()

    assert made == 50


def test_lanes_keep_their_tenth_across_processes(office: Office) -> None:
    """One process is flooded with changes, another reconciles."""
    made = {Lane.CHANGES: 0, Lane.RECONCILE: 0}
    for _ in range(150):
        for _ in range(8):
            made[Lane.CHANGES] += office.budgets[0].take("default", Lane.CHANGES) is None
        made[Lane.RECONCILE] += office.budgets[1].take("default", Lane.RECONCILE) is None
        office.pass_time(0.4)

    windows = 150 * 0.4 / 10
    assert made[Lane.RECONCILE] >= 0.85 * 10 * windows
    assert made[Lane.CHANGES] >= 0.7 * 100 * windows


def test_a_configured_limit_that_was_changed_holds_until_the_vendor_tells_its_own(office: Office) -> None:
    """What was counted under the old one still counts."""
    office.budgets[0].take("default", Lane.CHANGES)
    more = SqlBudget(office.databases[1], "acme", {"default": Limit(300, 10.0)}, now=lambda: office.now)
    more.take("default", Lane.CHANGES)
    with office.databases[0].read() as connection:
        (configured,) = (one.usage for one in buckets(connection, office.now) if one.name == "default")
    more.learn("default", Rate(limit=50, remaining=40))
    more.take("default", Lane.REPLIES)

    with office.databases[0].read() as connection:
        (told,) = (one.usage for one in buckets(connection, office.now) if one.name == "default")

    assert configured is not None
    assert told is not None
    assert (configured.limit, configured.is_told) == (300, False)
    assert configured.used > 8
    assert (told.limit, told.is_told) == (50, True)
