"""Everything in one process: the same engine as in production, with threads in the place of Celery and beat.

A bell wakes the connection's thread directly. Because the truth is in SQL, a kill loses nothing: what was due is due
again at the next start.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

from connector import log
from connector.domain.errors import CIRCUIT_CLOSED
from connector.engine import clock, drain, heartbeat, housekeeping, poll, reconcile
from connector.engine.context import Engine
from connector.events import keeping
from connector.events.courier import Courier
from connector.store import claims
from connector.store.database import StoreAway
from connector.wiring import Runtime

SWEEP = 5.0
ALONE_AT_ONCE = 4
LISTENED = 1.0
"""Seconds between two looks for outgoing events, each one indexed question."""

logger = log.get(__name__)


class Embedded:
    """The worker threads of one process. `start` once, `stop` when the process is asked to end."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._stop = threading.Event()
        self._bells = {name: threading.Event() for name in runtime.engine.crms}
        self._threads: list[threading.Thread] = []
        self._alone = ThreadPoolExecutor(ALONE_AT_ONCE, thread_name_prefix="alone")
        self._busy: set[int] = set()
        self._busy_lock = threading.Lock()

    @property
    def engine(self) -> Engine:
        return self._runtime.engine

    def ring(self, names: Sequence[str]) -> None:
        """There is work on these connections."""
        for name in names:
            if name in self._bells:
                self._bells[name].set()

    def pause(self, seconds: float) -> None:
        """Wait, or end the wait when the process stops."""
        self._stop.wait(seconds)

    def start(self) -> None:
        """Start a thread for each connection, and those that poll, sweep and keep house."""
        poll_seconds = self._runtime.settings.nextcap.poll_seconds
        jobs: list[tuple[str, Callable[[], None]]] = [
            (f"drain-{name}", partial(self._drain_for_ever, name)) for name in self._bells
        ]
        jobs += [
            ("alone", self._alone_for_ever),
            ("poll", lambda: self._every(poll_seconds, lambda: poll.poll_nextcap(self.engine))),
            ("reconcile", lambda: self._every(SWEEP, lambda: reconcile.run(self.engine, self._runtime.paces))),
            (
                "heartbeat",
                lambda: self._every(SWEEP, lambda: heartbeat.tick(self.engine, self._runtime.settings.heartbeat.every)),
            ),
            ("mappings", lambda: self._every(SWEEP, self._runtime.import_mappings)),
            ("housekeeping", lambda: self._every(housekeeping.EVERY, self._purge)),
            ("clock", lambda: self._every(SWEEP, lambda: clock.watch(self.engine))),
            ("counters", lambda: self._every(2.0, self._runtime.flush_counters)),
        ]
        jobs += [
            (f"events-{name}", partial(self._every, LISTENED, partial(self._send, one)))
            for name, one in self._runtime.couriers.items()
        ]
        for name, job in jobs:
            thread = threading.Thread(target=job, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, timeout: float = 20.0) -> None:
        """Let every pass that has begun come to its end."""
        self._stop.set()
        for bell in self._bells.values():
            bell.set()
        for thread in self._threads:
            thread.join(timeout)
        self._alone.shutdown(wait=True, cancel_futures=True)
        self._runtime.flush_counters()

    def _every(self, seconds: float, job: Callable[[], object]) -> None:
        while not self._stop.is_set():
            self._kept_alive(job)
            self._stop.wait(seconds)

    def _kept_alive(self, job: Callable[[], object]) -> None:
        """A database that is away for a while ends no thread; anything else is a defect and is told as one."""
        try:
            job()
        except StoreAway as problem:
            logger.error("store_away", thread=threading.current_thread().name, code=problem.code, reason=str(problem))
        except Exception:
            logger.exception("thread_failed", thread=threading.current_thread().name)

    def _drain_for_ever(self, name: str) -> None:
        while not self._stop.is_set():
            self._bells[name].clear()
            self._kept_alive(lambda: self._drain(name))
            self._bells[name].wait(self._until_next(name))

    def _drain(self, name: str) -> None:
        result = drain.drain(self.engine, name)
        if result.cause is not None and result.cause.code != CIRCUIT_CLOSED:
            logger.warning("drain_waits", connection=name, code=result.cause.code, reason=str(result.cause))

    def _until_next(self, name: str) -> float:
        """Seconds until the next link or record of this connection falls due, at most a sweep's length."""
        try:
            closed = drain.closed_until(self.engine, name)
            moment = drain.next_moment(self.engine, name, within=timedelta(seconds=SWEEP))
        except StoreAway:
            return SWEEP
        if moment is None:
            return SWEEP
        soonest = max(moment, closed) if closed else moment
        return min(SWEEP, max(0.02, (soonest - self.engine.now()).total_seconds()))

    def _send(self, courier: Courier) -> None:
        """Tell one listener what waits for it."""
        sent = courier.run()
        if sent.cause:
            logger.warning("events_not_taken", endpoint=courier.name, count=sent.failed, reason=sent.cause)

    def _purge(self) -> None:
        keeps = self._runtime.settings.store
        housekeeping.purge(self.engine, keeps)
        keeping.purge(self._runtime.db, self._runtime.couriers, keeps, self.engine.now())

    def _alone_for_ever(self) -> None:
        while not self._stop.is_set():
            self._kept_alive(self._start_alone)
            self._stop.wait(0.25)

    def _start_alone(self) -> None:
        now = self.engine.now()
        with self.engine.db.read() as connection:
            due = claims.due_alone(connection, now)
        for link_id, number in due:
            with self._busy_lock:
                if link_id in self._busy or len(self._busy) >= ALONE_AT_ONCE:
                    continue
                self._busy.add(link_id)
            self._alone.submit(self._work_alone, link_id, number)

    def _work_alone(self, link_id: int, number: str) -> None:
        try:
            self._kept_alive(lambda: self._report(drain.work_alone(self.engine, link_id), number))
        finally:
            with self._busy_lock:
                self._busy.discard(link_id)

    def _report(self, ended: drain.Alone | None, number: str) -> None:
        if ended is not None and ended.failure is not None:
            logger.warning("ticket_failed", ticket=number, code=ended.failure.code, reason=str(ended.failure))
