"""The front door: verify, store, mark, answer. No outbound call, one transaction, whatever the delivery holds.

Level, not edge: an event marks its link dirty and carries, at most, a fresh reading of one side. What an event did,
or why it did nothing, is stored with it.
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any

import sqlalchemy as sa
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from connector.adapters.base import Adapter, Delivery, Event, EventKind
from connector.domain.errors import BadDelivery, StoreContended
from connector.domain.loops import fingerprint
from connector.domain.rules import TicketMapping
from connector.domain.ticket import Record, normal
from connector.engine import announcing, doorbell
from connector.engine.announcing import Move
from connector.engine.context import NEXTCAP, Engine
from connector.engine.placing import COMMENT, SPOKEN, TICKET
from connector.engine.points import Point, at
from connector.engine.work import (
    moved_moments,
    names_every_field,
    reading_from_json,
    reading_to_json,
)
from connector.store import connections, deliveries, effects, heard, links, parked, readings, taking
from connector.store.links import Look

MOST_EVENTS = 2000
"""Events in one delivery: twenty times as many as the largest batch that a vendor documents."""

AHEAD = timedelta(hours=1)
"""A reading from later than this is not believed: every true one after it would look old."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One verified delivery on its way into the store. `key` names it among repeats.

    `problem` is why its bytes cannot be read; then there are no events.
    """

    key: str
    body: bytes
    events: Sequence[Event] = ()
    problem: BadDelivery | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a delivery: how many events it held, and which connections were rung.

    `problem` is the code under which it waits for a person because it could not be read.
    """

    events: int
    rung: tuple[str, ...] = ()
    problem: str = ""


def arrive(engine: Engine, source: str, delivery: Delivery) -> Arrival:
    """Verify and read one delivery; makes no call. Raises `BadDelivery` if it is not the vendor's."""
    adapter = engine.system(source)
    adapter.verify(delivery, now=engine.now())
    try:
        events = read(adapter, delivery)
    except BadDelivery as problem:
        return Arrival(_digest(delivery.body), delivery.body, problem=problem)
    keys = "|".join(event.key for event in events).encode("utf-8", "surrogatepass")
    return Arrival(_digest(keys or delivery.body), delivery.body, events)


def read(adapter: Adapter, delivery: Delivery) -> Sequence[Event]:
    """The events of a verified delivery. Raises BadDelivery where it cannot be read, by whosever fault.

    A reader that fails on it would fail on every repeat too, and the vendor would give up: so it is kept and told of.
    """
    try:
        events = adapter.parse(delivery)
    except BadDelivery:
        raise
    except RecursionError as problem:
        raise BadDelivery("the body is nested too deeply", code="too_deep") from problem
    except Exception as problem:
        raise BadDelivery(f"the connector's own reader failed on it: {_place_of(problem)}", code="defect") from problem
    if len(events) > MOST_EVENTS:
        raise BadDelivery(f"it holds {len(events)} events, more than any vendor sends at once", code="too_many_events")
    return events


def _place_of(problem: Exception) -> str:
    """What failed and where, without its message: that may hold somebody's words."""
    last = traceback.extract_tb(problem.__traceback__)[-1]
    return f"{type(problem).__name__} in {last.name}, {PurePath(last.filename).name}:{last.lineno}"


def _digest(told: bytes) -> str:
    return hashlib.sha256(told).hexdigest()


@retry(retry=retry_if_exception_type((sa.exc.IntegrityError, StoreContended)), stop=stop_after_attempt(3), reraise=True)
def take(engine: Engine, source: str, arrivals: Sequence[Arrival]) -> list[Receipt]:
    """Store one source's verified deliveries with their events and marks, all in one transaction, then ring.

    A receipt for each. What comes at the same time is taken in together: a transaction costs as much for one as for
    eight. It begins anew where a row that it had found was replaced meanwhile (a ticket that we made ourselves), or
    where it and another waited for each other.
    """
    now = engine.now()
    with engine.db.write() as connection:
        _park_unreadable(connection, source, [one for one in arrivals if one.problem], now)
        rung = _take(engine, connection, source, [one for one in arrivals if not one.problem], now)
        at(Point.TAKING, source)
    at(Point.TAKEN, source)
    if rung:
        engine.bell(rung)
    return [Receipt(len(one.events), tuple(rung), one.problem.code if one.problem else "") for one in arrivals]


def _park_unreadable(connection: sa.Connection, source: str, arrivals: Sequence[Arrival], now: datetime) -> None:
    """Signed but unreadable: kept and left to a person, and answered as received."""
    stored = deliveries.store(connection, source, [(one.key, one.body) for one in arrivals], now)
    for one, (row_id, is_first) in zip(arrivals, stored, strict=True):
        if one.problem is not None and is_first:
            code, reason = one.problem.code, str(one.problem)
            parked.park(connection, name=source, code=code, reason=reason, delivery_id=row_id, now=now)


