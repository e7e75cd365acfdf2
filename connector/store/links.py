"""Tickets and links: who is due, who holds what, what each side last said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag
from typing import Any

import sqlalchemy as sa

from connector.domain.decision import Shadow
from connector.domain.ticket import Record, Value, normal
from connector.store import bulk, versions
from connector.store.among import among, among_given
from connector.store.tables import Utc, connections, events, links, tickets


class Look(IntFlag):
    """What a link's next pass has to look at."""

    NOTHING = 0
    NEXTCAP = 1
    CRM = 2
    NEXTCAP_COMMENTS = 4
    CRM_COMMENTS = 8
    MOVED = 16
    """Next Cap's ticket moved: where no mapped field differs, its timeline must have."""
    ECHO = 32
    """An event told what was known, while a pass was at work that may have read something else: see its version."""
    ALL = 15


READ = ("reading", "version", "number", "moments", "read_at")
"""What a ticket's row keeps of its newest reading."""
NEW, ACTIVE, FROZEN, GONE = "new", "active", "frozen", "gone"


@dataclass(frozen=True, slots=True)
class TicketRow:
    """What the store knows of one Next Cap ticket."""

    id: int
    nextcap_id: str | None
    number: str
    reading: Mapping[str, Any] | None
    version: datetime | None
    own_version: datetime | None
    timeline_version: datetime | None
    moments: Mapping[str, str]
    read_at: datetime | None
    forbidden_until: datetime | None
    fence: int = 0


@dataclass(frozen=True, slots=True)
class LinkRow:
    """One link with its ticket, as claimed. `look` and `seq` are as they stood at the claim."""

    id: int
    connection: str
    record_id: str | None
    state: str
    shadows: Mapping[str, Shadow]
    substitutes: frozenset[tuple[Value, Value]]
    moments: Mapping[str, str | list[str]]
    crm: Mapping[str, Value]
    crm_read_at: datetime | None
    crm_version: datetime | None
    moved_from: datetime | None
    """The version that our last write was decided on, where its answer told no new one: the record is newer."""
    is_read: bool
    """Whether its record was read, or our write was decided, as of the newest version that an event told."""
    linked_at: datetime | None
    look: Look
    seq: int
    dirty_at: datetime | None
    attempts: int
    claims: int
    failing_since: datetime | None
    cause_code: str | None
    cause: str | None
    trails: Mapping[str, Any]
    mass: str | None
    ticket: TicketRow


class LostLease(Exception):
    """Somebody else holds the ticket by now: nothing of ours may be written any more."""


def ensure(connection: sa.Connection, nextcap_ids: Sequence[str], names: Sequence[str]) -> dict[str, int]:
    """Make sure that these Next Cap tickets and a link for every connection exist; ticket row ids by Next Cap id."""
    bulk.upsert(connection, tickets, [{"nextcap_id": one} for one in sorted(set(nextcap_ids))], ["nextcap_id"])
    rows = connection.execute(
        sa.select(tickets.c.nextcap_id, tickets.c.id).where(among(tickets.c.nextcap_id, nextcap_ids))
    )
    ids = {str(row.nextcap_id): int(row.id) for row in rows}
    new = {"look": int(Look.NEXTCAP_COMMENTS)}
    pairs = [{"ticket_id": ids[one], "connection": name, **new} for one in sorted(ids) for name in names]
    bulk.upsert(connection, links, pairs, ["ticket_id", "connection"])
    return ids


def for_record(connection: sa.Connection, name: str, record_id: str) -> int:
    """The link of a CRM record; one without a Next Cap ticket is made where there is none yet."""
    known = by_record(connection, name, [record_id]).get(record_id)
    if known is not None:
        return int(known.id)
    ticket_id = connection.execute(tickets.insert().values(number="").returning(tickets.c.id)).scalar_one()
    row = links.insert().values(ticket_id=ticket_id, connection=name, record_id=record_id)
    return int(connection.execute(row.returning(links.c.id)).scalar_one())


_of_records = sa.select(links).where(
    links.c.connection == sa.bindparam("name"), among_given(links.c.record_id, "record_ids")
)
_with_tickets = _of_records.join(tickets, tickets.c.id == links.c.ticket_id).add_columns(tickets.c.lease_until)
_locked = _with_tickets.with_only_columns(tickets.c.id).order_by(tickets.c.id).with_for_update(of=tickets)


