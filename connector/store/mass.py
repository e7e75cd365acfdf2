"""What the mass-change fuse counts: shared by all processes, one row a kind and step of a few seconds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from connector.domain.rules import Direction
from connector.store import bulk
from connector.store.tables import connections, mass_changes

STEP = 5
STEPS = 12
"""A minute, in steps of five seconds."""


def lately(connection: sa.Connection, name: str, direction: Direction, now: datetime) -> dict[str, int]:
    """How many changes of each kind were counted in the last minute. Whoever counts too waits until this ends."""
    connection.execute(sa.select(connections.c.name).where(connections.c.name == name).with_for_update())
    query = (
        sa.select(mass_changes.c.kind, sa.func.sum(mass_changes.c.count).label("made"))
        .where(_mine(name, direction), mass_changes.c.step > _step(now) - STEPS)
        .group_by(mass_changes.c.kind)
    )
    return {row.kind: int(row.made) for row in connection.execute(query)}


def _counting(new: bulk.New) -> bulk.Insert:
    insert = new.into(mass_changes)
    more = {"count": mass_changes.c.count + insert.excluded.count}
    return insert.on_conflict_do_update(index_elements=["connection", "direction", "step", "kind"], set_=more)


_count = bulk.Each(_counting, {column.name: column.type for column in mass_changes.c})


def add(connection: sa.Connection, name: str, direction: Direction, amounts: Mapping[str, int], now: datetime) -> None:
    """Count these changes, by kind; forget what is older than a minute."""
    key = {"connection": name, "direction": str(direction), "step": _step(now)}
    _count(connection, [{**key, "kind": kind, "count": count} for kind, count in sorted(amounts.items())])
    connection.execute(mass_changes.delete().where(_mine(name, direction), mass_changes.c.step <= _step(now) - STEPS))


def _mine(name: str, direction: Direction) -> sa.ColumnElement[bool]:
    return sa.and_(mass_changes.c.connection == name, mass_changes.c.direction == str(direction))


def _step(now: datetime) -> int:
    return int(now.timestamp()) // STEP
