"""Outgoing events: what a transaction of the engine changes, told to the endpoints that listen.

Their types and bodies are those of `events/`; here it is decided what counts as news. The heartbeat's tickets never
do. Where no endpoint is configured, nothing here runs a statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from connector.domain.conversation import Crossing, Stays
from connector.domain.ticket import Comment, CommentKind, Side
from connector.engine.context import NEXTCAP, Engine
from connector.engine.work import HEARTBEAT, TAG, Work
from connector.events.catalogue import EventType
from connector.events.payload import Notice, TicketView, changes, without_words, written
from connector.store import effects, links, outbox
from connector.store.links import LinkRow

NEWS = timedelta(days=7)
"""A comment older than this is history, whoever sees it for the first time."""


@dataclass(frozen=True, slots=True)
class Move:
    """A ticket's reading that takes the place of another; `before` is None at the first."""

    nextcap_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    version: datetime | None


def moved(engine: Engine, connection: sa.Connection, moves: Iterable[Move], now: datetime) -> None:
    """Readings are being stored: tell of new tickets and of every field that changed."""
    if engine.announcer:
        since = engine.announcer.since(connection, now)
        told = [notice for move in moves for notice in _of_move(move, since)]
        _tell(engine, connection, told, now)


def _of_move(move: Move, since: datetime) -> list[Notice]:
    fields = move.after["fields"]
    ticket = _view(move.nextcap_id, move.after, move.version)
    if move.before is None:
        is_new = _moment(fields.get("created_at"), since) >= since
        return [Notice(EventType.CREATED, ticket, key=f"created:{move.nextcap_id}")] if is_new else []
    changed = changes(move.before["fields"], fields)
    if not changed:
        return []
    told = {"changes": without_words(changed)}
    updated = Notice(EventType.UPDATED, ticket, told, {"changes": changed})
    kinds = {"status": EventType.STATUS_CHANGED, "assigned_agent_id": EventType.ASSIGNED}
    more = [Notice(kind, ticket, {"changes": {name: changed[name]}}) for name, kind in kinds.items() if name in changed]
    return [updated, *more]


def comments(
    engine: Engine,
    connection: sa.Connection,
    work: Work,
    source: Side,
    found: tuple[Sequence[Comment], Sequence[Crossing], Sequence[Stays]],
    now: datetime,
) -> None:
    """Tell of the entries in one side's timeline that people made since an endpoint began to listen.

    CRM entries that do not cross are not told. Of Next Cap's entries, those are left out that we wrote ourselves, and
    those that another link of the ticket has seen: they were told before.
    """
    if not engine.announcer:
        return
    timeline, crossings, stays = found
    fresh = {one.comment.id: (one.comment, one.kind, one.text) for one in crossings}
    if source is Side.NEXTCAP:
        left = {one.comment_id for one in stays}
        fresh |= {one.id: (one, one.kind, one.text) for one in timeline if one.id in left}
        others = [id_ for _, id_ in links.ids_of_ticket(connection, work.link.ticket.id) if id_ != work.link.id]
        before = {entry for _, entry in effects.settled_among(connection, others, source, list(fresh))}
        fresh = {entry: one for entry, one in fresh.items() if entry not in before}
    since = max(engine.announcer.since(connection, now), now - NEWS)
    told = sorted((one for one in fresh.values() if one[0].created_at >= since), key=lambda one: one[0].created_at)
    _tell(engine, connection, [_of_comment(work, source, *one) for one in told], now)


def _of_comment(work: Work, source: Side, comment: Comment, kind: CommentKind, text: str) -> Notice:
    is_note = kind is CommentKind.NOTE
    where = NEXTCAP if source is Side.NEXTCAP else work.link.connection
    ticket = ticket_of(work)
    facts = {
        "id": comment.id,
        "source": where,
        "internal": is_note,
        "by": "customer" if kind is CommentKind.CUSTOMER_REPLY else "agent",
        "author_id": comment.author_id,
        "created_at": written(comment.created_at),
    }
    files = [one.name for one in comment.attachments]
    words = {"author": comment.author_name or None, "text": text, "attachments": files}
    return Notice(
        EventType.NOTED if is_note else EventType.REPLIED,
        ticket,
        {"comment": facts},
        {"comment": words},
        connection="" if source is Side.NEXTCAP else work.link.connection,
        record_id=work.record_id or "",
        key=f"comment:{ticket.id or work.record_id}:{where}:{comment.id}",
    )


def linked(engine: Engine, connection: sa.Connection, work: Work, now: datetime, **made: str) -> None:
    """A ticket and its record were joined; `made` is the half that was not there before the transaction."""
    if engine.announcer:
        record_id = made.get("record_id", work.record_id)
        ticket = replace(ticket_of(work), id=made.get("nextcap_id", work.nextcap_id))
        _tell(engine, connection, [_of_link(EventType.LINKED, work.link, ticket, record_id)], now)


def relinked(engine: Engine, connection: sa.Connection, link: LinkRow, record_id: str, now: datetime) -> None:
    """A person joined a ticket to this record."""
    if engine.announcer:
        _tell(engine, connection, [_of_link(EventType.LINKED, link, _ticket_of_link(link), record_id)], now)


