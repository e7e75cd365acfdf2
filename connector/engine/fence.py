"""The right to write: whether the tickets of a pass are still ours, asked again before each send.

A holder that slept (a stopped process, a suspended machine, a call that hung) finds its tickets in other hands. What it
had decided is out of date by then, so it may neither store nor send it. A look at the fencing numbers extends the
leases, and is good for as long as a call may take; after that, or when the clock has jumped, it is taken anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import sqlalchemy as sa

from connector.adapters.transport import may_send
from connector.engine.context import Engine
from connector.engine.work import Work
from connector.store import links


def check(engine: Engine, connection: sa.Connection, works: Sequence[Work]) -> None:
    """Hold these tickets for a lease from now on. Raises LostLease where one of them is somebody else's by now."""
    now = engine.now()
    until = now + timedelta(seconds=engine.timing.lease)
    links.check_fence(connection, *(work.link for work in works), until=until)
    for work in works:
        work.held_at = now


@contextmanager
def sending(engine: Engine, works: Sequence[Work]) -> Iterator[None]:
    """Let adapters write for these works while their tickets are ours. A write that comes too late raises LostLease."""

    def check_if_old() -> None:
        now = engine.now()
        fresh = timedelta(seconds=engine.timing.call)
        if not all(work.held_at and work.held_at <= now < work.held_at + fresh for work in works):
            with engine.db.write() as connection:
                check(engine, connection, works)

    token = may_send.set(check_if_old)
    try:
        yield
    finally:
        may_send.reset(token)
