"""Pausing and resuming a connection, or one direction of it, as a person decides. Journaled, with a name."""

from __future__ import annotations

from connector.domain.decision import Shadow
from connector.domain.rules import Direction, Directories
from connector.domain.ticket import Side
from connector.engine import fuses, prospect, sync
from connector.engine.context import Engine
from connector.engine.people import kept_directories
from connector.engine.work import Work
from connector.store import claims, decided, journal, links, parked, pauses

AT_ONCE = 100


def pause(engine: Engine, name: str, direction: Direction, *, by: str, reason: str = "") -> None:
    """Write nothing that way any more; with both directions, do no work at all. What arrives is kept."""
    now = engine.now()
    with engine.db.write() as connection:
        pauses.close(connection, name, direction, code=pauses.PERSON, reason=reason, by=by, now=now)
        text = f"{by} paused {in_words(engine, name, direction)}{': ' if reason else ''}{reason}"
        journal.record(connection, [journal.Line(name, None, "paused", text)], now)


def resume(engine: Engine, name: str, direction: Direction, *, by: str, discard: bool = False) -> int:
    """Write that way again; both directions end every pause. How many tickets had waited and are due now.

    What a fuse had stopped has been seen by a person now: it is not counted again. With `discard`, what waited is not
    written: both sides keep the values that they have. Comments, and records for new tickets, are never discarded.
    """
    now = engine.now()
    chosen = pauses.ONE_WAY if direction is Direction.BOTH else (direction,)
    dropped = sum(_discard(engine, name, one, by) for one in chosen) if discard else 0
    with engine.db.write() as connection:
        woken = pauses.open_(connection, name, direction, now)
        how = f"resumed{', what waited was discarded' if discard else ''}"
        names = [str(one) for one in chosen]
        parked.resolve_connection(connection, name, pauses.MASS_CHANGE, names, now=now, by=by, how=how)
        text = f"{by} resumed {in_words(engine, name, direction)}"
        text += f" and discarded what waited on {dropped} ticket(s)" if discard else ""
        journal.record(connection, [journal.Line(name, None, "resumed", text)], now)
    engine.bell([name])
    return woken


def _discard(engine: Engine, name: str, direction: Direction, by: str) -> int:
    """Take what both sides show now as settled where it waits to be written that way; on how many tickets."""
    people, done, after = kept_directories(engine, name), 0, 0
    while True:
        with engine.db.read() as connection:
            rows = pauses.waiting_links(connection, name, direction, AT_ONCE, after)
            found = [one for row in rows if (one := links.get(connection, row.id)) is not None]
        if not found:
            return done
        after = found[-1].id
        for work in sync.load(engine, name, found):
            done += _let_be(engine, work, people, fuses.side_of(direction), by)


def _let_be(engine: Engine, work: Work, people: Directories, side: Side, by: str) -> bool:
    """Settle one ticket's fields as they are; whether there was anything to settle."""
    made = prospect.plan_of(engine, work, people)
    decisions = [one for one in made.decisions if fuses.target(one) is side] if made else []
    is_new = side is Side.NEXTCAP and work.nextcap_id is None and not work.open_effects
    with engine.db.write() as connection:
        claims.overrule(connection, work.link.id)
        for one in decisions:
            decided.set_shadow(connection, work.link.id, one.name, Shadow(one.nextcap, one.crm))
        if is_new:
            decided.set_state(connection, work.link.id, links.FROZEN)
        names = ", ".join(one.name for one in decisions) or ("the new ticket" if is_new else "")
        if names:
            text = f"{by} discarded what waited to be written: {names}"
            journal.record(
                connection, [journal.Line(work.link.connection, work.link.id, "discarded", text)], engine.now()
            )
    return bool(names)


def in_words(engine: Engine, name: str, direction: Direction) -> str:
    """A direction of a connection as people are told of it."""
    if direction is Direction.BOTH:
        return "the connection"
    return f"what goes to {engine.label(name) if direction is Direction.TO_CRM else 'Next Cap'}"
