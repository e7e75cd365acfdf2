"""Why did this ticket (not) sync? What arrived, what was decided and why, what is open, and what it waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from connector.engine.context import NEXTCAP, Engine
from connector.store import causes, connections, effects, journal, links, story

OVERDUE = timedelta(seconds=60)

Line = Mapping[str, Any]
"""One row as people are shown it: names in plain words, values as they are kept."""


@dataclass(frozen=True, slots=True)
class LinkStory:
    """One link. `answer` says in a sentence or two how it stands and why; `due_at` when it is worked next."""

    link_id: int
    connection: str
    record_id: str | None
    state: str
    answer: str
    due_at: datetime | None
    attempts: int
    cause: str
    shadows: Mapping[str, tuple[Any, Any]]
    effects: Sequence[Line]
    parked: Sequence[Line]
    journal: Sequence[Line]


@dataclass(frozen=True, slots=True)
class TicketStory:
    """One ticket, or a CRM record that belongs to none (then `nextcap_id` is None and there are no links)."""

    number: str
    nextcap_id: str | None
    answer: str
    read_at: datetime | None
    links: Sequence[LinkStory]
    events: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides how a link stands: the rows that hold it up, and whether anything does."""

    link: sa.Row[Any]
    ticket: sa.Row[Any]
    own: sa.Row[Any]
    nextcap: sa.Row[Any]
    parked: Sequence[sa.Row[Any]]
    last: str
    label: str
    now: datetime


def of_ticket(engine: Engine, word: str) -> list[TicketStory]:
    """The stories of every ticket that this number, Next Cap id or CRM record id may mean; empty where nothing is."""
    word = word.strip().lstrip("#")
    with engine.db.read() as connection:
        circuits = {row.name: row for row in connections.states(connection)}
        found = [_ticket(engine, connection, row, circuits) for row in story.tickets_named(connection, word)]
        return found or _unlinked(engine, connection, word)


def failing(engine: Engine) -> list[Line]:
    """Tickets that failed for their own reason, each tried again alone, those that fail longest first."""
    names = ("connection", "number", "nextcap_id", "record_id", "attempts", "failing_since", "due_at", "cause")
    with engine.db.read() as connection:
        return [{name: getattr(row, name) for name in names} for row in story.failing(connection)]


def _ticket(
    engine: Engine, connection: sa.Connection, ticket: sa.Row[Any], circuits: Mapping[str, sa.Row[Any]]
) -> TicketStory:
    rows = story.links_of(connection, ticket.id)
    told = [_link(engine, connection, row, ticket, circuits) for row in rows if row.connection in circuits]
    records = [str(row.record_id) for row in rows if row.record_id]
    seen = story.arrived(connection, ticket.id, records)
    answer = "; ".join(f"{engine.label(one.connection)}: {one.answer}" for one in told)
    return TicketStory(
        number=ticket.number,
        nextcap_id=ticket.nextcap_id,
        answer=answer or "no connection is configured that could carry it",
        read_at=ticket.read_at,
        links=told,
        events=[_event(row) for row in seen],
    )


def _link(
    engine: Engine,
    connection: sa.Connection,
    row: sa.Row[Any],
    ticket: sa.Row[Any],
    circuits: Mapping[str, sa.Row[Any]],
) -> LinkStory:
    lines = journal.of_link(connection, row.id)
    items = story.parked_of(connection, row.id)
    standing = Standing(
        link=row,
        ticket=ticket,
        own=circuits[row.connection],
        nextcap=circuits[NEXTCAP],
        parked=items,
        last=str(lines[-1]["text"]) if lines else "",
        label=engine.label(row.connection),
        now=engine.now(),
    )
    return LinkStory(
        link_id=row.id,
        connection=row.connection,
        record_id=row.record_id,
        state=row.state,
        answer=answer(standing),
        due_at=row.due_at,
        attempts=row.attempts,
        cause=row.cause or "",
        shadows={name: (pair[0], pair[1]) for name, pair in (row.shadows or {}).items()},
        effects=[_effect(one) for one in story.open_effects(connection, row.id)],
        parked=[parked_line(one._asdict()) for one in items],
        journal=[_journal_line(one) for one in lines],
    )


def _unlinked(engine: Engine, connection: sa.Connection, word: str) -> list[TicketStory]:
    """A record that events named and that became no ticket: what was heard of it, and what is still to come."""
    seen = story.arrived(connection, None, [word])
    waiting = story.waiting_records(connection, word)
    if not (seen or waiting):
        return []
    verdicts = [
        str(line["text"])
        for name in engine.names
        for line in journal.of_connection(connection, name)
        if word in str(line["text"]).split()
    ]
    if waiting:
        answer = f"no link knows this record yet; it is looked at again at {moment(waiting[0].due_at)}"
    else:
        answer = verdicts[0] if verdicts else "it belongs to no ticket that is carried"
    return [TicketStory("", None, answer, None, (), [_event(row) for row in seen])]


