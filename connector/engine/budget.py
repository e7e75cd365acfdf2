"""One call budget a credential and API family, shared by every process through a row in SQL.

The arithmetic is that of `adapters/budget.py`, run inside one short transaction. Where there is room, a process takes
a few calls at once and makes them within one slot of the window, so that a transaction serves several calls; what it
has not made by then it gives back with the next. Such calls are counted from the moment they are taken, so there are
never more than the limit, however many processes there are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from connector.adapters.budget import USED_UP, Limit, Usage, Window
from connector.adapters.lanes import Lane
from connector.adapters.transport import Rate, Wait
from connector.store import bulk
from connector.store.database import Database
from connector.store.tables import budgets

MOST_AT_ONCE: Final = 8
SHORTEST_SLICE: Final = 0.25
"""Seconds; a window with shorter slots has its calls taken one by one."""
UNKNOWN_PACE: Final = 60.0
"""Calls a minute."""


@dataclass(slots=True)
class _Slice:
    """Calls that were taken by this process and not made yet."""

    count: int
    taken_at: float
    until: float


class SqlBudget:
    """Implements `transport.Budget` for all processes of one installation. `share` is the part of each limit used."""

    def __init__(
        self,
        db: Database,
        system: str,
        limits: Mapping[str, Limit],
        *,
        now: Callable[[], datetime],
        share: float = 1.0,
    ) -> None:
        self._db = db
        self._system = system
        self._limits = dict(limits)
        self._share = share
        self._now = now
        self._told: dict[str, tuple[Rate, float]] = {}
        self._slices: dict[tuple[str, Lane], _Slice] = {}
        self._lock = threading.Lock()

    def take(self, bucket: str, lane: Lane) -> Wait | None:
        """None and the call is counted, or for how long to wait."""
        now = self._now().timestamp()
        with self._lock:
            kept = self._slices.get((bucket, lane))
            if kept is not None and kept.count > 0 and kept.taken_at <= now < kept.until:
                kept.count -= 1
                return None
        with self._db.write() as connection:
            row = self._row(connection, bucket)
            if row.paused_until is not None and row.paused_until.timestamp() > now:
                return Wait(row.paused_until.timestamp() - now, for_everybody=True)
            limit = self._limits.get(bucket)
            if limit is None:
                return None
            window = self._brought_up_to_date(_window(row, limit, self._share), bucket, lane, now)
            answer = window.take(lane, now, want=_at_once(window, now))
            connection.execute(budgets.update().where(budgets.c.name == row.name).values(**_figures(window, now)))
        if isinstance(answer, Wait):
            return answer
        if answer > 1:
            with self._lock:
                self._slices[bucket, lane] = _Slice(answer - 1, now, now + min(1.0, window.length))
        return None

    def _brought_up_to_date(self, window: Window, bucket: str, lane: Lane, now: float) -> Window:
        """The window with what this process has not made of its last slice, and what it was told since."""
        with self._lock:
            told = self._told.pop(bucket, None)
            left = self._slices.pop((bucket, lane), None)
        if left is not None:
            window.give_back(lane, left.taken_at, left.count)
        if told is not None:
            rate, at = told
            # What remained so long ago says nothing of now; the limit and the day still hold.
            window.learn(rate if now - at < window.seconds / 2 else replace(rate, remaining=None), now)
        return window

    def learn(self, bucket: str, rate: Rate) -> None:
        """Take the vendor's word with the next call; where nothing remains, for everybody at once."""
        with self._lock:
            self._told[bucket] = rate, self._now().timestamp()
        if rate.is_used_up:
            self.pause(bucket, rate.reset_in or 0.0, USED_UP)

    def pause(self, bucket: str, seconds: float, reason: str) -> None:
        """Let nobody call for this long; a longer pause in force stays."""
        until = self._now() + timedelta(seconds=seconds)
        with self._lock:
            self._slices = {key: kept for key, kept in self._slices.items() if key[0] != bucket}
        with self._db.write() as connection:
            row = self._row(connection, bucket)
            if row.paused_until is None or row.paused_until < until:
                connection.execute(
                    budgets.update().where(budgets.c.name == row.name).values(paused_until=until, reason=reason)
                )

    def _row(self, connection: sa.Connection, bucket: str) -> sa.Row[Any]:
        """The bucket's row, locked."""
        name = f"{self._system}:{bucket}"
        query = sa.select(budgets).where(budgets.c.name == name).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None:
            now = self._now().timestamp()
            limit = self._limits.get(bucket, Limit(0, 1.0))
            first = _figures(Window(limit.calls, limit.seconds, share=self._share), now)
            bulk.upsert(connection, budgets, [{"name": name, **first}], ["name"])
            row = connection.execute(query).one()
        return row


def _window(row: sa.Row[Any], limit: Limit, share: float) -> Window:
    """What a row keeps; a new window where it keeps none, or one of another length.

    Until the vendor has told its limit, the configured one holds: it may have been changed since.
    """
    if row.window is None or row.window.get("seconds") != limit.seconds:
        return Window(limit.calls, limit.seconds, share=share)
    kept = Window.from_json(row.window, seconds=limit.seconds, share=share)
    return kept if kept.is_told else replace(kept, limit=limit.calls)


def _at_once(window: Window, now: float) -> int:
    """How many calls to take together: an eighth of what is free, and one where slots are too short."""
    if window.length < SHORTEST_SLICE:
        return 1
    return max(1, min(MOST_AT_ONCE, (window.ceiling(now) - window.used(now)) // MOST_AT_ONCE))


def _figures(window: Window, now: float) -> dict[str, Any]:
    """A window as its row keeps it, with its ceiling and what is free of it as columns."""
    ceiling = window.ceiling(now)
    return {
        "tokens": float(ceiling - window.used(now)),
        "size": float(ceiling),
        "per_second": ceiling / window.seconds,
        "refilled_at": datetime.fromtimestamp(now, UTC),
        "window": {**window.to_json(), "seconds": window.seconds, "share": window.share},
    }


@dataclass(frozen=True, slots=True)
class Bucket:
    """How one bucket stands. `usage` is None where nothing was counted yet."""

    system: str
    name: str
    size: float
    paused_until: datetime | None
    reason: str
    usage: Usage | None


def buckets(connection: sa.Connection, now: datetime) -> list[Bucket]:
    """Every bucket, for `doctor`, `status` and the metrics. A pause that is over is not told."""
    found = []
    for row in connection.execute(sa.select(budgets).order_by(budgets.c.name)):
        system, _, name = row.name.partition(":")
        paused = row.paused_until if row.paused_until and row.paused_until > now else None
        kept = row.window
        usage = None
        if kept and kept["limit"]:
            window = Window.from_json(kept, seconds=kept["seconds"], share=kept["share"])
            usage = window.usage(now.timestamp())
        found.append(Bucket(system, name, row.size, paused, row.reason or "" if paused else "", usage))
    return found


def calls_per_minute(connection: sa.Connection, system: str, now: datetime) -> float:
    """How many calls a minute of a system's main limit may be ours; `UNKNOWN_PACE` before the limit is known."""
    found = [one.usage for one in buckets(connection, now) if (one.system, one.name) == (system, "default")]
    return next((usage.ceiling * 60 / usage.seconds for usage in found if usage), UNKNOWN_PACE)