def by_record(
    connection: sa.Connection, name: str, record_ids: Iterable[str], *, lock: bool = False
) -> dict[str, sa.Row[Any]]:
    """Link rows by CRM record id, each with `lease_until`: None where no pass is at work on its ticket.

    With `lock`, nobody else changes them before the transaction ends. Links are locked by their tickets, as everywhere,
    and read by another statement after that: one that had to wait for its locks would show the links as they were
    before the wait.
    """
    named = {"name": name, "record_ids": list(record_ids)}
    if lock:
        connection.execute(_locked, named)
    rows = connection.execute(_with_tickets, named)
    return {str(row.record_id): row for row in rows}


def lock(connection: sa.Connection, ticket_ids: Iterable[int]) -> None:
    """Let nobody else change these tickets (by row id), and so their links, before the transaction ends."""
    locking = sa.select(tickets.c.id).where(tickets.c.id.in_(sorted(set(ticket_ids)))).order_by(tickets.c.id)
    connection.execute(locking.with_for_update())


def lock_where(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Let nobody else change these links, by their tickets, before the transaction ends: for those who change many."""
    locking = sa.select(tickets.c.id).join(links, links.c.ticket_id == tickets.c.id).where(which)
    connection.execute(locking.order_by(tickets.c.id).with_for_update(of=tickets))


def lock_links(connection: sa.Connection, link_ids: Iterable[int]) -> None:
    """The same for the links of these ids."""
    lock_where(connection, among(links.c.id, link_ids))


def ids_of_ticket(connection: sa.Connection, ticket_id: int) -> list[tuple[str, int]]:
    """Connection and id of every link of a ticket."""
    rows = connection.execute(sa.select(links.c.connection, links.c.id).where(links.c.ticket_id == ticket_id))
    return [(row.connection, int(row.id)) for row in rows]


def _marking(rows: sa.ColumnElement[bool], look: sa.ColumnElement[int]) -> sa.Update:
    now = sa.bindparam("now", type_=Utc)
    dirty_at = sa.func.coalesce(links.c.dirty_at, now)
    return _widening(rows, look).values(due_at=now, dirty_at=dirty_at)


def _widening(rows: sa.ColumnElement[bool], look: sa.ColumnElement[int]) -> sa.Update:
    """A pass at work sees by `seq` that there is more to look at than it knew of, and another one follows."""
    return links.update().where(rows).values(seq=links.c.seq + 1, look=links.c.look.op("|")(look))


def _marking_ticket(new: bulk.New) -> sa.sql.dml.ReturningUpdate[Any]:
    """A link that is gone is not made due by this; but a pass that is finding its record back must know of it."""
    now, is_gone = sa.bindparam("now", type_=Utc), links.c.state == GONE
    marked = _widening(links.c.ticket_id == new["the_ticket"], new["the_look"]).values(
        due_at=sa.case((is_gone, links.c.due_at), else_=now),
        dirty_at=sa.case((is_gone, links.c.dirty_at), else_=sa.func.coalesce(links.c.dirty_at, now)),
    )
    return marked.returning(sa.case((is_gone, ""), else_=links.c.connection).label("connection"))


_mark = bulk.Each(
    lambda new: _marking(links.c.id == new["the_link"], new["the_look"]),
    {"the_link": links.c.id.type, "the_look": links.c.look.type},
)
mark_each_ticket = bulk.Each(_marking_ticket, {"the_ticket": links.c.ticket_id.type, "the_look": links.c.look.type})


def mark(connection: sa.Connection, link_ids: Iterable[int], look: Look, now: datetime) -> None:
    """Mark links dirty: one more thing to look at, due at once."""
    mark_each(connection, dict.fromkeys(link_ids, look), now)


def mark_each(connection: sa.Connection, looks: Mapping[int, Look], now: datetime) -> None:
    """Mark links (by id) dirty, each with what is to be looked at, due at once."""
    _mark(connection, [{"the_link": one, "the_look": int(look)} for one, look in looks.items()], now=now)


def widen(connection: sa.Connection, link_ids: Iterable[int], look: Look, now: datetime) -> None:
    """One more thing to look at for links that are due anyway, no sooner than they are.

    One that its pass has let go meanwhile is due at once.
    """
    wider = _widening(among(links.c.id, link_ids), sa.literal(int(look)))
    moments = {one: sa.func.coalesce(links.c[one], sa.literal(now, Utc)) for one in ("dirty_at", "due_at")}
    connection.execute(wider.values(moments))


def mark_tickets(connection: sa.Connection, looks: Mapping[int, Look], now: datetime) -> list[str]:
    """Mark every link of these tickets (by row id) with what is to be looked at; the names of the connections."""
    return sorted({row.connection for row in mark_each_ticket(connection, rows_to_mark(looks), now=now)} - {""})


def rows_to_mark(looks: Mapping[int, Look]) -> list[Mapping[str, Any]]:
    """What is to be looked at by ticket (by row id), as `mark_each_ticket` takes it."""
    return [{"the_ticket": one, "the_look": int(look)} for one, look in looks.items()]


def mark_siblings(connection: sa.Connection, link: LinkRow, look: Look, now: datetime) -> list[str]:
    """Mark the other links of this link's ticket; the names of the connections concerned."""
    rows = connection.execute(
        sa.select(links.c.id, links.c.connection).where(
            links.c.ticket_id == link.ticket.id, links.c.id != link.id, links.c.state != GONE
        )
    ).all()
    mark(connection, [row.id for row in rows], look, now)
    return sorted({row.connection for row in rows})


def check_fence(connection: sa.Connection, *held: LinkRow, until: datetime | None = None) -> None:
    """Raise LostLease unless these links' tickets are still held under their fencing numbers; locks their rows.

    With `until`, the leases are extended to then: nobody else may take the tickets before. Whoever locks several
    tickets does so in the order of their row ids, so that no two ever wait for each other.
    """
    for link_id in sorted(lost(connection, held)):
        raise LostLease(link_id)
    if until is not None:
        ids = [link.ticket.id for link in held]
        connection.execute(tickets.update().where(among(tickets.c.id, ids)).values(lease_until=until))


def lost(connection: sa.Connection, held: Sequence[LinkRow]) -> set[int]:
    """The ids of these links whose tickets somebody else has taken over; locks the rows of the tickets."""
    ids = [link.ticket.id for link in held]
    query = sa.select(tickets.c.id, tickets.c.fence).where(among(tickets.c.id, ids))
    present = {row.id: row.fence for row in connection.execute(query.order_by(tickets.c.id).with_for_update())}
    return {link.id for link in held if present.get(link.ticket.id) != link.ticket.fence}


def set_shadows(connection: sa.Connection, link: LinkRow, shadows: Mapping[str, Shadow]) -> None:
    """Store the shadows in the middle of a pass (after a hop of a walk)."""
    connection.execute(links.update().where(links.c.id == link.id).values(shadows=shadows_to_json(shadows)))


def attach_record(connection: sa.Connection, link: LinkRow, record_id: str, now: datetime, **changes: Any) -> None:
    """The record that this link was waiting for. A record that another link holds raises IntegrityError."""
    connection.execute(
        links.update().where(links.c.id == link.id).values(record_id=record_id, state=ACTIVE, linked_at=now, **changes)
    )


def follow(connection: sa.Connection, link: LinkRow, record_id: str) -> None:
    """The record was merged into this one. One that another link holds raises IntegrityError."""
    connection.execute(links.update().where(links.c.id == link.id).values(record_id=record_id))


def attach_ticket(connection: sa.Connection, link: LinkRow, made: Record, now: datetime, **changes: Any) -> bool:
    """The Next Cap ticket that this link was waiting for, as it was when it was made.

    Its webhook may have made a ticket row of its own already: that twin's links of other connections and its
    reading come over, its own empty link and the row itself go. Whether that one was marked again after its ticket's
    making, or has a newer reading: then something happened that is now this link's to look at.
    """
    nextcap_id = made.id
    was_marked, told = False, {}
    # Made here if it is not there yet: whoever is about to make it waits for this transaction, and finds our row.
    bulk.upsert(connection, tickets, [{"nextcap_id": nextcap_id}], ["nextcap_id"])
    is_twin = (tickets.c.nextcap_id == nextcap_id) & (tickets.c.id != link.ticket.id)
    twin = connection.execute(sa.select(tickets).where(is_twin).with_for_update()).one_or_none()
    if twin is not None:
        same = (links.c.ticket_id == twin.id) & (links.c.connection == link.connection)
        empty = links.delete().where(same, links.c.record_id.is_(None)).returning(links.c.seq)
        was_marked = any(row.seq > 1 for row in connection.execute(empty))
        was_marked |= None not in (twin.version, made.version) and twin.version > made.version
        connection.execute(links.update().where(links.c.ticket_id == twin.id).values(ticket_id=link.ticket.id))
        connection.execute(events.update().where(events.c.ticket_id == twin.id).values(ticket_id=link.ticket.id))
        connection.execute(tickets.delete().where(tickets.c.id == twin.id))
        told = {name: getattr(twin, name) for name in READ} if twin.reading is not None else {}
    connection.execute(tickets.update().where(tickets.c.id == link.ticket.id).values(nextcap_id=nextcap_id, **told))
    connection.execute(links.update().where(links.c.id == link.id).values(state=ACTIVE, linked_at=now, **changes))
    return was_marked


def update_ticket(connection: sa.Connection, link: LinkRow, changes: Mapping[str, Any]) -> None:
    """Store what a pass learnt of the Next Cap ticket. An older reading never replaces a newer one."""
    reading = {name: changes[name] for name in ("reading", "version", "moments", "read_at") if name in changes}
    rest = {name: value for name, value in changes.items() if name not in reading}
    if reading:
        older = sa.or_(tickets.c.version.is_(None), tickets.c.version <= sa.literal(reading.get("version"), Utc))
        newest = older if reading.get("version") is not None else sa.true()
        connection.execute(tickets.update().where(tickets.c.id == link.ticket.id, newest).values(**reading))
    if rest:
        connection.execute(tickets.update().where(tickets.c.id == link.ticket.id).values(**rest))


def get(connection: sa.Connection, link_id: int) -> LinkRow | None:
    """One link with its ticket, unclaimed."""
    row = connection.execute(whole().where(links.c.id == link_id)).one_or_none()
    return from_row(row) if row else None


def active_after(connection: sa.Connection, name: str, after: int, limit: int) -> list[LinkRow]:
    """Links of a connection whose both halves are there, by id, unclaimed."""
    query = whole().where(links.c.connection == name, links.c.state == ACTIVE, links.c.id > after)
    return [from_row(row) for row in connection.execute(query.order_by(links.c.id).limit(limit))]


def named(word: str) -> sa.CompoundSelect[tuple[int]]:
    """The row ids of the tickets of that number, Next Cap id or CRM record id."""
    connected = links.c.connection.in_(sa.select(connections.c.name))
    return sa.union(
        sa.select(tickets.c.id).where(tickets.c.number == word),
        sa.select(tickets.c.id).where(tickets.c.nextcap_id == word),
        sa.select(links.c.ticket_id).where(connected, links.c.record_id == word),
    )


def of_ticket(connection: sa.Connection, number_or_id: str) -> list[LinkRow]:
    """The links of a ticket named by its number, its Next Cap id or a CRM record id."""
    query = whole().where(links.c.ticket_id.in_(named(number_or_id.lstrip("#")))).order_by(links.c.id)
    return [from_row(row) for row in connection.execute(query)]


def due_at(connection: sa.Connection, link_id: int) -> datetime | None:
    """When this link is to be worked next."""
    value = connection.execute(sa.select(links.c.due_at).where(links.c.id == link_id)).scalar()
    return value if isinstance(value, datetime) else None


def to_json(value: Value) -> Any:
    """A native value as JSON stores it."""
    return list(value) if isinstance(value, tuple) else value


def from_json(value: Any) -> Value:
    """A native value as it was before JSON stored it."""
    return normal(value)


def shadows_to_json(shadows: Mapping[str, Shadow]) -> dict[str, Any]:
    return {name: [to_json(one.nextcap), to_json(one.crm)] for name, one in shadows.items()}


def whole() -> sa.Select[Any]:
    """Links with their tickets, in the columns that `from_row` takes."""
    columns = [column.label(f"t_{column.name}") for column in tickets.c]
    return sa.select(links, *columns).join(tickets, tickets.c.id == links.c.ticket_id)


def from_row(row: sa.Row[Any]) -> LinkRow:
    """A link with its ticket, out of a row of `whole`."""
    ticket = TicketRow(
        id=row.t_id,
        nextcap_id=row.t_nextcap_id,
        number=row.t_number,
        reading=row.t_reading,
        version=row.t_version,
        own_version=row.t_own_version,
        timeline_version=row.t_timeline_version,
        moments=row.t_moments or {},
        read_at=row.t_read_at,
        forbidden_until=row.t_forbidden_until,
        fence=row.t_fence,
    )
    return LinkRow(
        id=row.id,
        connection=row.connection,
        record_id=row.record_id,
        state=row.state,
        crm_read_at=row.crm_read_at,
        linked_at=row.linked_at,
        seq=row.seq,
        dirty_at=row.dirty_at,
        attempts=row.attempts,
        claims=row.claims,
        failing_since=row.failing_since,
        cause_code=row.cause_code,
        cause=row.cause,
        mass=row.mass,
        **versions.of(row),
        shadows={name: Shadow(from_json(pair[0]), from_json(pair[1])) for name, pair in (row.shadows or {}).items()},
        substitutes=frozenset((from_json(one[0]), from_json(one[1])) for one in (row.substitutes or [])),
        moments=row.moments or {},
        crm={name: from_json(value) for name, value in (row.crm or {}).items()},
        look=Look(row.look),
        trails=row.trails or {},
        ticket=ticket,
    )
