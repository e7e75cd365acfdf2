"""Pausing and resuming a connection, or one direction of it, as a person decides. Journaled, with a name."""

from __future__ import annotations

from connector.domain.rules import Direction
from connector.engine.context import Engine
from connector.store import journal, parked, pauses


def pause(engine: Engine, name: str, direction: Direction, *, by: str, reason: str = "") -> None:
    """Write nothing that way any more; with both directions, do no work at all. What arrives is kept."""
    now = engine.now()
    with engine.db.write() as connection:
        pauses.close(connection, name, direction, code=pauses.PERSON, reason=reason, by=by, now=now)
        text = f"{by} paused {in_words(engine, name, direction)}{': ' if reason else ''}{reason}"
        journal.record(connection, name=name, link_id=None, code="paused", text=text, now=now)


def resume(engine: Engine, name: str, direction: Direction, *, by: str) -> int:
    """Write that way again; both directions end every pause. How many tickets had waited and are due now.

    What a fuse had stopped has been seen by a person now: it is not counted again.
    """
    now = engine.now()
    with engine.db.write() as connection:
        tripped = [one for one, row in pauses.closed(connection, name).items() if row.code == pauses.MASS_CHANGE]
        woken = pauses.open_(connection, name, direction, now)
        if any(direction in (one, Direction.BOTH) for one in tripped):
            parked.resolve_connection(connection, name, pauses.MASS_CHANGE, now=now, by=by, how="resumed")
        text = f"{by} resumed {in_words(engine, name, direction)}"
        journal.record(connection, name=name, link_id=None, code="resumed", text=text, now=now)
    engine.bell([name])
    return woken


def in_words(engine: Engine, name: str, direction: Direction) -> str:
    """A direction of a connection as people are told of it."""
    if direction is Direction.BOTH:
        return "the connection"
    return f"what goes to {engine.label(name) if direction is Direction.TO_CRM else 'Next Cap'}"
