"""The sweep that rings for everything due, and the light poll that finds what no webhook tells (Next Cap's notes)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from connector.adapters.base import Sweep
from connector.domain.errors import NotSupported, Refused, RetryLater
from connector.domain.ticket import Record, Side
from connector.engine import announcing, budget, clock, finish
from connector.engine.announcing import Move
from connector.engine.context import NEXTCAP, Engine
from connector.engine.drain import closed_until, leased, recover
from connector.engine.work import moved_moments, reading_from_json, reading_to_json
from connector.store import claims, connections, cursors, deliveries, drifts, links, readings
from connector.store.links import Look

CURSOR = "updated"
OVERLAP = timedelta(seconds=60)
FIRST_LOOK = timedelta(minutes=5)
QUIET = timedelta(seconds=5)
HIDDEN_AT_ONCE = 20


def sweep(engine: Engine, ring_alone: Callable[[int, str], None]) -> list[str]:
    """Ring for every connection with due work, and for every ticket that is worked alone. The names rung."""
    clock.watch(engine)
    now = engine.now()
    with engine.db.read() as connection:
        names = set(claims.due_connections(connection, now)) | set(deliveries.unplaced_connections(connection, now))
        alone = claims.due_alone(connection, now)
        closed = {row.name for row in connections.states(connection) if row.closed_until and row.closed_until > now}
    names = {name for name in names if name in engine.crms and name not in closed and NEXTCAP not in closed}
    if names:
        engine.bell(sorted(names))
    for link_id, number in alone:
        ring_alone(link_id, number)
    return sorted(names)


def poll_when_due(engine: Engine, seconds: float) -> int:
    """The poll, unless another process did it less than this many seconds ago."""
    with engine.db.read() as connection:
        last = cursors.get(connection, NEXTCAP, CURSOR)
    if last is not None and (engine.now() - last[1]).total_seconds() < seconds:
        return 0
    return poll_nextcap(engine)


def poll_nextcap(engine: Engine) -> int:
    """List what moved in Next Cap since the last look, one call as a rule. How many tickets were marked.

    Its notes ring no bell. Where a webhook told of a ticket's newest state, a note written just before it would be
    hidden by it: so a ticket whose timeline is older than its newest reading is looked at once it has been quiet.
    """
    with leased(engine, NEXTCAP, "poll") as lease:
        if lease is None or closed_until(engine, NEXTCAP) is not None:
            return 0
        now = engine.now()
        with engine.db.read() as connection:
            place = _Place.load(connection, now)
        marked, shown = 0, frozenset[str]()
        while True:
            part = _part(engine, place)
            if part is None:
                return marked
            recover(engine, NEXTCAP)
            ids = frozenset(record.id for record in part.records)
            place = place.behind(part if ids - shown else replace(part, after=""))
            marked += _mark_moved(engine, part.records, place, now)
            if not place.after:
                return marked
            shown = ids


@dataclass(frozen=True, slots=True)
class _Place:
    """How far the list was looked at, by Next Cap's time. Where a look was broken off, it goes on with `after`."""

    until: datetime
    after: str = ""
    newest: datetime | None = None

    @classmethod
    def load(cls, connection: sa.Connection, now: datetime) -> _Place:
        kept = cursors.get(connection, NEXTCAP, CURSOR)
        if kept is None:
            return cls(now - FIRST_LOOK + OVERLAP)
        until, after, newest = [*kept[0].split(" "), "", ""][:3]
        return cls(datetime.fromisoformat(until), after, datetime.fromisoformat(newest) if newest else None)

    def save(self, connection: sa.Connection, now: datetime) -> None:
        newest = self.newest.isoformat() if self.newest else ""
        cursors.put(connection, NEXTCAP, CURSOR, f"{self.until.isoformat()} {self.after} {newest}".strip(), now)

    @property
    def since(self) -> datetime:
        return self.until - OVERLAP

    def behind(self, part: Sweep) -> _Place:
        """The place when this part has been looked at: the list is newest first, so only its end is progress."""
        versions = [record.version for record in part.records if record.version]
        newest = max([*versions, self.newest or self.until])
        return _Place(self.until, part.after, newest) if part.after else _Place(max(self.until, newest))


