"""Whom and what the ids of a system mean: its people, and what Next Cap's departments are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from connector.domain.ticket import Person
from connector.store import bulk
from connector.store.tables import cursors, people

DEPARTMENTS = "nextcap/departments"
"""No connection can be called so."""


def save(connection: sa.Connection, name: str, everybody: Sequence[Person]) -> None:
    """Replace what is known of one system's people. Several may do so at once: the drains of two connections."""
    by_id = {person.id: person for person in everybody}
    rows = [
        {"connection": name, "id": one.id, "email": one.email, "name": one.name, "active": one.active}
        for _, one in sorted(by_id.items())
    ]
    bulk.put(connection, people, rows, ["connection", "id"])
    gone = load(connection, name).keys() - by_id.keys()
    connection.execute(people.delete().where(people.c.connection == name, people.c.id.in_(sorted(gone))))


def load(connection: sa.Connection, name: str) -> dict[str, Person]:
    """One system's people by id."""
    rows = connection.execute(sa.select(people).where(people.c.connection == name))
    return {row.id: Person(row.id, row.email, row.name, row.active) for row in rows}


def name_departments(connection: sa.Connection, names: Mapping[str, str], now: datetime) -> None:
    """Keep what departments of Next Cap are called, by id: a row for each, so that two who learn lose nothing."""
    rows = [{"connection": DEPARTMENTS, "name": one, "value": name, "at": now} for one, name in sorted(names.items())]
    bulk.put(connection, cursors, rows, ["connection", "name"])


def departments(connection: sa.Connection) -> dict[str, str]:
    """What departments of Next Cap are called, by id, as far as a ticket has shown it."""
    rows = connection.execute(sa.select(cursors.c.name, cursors.c.value).where(cursors.c.connection == DEPARTMENTS))
    return {row.name: row.value for row in rows}
