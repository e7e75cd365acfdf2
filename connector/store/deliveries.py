"""Deliveries and the events they hold: each stored once, counted when it comes again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connector.store import bulk, purging
from connector.store.tables import HAS_BODY, HAS_NO_BODY, deliveries, events, unplaced


def _keeping(new: bulk.New) -> sa.sql.dml.ReturningInsert[Any]:
    insert = new.into(deliveries)
    seen = deliveries.c.seen + insert.excluded.seen
    keep = insert.on_conflict_do_update(index_elements=["connection", "key"], set_={"seen": seen})
    return keep.returning(*(deliveries.c[name] for name in ("id", "connection", "key", "seen")))


DELIVERY = ("connection", "key", "body", "received_at", "seen")
keep_each = bulk.Each(_keeping, {name: deliveries.c[name].type for name in DELIVERY})


def rows_to_keep(name: str, arrived: Sequence[tuple[str, bytes]], now: datetime) -> list[Mapping[str, Any]]:
    """One source's deliveries (key, body) as `keep_each` takes them: one row a key, however often it came."""
    times = Counter(key for key, _ in arrived)
    return [
        {"connection": name, "key": key, "body": body, "received_at": now, "seen": times[key]}
        for key, body in sorted(dict(reversed(arrived)).items())
    ]


def store(
    connection: sa.Connection, name: str, arrived: Sequence[tuple[str, bytes]], now: datetime
) -> list[tuple[int, bool]]:
    """Keep one source's deliveries (key, body); for each its row id, and whether it is the first of its key."""
    rows = rows_to_keep(name, arrived, now)
    found = {row.key: row for row in keep_each(connection, rows)}
    fresh = {row["key"] for row in rows if found[row["key"]].seen == row["seen"]}
    kept: list[tuple[int, bool]] = []
    for key, _ in arrived:
        kept.append((int(found[key].id), key in fresh))
        fresh.discard(key)
    return kept


def _telling(new: bulk.New) -> bulk.Insert:
    kept = new.rows_of(deliveries)
    delivery = sa.select(kept.c.id).where(kept.c.connection == new["connection"], kept.c.key == new["key"])
    return new.into(events, delivery_id=delivery.scalar_subquery())


EVENT = ("connection", "name", "subject", "at", "ticket_id", "outcome")
add_each_event = bulk.Each(_telling, {"key": deliveries.c.key.type, **{name: events.c[name].type for name in EVENT}})


def add_events(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """One row an event, with what became of it at the door. `key` is that of its delivery, which is kept already."""
    add_each_event(connection, rows)


def body_of(connection: sa.Connection, delivery_id: int) -> tuple[str, bytes] | None:
    """The connection and bytes of a delivery, while they are kept."""
    query = sa.select(deliveries.c.connection, deliveries.c.body).where(deliveries.c.id == delivery_id)
    row = connection.execute(query).one_or_none()
    return (row.connection, bytes(row.body)) if row and row.body is not None else None


def _unplacing(new: bulk.New) -> bulk.Insert:
    insert = new.into(unplaced)
    again = {"due_at": insert.excluded.due_at, "tries": 0}
    return insert.on_conflict_do_update(index_elements=["connection", "kind", "subject"], set_=again)


UNPLACED = ("connection", "kind", "subject", "tries", "due_at")
_unplace = bulk.Each(_unplacing, {name: unplaced.c[name].type for name in UNPLACED})


def unplace(connection: sa.Connection, name: str, kind: str, subjects: Sequence[str], due_at: datetime) -> None:
    """Remember records that an event named and no link knows; a repeat makes one due again."""
    same = {"connection": name, "kind": kind, "tries": 0, "due_at": due_at}
    _unplace(connection, [{**same, "subject": one} for one in sorted(set(subjects))])


def due_unplaced(connection: sa.Connection, name: str, now: datetime, limit: int) -> list[sa.Row[Any]]:
    """Records of this connection that wait to be placed, those that wait longest.

    By kind and subject, the order in which whoever changes several of them does so.
    """
    query = sa.select(unplaced).where(unplaced.c.connection == name, unplaced.c.due_at <= now)
    rows = connection.execute(query.order_by(unplaced.c.due_at).limit(limit))
    return sorted(rows, key=lambda row: (row.kind, row.subject))


def unplaced_connections(connection: sa.Connection, now: datetime) -> list[str]:
    query = sa.select(unplaced.c.connection).where(unplaced.c.due_at <= now).distinct()
    return [row.connection for row in connection.execute(query)]


def next_unplaced(connection: sa.Connection, name: str) -> datetime | None:
    value = connection.execute(sa.select(sa.func.min(unplaced.c.due_at)).where(unplaced.c.connection == name)).scalar()
    return value if isinstance(value, datetime) else None


def placed(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> None:
    """These have found their link, or belong to none. What was named again since the row was read, waits on."""
    for row in rows:
        connection.execute(unplaced.delete().where(_as_read(row)))


def place_later(connection: sa.Connection, row: sa.Row[Any], due_at: datetime) -> None:
    """This one is looked for again then; at once, if it was named again since the row was read."""
    connection.execute(unplaced.update().where(_as_read(row)).values(due_at=due_at, tries=unplaced.c.tries + 1))


def _as_read(row: sa.Row[Any]) -> sa.ColumnElement[bool]:
    return sa.and_(unplaced.c.id == row.id, unplaced.c.due_at == row.due_at, unplaced.c.tries == row.tries)


def forget_bodies(connection: sa.Connection, *, before: datetime, limit: int) -> int:
    """Forget what deliveries said, at most so many; how many. That they came, and what they did, is kept."""
    old = purging.oldest(deliveries.c.received_at, HAS_BODY, before=before, limit=limit)
    return int(connection.execute(deliveries.update().where(deliveries.c.id.in_(old)).values(body=None)).rowcount)


def purge(connection: sa.Connection, *, before: datetime, limit: int) -> tuple[int, ...]:
    """Remove old events, and old deliveries whose bodies are forgotten, at most so many of each; how many of each.

    Identity lives elsewhere.
    """
    return (
        purging.remove(connection, events.c.at, before=before, limit=limit),
        purging.remove(connection, deliveries.c.received_at, HAS_NO_BODY, before=before, limit=limit),
    )
