"""The sweep that rings for everything due, and the light poll that finds what no webhook tells (Next Cap's notes)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from connector.domain.errors import NotSupported, Refused, RetryLater
from connector.domain.ticket import Record
from connector.engine import budget, clock, finish
from connector.engine.context import NEXTCAP, Engine
from connector.engine.drain import closed_until, leased, recover
from connector.engine.work import moved_moments, reading_to_json
from connector.store import claims, connections, deliveries, links, small
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
        last = small.get_cursor(connection, NEXTCAP, CURSOR)
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
            cursor = small.get_cursor(connection, NEXTCAP, CURSOR)
        since = datetime.fromisoformat(cursor[0]) - OVERLAP if cursor else now - FIRST_LOOK
        try:
            records = _listed(engine, since)
        except RetryLater as problem:
            finish.note_failure(engine, problem)
            return 0
        except (Refused, NotSupported):
            return 0
        recover(engine, NEXTCAP)
        return _mark_moved(engine, records, since, now)


def _listed(engine: Engine, since: datetime) -> list[Record]:
    """What moved since then, oldest move first."""
    found: dict[str, Record] = {}
    part = engine.nextcap.changes(since, ())
    while True:
        fresh = {one.id: one for one in part.records if one.id not in found}
        found |= fresh
        if not part.after or not fresh:
            return sorted(found.values(), key=lambda one: one.version or since)
        part = engine.nextcap.changes(since, (), part.after)


def _spare_calls(engine: Engine) -> int:
    """How many timelines a poll may have looked at beside what happened: few where calls are few."""
    with engine.db.read() as connection:
        per_minute = [
            one.usage.ceiling * 60 / one.usage.seconds
            for one in budget.buckets(connection, engine.now())
            if one.system == NEXTCAP and one.usage
        ]
    return max(1, min(HIDDEN_AT_ONCE, int(max(per_minute, default=60.0) / 60)))


def _mark_moved(engine: Engine, records: Sequence[Record], since: datetime, now: datetime) -> int:
    marked = 0
    names: set[str] = set()
    hidden = _spare_calls(engine)
    with engine.db.write() as connection:
        known = links.tickets_by_nextcap_id(connection, [record.id for record in records])
        missing = [record.id for record in records if record.id not in known]
        if missing:
            links.ensure(connection, missing, engine.names)
            known = links.tickets_by_nextcap_id(connection, [record.id for record in records])
        for record in records:
            row = known[record.id]
            look = _look_at(row, record, now, hidden > 0)
            if look is None:
                continue
            hidden -= look == Look.NEXTCAP_COMMENTS
            if look & Look.MOVED and record.version is not None:
                moments = moved_moments(row.reading, record, row.moments or {}, now)
                links.store_reading(
                    connection,
                    row.id,
                    reading_to_json(record),
                    version=record.version,
                    number=record.number,
                    moments=moments,
                    now=now,
                )
            names |= set(links.mark_ticket(connection, [row.id], look, now))
            marked += 1
        newest = max((record.version for record in records if record.version), default=since + OVERLAP)
        small.set_cursor(connection, NEXTCAP, CURSOR, max(newest, since + OVERLAP).isoformat(), now)
        rung = connections.ring(connection, sorted(names), now) if names else []
    if rung:
        engine.bell(rung)
    return marked


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
