"""What looking found that no webhook had told of: first a suspicion, and drift once late webhooks had their time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from connector.store import purging
from connector.store.tables import drifts, events

EARLY = timedelta(seconds=15)
"""A webhook that came so shortly before may be what made the difference."""


def suspect(connection: sa.Connection, rows: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Note differences that were found just now: connection, side, link_id, ticket_id, subject, what, fields, shown."""
    whole = {"link_id": None, "ticket_id": None, "fields": None, "shown": None}
    if rows:
        full = [{**whole, **row, "day": now.date().isoformat(), "found_at": now, "told": None} for row in rows]
        connection.execute(drifts.insert(), full)


def suspicions(connection: sa.Connection, *, before: datetime, limit: int = 200) -> list[sa.Row[Any]]:
    """Differences that nobody has judged, found before then, oldest first."""
    query = sa.select(drifts).where(drifts.c.told.is_(None), drifts.c.found_at <= before)
    return list(connection.execute(query.order_by(drifts.c.found_at).limit(limit)))


def was_told(connection: sa.Connection, row: sa.Row[Any]) -> bool:
    """Whether a webhook of that system told of this ticket or record about when the difference was found, or since."""
    about = [events.c.subject == row.subject]
    if row.ticket_id is not None:
        about.append(events.c.ticket_id == row.ticket_id)
    query = sa.select(events.c.id).where(
        events.c.connection == row.connection, events.c.at >= row.found_at - EARLY, sa.or_(*about)
    )
    return connection.execute(query.limit(1)).first() is not None


def keep(connection: sa.Connection, drift_id: int) -> None:
    """It was drift indeed."""
    connection.execute(drifts.update().where(drifts.c.id == drift_id).values(told=False))


def forget(connection: sa.Connection, drift_id: int) -> None:
    """It was none."""
    connection.execute(drifts.delete().where(drifts.c.id == drift_id))


def per_day(connection: sa.Connection, *, since: datetime) -> list[tuple[str, str, str, int]]:
    """Connection, side, day and how many, newest day first."""
    query = (
        sa.select(drifts.c.connection, drifts.c.side, drifts.c.day, sa.func.count())
        .where(drifts.c.told.is_(False), drifts.c.found_at >= since)
        .group_by(drifts.c.connection, drifts.c.side, drifts.c.day)
        .order_by(drifts.c.day.desc(), drifts.c.connection, drifts.c.side)
    )
    return [(row[0], row[1], row[2], int(row[3])) for row in connection.execute(query)]


def purge(connection: sa.Connection, *, before: datetime, limit: int) -> int:
    """Remove differences that were found before then, at most so many; how many."""
    return purging.remove(connection, drifts.c.found_at, before=before, limit=limit)
