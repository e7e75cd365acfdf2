"""Draining one connection: claim, work, repeat, until nothing is due; and working one troubled ticket alone."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connector.domain.errors import OUT_OF_TURN, ConfigError, ConnectorError, RetryLater
from connector.engine import finish, placing, prepare, sync
from connector.engine.context import NEXTCAP, Engine
from connector.store import claims, connections, deliveries, links
from connector.store.connections import Lease
from connector.store.database import StoreAway
from connector.store.links import LinkRow

BURST = 10
"""Links in one pass that make it part of a burst: then what follows is given more time to come together."""
TURN = 2.0
"""Seconds that a drain waits at most where more urgent calls go first, before it looks for urgent work of its own."""


@dataclass(frozen=True, slots=True)
class Drained:
    """How a drain ended: how many links it worked, and when to come again (None: when a bell rings)."""

    worked: int
    again_at: datetime | None = None
    cause: RetryLater | None = None


@dataclass(frozen=True, slots=True)
class Alone:
    """How the pass of a ticket that is worked alone ended."""

    number: str
    failure: ConnectorError | None
    due_at: datetime | None


class _Keeper:
    """Renews the leases of a drain while it works, from a thread of its own."""

    def __init__(self, engine: Engine, owner: str, lease: Lease | None) -> None:
        self.engine = engine
        self.owner = owner
        self.lease = lease
        self.held: Sequence[LinkRow] = ()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)

    def __enter__(self) -> _Keeper:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        timing = self.engine.timing
        while not self._stop.wait(timing.renew):
            until = self.engine.now() + timedelta(seconds=timing.lease)
            try:
                with self.engine.db.write() as connection:
                    if self.held:
                        claims.hold(connection, self.held, owner=self.owner, until=until)
                    if self.lease:
                        connections.renew(connection, self.lease, until)
            except StoreAway:
                continue  # The next renewal may get through; if none does, the fence keeps the others safe.


def drain(engine: Engine, name: str) -> Drained:
    """Work everything that is due on one connection. Does nothing where another drain of it is running.

    That one, when it ends, says when to come again.
    """
    owner = uuid.uuid4().hex
    with leased(engine, name, owner) as lease:
        if lease is None:
            return Drained(0)
        with _Keeper(engine, owner, lease) as keeper:
            result = _drain(engine, name, keeper)
    # A bell that rang while the lease was still held found it taken: look once more after giving it back.
    return result if result.again_at is not None else replace(result, again_at=next_moment(engine, name))


@contextmanager
def leased(engine: Engine, name: str, owner: str) -> Iterator[Lease | None]:
    """The right to be the only one at work on a connection, or on Next Cap's list; None where somebody has it."""
    now = engine.now()
    until = now + timedelta(seconds=engine.timing.lease)
    with engine.db.write() as connection:
        lease = connections.acquire(connection, name, owner=owner, now=now, until=until)
    try:
        yield lease
    finally:
        if lease is not None:
            with engine.db.write() as connection:
                connections.give_back(connection, lease)


def _drain(engine: Engine, name: str, keeper: _Keeper) -> Drained:
    worked = passes = 0
    deadline = engine.now() + timedelta(seconds=engine.timing.drain)
    try:
        with _noting_failure(engine, name):
            prepare.prepare(engine, name)
        while engine.now() < deadline:
            closed = closed_until(engine, name)
            if closed is not None:
                wait = (closed - engine.now()).total_seconds()
                if wait > engine.timing.linger:
                    return Drained(worked, closed)
                engine.pause(max(0.0, wait))
                continue
            _keep_spacing(engine, name)
            try:
                claimed = _step(engine, name, keeper, before=passes)
            except RetryLater as problem:
                if problem.code != OUT_OF_TURN:
                    raise
                engine.pause(min(problem.after or 0.0, TURN))
                continue
            worked, passes = worked + claimed, passes + 1 if claimed >= BURST else 0
            if not claimed and not _linger(engine, name):
                return Drained(worked)
    except RetryLater as problem:
        return Drained(worked, closed_until(engine, name) or engine.now(), problem)
    except ConfigError as problem:
        waiting = RetryLater(str(problem), code=problem.code, after=60.0, system=name)
        return Drained(worked, finish.note_failure(engine, waiting), waiting)
    return Drained(worked, engine.now())


def _step(engine: Engine, name: str, keeper: _Keeper, *, before: int) -> int:
    """Place what no link knows, then claim and work one batch; how many links it had."""
    with _watching_recovery(engine, name):
        with _noting_failure(engine, name):
            placing.place(engine, name)
        claimed = _claim(engine, name, keeper, before=before)
        if claimed:
            sync.work_batch(engine, name, claimed)
            keeper.held = ()
        return len(claimed)


@contextmanager
def _noting_failure(engine: Engine, name: str) -> Iterator[None]:
    """Close the circuit where a vendor fails before any link is claimed: else the next drain would ask at once."""
    try:
        yield
    except RetryLater as problem:
        problem.system = problem.system or name
        finish.note_failure(engine, problem)
        raise


