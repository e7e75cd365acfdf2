"""The front door: verify, store, mark, answer. No outbound call, one transaction, whatever the delivery holds.

Level, not edge: an event marks its link dirty and carries, at most, a fresh reading of one side. What an event did,
or why it did nothing, is stored with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from connector.adapters.base import Delivery, Event, EventKind
from connector.domain.errors import BadDelivery, ConfigError
from connector.domain.ticket import Record, Side, normal
from connector.engine.context import NEXTCAP, Engine
from connector.engine.effects import UPDATE_CRM
from connector.engine.placing import COMMENT, TICKET
from connector.engine.points import Point, at
from connector.engine.work import moved_moments, name_of, names_every_field, reading_from_json, reading_to_json
from connector.store import connections, deliveries, effects, links, parked
from connector.store.links import Look, from_json


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a delivery: how many events it held, and which connections have work now."""

    events: int
    rung: tuple[str, ...] = ()
    readable: bool = True


def receive(engine: Engine, source: str, delivery: Delivery) -> Receipt:
    """Take one delivery in. Raises `BadDelivery` if it is not the vendor's, `StoreAway` if nothing was kept."""
    now = engine.now()
    adapter = engine.nextcap if source == NEXTCAP else engine.crms[source]
    adapter.verify(delivery, now=now)
    try:
        events = adapter.parse(delivery)
    except BadDelivery as problem:
        return _park_unreadable(engine, source, delivery, problem, now)
    key = hashlib.sha256("|".join(event.key for event in events).encode() or delivery.body).hexdigest()
    return take(engine, source, events, key=key, body=delivery.body)


@retry(retry=retry_if_exception_type(sa.exc.IntegrityError), stop=stop_after_attempt(3), reraise=True)
def take(engine: Engine, source: str, events: Sequence[Event], *, key: str, body: bytes) -> Receipt:
    """Store a verified delivery with its events and marks in one transaction, then ring.

    It begins anew where a row that it had found was replaced meanwhile (a ticket that we made ourselves).
    """
    now = engine.now()
    with engine.db.write() as connection:
        delivery_id, _ = deliveries.store(connection, source, key=key, body=body, now=now)
        if source == NEXTCAP:
            outcomes, names = _from_nextcap(engine, connection, events, now)
        else:
            outcomes, names = _from_crm(engine, connection, source, events, now)
        rows = [
            {"delivery_id": delivery_id, "connection": source, "name": event.name, "subject": event.subject, "at": now}
            | {"ticket_id": ticket_id, "outcome": outcome}
            for event, (ticket_id, outcome) in zip(events, outcomes, strict=True)
        ]
        deliveries.add_events(connection, rows)
        rung = connections.ring(connection, sorted(names), now) if names else []
        at(Point.TAKING, source)
    at(Point.TAKEN, source)
    if rung:
        engine.bell(rung)
    return Receipt(len(events), tuple(rung))


def _park_unreadable(engine: Engine, source: str, delivery: Delivery, problem: BadDelivery, now: datetime) -> Receipt:
    """Signed but unreadable: kept and left to a person, and answered as received."""
    key = hashlib.sha256(delivery.body).hexdigest()
    with engine.db.write() as connection:
        delivery_id, first = deliveries.store(connection, source, key=key, body=delivery.body, now=now)
        if first:
            parked.park(
                connection, name=source, code=problem.code, reason=str(problem), delivery_id=delivery_id, now=now
            )
    return Receipt(0, readable=False)


Outcomes = list[tuple[int | None, str]]
"""For each event: the ticket row that it is about, if any, and what it did or why it did nothing."""


def _from_nextcap(
    engine: Engine, connection: sa.Connection, events: Sequence[Event], now: datetime
) -> tuple[Outcomes, set[str]]:
    ids = {event.ticket_id for event in events if event.ticket_id}
    rows = links.tickets_by_nextcap_id(connection, sorted(ids))
    if len(rows) < len(ids):
        links.ensure(connection, sorted(ids), engine.names)
        rows = links.tickets_by_nextcap_id(connection, sorted(ids))
    outcomes: Outcomes = []
    names: set[str] = set()
    for event in events:
        if not event.ticket_id:
            outcomes.append((None, "not about a ticket: kept, nothing to do"))
            continue
        row = rows[event.ticket_id]
        look, outcome = _consider_nextcap(engine, connection, row, event, now)
        if look is not None:
            names |= set(links.mark_ticket(connection, [row.id], look, now))
            rows = links.tickets_by_nextcap_id(connection, sorted(ids))
        outcomes.append((row.id, outcome))
    return outcomes, names


