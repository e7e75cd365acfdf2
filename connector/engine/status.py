"""How it goes, in figures: for the metrics, `doctor` and whoever asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from connector.engine import budget
from connector.engine.budget import Bucket
from connector.engine.context import Engine
from connector.store import connections, small
from connector.store.tables import links, parked


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


@dataclass(frozen=True, slots=True)
class Figures:
    """All connections, the vendors' limits, and the counters by name and label."""

    connections: tuple[ConnectionFigures, ...]
    limits: tuple[Bucket, ...]
    counters: dict[str, dict[str, int]]


def figures(engine: Engine) -> Figures:
    """Read them all in one transaction."""
    now = engine.now()
    with engine.db.read() as connection:
        rows = connections.states(connection)
        work = {row.connection: row for row in connection.execute(_work(now))}
        waits = {row.connection: row.waits for row in connection.execute(_parked())}
        limits = tuple(budget.buckets(connection, now))
        counters: dict[str, dict[str, int]] = {}
        for (name, label), value in small.counts(connection).items():
            counters.setdefault(name, {})[label] = value
    found = []
    for row in rows:
        mine = work.get(row.name)
        oldest = (now - mine.oldest).total_seconds() if mine and mine.oldest else 0.0
        found.append(
            ConnectionFigures(
                name=row.name,
                due=int(mine.due) if mine else 0,
                oldest_seconds=max(0.0, oldest),
                alone=int(mine.alone or 0) if mine else 0,
                parked=int(waits.get(row.name, 0)),
                closed=bool(row.closed_until and row.closed_until > now),
                paused=bool(row.paused),
                cause=row.cause or "",
                closed_until=row.closed_until,
            )
        )
    return Figures(tuple(found), limits, counters)


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


def _parked() -> sa.Select[tuple[str, int]]:
    query = sa.select(parked.c.connection, sa.func.count().label("waits"))
    return query.where(parked.c.resolved_at.is_(None)).group_by(parked.c.connection)