def closed_until(engine: Engine, name: str) -> datetime | None:
    """When the connection's or Next Cap's circuit admits the next try; None where calls may go through both."""
    with engine.db.read() as connection:
        rows = [row for row in connections.states(connection) if row.name in (name, NEXTCAP)]
    ahead = [row.closed_until for row in rows if row.closed_until and row.closed_until > engine.now()]
    return max(ahead) if ahead else None


def may_call(engine: Engine, name: str) -> bool:
    """Whether this connection may be worked now: nobody paused it, and no circuit on its way is open."""
    with engine.db.read() as connection:
        is_paused = connections.is_paused(connection, name)
    return not is_paused and closed_until(engine, name) is None


def _keep_spacing(engine: Engine, name: str) -> None:
    """A busy connection starts no sooner than its spacing after its last start; an idle one at once."""
    now = engine.now()
    with engine.db.read() as connection:
        row = connections.state(connection, name)
    if row.next_start_at is not None and row.next_start_at > now:
        engine.pause((row.next_start_at - now).total_seconds())


def _claim(engine: Engine, name: str, keeper: _Keeper, *, before: int) -> list[LinkRow]:
    """As many due links as one pass takes; fewer after failures, so that a bad one is found out.

    `before` is how many passes of a burst came before it.
    """
    now = engine.now()
    can = engine.crms[name].capabilities
    with engine.db.write() as connection:
        failures = connections.state(connection, name).failures
        claimed = claims.claim(
            connection,
            name,
            owner=keeper.owner,
            now=now,
            until=now + timedelta(seconds=engine.timing.lease),
            limit=max(1, (can.together or can.batch) >> (2 * failures)),
            whole_batches=claims.Batches(can.batch, now - timedelta(seconds=can.spacing)) if can.batch > 1 else None,
        )
        if claimed:
            is_full = len(claimed) >= can.batch > 1
            spacing = timedelta(seconds=can.spacing * (can.stretch if is_full else min(1 + before, can.stretch)))
            connections.start_after(connection, name, now + spacing)
    keeper.held = claimed
    return claimed


@contextmanager
def _watching_recovery(engine: Engine, name: str) -> Iterator[None]:
    """Where a system that had failed answers well meanwhile, and to the end, what waits for it is due at once."""
    before = {system: engine.health.answered(system) for system in (name, NEXTCAP)}
    failing = ""
    try:
        yield
    except RetryLater as problem:
        failing = problem.system
        raise
    finally:
        for system, count in before.items():
            if system != failing and engine.health.answered(system) > count:
                recover(engine, system)


def recover(engine: Engine, system: str) -> None:
    """A system that had failed, or had asked for a wait, answered well."""
    with engine.db.read() as connection:
        row = connections.state(connection, system)
    if row.failures > 0 or row.cause is not None:
        with engine.db.write() as connection:
            connections.recover(connection, system, engine.now())


def _linger(engine: Engine, name: str) -> bool:
    """Wait for what falls due within a second; False where nothing does."""
    moment = next_moment(engine, name, within=timedelta(seconds=engine.timing.linger))
    if moment is None:
        return False
    engine.pause(max(0.02, (moment - engine.now()).total_seconds()))
    return True


def next_moment(engine: Engine, name: str, *, within: timedelta = timedelta(seconds=30)) -> datetime | None:
    """When this connection's next link or record falls due, if that is soon."""
    now = engine.now()
    with engine.db.read() as connection:
        due = claims.next_due(connection, name, within=within, now=now)
        record = deliveries.next_unplaced(connection, name)
    moments = [moment for moment in (due, record) if moment is not None and moment <= now + within]
    return min(moments) if moments else None


def work_alone(engine: Engine, link_id: int) -> Alone | None:
    """Work one link that failed for its own reason, if it is due and nobody holds its ticket."""
    with engine.db.read() as connection:
        link = links.get(connection, link_id)
    if link is None or not may_call(engine, link.connection):
        return None
    owner = uuid.uuid4().hex
    now = engine.now()
    with engine.db.write() as connection:
        claimed = claims.claim(
            connection,
            link.connection,
            owner=owner,
            now=now,
            until=now + timedelta(seconds=engine.timing.lease),
            limit=1,
            link_id=link_id,
        )
    if not claimed:
        return None
    with _Keeper(engine, owner, None) as keeper:
        keeper.held = claimed
        try:
            with _watching_recovery(engine, link.connection):
                sync.work_batch(engine, link.connection, claimed)
        except RetryLater as problem:
            with engine.db.read() as connection:
                again_at = links.due_at(connection, link_id)
            return Alone(link.ticket.number, problem, closed_until(engine, link.connection) or again_at)
    return _ended(engine, link_id)


def _ended(engine: Engine, link_id: int) -> Alone | None:
    with engine.db.read() as connection:
        link = links.get(connection, link_id)
        due_at = links.due_at(connection, link_id)
    if link is None:
        return None
    if link.cause_code is None:
        return Alone(link.ticket.number, None, due_at)
    failure = ConnectorError(link.cause or "failed", code=link.cause_code)
    return Alone(link.ticket.number, failure, due_at)
