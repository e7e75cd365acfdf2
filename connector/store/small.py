"""People, cursors, mapping versions, secrets and counters: the small tables that need a sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connector.domain.ticket import Person
from connector.store import bulk
from connector.store.among import among_given
from connector.store.tables import connections, counters, cursors, mappings, people, secrets

DEPARTMENTS = "nextcap/departments"
"""No connection can be called so."""


def save_people(connection: sa.Connection, name: str, everybody: Sequence[Person]) -> None:
    """Replace what is known of one system's people. Several may do so at once: the drains of two connections."""
    by_id = {person.id: person for person in everybody}
    rows = [
        {"connection": name, "id": one.id, "email": one.email, "name": one.name, "active": one.active}
        for _, one in sorted(by_id.items())
    ]
    bulk.put(connection, people, rows, ["connection", "id"])
    gone = load_people(connection, name).keys() - by_id.keys()
    connection.execute(people.delete().where(people.c.connection == name, people.c.id.in_(sorted(gone))))


def load_people(connection: sa.Connection, name: str) -> dict[str, Person]:
    """One system's people by id."""
    rows = connection.execute(sa.select(people).where(people.c.connection == name))
    return {row.id: Person(row.id, row.email, row.name, row.active) for row in rows}


def set_cursor(connection: sa.Connection, name: str, cursor: str, value: str, now: datetime) -> None:
    """Store a cursor's value, and when that was."""
    row = {"connection": name, "name": cursor, "value": value, "at": now}
    bulk.put(connection, cursors, [row], ["connection", "name"])


def reserve_cursor(connection: sa.Connection, name: str, cursor: str, *, before: datetime, until: datetime) -> bool:
    """Become the one who works this cursor until then, unless somebody did so since `before`. Made where it is not."""
    row = {"connection": name, "name": cursor, "value": "", "at": before}
    bulk.upsert(connection, cursors, [row], ["connection", "name"])
    mine = (cursors.c.connection == name) & (cursors.c.name == cursor) & (cursors.c.at <= before)
    return bool(connection.execute(cursors.update().where(mine).values(at=until)).rowcount)


def cursors_named(connection: sa.Connection, cursor: str) -> dict[str, str]:
    """The values of all connections' cursors of this name."""
    rows = connection.execute(sa.select(cursors.c.connection, cursors.c.value).where(cursors.c.name == cursor))
    return {row.connection: row.value for row in rows}


def drop_cursor(connection: sa.Connection, name: str, cursor: str) -> None:
    """Forget a cursor."""
    connection.execute(cursors.delete().where(cursors.c.connection == name, cursors.c.name == cursor))


def get_cursor(connection: sa.Connection, name: str, cursor: str) -> tuple[str, datetime] | None:
    """A cursor's value and when it was set."""
    query = sa.select(cursors.c.value, cursors.c.at).where(cursors.c.connection == name, cursors.c.name == cursor)
    row = connection.execute(query).one_or_none()
    return (row.value, row.at) if row else None


def name_departments(connection: sa.Connection, names: Mapping[str, str], now: datetime) -> None:
    """Keep what departments of Next Cap are called, by id: a row for each, so that two who learn lose nothing."""
    rows = [{"connection": DEPARTMENTS, "name": one, "value": name, "at": now} for one, name in sorted(names.items())]
    bulk.put(connection, cursors, rows, ["connection", "name"])


def departments(connection: sa.Connection) -> dict[str, str]:
    """What departments of Next Cap are called, by id, as far as a ticket has shown it."""
    rows = connection.execute(sa.select(cursors.c.name, cursors.c.value).where(cursors.c.connection == DEPARTMENTS))
    return {row.name: row.value for row in rows}


def take_turn(connection: sa.Connection, name: str, job: str, *, every: float, now: datetime) -> float | None:
    """Whether a job that is done every so many seconds is this caller's to do now: for how long it has been due.

    None where its time has not come, or somebody else took this turn. Whoever dies in it leaves it to the next one.
    """
    last = get_cursor(connection, name, job)
    if last is None:
        row = {"connection": name, "name": job, "value": "", "at": now}
        return 0.0 if bulk.upsert(connection, cursors, [row], ["connection", "name"]) else None
    overdue = (now - last[1]).total_seconds() - every
    if overdue < 0:
        return None
    mine = (cursors.c.connection == name) & (cursors.c.name == job) & (cursors.c.at == last[1])
    return overdue if connection.execute(cursors.update().where(mine).values(at=now, value="")).rowcount == 1 else None


def add_mapping(connection: sa.Connection, name: str, *, version: str, text: str, by: str, now: datetime) -> None:
    """Make this text the connection's active mapping."""
    connection.execute(
        mappings.insert().values(connection=name, version=version, text=text, activated_at=now, activated_by=by)
    )


def active_mapping(connection: sa.Connection, name: str) -> sa.Row[Any] | None:
    """The newest row of a connection: the mapping that every plan reads."""
    query = sa.select(mappings).where(mappings.c.connection == name).order_by(mappings.c.id.desc()).limit(1)
    return connection.execute(query).one_or_none()


def newest_mappings(connection: sa.Connection, name: str, count: int) -> list[str]:
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


def put_secret(connection: sa.Connection, name: str, ciphertext: str, now: datetime) -> None:
    """Store a sealed secret under this name."""
    bulk.put(connection, secrets, [{"name": name, "ciphertext": ciphertext, "at": now}], ["name"])


def get_secret(connection: sa.Connection, name: str) -> str | None:
    """The sealed secret of this name."""
    return connection.execute(sa.select(secrets.c.ciphertext).where(secrets.c.name == name)).scalar()


def _counting(new: bulk.New) -> bulk.Insert:
    insert = new.into(counters)
    more = {"value": counters.c.value + insert.excluded.value}
    return insert.on_conflict_do_update(index_elements=["name", "label"], set_=more)


_count = bulk.Each(_counting, {name: counters.c[name].type for name in ("name", "label", "value")})


def count(connection: sa.Connection, amounts: Mapping[tuple[str, str], int]) -> None:
    """Add to counters, by (name, label)."""
    rows = [{"name": name, "label": label, "value": value} for (name, label), value in sorted(amounts.items())]
    _count(connection, rows)


def counts(connection: sa.Connection) -> dict[tuple[str, str], int]:
    """All counters."""
    return {(row.name, row.label): int(row.value) for row in connection.execute(sa.select(counters))}