def _take(
    engine: Engine, connection: sa.Connection, source: str, arrivals: Sequence[Arrival], now: datetime
) -> list[str]:
    """Store what these deliveries, which could be read, bring; the connections that must be told."""
    if not arrivals:
        return []
    kept = deliveries.rows_to_keep(source, [(one.key, one.body) for one in arrivals], now)
    held = [(one.key, event) for one in arrivals for event in one.events]
    if source == NEXTCAP:
        return _from_nextcap(engine, connection, kept, held, now)
    deliveries.keep_each(connection, kept)
    return _from_crm(engine, connection, source, held, now)


Held = Sequence[tuple[str, Event]]
"""Events, each with the key of its delivery."""

Outcomes = list[tuple[int | None, str]]
"""For each event: the ticket row that it is about, if any, and what it did or why it did nothing."""


def _rows(source: str, held: Held, outcomes: Outcomes, now: datetime) -> list[dict[str, Any]]:
    return [
        {"key": key, "connection": source, "name": event.name, "subject": event.subject, "at": now}
        | {"ticket_id": ticket_id, "outcome": outcome}
        for (key, event), (ticket_id, outcome) in zip(held, outcomes, strict=True)
    ]


@dataclass(slots=True)
class _Known:
    """What is known of one Next Cap ticket, while events about it are considered one after the other."""

    row_id: int
    reading: Mapping[str, Any] | None
    version: datetime | None
    own_version: datetime | None
    moments: Mapping[str, str]
    forbidden_until: datetime | None
    look: Look | None = None
    new: readings.Reading | None = None
    moves: list[tuple[Mapping[str, Any] | None, readings.Reading]] = field(default_factory=list)
    """Every reading that was taken, with the one whose place it took."""

    @property
    def newest(self) -> datetime | None:
        """The moment of the newest reading there is: somebody's, or the answer to a write of ours."""
        return max((moment for moment in (self.version, self.own_version) if moment is not None), default=None)

    def take(self, new: readings.Reading) -> None:
        """From now on this is the newest reading."""
        self.moves.append((self.reading, new))
        self.new, self.reading, self.version, self.moments = new, new.reading, new.version, new.moments

    def told(self, nextcap_id: str) -> Iterator[Move]:
        """The same for whoever listens."""
        return (Move(nextcap_id, before, new.reading, new.version) for before, new in self.moves)

    def mark(self, look: Look | None) -> None:
        """One more thing to look at, unless it is None."""
        if look is not None:
            self.look = look if self.look is None else self.look | look


def _from_nextcap(
    engine: Engine, connection: sa.Connection, kept: Sequence[Mapping[str, Any]], held: Held, now: datetime
) -> list[str]:
    """Store Next Cap's deliveries (`kept`) and what their events bring."""
    known = _known_tickets(engine, connection, {event.ticket_id for _, event in held if event.ticket_id})
    needs = list(engine.mappings.lately(connection).values()) if known else []
    outcomes: Outcomes = []
    for _, event in held:
        if not event.ticket_id:
            outcomes.append((None, "not about a ticket: kept, nothing to do"))
            continue
        ticket = known[event.ticket_id]
        look, outcome = _consider_nextcap(ticket, event, needs, now)
        ticket.mark(look)
        outcomes.append((ticket.row_id, outcome))
    announcing.moved(engine, connection, (move for id_, one in known.items() for move in one.told(id_)), now)
    return taking.leave(
        connection,
        kept=kept,
        found=[one.new for one in known.values() if one.new is not None],
        events=_rows(NEXTCAP, held, outcomes, now),
        looks={one.row_id: one.look for one in known.values() if one.look is not None},
        now=now,
    )


def _known_tickets(engine: Engine, connection: sa.Connection, ids: set[str]) -> dict[str, _Known]:
    """These tickets' rows, locked until the end, made where they are new."""
    if not ids:
        return {}
    rows = readings.tickets_by_nextcap_id(connection, ids, lock=True)
    if len(rows) < len(ids):
        links.ensure(connection, sorted(ids), engine.names)
        rows = readings.tickets_by_nextcap_id(connection, ids, lock=True)
    return {
        nextcap_id: _Known(
            row_id=row.id,
            reading=row.reading,
            version=row.version,
            own_version=row.own_version,
            moments=row.moments or {},
            forbidden_until=row.forbidden_until,
        )
        for nextcap_id, row in rows.items()
    }


