"""A clock that jumps: forward it takes tickets from their holders, back it must not make everything wait."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from connector.engine import poll
from connector.engine.context import NEXTCAP
from connector.store import tables

from .harness import World
from .process import HUBSPOT, Process, everywhere

pytestmark = everywhere

HOUR = timedelta(hours=1)


def ahead(world: World) -> Process:
    """A process whose clock is an hour ahead."""
    return world.new_process(now=lambda: world.clock.now() + HOUR)


def sweep(world: World) -> None:
    """What beat and the workers do every five seconds."""
    poll.sweep(world.engine, lambda *_: None)
    world.settle()
    world.advance(5)


@pytest.mark.parametrize("end", ["dies", "fails", "waits"])
def test_a_clock_that_went_back_makes_nobody_wait(world: World, end: str) -> None:
    """A holder died, a ticket failed or a vendor asked for a wait while it was an hour ahead."""
    ticket, record = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()
    wrong = ahead(world)
    poll.sweep(wrong.engine, lambda *_: None)
    if end == "dies":
        wrong.taps[HUBSPOT].before("POST /tickets/batch/update", wrong.life.end)
        wrong.die(wrong.drain)
    else:
        world.hubspot.fail("error" if end == "fails" else "burst", "POST", "batch/update")
        wrong.drain()

    for _ in range(6):
        sweep(world)

    assert world.record(record)["subject"] == "After"
    assert world.due_in(ticket) is None
    codes = [row.code for row in world.rows(tables.journal, connection=NEXTCAP)]
    assert codes.count("clock_went_back") == 1


def test_a_bell_from_ahead_hushes_no_bell(world: World) -> None:
    """What comes after the clock went back is worked at once, before any sweep."""
    ticket, _ = world.linked()
    with world.engine.db.write() as connection:
        connection.execute(tables.connections.update().values(bell_at=world.clock.now() + HOUR))
    world.process.bells.clear()

    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver(NEXTCAP)

    assert world.process.bells == [HUBSPOT]


def test_a_reading_from_ahead_is_not_fresh(world: World) -> None:
    """Both sides are read before they are written, as ever."""
    ticket, record = world.linked(subject="Before")
    later: datetime = world.clock.now() + HOUR
    with world.engine.db.write() as connection:
        connection.execute(tables.links.update().values(crm_read_at=later))
        connection.execute(tables.tickets.update().values(read_at=later))
    world.hubspot.set_properties(record, {"content": "Unheard of"})
    world.mail(HUBSPOT)  # Lost.
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.settle()

    assert world.sent(HUBSPOT, "POST /tickets/batch/read") == 1
    assert world.nextcap.ticket(ticket)["description"] == "Unheard of"


def test_a_clock_that_jumps_forward_doubles_nothing(world: World) -> None:
    """Another process takes the ticket at once; it looks twice, a call's length apart, before it sends again."""
    ticket, record = world.linked()
    world.hubspot.write_note(record, "<p>#reply Once</p>")
    world.deliver()
    jumped = ahead(world)

    def meanwhile() -> None:
        for _ in range(3):
            jumped.drain()
            world.advance(3)

    world.process.taps[NEXTCAP].before("POST /reply", meanwhile)
    world.drain()
    for _ in range(12):
        jumped.drain()
        world.advance(5)

    assert world.said(ticket, "reply") == ["Once"]
