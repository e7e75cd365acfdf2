"""Who is due and who holds what: claims with a fencing number, and the questions that the sweep asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar

import sqlalchemy as sa

from connector.store import bulk
from connector.store.among import among
from connector.store.links import LinkRow, Look, from_row, whole
from connector.store.tables import IS_SAID, Utc, connections, links, tickets

Row = TypeVar("Row", bound=tuple[Any, ...])

Due = tuple[int, int, datetime | None]
"""Of a due link: its id, what is to be looked at, and since when it is due."""

COMMENTS = Look.NEXTCAP_COMMENTS | Look.CRM_COMMENTS
ECHO = timedelta(seconds=10)
"""For so long after a write whose answer told no version the CRM's event may still tell it, which spares a reading."""
DEATHS = 2
"""So many holders of a link that died make it be worked alone."""


@dataclass(frozen=True, slots=True)
class Batches:
    """How much of what is due a pass takes while more is coming in: whole batches of so many.

    What began to wait since `since` tells that more is coming in. What people say is never left.
    """

    size: int
    since: datetime

    def of(self, due: Sequence[sa.Row[Due]]) -> Sequence[sa.Row[Due]]:
        """The part to take of these, oldest first: the rest would make a small batch now, and a bigger one soon."""
        whole = len(due) - len(due) % self.size
        is_coming_in = any(row.dirty_at and row.dirty_at >= self.since for row in due)
        if not (whole and is_coming_in):
            return due
        return [row for place, row in enumerate(due) if place < whole or row.look & COMMENTS]