def finished(engine: Engine, connection: sa.Connection, works: Sequence[Work], now: datetime) -> None:
    """Passes end: tell what they learnt of their tickets, what was left to a person, which links ended or came back.

    Call it while the tickets are locked and before the readings are stored: a change is told as the stored value and
    the one that replaces it.
    """
    if not engine.announcer:
        return
    learnt = [work for work in works if "reading" in work.ticket_changes]
    present = outbox.readings(connection, [work.link.ticket.id for work in learnt]) if learnt else {}
    moved(engine, connection, [one for work in learnt if (one := _learnt(work, present))], now)
    _tell(engine, connection, [notice for work in works for notice in _ended(work)], now)


def _ended(work: Work) -> Iterator[Notice]:
    """What there is to tell of a pass beside what it learnt of its ticket."""
    ticket = ticket_of(work)
    for parking in work.parked:
        told = {"field": parking.field, "code": parking.code, "reason": parking.reason}
        yield _of_parked(EventType.PARKED, work.link, ticket, told)
    for field in sorted(work.unparked):
        yield _of_parked(EventType.UNPARKED, work.link, ticket, {"field": field})
    kind = _fate(work)
    if kind is not None:
        yield _of_link(kind, work.link, ticket, work.record_id)


def _learnt(work: Work, present: Mapping[int, sa.Row[Any]]) -> Move | None:
    """The reading that a pass brings, unless a newer one came meanwhile."""
    row, version = present[work.link.ticket.id], work.ticket_changes.get("version")
    if row.nextcap_id is None or (row.version and version and row.version > version):
        return None
    return Move(row.nextcap_id, row.reading, work.ticket_changes["reading"], version)


def _fate(work: Work) -> EventType | None:
    """Whether this pass ended the link, or found that its record is back."""
    state = work.changes.get("state")
    if state == links.GONE and work.link.state in (links.ACTIVE, links.FROZEN):
        return EventType.UNLINKED
    return EventType.LINKED if state == links.ACTIVE and work.link.state == links.GONE else None


def settled(engine: Engine, connection: sa.Connection, item: sa.Row[Any], now: datetime) -> None:
    """A person settled something that had waited."""
    if not engine.announcer or item.link_id is None:
        return
    link = links.get(connection, item.link_id)
    if link is not None:
        told = {"field": item.field, "code": item.code}
        _tell(engine, connection, [_of_parked(EventType.UNPARKED, link, _ticket_of_link(link), told)], now)


def ticket_of(work: Work) -> TicketView:
    """The ticket as this pass knows it."""
    reading = work.ticket_changes.get("reading", work.link.ticket.reading)
    version = work.ticket_changes.get("version", work.link.ticket.version)
    return _view(work.nextcap_id, reading, version)


def _ticket_of_link(link: LinkRow) -> TicketView:
    return _view(link.ticket.nextcap_id, link.ticket.reading, link.ticket.version)


def _view(nextcap_id: str | None, reading: Mapping[str, Any] | None, version: datetime | None) -> TicketView:
    told = reading or {"fields": {}}
    requester = tuple(told.get("requester", (None, None, None)))
    return TicketView(nextcap_id, told.get("number", ""), told["fields"], requester, version)


def _of_link(kind: EventType, link: LinkRow, ticket: TicketView, record_id: str | None) -> Notice:
    told = {"link": {"connection": link.connection, "record_id": record_id}}
    return Notice(kind, ticket, told, connection=link.connection, record_id=record_id or "")


def _of_parked(kind: EventType, link: LinkRow, ticket: TicketView, told: Mapping[str, str]) -> Notice:
    """Why is told only where words are: it may quote somebody."""
    facts = {"connection": link.connection, "record_id": link.record_id, "field": told["field"] or None}
    facts |= {"code": told["code"]} if "code" in told else {}
    words = {"reason": told["reason"]} if "reason" in told else {}
    record_id = link.record_id or f"link-{link.id}"
    return Notice(kind, ticket, {"parked": facts}, {"parked": words}, connection=link.connection, record_id=record_id)


def _tell(engine: Engine, connection: sa.Connection, notices: Sequence[Notice], now: datetime) -> None:
    """Nobody is told of our own heartbeat."""
    engine.announcer.tell(connection, [one for one in notices if not _is_heartbeat(one.ticket.fields)], now)


def _is_heartbeat(fields: Mapping[str, Any]) -> bool:
    return f"metadata.{HEARTBEAT}" in fields or any(str(tag).startswith(TAG) for tag in fields.get("tags") or ())


def _moment(told: object, otherwise: datetime) -> datetime:
    """A time as a field holds it, ISO 8601 or Unix (milli)seconds; `otherwise` where it holds none."""
    try:
        if isinstance(told, int | float):
            return datetime.fromtimestamp(told / 1000 if told > 1e11 else told, UTC)
        moment = datetime.fromisoformat(str(told))
    except (ValueError, OverflowError, OSError):
        return otherwise
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
