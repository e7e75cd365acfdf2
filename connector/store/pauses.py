"""What is paused: a connection, or one direction of it, by a person or by a fuse; and what waits for it.

While a whole connection is paused, nobody drains it. While a direction is, passes go on and write nothing that way: a
link with something to write there waits, named by its cause, and is due again when the direction is opened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connector.domain.rules import Direction
from connector.store import bulk, causes
from connector.store.links import lock_where
from connector.store.tables import connections, links, pauses, tickets

PERSON, MASS_CHANGE = "paused_by_person", "mass_change"
ONE_WAY = (Direction.TO_CRM, Direction.TO_NEXTCAP)

APPLIED, ALLOWED = "applied", "allowed"
"""`links.mass`: what is written next comes of an applied mapping and is counted; or a person let it through."""


def close(
    connection: sa.Connection, name: str, direction: Direction, *, code: str, reason: str, by: str, now: datetime
) -> None:
    """Pause this connection, or this direction of it."""
    if direction is Direction.BOTH:
        connection.execute(connections.update().where(connections.c.name == name).values(paused=True))
    row = {"connection": name, "direction": str(direction), "code": code, "reason": reason, "by": by, "at": now}
    bulk.put(connection, pauses, [row], ["connection", "direction"])


def open_(connection: sa.Connection, name: str, direction: Direction, now: datetime) -> int:
    """End this pause; both directions end all. What waited is due at once: how many links.

    Where the whole connection is paused and one direction is opened, the other stays as it was.
    """
    opened = [one for one in ONE_WAY if direction in (one, Direction.BOTH)]
    # Before the pauses, as a pass does that ends.
    lock_where(connection, sa.and_(links.c.connection == name, causes.of_pauses(*opened, Direction.BOTH)))
    present = closed(connection, name)
    whole = present.get(Direction.BOTH)
    is_paused = connection.execute(sa.select(connections.c.paused).where(connections.c.name == name)).scalar()
    ends = list(Direction) if direction is Direction.BOTH else [direction, Direction.BOTH]
    rows = pauses.delete().where(pauses.c.connection == name, pauses.c.direction.in_([str(one) for one in ends]))
    connection.execute(rows)
    connection.execute(connections.update().where(connections.c.name == name).values(paused=False))
    if direction is not Direction.BOTH and is_paused:
        other = next(one for one in ONE_WAY if one is not direction)
        told = {"code": whole.code, "reason": whole.reason, "by": whole.by} if whole else _unknown()
        if other not in present:
            close(connection, name, other, now=now, **told)
    allowed = [one for one in opened if one in present and present[one].code == MASS_CHANGE]
    return sum(_wake(connection, name, one, now, is_allowed=one in allowed) for one in opened)


def _unknown() -> dict[str, str]:
    return {"code": PERSON, "reason": "", "by": "a person"}


def _wake(connection: sa.Connection, name: str, direction: Direction, now: datetime, *, is_allowed: bool) -> int:
    """What a person has let through is not counted by the fuse again."""
    mass = {"mass": ALLOWED} if is_allowed else {}
    woken = connection.execute(
        links.update()
        .where(links.c.connection == name, causes.of_pauses(direction, Direction.BOTH))
        .values(
            due_at=now,
            dirty_at=sa.func.coalesce(links.c.dirty_at, now),
            seq=links.c.seq + 1,
            cause=None,
            cause_code=None,
            **mass,
        )
    )
    return int(woken.rowcount)


def closed(connection: sa.Connection, name: str) -> Mapping[Direction, sa.Row[Any]]:
    """What is paused of this connection."""
    rows = connection.execute(sa.select(pauses).where(pauses.c.connection == name))
    return {Direction(row.direction): row for row in rows}


def every(connection: sa.Connection) -> Mapping[str, Sequence[sa.Row[Any]]]:
    """All pauses, by connection."""
    found: dict[str, list[sa.Row[Any]]] = {}
    for row in connection.execute(sa.select(pauses).order_by(pauses.c.connection, pauses.c.direction)):
        found.setdefault(row.connection, []).append(row)
    return found


def is_closed(connection: sa.Connection, name: str, direction: Direction) -> bool:
    """Whether a direction is paused; it stays so until this transaction ends."""
    query = sa.select(pauses.c.code).where(pauses.c.connection == name, pauses.c.direction == str(direction))
    return connection.execute(query.with_for_update(read=True)).first() is not None


def waiting(connection: sa.Connection) -> Mapping[tuple[str, Direction], int]:
    """How many links wait for a direction to be opened, by connection and direction."""
    query = (
        sa.select(links.c.connection, links.c.cause_code, sa.func.count().label("count"))
        .where(causes.of_pauses(*Direction))
        .group_by(links.c.connection, links.c.cause_code)
    )
    rows = connection.execute(query)
    found: Counter[tuple[str, Direction]] = Counter()
    for row in rows:
        direction = causes.direction_of(row.cause_code)
        found.update({(row.connection, one): row.count for one in ONE_WAY if direction in (one, Direction.BOTH)})
    return found


def waiting_links(
    connection: sa.Connection, name: str, direction: Direction, limit: int, after: int = 0
) -> list[sa.Row[Any]]:
    """Links that wait for a direction to be opened, by id: `id`, `number`, `record_id`."""
    query = (
        sa.select(links.c.id, links.c.record_id, tickets.c.number)
        .join(tickets, tickets.c.id == links.c.ticket_id)
        .where(links.c.connection == name, causes.of_pauses(direction, Direction.BOTH), links.c.id > after)
    )
    return list(connection.execute(query.order_by(links.c.id).limit(limit)))
