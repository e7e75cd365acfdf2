"""Reconciliation: what webhooks dropped is found by looking, within minutes, in a lane of its own.

A sweep asks a CRM what changed since the last one, going back as far as its list may be late. What differs from what is
known rings like a webhook would; the list is only a hint, and the pass reads by id. Next Cap's own list is asked by
`poll.py`. What no list shows (a note that moves nothing, a deleted record) the rotation finds (`rotation.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from connector.adapters.base import Commented, Sweep
from connector.adapters.lanes import Lane, lane
from connector.domain.errors import ConfigError, NotSupported, Refused, RetryLater
from connector.domain.rules import TicketMapping
from connector.domain.ticket import Record, Side
from connector.engine import drift, finish, rotation
from connector.engine.context import NEXTCAP, Engine
from connector.engine.drain import may_call
from connector.engine.drift import Found, differing, suspicion
from connector.engine.placing import TICKET
from connector.engine.reading import fields_of
from connector.store import connections, cursors, deliveries, drifts, effects, journal, links
from connector.store.links import Look

SWEPT: Final = "swept"
SWEEP, ROTATION = "sweep", "rotation"
ROTATE_EVERY: Final = timedelta(minutes=1)
AT_ONCE: Final = timedelta(seconds=20)
"""For so long one call of `run` begins new parts of a sweep."""
FIRST_LOOK: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a system is looked at: for what changed, and each of its records whole."""

    sweep: timedelta
    rotation: timedelta


@dataclass(slots=True)
class _Place:
    """How far the sweeps of one CRM are. Times are the vendor's.

    `seen` are fingerprints of what was looked at already, with its time: a list that is asked again from a while ago
    shows the same once more.
    """

    since: datetime
    newest: datetime | None = None
    after: str = ""
    seen: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, connection: sa.Connection, name: str, first: datetime) -> _Place:
        kept = cursors.get(connection, name, SWEPT)
        if kept is None:
            return cls(first)
        told = json.loads(kept[0])
        newest = told["newest"]
        since = datetime.fromisoformat(told["since"])
        return cls(since, datetime.fromisoformat(newest) if newest else None, told["after"], told["seen"])

    def save(self, connection: sa.Connection, name: str, now: datetime) -> None:
        newest = self.newest.isoformat() if self.newest else None
        told = {"since": self.since.isoformat(), "newest": newest, "after": self.after, "seen": self.seen}
        cursors.put(connection, name, SWEPT, json.dumps(told), now)

    def is_new(self, subject: str, version: datetime | None, shown: object) -> bool:
        """Whether this was not looked at before, just so."""
        mark = hashlib.sha256(json.dumps([subject, str(version), shown], default=str).encode()).hexdigest()[:24]
        at = (version or self.newest or self.since).isoformat()
        is_new = mark not in self.seen
        self.seen[mark] = at
        return is_new

    def end(self, lag: timedelta) -> None:
        """The sweep is whole: the next one begins where this one's newest change was, less what may come late."""
        if self.newest is not None:
            self.since = max(self.since, self.newest - lag)
        self.after = ""
        self.seen = {mark: at for mark, at in self.seen.items() if at >= self.since.isoformat()}


def run(engine: Engine, paces: Mapping[str, Pace]) -> int:
    """Everything whose time has come: sweeps, rotations, judgements. How many links and tickets were marked.

    May be called as often as one likes, by several processes: each turn is taken by one of them. `paces` are by system.
    """
    deadline = engine.now() + AT_ONCE
    found = 0
    for name, pace in paces.items():
        if name != NEXTCAP:
            found += _in_turn(engine, name, SWEEP, pace.sweep, partial(sweep, engine, name, deadline))
            if _is_unfinished(engine, name):
                _due_again(engine, name, SWEEP, pace.sweep)
        found += _in_turn(engine, name, ROTATION, ROTATE_EVERY, partial(rotation.rotate, engine, name, pace.rotation))
    drift.judge(engine)
    return found


def _in_turn(engine: Engine, name: str, job: str, every: timedelta, work: Callable[[], int]) -> int:
    """Do it if its time has come and nobody else does, unless the system is not to be called."""
    if not may_call(engine, name):
        return 0
    with engine.db.write() as connection:
        overdue = cursors.take_turn(connection, name, job, every=every.total_seconds(), now=engine.now())
    if overdue is None:
        return 0
    try:
        with lane(Lane.RECONCILE, waited=overdue):
            return work()
    except RetryLater as problem:
        problem.system = problem.system or name
        finish.note_failure(engine, problem)
        _due_again(engine, name, job, every)
    except (Refused, NotSupported) as problem:
        _say(engine, name, job, f"a {job} cannot be made: {problem}")
    except ConfigError:
        pass  # No mapping is in force, so nothing is carried either; `doctor` tells it.
    return 0


def _is_unfinished(engine: Engine, name: str) -> bool:
    """Whether a sweep was broken off, and so goes on with the next call of `run`."""
    with engine.db.read() as connection:
        return bool(_Place.load(connection, name, engine.now()).after)


def _due_again(engine: Engine, name: str, job: str, every: timedelta) -> None:
    with engine.db.write() as connection:
        cursors.put(connection, name, job, "", engine.now() - every)