def answer(standing: Standing) -> str:
    """How a link stands and why, in words; what waits for a person is always told."""
    told = _ended(standing) or _held_up(standing) or _queued(standing)
    return f"{told}; {_asked(standing.parked)}" if standing.parked else told


def _asked(items: Sequence[sa.Row[Any]]) -> str:
    """What a person is asked, the first of it in words: people read no further than this."""
    first = items[0]
    subject = "a comment" if effects.is_comment_key(first.field) else first.field
    told = f"waits for a person: {f'{subject}: ' if subject else ''}{first.reason}"
    more = f", and {len(items) - 1} more" if len(items) > 1 else ""
    return f"{told}{more} (`connector parked list`, item {first.id}; docs/runbook.md, {first.code})"


def _ended(standing: Standing) -> str:
    """Where nothing more is to come before something happens, and nobody holds it up."""
    link, ticket = standing.link, standing.ticket
    if causes.is_pause(link.cause_code):
        return ""
    if ticket.forbidden_until and ticket.forbidden_until > standing.now:
        until = moment(ticket.forbidden_until)
        return f"Next Cap does not show this ticket to the connector's seat; asked again after {until}"
    if link.due_at is not None:
        return ""
    if link.state == links.GONE:
        return f"not carried any more: {standing.last or 'its record is gone'}"
    if link.state == links.FROZEN:
        return f"frozen: {standing.last or 'the mapping does not carry it any more'}"
    if link.record_id is None or ticket.nextcap_id is None:
        return standing.last or "nothing has been decided about it yet"
    return f"linked to record {link.record_id} and at rest; last pass: {standing.last or 'nothing to do'}"


def _held_up(standing: Standing) -> str:
    """Where there is work, and something keeps it from being done now."""
    if standing.own.paused:
        return f"{standing.label} is paused by a person: `connector resume {standing.link.connection}`"
    if causes.is_pause(standing.link.cause_code):
        return f"held back: {standing.link.cause}; `connector resume {standing.link.connection}` writes it"
    for row, label in ((standing.own, standing.label), (standing.nextcap, "Next Cap")):
        if row.closed_until and row.closed_until > standing.now:
            return f"waits for {label} until {moment(row.closed_until)}: {row.cause or 'it failed'}"
    return ""


def _queued(standing: Standing) -> str:
    link, now = standing.link, standing.now
    if standing.ticket.lease_until and standing.ticket.lease_until > now:
        return "being worked right now"
    if link.attempts:
        told = f"failed {link.attempts} time(s) since {moment(link.failing_since or now)}, tried again at "
        return f"{told}{moment(link.due_at)}: {link.cause or 'no reason kept'}"
    if link.due_at > now:
        reason = f" ({link.cause})" if link.cause else ""
        return f"looked at again at {moment(link.due_at)}{reason}"
    since = link.dirty_at or link.due_at
    if now - since > OVERDUE:
        return f"due since {moment(since)} and nobody takes it: is a worker (or `connector run`) running?"
    return "due now: a worker takes it next"


def moment(when: datetime) -> str:
    """A time as people are shown it: UTC, to the second."""
    return when.strftime("%Y-%m-%d %H:%M:%S UTC")


def parked_line(row: Line) -> Line:
    """One item that waits for a person, as lists show it."""
    names = ("id", "connection", "number", "nextcap_id", "record_id", "delivery_id", "field", "code", "reason")
    shown = {name: row[name] for name in names if name in row}
    sides = {side: (row[side] or {}).get("value") for side in ("nextcap", "crm")}
    return {**shown, **sides, "candidates": list(row["candidates"] or ()), "at": row["at"]}


def _effect(row: sa.Row[Any]) -> Line:
    names = ("id", "kind", "side", "state", "created_at", "sent_at", "sending_until")
    return {name: getattr(row, name) for name in names}


def _event(row: sa.Row[Any]) -> Line:
    names = ("at", "connection", "name", "subject", "outcome", "delivery_id", "seen")
    return {name: getattr(row, name) for name in names}


def _journal_line(row: Line) -> Line:
    details = row["details"] or {}
    shown = {name: row[name] for name in ("at", "last_at", "count", "code", "text")}
    return {**shown, "fields": details.get("fields", []), "lines": details.get("lines", [])}