def claim(
    connection: sa.Connection,
    name: str,
    *,
    owner: str,
    now: datetime,
    until: datetime,
    limit: int,
    whole_batches: Batches | None = None,
    link_id: int | None = None,
) -> list[LinkRow]:
    """Take up to `limit` due links whose ticket nobody holds, oldest first; or the one named, if it is due.

    Where there are more, up to half of them are those with replies and notes to look at, so that what people say is not
    kept waiting by what fields say. The try is counted before any work. What a holder that died left undone is looked
    at whole. With `whole_batches` what is over is left for the next time.
    """
    chosen = links.c.id == link_id if link_id is not None else ~_is_alone()
    due = _free(sa.select(links.c.id, links.c.look, links.c.dirty_at), now).where(links.c.connection == name, chosen)
    found = _locked(connection, due, limit)
    ids = [row.id for row in (whole_batches.of(found) if whole_batches else found)]
    if len(ids) == limit and limit > 1:
        said = _locked(connection, due.where(IS_SAID), limit // 2)
        ids = list(dict.fromkeys([*(row.id for row in said), *ids]))[:limit]
    if not ids:
        return []
    rows = connection.execute(whole().where(among(links.c.id, ids)).order_by(links.c.dirty_at, links.c.id)).all()
    connection.execute(
        tickets.update()
        .where(among(tickets.c.id, [row.t_id for row in rows]))
        .values(owner=owner, lease_until=until, fence=tickets.c.fence + 1)
    )
    connection.execute(links.update().where(among(links.c.id, ids)).values(claims=links.c.claims + 1, look=0))
    claimed = [from_row(row) for row in rows]
    return [
        replace(link, ticket=replace(link.ticket, fence=link.ticket.fence + 1), look=_look_after(link))
        for link in claimed
    ]


def _locked(connection: sa.Connection, due: sa.Select[Due], limit: int) -> Sequence[sa.Row[Due]]:
    """Those of these due links that have been due longest, locked with their tickets."""
    query = due.order_by(links.c.dirty_at, links.c.id).limit(limit)
    return connection.execute(query.with_for_update(of=[tickets, links], skip_locked=True)).all()


def _free(query: sa.Select[Row], now: datetime) -> sa.Select[Row]:
    """The due links of a query whose ticket nobody holds, and that wait for no echo."""
    unheld = sa.or_(tickets.c.lease_until.is_(None), tickets.c.lease_until <= now)
    ready = ~_awaits_echo(now)
    return query.join(tickets, tickets.c.id == links.c.ticket_id).where(links.c.due_at <= now, unheld, ready)


def _awaits_echo(now: datetime) -> sa.ColumnElement[bool]:
    """Links whose record our last write moved, and nobody told yet to which version; not those where somebody spoke."""
    is_untold = sa.or_(links.c.echo_version.is_(None), links.c.echo_version <= links.c.moved_from)
    is_young = sa.and_(links.c.crm_read_at > now - ECHO, links.c.crm_read_at <= now)
    is_said = links.c.look.op("&")(int(COMMENTS)) != 0
    return sa.and_(links.c.moved_from.is_not(None), is_untold, is_young, ~is_said)


def _is_alone() -> sa.ColumnElement[bool]:
    """Links that are worked by themselves: they failed for their own reason, or their holder died twice."""
    return sa.or_(links.c.alone, links.c.claims >= DEATHS)


def _look_after(link: LinkRow) -> Look:
    look = link.look & ~Look.ECHO
    if link.look & Look.ECHO and not link.is_read:
        look |= Look.CRM
    return look | Look.ALL if link.claims else look


def hold(connection: sa.Connection, held: Sequence[LinkRow], *, owner: str, until: datetime) -> set[int]:
    """Renew the leases on these tickets; the link ids whose lease is still ours."""
    fences = {link.ticket.id: link.ticket.fence for link in held}
    mine = sa.select(tickets.c.id, tickets.c.fence).where(among(tickets.c.id, fences), tickets.c.owner == owner)
    rows = connection.execute(mine.order_by(tickets.c.id).with_for_update()).all()
    ours = [row.id for row in rows if fences[row.id] == row.fence]
    connection.execute(tickets.update().where(among(tickets.c.id, ours)).values(lease_until=until))
    return {link.id for link in held if link.ticket.id in set(ours)}


@dataclass(frozen=True, slots=True)
class Release:
    """How one link is given back: when it is to be worked next (None: when something happens), and what to store.

    `look` among the changes is what is still to be looked at.
    """

    link: LinkRow
    due_at: datetime | None
    changes: Mapping[str, Any]


def release(connection: sa.Connection, releases: Sequence[Release], now: datetime) -> None:
    """Give links back whose tickets the caller has locked, with what changed. What was marked meanwhile stays due."""
    alike: dict[frozenset[str], list[dict[str, Any]]] = {}
    for one in releases:
        changes = {f"to_{name}": value for name, value in one.changes.items() if name != "look"}
        row = {"the_id": one.link.id, "the_seq": one.link.seq, "next": one.due_at, **changes}
        row |= {"first": one.link.dirty_at if one.due_at else None, "left": int(one.changes.get("look", Look.NOTHING))}
        alike.setdefault(frozenset(one.changes) - {"look"}, []).append(row)
    for names, rows in alike.items():
        _giving_back(tuple(sorted(names)))(connection, rows, now=now)
    ids = [one.link.ticket.id for one in releases]
    connection.execute(tickets.update().where(among(tickets.c.id, ids)).values(owner=None, lease_until=None))


@cache
def _giving_back(names: tuple[str, ...]) -> bulk.Each:
    """Give links back with new values of the columns of these names.

    Where that of the record is not among them, the pass neither read nor wrote it: what an event told meanwhile, and
    was known, is known still.
    """
    now = sa.bindparam("now", type_=Utc)
    marked = links.c.look if "crm" in names else links.c.look.op("&")(int(~Look.ECHO))

    def build(new: bulk.New) -> sa.Update:
        again = links.c.seq > new["the_seq"]
        due = sa.case((again, now), else_=new["next"])
        dirty = sa.case((again, now), else_=new["first"])
        values = {name: new[f"to_{name}"] for name in names}
        give = links.update().where(links.c.id == new["the_id"])
        return give.values(due_at=due, dirty_at=dirty, claims=0, look=marked.op("|")(new["left"]), **values)

    types = {f"to_{name}": links.c[name].type for name in names}
    types |= {"the_id": links.c.id.type, "the_seq": links.c.seq.type, "left": links.c.look.type}
    types |= {"next": links.c.due_at.type, "first": links.c.dirty_at.type}
    return bulk.Each(build, types)


def kept_waiting(connection: sa.Connection, released: Sequence[LinkRow], now: datetime) -> list[str]:
    """The connections whose due links of these tickets could not be claimed while others of their links were held."""
    sibling = (
        among(links.c.ticket_id, [one.ticket.id for one in released]),
        links.c.id.not_in([one.id for one in released]),
    )
    query = sa.select(links.c.connection).where(*sibling, links.c.due_at <= now, ~_is_alone()).distinct()
    return [row.connection for row in connection.execute(query)]


def overrule(connection: sa.Connection, link_id: int) -> None:
    """A person decided: whoever works this link's ticket just now stores nothing any more."""
    ticket = sa.select(links.c.ticket_id).where(links.c.id == link_id).scalar_subquery()
    connection.execute(tickets.update().where(tickets.c.id == ticket).values(fence=tickets.c.fence + 1))


def due_connections(connection: sa.Connection, now: datetime) -> list[str]:
    """The connections with a link that is due, not held by anybody and not worked alone."""
    mine = _free(sa.select(links.c.id), now).where(links.c.connection == connections.c.name, ~_is_alone())
    first = mine.order_by(links.c.dirty_at, links.c.id).limit(1).correlate(connections).scalar_subquery()
    return list(connection.execute(sa.select(connections.c.name).where(first.is_not(None))).scalars())


def due_alone(connection: sa.Connection, now: datetime, limit: int = 20) -> list[tuple[int, str]]:
    """Due links that are worked alone, those first that have been due longest: id and ticket number."""
    query = _free(sa.select(links.c.id, tickets.c.number), now).where(_is_alone())
    rows = connection.execute(query.order_by(links.c.dirty_at, links.c.id).limit(limit))
    return [(row.id, row.number) for row in rows]


def next_due(connection: sa.Connection, name: str, *, within: timedelta, now: datetime) -> datetime | None:
    """When the next link of this connection can be worked, if that is soon: it is due, and its ticket is free."""
    is_held = sa.and_(tickets.c.lease_until.is_not(None), tickets.c.lease_until > links.c.due_at)
    moment = sa.case((is_held, tickets.c.lease_until), else_=links.c.due_at)
    query = (
        sa.select(sa.func.min(moment, type_=Utc), sa.func.min(links.c.crm_read_at, type_=Utc))
        .join_from(links, tickets, tickets.c.id == links.c.ticket_id)
        .where(links.c.connection == name, links.c.due_at <= now + within, moment <= now + within, ~_is_alone())
    )
    ready = connection.execute(query.where(~_awaits_echo(now))).one()[0]
    untold = connection.execute(query.where(_awaits_echo(now))).one()[1]
    return min((one for one in (ready, untold + ECHO if untold else None) if one is not None), default=None)