def _part(engine: Engine, place: _Place) -> Sweep | None:
    """The next part of the list; None where it cannot be had now."""
    try:
        return engine.nextcap.changes(place.since, (), place.after)
    except RetryLater as problem:
        finish.note_failure(engine, problem)
    except (Refused, NotSupported):
        pass  # `doctor` says what the key may not do.
    return None


def _spare_calls(engine: Engine) -> int:
    """How many timelines a poll may have looked at beside what happened: few where calls are few."""
    with engine.db.read() as connection:
        per_minute = budget.calls_per_minute(connection, NEXTCAP, engine.now())
    return max(1, min(HIDDEN_AT_ONCE, int(per_minute / 60)))


def _mark_moved(engine: Engine, records: Sequence[Record], place: _Place, now: datetime) -> int:
    looks: dict[int, Look] = {}
    listed: list[readings.Reading] = []
    hidden = _spare_calls(engine)
    suspicions: list[dict[str, Any]] = []
    with engine.db.write() as connection:
        is_first = cursors.get(connection, NEXTCAP, CURSOR) is None
        known = readings.tickets_by_nextcap_id(connection, [record.id for record in records], lock=True)
        missing = [record.id for record in records if record.id not in known]
        if missing:
            links.ensure(connection, missing, engine.names)
            known = readings.tickets_by_nextcap_id(connection, [record.id for record in records], lock=True)
        for record in sorted(records, key=lambda one: one.version or now):
            row = known[record.id]
            look = _look_at(row, record, now, hidden > 0)
            if look is None:
                continue
            hidden -= look == Look.NEXTCAP_COMMENTS
            if look & Look.MOVED:
                what = _what_moved(row, record, is_first)
                suspicions += [_suspicion(row, what)] if what else []
                listed += _reading(row, record)
            looks[row.id] = look
        readings.store(connection, listed, now)
        announcing.moved(engine, connection, _moves(listed, known.values()), now)
        names = links.mark_tickets(connection, looks, now)
        drifts.suspect(connection, suspicions, now)
        place.save(connection, now)
        rung = connections.ring(connection, sorted(names), now) if names else []
    if rung:
        engine.bell(rung)
    return len(looks)


def _reading(row: sa.Row[Any], record: Record) -> list[readings.Reading]:
    """The listed ticket as a reading to keep; none where the list does not say as of when it is."""
    if record.version is None:
        return []
    reading = reading_to_json(record)
    moments = moved_moments(row.reading, reading, row.moments or {}, record.version)
    return [readings.Reading(row.id, reading, record.version, record.number, moments)]


def _moves(found: Sequence[readings.Reading], known: Iterable[sa.Row[Any]]) -> Iterator[Move]:
    """The readings of a list, with those whose place they take."""
    rows = {row.id: row for row in known}
    return (Move(rows[one.row_id].nextcap_id, rows[one.row_id].reading, one.reading, one.version) for one in found)


def _what_moved(row: sa.Row[Any], record: Record, is_first: bool) -> str:
    """What a webhook should have told of: nothing where only the timeline moved, or at our very first look."""
    if row.reading is None:
        return "" if is_first else "a new ticket"
    known = reading_from_json(record.id, row.reading, row.version).fields
    return ", ".join(name for name, value in record.fields.items() if name in known and known[name] != value)


def _suspicion(row: sa.Row[Any], what: str) -> dict[str, Any]:
    return {"connection": NEXTCAP, "side": Side.NEXTCAP, "ticket_id": row.id, "subject": row.nextcap_id, "what": what}


def _look_at(row: sa.Row[Any], record: Record, now: datetime, may_look_deeper: bool) -> Look | None:
    """What a listed ticket asks for; None where everything about it is known."""
    if record.version is None or (row.forbidden_until and row.forbidden_until > now):
        return None
    newest = max((moment for moment in (row.version, row.own_version) if moment is not None), default=None)
    if newest is None or record.version > newest:
        return Look.MOVED | (Look.NEXTCAP_COMMENTS if newest is None else Look.NOTHING)
    if record.version < newest or not may_look_deeper:
        return None
    is_quiet = row.read_at is not None and now - row.read_at >= QUIET
    is_behind = row.timeline_version is not None and row.timeline_version < newest
    return Look.NEXTCAP_COMMENTS if is_quiet and is_behind else None
