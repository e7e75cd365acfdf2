"""What people decide about messages and endpoints, and how long messages are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from connector.domain.errors import NeedsReview
from connector.events.courier import Courier
from connector.store import outbox
from connector.store.database import Database

STEP, STEPS = 1000, 100
"""Messages of one kind that go in one transaction, and how many of those one purge has; the next goes on."""


class Keeps(Protocol):
    """How long things are kept, in days."""

    @property
    def keep_deliveries_days(self) -> int: ...
    @property
    def keep_bodies_days(self) -> int: ...


def purge(db: Database, couriers: Mapping[str, Courier], keeps: Keeps, now: datetime) -> int:
    """Give up what is too old, and remove what is older still: what was taken after a week, else a month. How many."""
    for courier in couriers.values():
        with db.write() as connection:
            outbox.ensure(connection, [courier.name], now)
            courier.give_up(connection)
    removed = 0
    for _ in range(STEPS):
        with db.write() as connection:
            step = outbox.purge(
                connection,
                delivered_before=now - timedelta(days=keeps.keep_bodies_days),
                before=now - timedelta(days=keeps.keep_deliveries_days),
                limit=STEP,
            )
        removed += sum(step)
        if max(step) < STEP:
            break
    return removed


def retry(db: Database, ids: Sequence[int], now: datetime) -> int:
    """Send these messages again, whatever became of them; how many there are."""
    with db.write() as connection:
        return outbox.retry(connection, ids=ids, now=now) if ids else 0


def retry_all(db: Database, name: str, now: datetime) -> int:
    """Send everything again that failed for this endpoint; how many."""
    with db.write() as connection:
        return outbox.retry(connection, name=name, now=now)


def turn_off(db: Database, name: str, *, by: str, reason: str, now: datetime) -> None:
    """Send nothing more to this endpoint until it is turned on."""
    why = f"by {by}{': ' if reason else ''}{reason}"
    with db.write() as connection:
        outbox.ensure(connection, [name], now)
        outbox.turn_off(connection, name, why=why, now=now)


def turn_on(db: Database, name: str, now: datetime) -> None:
    """Send to this endpoint again; what waits goes at once."""
    with db.write() as connection:
        outbox.ensure(connection, [name], now)
        outbox.turn_on(connection, name, now)


def body_of(db: Database, row_id: int) -> str:
    """A message as it is sent. Raises NeedsReview where it is not kept."""
    with db.read() as connection:
        row = outbox.one(connection, row_id)
    if row is None:
        raise NeedsReview(f"message {row_id} is not kept (any more)", code="not_kept")
    return str(row.body)
