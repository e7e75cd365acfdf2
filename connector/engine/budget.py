"""One call budget a credential and API family, shared by every process through a row in SQL.

The same token bucket as `adapters/budget.py` keeps for one process; here the arithmetic runs inside one short
transaction, and the vendor's own word (limits, remaining calls, waits) is taken for everybody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from connector.adapters.budget import UNLIMITED, Limit
from connector.store.database import Database
from connector.store.links import upsert
from connector.store.tables import budgets


class SqlBudget:
    """Implements `transport.Budget` for all processes of one installation."""

    def __init__(self, db: Database, system: str, limits: Mapping[str, Limit], *, now: Callable[[], datetime]) -> None:
        self._db = db
        self._system = system
        self._limits = dict(limits)
        self._now = now
        self._told: dict[str, tuple[int | None, int | None]] = {}
        self._lock = threading.Lock()

    def take(self, bucket: str, lane: str) -> float:
        """0 and the call is counted, or the seconds until one may be made."""
        _ = lane
        now = self._now()
        with self._db.write() as connection:
            row = self._row(connection, bucket, now)
            if row.paused_until is not None and row.paused_until > now:
                return float((row.paused_until - now).total_seconds())
            size, per_second, tokens = self._refilled(row, bucket, now)
            wait = 0.0 if tokens >= 1.0 else (1.0 - tokens) / per_second
            left = tokens - 1.0 if wait == 0.0 else tokens
            values = {"tokens": left, "size": size, "per_second": per_second, "refilled_at": now}
            connection.execute(budgets.update().where(budgets.c.name == row.name).values(**values))
        return wait

    def learn(self, bucket: str, *, limit: int | None, remaining: int | None, reset_in: float | None) -> None:
        """Take the vendor's word with the next call; where nothing remains, for everybody at once."""
        with self._lock:
            self._told[bucket] = (limit, remaining)
        if remaining == 0 and reset_in:
            self.pause(bucket, reset_in, "the limit is used up")

    def pause(self, bucket: str, seconds: float, reason: str) -> None:
        """Let nobody call for this long; a longer pause in force stays."""
        now = self._now()
        until = now + timedelta(seconds=seconds)
        with self._db.write() as connection:
            row = self._row(connection, bucket, now)
            if row.paused_until is None or row.paused_until < until:
                connection.execute(
                    budgets.update().where(budgets.c.name == row.name).values(paused_until=until, reason=reason)
                )

    def _row(self, connection: sa.Connection, bucket: str, now: datetime) -> sa.Row[Any]:
        name = f"{self._system}:{bucket}"
        query = sa.select(budgets).where(budgets.c.name == name).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None:
            limit = self._limits.get(bucket)
            size = float(limit.calls) if limit else UNLIMITED
            per_second = limit.calls / limit.seconds if limit else UNLIMITED
            first = {"name": name, "tokens": size, "size": size, "per_second": per_second, "refilled_at": now}
            upsert(connection, budgets, [first], ["name"])
            row = connection.execute(query).one()
        return row

    def _refilled(self, row: sa.Row[Any], bucket: str, now: datetime) -> tuple[float, float, float]:
        with self._lock:
            limit, remaining = self._told.pop(bucket, (None, None))
        size, per_second = float(row.size), float(row.per_second)
        tokens = min(size, row.tokens + max(0.0, (now - row.refilled_at).total_seconds()) * per_second)
        if limit and limit != size:
            per_second = per_second * limit / size if size != UNLIMITED else per_second
            tokens = tokens + limit - size if limit > size else min(tokens, float(limit))
            size = float(limit)
        if remaining is not None:
            tokens = min(tokens, float(remaining))
        return size, per_second, tokens


def states(connection: sa.Connection) -> list[sa.Row[Any]]:
    """Every bucket, for `doctor` and the metrics."""
    return list(connection.execute(sa.select(budgets).order_by(budgets.c.name)))
