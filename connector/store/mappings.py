"""The mappings that were in force, as texts: the newest of a connection is the one that every plan reads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connector.store.among import among_given
from connector.store.tables import connections, mappings


def add(connection: sa.Connection, name: str, *, version: str, text: str, by: str, now: datetime) -> None:
    """Make this text the connection's active mapping."""
    connection.execute(
        mappings.insert().values(connection=name, version=version, text=text, activated_at=now, activated_by=by)
    )


def active(connection: sa.Connection, name: str) -> sa.Row[Any] | None:
    """The newest row of a connection: the mapping that every plan reads."""
    query = sa.select(mappings).where(mappings.c.connection == name).order_by(mappings.c.id.desc()).limit(1)
    return connection.execute(query).one_or_none()


def newest(connection: sa.Connection, name: str, count: int) -> list[str]:
    """The texts of a connection's last mappings, the one in force first."""
    query = sa.select(mappings.c.text).where(mappings.c.connection == name).order_by(mappings.c.id.desc()).limit(count)
    return [row.text for row in connection.execute(query)]


def active_version(connection: sa.Connection, name: str) -> str | None:
    """The version of a connection's active mapping; None before the first."""
    query = sa.select(mappings.c.version).where(mappings.c.connection == name).order_by(mappings.c.id.desc()).limit(1)
    return connection.execute(query).scalar()


_newest = (
    sa.select(mappings.c.version)
    .where(mappings.c.connection == connections.c.name)
    .order_by(mappings.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_in_force = sa.select(connections.c.name, _newest.label("version"), connections.c.schema_at).where(
    among_given(connections.c.name, "names")
)


def in_force(connection: sa.Connection, names: Sequence[str]) -> dict[str, sa.Row[Any]]:
    """By connection, the `version` of the mapping that plans read, and the moment of the schema it is bound to."""
    return {row.name: row for row in connection.execute(_in_force, {"names": list(names)})}