def _consider_nextcap(
    ticket: _Known, event: Event, mappings: Sequence[TicketMapping], now: datetime
) -> tuple[Look | None, str]:
    """What one Next Cap event asks to be looked at (None: nothing), and why. A newer reading is taken over."""
    if ticket.forbidden_until and ticket.forbidden_until > now:
        return None, "the connector's seat may not see this ticket"
    look = Look.NEXTCAP_COMMENTS if event.kind is EventKind.COMMENT else Look.NOTHING
    record = event.record
    if record is None or record.version is None or record.version > now + AHEAD:
        return look | Look.NEXTCAP | Look.MOVED, "doorbell: the ticket will be read"
    if not all(names_every_field(one, record) for one in mappings):
        return look | Look.NEXTCAP | Look.MOVED, "doorbell: the ticket will be read"
    newest = ticket.newest
    if newest is not None and record.version <= newest:
        same = ticket.reading is not None and _says_the_same(record, ticket)
        if record.version == newest and not same:
            return look | Look.NEXTCAP, "another reading of the same moment: the ticket will be read"
        reason = "echo: says what is known already" if same else "stale: a newer reading is known"
        return (look or None), reason
    reading = reading_to_json(record)
    told = min(event.moment or record.version, record.version)  # A repeat may be dated anew.
    moments = moved_moments(ticket.reading, reading, ticket.moments, told)
    ticket.take(readings.Reading(ticket.row_id, reading, record.version, record.number, moments))
    return look | Look.MOVED, "carried a newer reading of the whole ticket"


def _says_the_same(record: Record, ticket: _Known) -> bool:
    assert ticket.reading is not None  # noqa: S101 - checked by the caller
    known = reading_from_json(record.id, ticket.reading, ticket.version)
    return all(known.get(name) == value for name, value in record.fields.items())


def _from_crm(engine: Engine, connection: sa.Connection, name: str, held: Held, now: datetime) -> list[str]:
    """Store what the events of a CRM's deliveries bring; these are kept already."""
    events = [event for _, event in held]
    subjects = {event.ticket_id or event.subject for event in events}
    known = links.by_record(connection, name, subjects, lock=True)
    mapping = engine.mappings.those_active(connection, [name]).get(name)
    opened = effects.open_of(connection, [row.id for row in known.values()])
    entries = sorted({event.subject for event in events if event.kind is EventKind.COMMENT})
    ours = effects.made_by_us(connection, name, entries)
    outcomes: Outcomes = []
    looks: dict[int, Look] = {}
    moments: dict[int, dict[str, heard.Told]] = {}
    versions: dict[int, datetime] = {}
    unplaced: dict[str, set[str]] = {TICKET: set(), COMMENT: set(), SPOKEN: set()}
    for event in events:
        row = known.get(event.ticket_id or event.subject)
        if event.kind is EventKind.COMMENT and event.subject in ours:
            outcomes.append((row.ticket_id if row else None, "echo: an entry that we made ourselves"))
            continue
        if row is None:
            outcomes.append((None, _consider_unknown(event, unplaced)))
            continue
        look, outcome = doorbell.consider(mapping, row, event, opened.get(row.id, []))
        outcomes.append((row.ticket_id, outcome))
        if event.version is not None and (outcome.startswith(doorbell.ECHO) or look is Look.ECHO):
            versions[row.id] = max(event.version, versions.get(row.id, event.version))
        if look is not None:
            looks[row.id] = looks.get(row.id, Look.NOTHING) | look
            if event.field and event.moment:
                heard.note_moment(moments.setdefault(row.id, dict(row.moments or {})), event.field, _told(event))
    links.mark_each(connection, looks, now)
    heard.set_moments(connection, moments)
    if versions:
        heard.note_echoes(connection, versions)
    for kind, found in sorted(unplaced.items()):
        deliveries.unplace(connection, name, kind, sorted(found), now)
    deliveries.add_events(connection, _rows(name, held, outcomes, now))
    is_freed = any(row.id in versions and row.moved_from and row.due_at for row in known.values())
    return connections.ring(connection, [name], now) if looks or any(unplaced.values()) or is_freed else []


def _told(event: Event) -> heard.Told:
    """When a field changed, and to what, as far as the event tells."""
    assert event.moment is not None  # noqa: S101 - checked by the caller
    at = event.moment.isoformat()
    return [at, fingerprint(normal(event.value))] if event.has_value else at


def _consider_unknown(event: Event, unplaced: Mapping[str, set[str]]) -> str:
    if event.kind is EventKind.COMMENT and event.ticket_id is None:
        unplaced[COMMENT].add(event.subject)
        return "names a comment: its ticket will be looked up"
    if event.kind in (EventKind.CREATED, EventKind.TICKET, EventKind.RESTORED, EventKind.COMMENT):
        unplaced[SPOKEN if event.kind is EventKind.COMMENT else TICKET].add(event.ticket_id or event.subject)
        return "names a record that no link knows: it will be placed"
    return "about no record that is carried: kept, nothing to do"
