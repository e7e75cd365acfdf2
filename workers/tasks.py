"""Tasks take ids, acknowledge early, keep no result and call one function.

A task that has to be tried again ends by raising `Retry` with the reason, so that Flower shows it; when and whether it
runs again is decided in SQL alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from celery.exceptions import Retry
from kombu.exceptions import OperationalError

from connector.engine import drain as draining
from connector.engine import heartbeat as beating
from connector.engine import housekeeping, poll
from connector.engine import reconcile as reconciling
from connector.events import keeping
from connector.events.courier import Sent
from workers.app import app, runtime, shown

SOON = 30.0


@app.task(name="drain")
def drain(connection: str) -> None:
    """Work everything that is due on this connection."""
    result = draining.drain(runtime().engine, connection)
    ring_at([connection], result.again_at)
    if result.cause is not None:
        cause = shown(result.cause)
        raise Retry(str(cause), exc=cause, when=result.again_at)


@app.task(name="sync_ticket")
def sync_ticket(link_id: int) -> None:
    """Work one ticket that failed for its own reason."""
    ended = draining.work_alone(runtime().engine, link_id)
    if ended is None or ended.failure is None:
        return
    if ended.due_at is not None:
        ring_ticket_at(link_id, ended.number, ended.due_at)
        failure = shown(ended.failure)
        raise Retry(f"#{ended.number}: {failure}", exc=failure, when=ended.due_at)
    raise ended.failure


@app.task(name="sweep")
def sweep() -> None:
    """Ring for everything that is due: the safety net under every lost bell."""
    poll.sweep(runtime().engine, ring_ticket)


@app.task(name="poll_nextcap")
def poll_nextcap() -> None:
    """List what moved in Next Cap, as often as the configuration says."""
    poll.poll_when_due(runtime().engine, runtime().settings.nextcap.poll_seconds)


@app.task(name="reconcile")
def reconcile() -> None:
    """Look for what no webhook told of, as often as the configuration says."""
    reconciling.run(runtime().engine, runtime().paces)


@app.task(name="heartbeat")
def heartbeat() -> None:
    """Bring the synthetic tickets one step on, where they are wanted."""
    beating.tick(runtime().engine, runtime().settings.heartbeat.every)


@app.task(name="import_mappings")
def import_mappings() -> None:
    """Take over mapping files that changed on disk, if they pass."""
    runtime().import_mappings()


@app.task(name="send_events")
def send_events(endpoint: str) -> None:
    """Tell one listener what waits for it."""
    courier = runtime().couriers.get(endpoint)  # None where beat is of another configuration, during a deployment.
    sent = courier.run() if courier else Sent()
    if sent.cause:
        raise Retry(sent.cause)


@app.task(name="purge")
def purge() -> None:
    """Remove what retention says."""
    keeps = runtime().settings.store
    housekeeping.purge(runtime().engine, keeps)
    keeping.purge(runtime().db, runtime().couriers, keeps, runtime().engine.now())


def ring_ticket(link_id: int, number: str) -> None:
    """Send the task of one troubled ticket; Flower shows its number."""
    try:
        app.send_task(
            "sync_ticket",
            (link_id,),
            retry=False,
            expires=60,
            ignore_result=True,
            argsrepr=f"(#{number},)",
            kwargsrepr="{}",
        )
    except OperationalError:
        return  # The sweep rings again.


def ring_at(names: list[str], moment: datetime | None) -> None:
    """Ring when the next work falls due, if that is soon; the sweep covers a process that ends before."""
    if moment is not None:
        _later(moment, lambda: runtime().engine.bell(names))


def ring_ticket_at(link_id: int, number: str, moment: datetime) -> None:
    """The same for a ticket that is worked alone."""
    _later(moment, lambda: ring_ticket(link_id, number))


def _later(moment: datetime, ring: Callable[[], None]) -> None:
    seconds = max(0.0, (moment - runtime().engine.now()).total_seconds())
    if seconds <= SOON:
        timer = threading.Timer(seconds, ring)
        timer.daemon = True
        timer.start()
