"""Retention: bodies, deliveries and journal lines go after a while; identity never does."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Protocol

import sqlalchemy as sa

from connector.engine.context import Engine
from connector.store import deliveries, drifts, journal

EVERY: Final = 600.0
"""Seconds from one purge to the next."""
STEP: Final = 1000
"""Rows of one kind that go in one transaction."""
AT_ONCE: Final = timedelta(seconds=20)
"""For so long one purge begins new steps; the next goes on."""
REST: Final = 0.05
"""Seconds between two steps, which are the traffic's."""


class Keeps(Protocol):
    """How long things are kept, in days."""

    @property
    def keep_deliveries_days(self) -> int: ...
    @property
    def keep_bodies_days(self) -> int: ...
    @property
    def keep_journal_days(self) -> int: ...


def purge(engine: Engine, keeps: Keeps) -> int:
    """Remove what is too old, in small steps, each a transaction of its own. How many rows went, or lost their body."""
    now = engine.now()
    removed = 0
    while True:
        with engine.db.write() as connection:
            step = _step(connection, keeps, now)
        removed += sum(step)
        if max(step) < STEP or engine.now() >= now + AT_ONCE:
            return removed
        engine.pause(REST)


def _step(connection: sa.Connection, keeps: Keeps, now: datetime) -> tuple[int, ...]:
    """How many of each kind went. A delivery loses its body before it goes itself."""
    delivered = now - timedelta(days=keeps.keep_deliveries_days)
    said = max(delivered, now - timedelta(days=keeps.keep_bodies_days))
    decided = now - timedelta(days=keeps.keep_journal_days)
    return (
        deliveries.forget_bodies(connection, before=said, limit=STEP),
        *deliveries.purge(connection, before=delivered, limit=STEP),
        journal.purge(connection, before=decided, limit=STEP),
        drifts.purge(connection, before=decided, limit=STEP),
    )
