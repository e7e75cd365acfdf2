"""Who is to be compared next: every link and every ticket has its turn, those that waited longest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from connector.store.among import among
from connector.store.links import ACTIVE
from connector.store.tables import Utc, links, tickets

OWED = timedelta(seconds=30)
"""So long after our own write a timeline is looked at, so that several writes cost one look."""
LIVE = timedelta(days=14)
RARELY = 7


@dataclass(frozen=True, slots=True)
class Round:
    """How far a rotation is: how many there are, how many were never compared, and when the longest ago one was."""

    total: int
    never: int
    oldest: datetime | None


def due_links(connection: sa.Connection, name: str, *, before: datetime, limit: int) -> list[sa.Row[Any]]:
    """Linked records at rest: those linked by then that were never compared, then those last compared by then."""
    compared = links.c.compared_at
    meant = (links.c.connection == name, links.c.state == ACTIVE, links.c.record_id.is_not(None))
    resting = sa.select(links).where(*meant, links.c.due_at.is_(None)).order_by(compared, links.c.ticket_id)
    never = connection.execute(resting.where(compared.is_(None), links.c.linked_at <= before).limit(limit)).all()
    left = limit - len(never)
    return [*never, *(connection.execute(resting.where(compared <= before).limit(left)) if left else ())]


def at_rest(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[sa.Row[Any]]:
    """Those of these links that nobody has marked or worked since they were read."""
    if not rows:
        return []
    query = sa.select(links.c.id, links.c.seq, links.c.due_at, links.c.crm_read_at).where(
        among(links.c.id, [row.id for row in rows])
    )
    now = {row.id: row for row in connection.execute(query)}
    return [
        row
        for row in rows
        if (found := now.get(row.id)) is not None
        and (found.seq, found.due_at, found.crm_read_at) == (row.seq, None, row.crm_read_at)
    ]


def links_compared(connection: sa.Connection, ids: Sequence[int], now: datetime) -> None:
    connection.execute(links.update().where(among(links.c.id, ids)).values(compared_at=now))


def due_tickets(connection: sa.Connection, *, now: datetime, every: timedelta, limit: int) -> list[sa.Row[Any]]:
    """Linked tickets at rest that are to be looked at in Next Cap, the most pressing first.

    Those whose timeline is owed a look; then those that moved in the last weeks and were not compared for `every`; then
    the others, seven times as rarely.
    """
    live = tickets.c.version >= now - LIVE
    parts = [
        _asked_for(tickets.c.owed_at <= now - OWED, now).order_by(tickets.c.owed_at, tickets.c.id),
        *(_not_since(now - every, live, now)),
        *(_not_since(now - every * RARELY, sa.true(), now)),
    ]
    found: dict[int, sa.Row[Any]] = {}
    for part in parts:
        if len(found) < limit:
            found |= {row.id: row for row in connection.execute(part.limit(limit))}
    return list(found.values())[:limit]


def _not_since(moment: datetime, meant: sa.ColumnElement[bool], now: datetime) -> tuple[sa.Select[Any], sa.Select[Any]]:
    """Of the tickets that are meant, those linked by then that were never compared, and those last compared by then.

    Two questions, so that an index answers each in its order.
    """
    compared = tickets.c.compared_at
    never = _asked_for(meant & compared.is_(None) & _is_linked(before=moment), now)
    long_ago = _asked_for(meant & (compared <= moment), now)
    return never.order_by(compared, tickets.c.id), long_ago.order_by(compared, tickets.c.id)


def _asked_for(chosen: sa.ColumnElement[bool], now: datetime) -> sa.Select[Any]:
    """The linked tickets among these that Next Cap may be asked for."""
    may_be_seen = sa.or_(tickets.c.forbidden_until.is_(None), tickets.c.forbidden_until <= now)
    return sa.select(tickets).where(chosen, may_be_seen, tickets.c.nextcap_id.is_not(None), _is_linked())


def ticket_compared(connection: sa.Connection, row: sa.Row[Any], now: datetime) -> None:
    """This ticket, as it was when its row was read, was looked at with its timeline.

    It is owed a look no more, unless we have written to it since.
    """
    still = sa.case((tickets.c.owed_at != row.owed_at, tickets.c.owed_at)) if row.owed_at else tickets.c.owed_at
    connection.execute(tickets.update().where(tickets.c.id == row.id).values(compared_at=now, owed_at=still))


def links_of_ticket(connection: sa.Connection, ticket_id: int) -> list[sa.Row[Any]]:
    """The active links of a ticket."""
    query = sa.select(links).where(links.c.ticket_id == ticket_id, links.c.state == ACTIVE)
    return list(connection.execute(query.order_by(links.c.id)))


def round_of_links(connection: sa.Connection, name: str) -> Round:
    """How far the rotation through one CRM's records is."""
    return _round(connection, links, (links.c.connection == name) & (links.c.state == ACTIVE))


def round_of_tickets(connection: sa.Connection) -> Round:
    """How far the rotation through Next Cap's tickets is."""
    return _round(connection, tickets, tickets.c.id.in_(sa.select(links.c.ticket_id).where(links.c.state == ACTIVE)))


def _round(connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool]) -> Round:
    compared = table.c.compared_at
    query = sa.select(sa.func.count(), sa.func.count(compared), sa.func.min(compared, type_=Utc)).where(where)
    total, done, oldest = connection.execute(query).one()
    return Round(int(total), int(total) - int(done), oldest)


def _is_linked(before: datetime | None = None) -> sa.ColumnElement[bool]:
    """Tickets with an active link; with `before`, one that was made by then."""
    mine = sa.exists().where(links.c.ticket_id == tickets.c.id, links.c.state == ACTIVE)
    return mine if before is None else mine.where(links.c.linked_at <= before)