def sweep(engine: Engine, name: str, deadline: datetime) -> int:
    """Ask a CRM what changed, part by part, and mark what differs. How many links were marked.

    What is left at the deadline, or where a limit is met, goes on in the next turn.
    """
    adapter = engine.crms[name]
    lag = timedelta(seconds=adapter.capabilities.lag)
    with engine.db.read() as connection:
        mapping = engine.mappings.active(connection, name)
        place = _Place.load(connection, name, engine.now() - max(lag, FIRST_LOOK))
    fields = fields_of(mapping, adapter)
    marked = 0
    while True:
        before = place.after
        part = _part(engine, name, place, fields)
        with engine.db.write() as connection:
            marks = _consider(engine, connection, name, mapping, part, place)
            place.after = part.after
            if not part.after or part.after == before:
                place.end(lag)
            place.save(connection, name, engine.now())
            rung = connections.ring(connection, [name], engine.now()) if marks else []
        if rung:
            engine.bell(rung)
        marked += marks
        if not place.after or engine.now() >= deadline:
            return marked


def _part(engine: Engine, name: str, place: _Place, fields: Sequence[str]) -> Sweep:
    try:
        return engine.crms[name].changes(place.since, fields, place.after)
    except Refused:
        if not place.after:
            raise
        place.after = ""  # Where we were is not known any more: begin again.
        return engine.crms[name].changes(place.since, fields)


def _consider(
    engine: Engine, connection: sa.Connection, name: str, mapping: TicketMapping, part: Sweep, place: _Place
) -> int:
    """Mark what this part shows and the store does not know. How many links and unplaced records."""
    versions = [record.version for record in part.records if record.version]
    place.newest = max([*versions, *([place.newest] if place.newest else [])], default=None)
    ids = {*(one.id for one in part.records), *part.gone, *(one.ticket_id for one in part.commented)}
    known = links.by_record(connection, name, sorted(ids), lock=True)
    fresh = [one for one in part.records if place.is_new(one.id, one.version, sorted(one.fields.items()))]
    looks = [_differing(known[one.id], one, mapping, name) for one in fresh if one.id in known]
    looks += [_gone(known[one], name) for one in part.gone if one in known and place.is_new(one, None, "gone")]
    looks += _commented(connection, name, known, part, place)
    found = [one for one in looks if one is not None]
    for one in found:
        if one.suspicion is None:
            links.widen(connection, [one.link_id], one.look, engine.now())
        else:
            links.mark(connection, [one.link_id], one.look, engine.now())
    drifts.suspect(connection, [one.suspicion for one in found if one.suspicion], engine.now())
    strangers = [one for one in fresh if one.id not in known and _may_be_ours(engine, name, one, mapping)]
    deliveries.unplace(connection, name, TICKET, [one.id for one in strangers], engine.now())
    told = [{"connection": name, "side": Side.CRM, "subject": one.id, "what": "a new record"} for one in strangers]
    drifts.suspect(connection, told, engine.now())
    return len(found) + len(strangers)


def _differing(row: sa.Row[Any], record: Record, mapping: TicketMapping, name: str) -> Found | None:
    """A linked record that is shown otherwise than it is known; one that is worked anyway is no cause for suspicion.

    A pass that is at work may have read, and carried, something else than is known.
    """
    if row.state == links.GONE:
        return Found(row.id, Look.CRM, suspicion(row, name, "a record that is back"))
    names = differing(row, record, mapping)
    if not names and row.lease_until is None:
        return None
    if not names or row.due_at is not None:
        return Found(row.id, Look.CRM, None)
    values = {one: record.fields[one] for one in names}
    told = suspicion(row, name, ", ".join(names), fields=names, shown=drift.shown(values))
    return Found(row.id, Look.CRM, told)


def _gone(row: sa.Row[Any], name: str) -> Found | None:
    if row.state != links.ACTIVE:
        return None
    return Found(row.id, Look.CRM, suspicion(row, name, "a deleted record") if row.due_at is None else None)


def _commented(
    connection: sa.Connection, name: str, known: Mapping[str, sa.Row[Any]], part: Sweep, place: _Place
) -> list[Found | None]:
    """Tickets with an entry that neither crossed nor was made by us."""
    entries = [one.comment_id for one in part.commented if one.comment_id]
    settled = effects.settled_among(connection, [row.id for row in known.values()], Side.CRM, entries)
    found: dict[str, Found] = {}
    for one in part.commented:
        row = known.get(one.ticket_id)
        if row is None or row.state != links.ACTIVE or (row.id, one.comment_id) in settled:
            continue
        if one.ticket_id not in found and _is_news(one, part, place):
            told = suspicion(row, name, "a comment", one.comment_id)
            found[one.ticket_id] = Found(row.id, Look.CRM_COMMENTS, told)
    return list(found.values())


def _is_news(one: Commented, part: Sweep, place: _Place) -> bool:
    """Whether this was not looked at before; without an entry's id, whether the ticket has moved since."""
    version = next((record.version for record in part.records if record.id == one.ticket_id), None)
    return place.is_new(f"comment {one.ticket_id} {one.comment_id}", None if one.comment_id else version, "")


def _may_be_ours(engine: Engine, name: str, record: Record, mapping: TicketMapping) -> bool:
    """Whether an unknown record is worth placing: it names a ticket, or tickets are made for such records."""
    if record.get(engine.crms[name].external_id) not in (None, ""):
        return True
    return mapping.creates_in_nextcap and all(record.get(field) == value for field, value in mapping.scope.items())


def _say(engine: Engine, name: str, job: str, text: str) -> None:
    """Why there is no looking, for the journal and, until a look succeeds, for `doctor`."""
    now = engine.now()
    with engine.db.write() as connection:
        journal.record(connection, [journal.Line(name, None, "cannot_look", text)], now)
        cursors.put(connection, name, job, text, now)
