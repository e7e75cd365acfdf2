"""How it goes, in figures: for the metrics, `doctor` and whoever asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from connector.domain.rules import Direction
from connector.engine import budget, fuses
from connector.engine.budget import Bucket
from connector.engine.context import NEXTCAP, Engine
from connector.engine.poll import CURSOR
from connector.engine.reconcile import ROTATION, SWEEP, SWEPT
from connector.store import connections, counters, cursors, drifts, pauses, rotation
from connector.store.parked import LOOP
from connector.store.tables import links, parked

SHOWN = timedelta(days=7)
"""For so long drift is shown by day."""


@dataclass(frozen=True, slots=True)
class Pause:
    """One direction that is paused, or `both`: in words, by a person or by a fuse, and how many tickets wait for it."""

    direction: str
    told: str
    by_fuse: bool
    since: datetime
    waiting: int


@dataclass(frozen=True, slots=True)
class ConnectionFigures:
    """One connection's state: what is due, how old the oldest is, what waits for a person, what holds it up."""

    name: str
    due: int
    oldest_seconds: float
    alone: int
    parked: int
    closed: bool
    paused: bool
    cause: str
    closed_until: datetime | None
    quarantined: int = 0
    pauses: tuple[Pause, ...] = ()


@dataclass(frozen=True, slots=True)
class RoundFigures:
    """The rotation through one system: how many there are, how many were never compared, how long ago the longest was.

    `looked_at` is when the system was last asked what changed; `trouble` why it cannot be asked, if so.
    """

    side: str
    total: int
    never: int
    oldest_hours: float | None
    looked_at: datetime | None
    trouble: str


@dataclass(frozen=True, slots=True)
class DriftFigures:
    """What looking found on one side in one day that no webhook had told of."""

    connection: str
    side: str
    day: str
    count: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All connections, the vendors' limits, what looking finds, and the counters by name and label."""

    connections: tuple[ConnectionFigures, ...]
    limits: tuple[Bucket, ...]
    rounds: tuple[RoundFigures, ...]
    drift: tuple[DriftFigures, ...]
    counters: dict[str, dict[str, int]]


def figures(engine: Engine) -> Figures:
    """Read them all in one transaction."""
    now = engine.now()
    with engine.db.read() as connection:
        rows = connections.states(connection)
        work = {row.connection: row for row in connection.execute(_work(now))}
        limits = tuple(budget.buckets(connection, now))
        waits = {row.connection: row for row in connection.execute(_parked())}
        closed, held_back = pauses.every(connection), pauses.waiting(connection)
        rounds = tuple(_round(connection, name, now) for name in (NEXTCAP, *engine.names))
        drift = tuple(DriftFigures(*one) for one in drifts.per_day(connection, since=now - SHOWN))
        counted: dict[str, dict[str, int]] = {}
        for (name, label), value in counters.every(connection).items():
            counted.setdefault(name, {})[label] = value
    found = []
    for row in rows:
        if row.name not in (NEXTCAP, *engine.names):
            continue  # The lease on a rotating token, or a connection that is not configured any more.
        mine = work.get(row.name)
        oldest = (now - mine.oldest).total_seconds() if mine and mine.oldest else 0.0
        found.append(
            ConnectionFigures(
                name=row.name,
                due=int(mine.due) if mine else 0,
                oldest_seconds=max(0.0, oldest),
                alone=int(mine.alone or 0) if mine else 0,
                parked=int(waits[row.name].waits) if row.name in waits else 0,
                closed=bool(row.closed_until and row.closed_until > now),
                paused=bool(row.paused),
                cause=row.cause or "",
                closed_until=row.closed_until,
                quarantined=int(waits[row.name].quarantined or 0) if row.name in waits else 0,
                pauses=tuple(_pause(engine, one, held_back) for one in closed.get(row.name, ())),
            )
        )
    return Figures(tuple(found), limits, rounds, drift, counted)


def _round(connection: sa.Connection, name: str, now: datetime) -> RoundFigures:
    is_ours = name == NEXTCAP
    one = rotation.round_of_tickets(connection) if is_ours else rotation.round_of_links(connection, name)
    looked = cursors.get(connection, name, CURSOR if is_ours else SWEPT)
    oldest = None if one.oldest is None else (now - one.oldest).total_seconds() / 3600
    turns = [cursors.get(connection, name, job) for job in (SWEEP, ROTATION)]
    trouble = "; ".join(turn[0] for turn in turns if turn and turn[0])
    return RoundFigures(name, one.total, one.never, oldest, looked[1] if looked else None, trouble)


def _work(now: datetime) -> sa.Select[tuple[str, int, datetime, int]]:
    is_due = links.c.due_at <= now
    return (
        sa.select(
            links.c.connection,
            sa.func.sum(sa.case((is_due, 1), else_=0)).label("due"),
            sa.func.min(sa.case((is_due, links.c.dirty_at))).label("oldest"),
            sa.func.sum(sa.case((links.c.alone, 1), else_=0)).label("alone"),
        )
        .where(links.c.due_at.is_not(None))
        .group_by(links.c.connection)
    )


def _pause(engine: Engine, row: sa.Row[Any], held_back: Mapping[tuple[str, Direction], int]) -> Pause:
    direction = Direction(row.direction)
    waiting = held_back.get((row.connection, direction), 0)
    return Pause(row.direction, fuses.told(engine, row), row.code == pauses.MASS_CHANGE, row.at, waiting)


def _parked() -> sa.Select[tuple[str, int, int]]:
    looping = sa.func.sum(sa.case((parked.c.code == LOOP, 1), else_=0)).label("quarantined")
    query = sa.select(parked.c.connection, sa.func.count().label("waits"), looping)
    return query.where(parked.c.resolved_at.is_(None)).group_by(parked.c.connection)
