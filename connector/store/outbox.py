"""Outgoing events: the messages that wait for an endpoint or were taken by it, and how each endpoint fares.

A message stands for one event and one endpoint. Its row is written in the transaction of the change it tells of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connector.store import bulk, purging
from connector.store.among import among
from connector.store.links import ACTIVE, FROZEN
from connector.store.tables import endpoints, links, outbox, tickets

WAITING, DELIVERED, FAILED = "waiting", "delivered", "failed"


@dataclass(frozen=True, slots=True)
class Message:
    """One message on its way. `message_id` is the same at every try, and for every endpoint that is told the same."""

    id: int
    message_id: str
    type: str
    body: str
    attempts: int
    created_at: datetime


# -- what is told


def ensure(connection: sa.Connection, names: Sequence[str], now: datetime) -> None:
    """Make sure that every configured endpoint has its row; it listens from then on."""
    bulk.upsert(connection, endpoints, [{"name": name, "since": now} for name in names], ["name"])


def since(connection: sa.Connection, names: Sequence[str], now: datetime) -> dict[str, datetime]:
    """When each of these endpoints began to listen: now, where it is new."""
    ensure(connection, names, now)
    rows = connection.execute(sa.select(endpoints.c.name, endpoints.c.since).where(among(endpoints.c.name, names)))
    return {row.name: row.since for row in rows}


def add(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write messages down; one whose key its endpoint was told already is left out."""
    bulk.upsert(connection, outbox, rows, ["endpoint", "key"])


def carried_by(connection: sa.Connection, nextcap_ids: Iterable[str]) -> dict[str, set[str]]:
    """The connections that carry these tickets."""
    query = (
        sa.select(tickets.c.nextcap_id, links.c.connection)
        .join(links, links.c.ticket_id == tickets.c.id)
        .where(among(tickets.c.nextcap_id, nextcap_ids), links.c.state.in_([ACTIVE, FROZEN]))
    )
    found: dict[str, set[str]] = {}
    for row in connection.execute(query):
        found.setdefault(row.nextcap_id, set()).add(row.connection)
    return found


def readings(connection: sa.Connection, ticket_ids: Sequence[int]) -> dict[int, sa.Row[Any]]:
    """What is kept of these tickets just now, by row id; they are locked already."""
    query = sa.select(tickets.c.id, tickets.c.nextcap_id, tickets.c.reading, tickets.c.version)
    return {row.id: row for row in connection.execute(query.where(among(tickets.c.id, ticket_ids)))}


# -- what is sent


def has_due(connection: sa.Connection, name: str, now: datetime) -> bool:
    """Whether there is anything to send to an endpoint that may be called."""
    rests = sa.exists().where(endpoints.c.name == name, ~_callable(now))
    return connection.execute(_due(name, now).where(~rests).limit(1)).first() is not None


def acquire(connection: sa.Connection, name: str, *, owner: str, now: datetime, until: datetime) -> bool:
    """Become the one who sends to this endpoint, unless somebody is, or it is not to be called now."""
    ensure(connection, [name], now)
    free = sa.or_(endpoints.c.lease_until.is_(None), endpoints.c.lease_until <= now)
    mine = sa.and_(endpoints.c.name == name, _callable(now), free)
    taking = endpoints.update().where(mine).values(owner=owner, lease_until=until)
    return bool(connection.execute(taking).rowcount)


def hold(connection: sa.Connection, name: str, *, owner: str, until: datetime | None) -> bool:
    """Go on being the one until then, unless the endpoint was turned off; with None, let others."""
    mine = (endpoints.c.name == name) & (endpoints.c.owner == owner)
    mine = mine & endpoints.c.off_at.is_(None) if until else mine
    values = {"lease_until": until} if until else {"lease_until": None, "owner": None}
    return bool(connection.execute(endpoints.update().where(mine).values(**values)).rowcount)


def _callable(now: datetime) -> sa.ColumnElement[bool]:
    is_open = sa.or_(endpoints.c.closed_until.is_(None), endpoints.c.closed_until <= now)
    return sa.and_(endpoints.c.off_at.is_(None), is_open)


def due(connection: sa.Connection, name: str, now: datetime, limit: int) -> list[Message]:
    """What is to be sent, the longest due first: of each ticket the earliest message that still waits, or none."""
    query = _due(name, now).order_by(outbox.c.due_at, outbox.c.id).limit(limit)
    return [
        Message(row.id, row.message_id, row.type, row.body, row.attempts, row.created_at)
        for row in connection.execute(query)
    ]


def _due(name: str, now: datetime) -> sa.Select[Any]:
    """What may be sent now. The state is written out, so that SQLite sees that the partial index will do."""
    before = outbox.alias("before")
    still = before.c.state == sa.literal_column("'waiting'")
    same = (before.c.endpoint == name) & still & (before.c.subject == outbox.c.subject)
    is_first = ~sa.exists().where(same, before.c.id < outbox.c.id)
    mine = (outbox.c.endpoint == name) & (outbox.c.state == WAITING) & (outbox.c.due_at <= now)
    return sa.select(outbox).where(mine, is_first)


def delivered(connection: sa.Connection, ids: Sequence[int], now: datetime) -> None:
    """The endpoint took these."""
    values = {"state": DELIVERED, "attempts": outbox.c.attempts + 1, "done_at": now, "cause": None}
    connection.execute(outbox.update().where(among(outbox.c.id, ids)).values(**values))


