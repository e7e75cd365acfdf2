"""How far a job of a connection is: a value and when it was set, by the job's name. One process at a time moves it."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from connector.store import bulk
from connector.store.tables import cursors


def put(connection: sa.Connection, name: str, cursor: str, value: str, now: datetime) -> None:
    """Store a cursor's value, and when that was."""
    row = {"connection": name, "name": cursor, "value": value, "at": now}
    bulk.put(connection, cursors, [row], ["connection", "name"])


def reserve(connection: sa.Connection, name: str, cursor: str, *, before: datetime, until: datetime) -> bool:
    """Become the one who works this cursor until then, unless somebody did so since `before`. Made where it is not."""
    row = {"connection": name, "name": cursor, "value": "", "at": before}
    bulk.upsert(connection, cursors, [row], ["connection", "name"])
    mine = (cursors.c.connection == name) & (cursors.c.name == cursor) & (cursors.c.at <= before)
    return bool(connection.execute(cursors.update().where(mine).values(at=until)).rowcount)


def named(connection: sa.Connection, cursor: str) -> dict[str, str]:
    """The values of all connections' cursors of this name."""
    rows = connection.execute(sa.select(cursors.c.connection, cursors.c.value).where(cursors.c.name == cursor))
    return {row.connection: row.value for row in rows}


def drop(connection: sa.Connection, name: str, cursor: str) -> None:
    """Forget a cursor."""
    connection.execute(cursors.delete().where(cursors.c.connection == name, cursors.c.name == cursor))


def get(connection: sa.Connection, name: str, cursor: str) -> tuple[str, datetime] | None:
    """A cursor's value and when it was set."""
    query = sa.select(cursors.c.value, cursors.c.at).where(cursors.c.connection == name, cursors.c.name == cursor)
    row = connection.execute(query).one_or_none()
    return (row.value, row.at) if row else None


def take_turn(connection: sa.Connection, name: str, job: str, *, every: float, now: datetime) -> float | None:
    """Whether a job that is done every so many seconds is this caller's to do now: for how long it has been due.

    None where its time has not come, or somebody else took this turn. Whoever dies in it leaves it to the next one.
    """
    last = get(connection, name, job)
    if last is None:
        row = {"connection": name, "name": job, "value": "", "at": now}
        return 0.0 if bulk.upsert(connection, cursors, [row], ["connection", "name"]) else None
    overdue = (now - last[1]).total_seconds() - every
    if overdue < 0:
        return None
    mine = (cursors.c.connection == name) & (cursors.c.name == job) & (cursors.c.at == last[1])
    return overdue if connection.execute(cursors.update().where(mine).values(at=now, value="")).rowcount == 1 else None
