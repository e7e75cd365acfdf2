"""Retention: bodies, deliveries and journal lines go after a while; identity never does."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from connector.engine.context import Engine
from connector.store import deliveries, drifts, journal

STEP = 1000


class Keeps(Protocol):
    """How long things are kept, in days."""

    @property
    def keep_deliveries_days(self) -> int: ...
    @property
    def keep_bodies_days(self) -> int: ...
    @property
    def keep_journal_days(self) -> int: ...


def purge(engine: Engine, keeps: Keeps) -> int:
    """Remove what is too old, in small steps, each a transaction of its own. How many rows went."""
    now = engine.now()
    removed = 0
    while True:
        with engine.db.write() as connection:
            step = deliveries.purge(
                connection,
                before=now - timedelta(days=keeps.keep_deliveries_days),
                bodies_before=now - timedelta(days=keeps.keep_bodies_days),
                limit=STEP,
            )
            before = now - timedelta(days=keeps.keep_journal_days)
            step += journal.purge(connection, before=before, limit=STEP) + drifts.purge(connection, before=before)
        removed += step
        if step < STEP:
            return removed
        engine.pause(0.05)