def postpone(connection: sa.Connection, message_id: int, *, cause: str, due_at: datetime) -> None:
    """The endpoint did not take this one: again then."""
    values = {"attempts": outbox.c.attempts + 1, "due_at": due_at, "cause": cause}
    connection.execute(outbox.update().where(outbox.c.id == message_id, outbox.c.state == WAITING).values(**values))


def give_up(connection: sa.Connection, name: str, *, before: datetime, now: datetime, untried: bool) -> int:
    """What was written before then is not tried any more, but kept; with `untried`, also what never was. How many."""
    old = (outbox.c.endpoint == name) & (outbox.c.state == WAITING) & (outbox.c.created_at < before)
    if not untried:
        old &= outbox.c.attempts > 0
    return int(connection.execute(outbox.update().where(old).values(state=FAILED, done_at=now)).rowcount)


def retry(connection: sa.Connection, *, ids: Sequence[int] = (), name: str = "", now: datetime) -> int:
    """Send these again, or all that failed for this endpoint, as if they had been written now. How many."""
    chosen = among(outbox.c.id, ids) if ids else (outbox.c.endpoint == name) & (outbox.c.state == FAILED)
    values = {"state": WAITING, "attempts": 0, "created_at": now, "due_at": now, "done_at": None}
    return int(connection.execute(outbox.update().where(chosen).values(**values)).rowcount)


# -- how an endpoint fares


def endpoint(connection: sa.Connection, name: str) -> sa.Row[Any]:
    """One endpoint's row."""
    return connection.execute(sa.select(endpoints).where(endpoints.c.name == name)).one()


def answered(connection: sa.Connection, name: str, now: datetime, *, was_closed: bool) -> None:
    """The endpoint takes messages: what waited because it did not is due at once."""
    well = {"failures": 0, "failing_since": None, "closed_until": None, "cause": None, "answered_at": now}
    connection.execute(endpoints.update().where(endpoints.c.name == name).values(**well))
    if was_closed:
        late = (outbox.c.endpoint == name) & (outbox.c.state == WAITING) & (outbox.c.due_at > now)
        connection.execute(outbox.update().where(late).values(due_at=now))


def failing(
    connection: sa.Connection, name: str, now: datetime, *, failures: int, cause: str, closed_until: datetime | None
) -> None:
    """So many tries in a row failed; with `closed_until`, none is made before then."""
    values = {"failures": failures, "cause": cause, "closed_until": closed_until}
    since = sa.func.coalesce(endpoints.c.failing_since, now)
    connection.execute(endpoints.update().where(endpoints.c.name == name).values(failing_since=since, **values))


def turn_off(connection: sa.Connection, name: str, *, why: str, now: datetime) -> None:
    """Send nothing more there until a person says so. What is told meanwhile waits, for a while."""
    connection.execute(endpoints.update().where(endpoints.c.name == name).values(off_at=now, off_why=why))


def turn_on(connection: sa.Connection, name: str, now: datetime) -> None:
    """Send there again, what waits at once."""
    well = {"off_at": None, "off_why": None, "closed_until": None, "failures": 0, "failing_since": None, "cause": None}
    connection.execute(endpoints.update().where(endpoints.c.name == name).values(**well))
    waits = (outbox.c.endpoint == name) & (outbox.c.state == WAITING)
    connection.execute(outbox.update().where(waits, outbox.c.due_at > now).values(due_at=now))


# -- for people


def endpoint_rows(connection: sa.Connection, names: Sequence[str]) -> list[sa.Row[Any]]:
    """These endpoints, with what waits for each (`waiting`, since `oldest`) and what failed."""
    is_waiting = outbox.c.state == WAITING
    counted = (
        sa.select(
            outbox.c.endpoint,
            sa.func.sum(sa.case((is_waiting, 1), else_=0)).label("waiting"),
            sa.func.min(sa.case((is_waiting, outbox.c.created_at))).label("oldest"),
            sa.func.sum(sa.case((outbox.c.state == FAILED, 1), else_=0)).label("failed"),
        )
        .where(outbox.c.state != DELIVERED)
        .group_by(outbox.c.endpoint)
        .subquery()
    )
    query = sa.select(endpoints, counted.c.waiting, counted.c.oldest, counted.c.failed)
    query = query.join(counted, counted.c.endpoint == endpoints.c.name, isouter=True)
    return list(connection.execute(query.where(among(endpoints.c.name, names)).order_by(endpoints.c.name)))


def listed(connection: sa.Connection, *, name: str | None, state: str | None, limit: int) -> list[Mapping[str, Any]]:
    """Messages, the newest first, without their bodies."""
    query = sa.select(*(column for column in outbox.c if column.name != "body")).order_by(outbox.c.id.desc())
    query = query.where(outbox.c.endpoint == name) if name else query
    query = query.where(outbox.c.state == state) if state else query
    return [row._asdict() for row in connection.execute(query.limit(limit))]


def one(connection: sa.Connection, row_id: int) -> sa.Row[Any] | None:
    """One message's row."""
    return connection.execute(sa.select(outbox).where(outbox.c.id == row_id)).one_or_none()


def purge(connection: sa.Connection, *, delivered_before: datetime, before: datetime, limit: int) -> tuple[int, ...]:
    """Remove messages that were taken before the one moment, or given up or forgotten before the other.

    At most so many of each; how many of each.
    """
    forgotten = (outbox.c.state == WAITING) & (outbox.c.due_at < before)
    return (
        purging.remove(connection, outbox.c.done_at, outbox.c.state == DELIVERED, before=delivered_before, limit=limit),
        purging.remove(connection, outbox.c.done_at, outbox.c.state == FAILED, before=before, limit=limit),
        purging.remove(connection, outbox.c.created_at, forgotten, before=before, limit=limit),
    )