def _consider_nextcap(
    engine: Engine, connection: sa.Connection, row: sa.Row[Any], event: Event, now: datetime
) -> tuple[Look | None, str]:
    """What one Next Cap event asks to be looked at (None: nothing), and why."""
    if row.forbidden_until and row.forbidden_until > now:
        return None, "the connector's seat may not see this ticket"
    look = Look.NEXTCAP_COMMENTS if event.kind is EventKind.COMMENT else Look.NOTHING
    record = event.record
    if record is None or record.version is None or not _is_whole(engine, connection, record):
        return look | Look.NEXTCAP | Look.MOVED, "doorbell: the ticket will be read"
    known = max((moment for moment in (row.version, row.own_version) if moment is not None), default=None)
    if known is not None and record.version <= known:
        same = row.reading is not None and _says_the_same(record, row)
        if record.version == known and not same:
            return look | Look.NEXTCAP, "another reading of the same moment: the ticket will be read"
        reason = "echo: says what is known already" if same else "stale: a newer reading is known"
        return (look or None), reason
    moments = moved_moments(row.reading, record, row.moments or {}, event.moment or record.version)
    if not links.store_reading(
        connection,
        row.id,
        reading_to_json(record),
        version=record.version,
        number=record.number,
        moments=moments,
        now=now,
    ):
        return look | Look.NEXTCAP, "overtaken by a newer reading"
    return look | Look.MOVED, "carried a newer reading of the whole ticket"


def _is_whole(engine: Engine, connection: sa.Connection, record: Record) -> bool:
    for name in engine.names:
        try:
            if not names_every_field(engine.mappings.active(connection, name), record):
                return False
        except ConfigError:
            continue
    return True


def _says_the_same(record: Record, row: sa.Row[Any]) -> bool:
    known = reading_from_json(record.id, row.reading, row.version)
    return all(known.get(name) == value for name, value in record.fields.items())


def _from_crm(
    engine: Engine, connection: sa.Connection, name: str, events: Sequence[Event], now: datetime
) -> tuple[Outcomes, set[str]]:
    subjects = {event.ticket_id or event.subject for event in events}
    known = links.by_record(connection, name, sorted(subjects))
    opened = effects.open_of(connection, [row.id for row in known.values()])
    entries = sorted({event.subject for event in events if event.kind is EventKind.COMMENT})
    ours = effects.made_by_us(connection, name, entries)
    outcomes: Outcomes = []
    looks: dict[int, Look] = {}
    moments: dict[int, dict[str, str]] = {}
    unplaced: dict[str, set[str]] = {TICKET: set(), COMMENT: set()}
    for event in events:
        row = known.get(event.ticket_id or event.subject)
        if event.kind is EventKind.COMMENT and event.subject in ours:
            outcomes.append((row.ticket_id if row else None, "echo: an entry that we made ourselves"))
            continue
        if row is None:
            outcomes.append((None, _consider_unknown(event, unplaced)))
            continue
        look, outcome = _consider_known(engine, connection, name, row, event, opened.get(row.id, []))
        outcomes.append((row.ticket_id, outcome))
        if look is not None:
            looks[row.id] = looks.get(row.id, Look.NOTHING) | look
            if event.field and event.moment:
                told = moments.setdefault(row.id, dict(row.moments or {}))
                told[event.field] = max(told.get(event.field, ""), event.moment.isoformat())
    for look in set(looks.values()):
        links.mark(connection, [link_id for link_id, one in looks.items() if one == look], look, now)
    for link_id, value in moments.items():
        links.set_moments(connection, link_id, value)
    for kind, found in unplaced.items():
        deliveries.unplace(connection, name, kind, sorted(found), now)
    return outcomes, {name} if looks or any(unplaced.values()) else set()


def _consider_unknown(event: Event, unplaced: Mapping[str, set[str]]) -> str:
    if event.kind is EventKind.COMMENT and event.ticket_id is None:
        unplaced[COMMENT].add(event.subject)
        return "names a comment: its ticket will be looked up"
    if event.kind in (EventKind.TICKET, EventKind.RESTORED, EventKind.COMMENT):
        unplaced[TICKET].add(event.ticket_id or event.subject)
        return "names a record that no link knows: it will be placed"
    return "about no record that is carried: kept, nothing to do"


def _consider_known(
    engine: Engine,
    connection: sa.Connection,
    name: str,
    row: sa.Row[Any],
    event: Event,
    opened: Sequence[effects.Effect],
) -> tuple[Look | None, str]:
    """What one CRM event about a linked record asks to be looked at (None: nothing), and why."""
    if event.kind is EventKind.COMMENT:
        return Look.CRM_COMMENTS, "doorbell: its comments will be read"
    if event.kind in (EventKind.DELETED, EventKind.RESTORED, EventKind.MERGED):
        return Look.CRM, "doorbell: the record will be read"
    if event.field is None:
        return (None, "the record is known already") if row.record_id else (Look.CRM, "doorbell")
    rule = name_of(engine.mappings.active(connection, name), event.field, Side.CRM)
    if rule is None:
        return None, f"{event.field} is not in the mapping"
    if not event.has_value:
        return Look.CRM, "doorbell: the record will be read"
    value = normal(event.value)
    shadow = (row.shadows or {}).get(rule)
    writing = [
        from_json(one.payload["pairs"][rule][1])
        for one in opened
        if one.kind == UPDATE_CRM and rule in one.payload.get("pairs", {})
    ]
    if writing:
        if value in writing:
            return None, f"echo: {event.field} is what we are writing just now"
        return Look.CRM, "doorbell: the record will be read"
    if shadow is not None and from_json(shadow[1]) == value:
        return None, f"echo: {event.field} is what was last known"
    return Look.CRM, f"{event.field} changed: the record will be read"
