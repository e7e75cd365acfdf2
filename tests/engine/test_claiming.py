"""Rules of claiming: who works what, for how long, in which order, and what a holder that died leaves behind."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from connector.domain.decision import Shadow
from connector.domain.rules import Direction
from connector.engine import drain as draining
from connector.engine import poll, switches
from connector.engine.context import NEXTCAP, Timing
from connector.store import claims, connections, links, tables

from .harness import World
from .process import HUBSPOT, SECOND, Process, everywhere

pytestmark = everywhere

READ, UPDATE, TIMELINE = "POST /tickets/batch/read", "POST /tickets/batch/update", "GET /tickets/:id/events"


def killed_while(world: World, call: str, name: str = HUBSPOT) -> Process:
    """A process that dies when it is about to make this call; it keeps what it had claimed."""
    process = world.new_process()
    process.taps[name].before(call, process.life.end)
    process.die(process.drain)
    return process


def test_who_waits_for_a_ticket_sees_its_link_as_it_was_left(world: World) -> None:
    """A pass may end while an event waits for its ticket: what the event is held against is what that pass stored."""
    ticket, record = world.linked(subject="Before")
    link = world.link(ticket)
    seen: list[Any] = []

    def consider() -> None:
        with world.engine.db.write() as connection:
            seen.append(links.by_record(connection, HUBSPOT, [record], lock=True)[record].shadows["subject"])

    with world.engine.db.write() as connection:
        links.check_fence(connection, link)
        waiting = threading.Thread(target=consider)
        waiting.start()
        waiting.join(0.5)
        links.set_shadows(connection, link, {**link.shadows, "subject": Shadow("After", "After")})
    waiting.join(10)

    assert seen == [["After", "After"]]


# -- fencing


def test_a_stale_holder_neither_sends_nor_stores(world: World) -> None:
    """It slept through its lease; somebody took its ticket over and was faster."""
    ticket, record = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "First"})
    world.deliver()
    sleeper = world.new_process()

    def meanwhile() -> None:
        world.advance(21)
        world.drain()
        world.nextcap.set_fields(ticket, {"subject": "Second"})
        world.settle()

    sleeper.taps[HUBSPOT].after(READ, meanwhile)
    sleeper.drain()

    assert [route for _, _, route in sleeper.taps[HUBSPOT].calls if route.endswith("batch/update")] == []
    assert world.record(record)["subject"] == "Second"
    assert world.shadow(ticket, "subject") == ("Second", "Second")


def test_a_stale_holder_whose_write_was_sent_stores_nothing(world: World) -> None:
    """What became of its write is its successor's to find out."""
    ticket, record = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "First"})
    world.deliver()
    sleeper = world.new_process()

    def meanwhile() -> None:
        world.advance(21)
        world.nextcap.set_fields(ticket, {"subject": "Second"})
        world.settle()

    sleeper.taps[HUBSPOT].after(UPDATE, meanwhile)
    sleeper.drain()
    world.settle()

    assert world.record(record)["subject"] == "Second"
    assert world.shadow(ticket, "subject") == ("Second", "Second")
    assert world.effects(ticket)[1:] == []


def test_a_stale_holder_sends_no_comment(world: World) -> None:
    """The timeline that it read is out of date; the reply crosses once."""
    ticket, record = world.linked()
    world.nextcap.customer_reply(ticket, "Hello?")
    world.deliver()
    sleeper = world.new_process()

    def meanwhile() -> None:
        world.advance(21)
        world.settle()

    sleeper.taps[NEXTCAP].after(TIMELINE, meanwhile)
    sleeper.drain()
    world.settle()

    assert world.notes(record) == ["Hello?"]


def test_a_stale_holder_of_one_ticket_keeps_what_it_did_for_the_others(world: World) -> None:
    """A batch shares calls, never a transaction: each link commits on its own."""
    pairs = [world.linked(subject="Before") for _ in range(3)]
    for ticket, _ in pairs:
        world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()
    stolen = world.link(pairs[1][0]).ticket.id

    def steal() -> None:
        with world.new_process().engine.db.write() as connection:
            row = tables.tickets.update().where(tables.tickets.c.id == stolen)
            connection.execute(row.values(fence=tables.tickets.c.fence + 1, lease_until=world.clock.now()))

    world.process.taps[HUBSPOT].after(UPDATE, steal)
    world.drain()
    kept = [world.shadow(ticket, "subject") for ticket, _ in pairs]
    world.settle()

    assert kept[0] == kept[2] == ("After", "After")
    assert [world.shadow(ticket, "subject") for ticket, _ in pairs] == [("After", "After")] * 3
    assert [world.record(record)["subject"] for _, record in pairs] == ["After"] * 3


# -- leases


def test_what_a_dead_holder_left_is_taken_over_when_its_lease_is_over_and_looked_at_whole(world: World) -> None:
    """Not before; then both sides and both timelines are read."""
    ticket, record = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()
    killed_while(world, UPDATE)

    world.advance(19.5)
    early = world.drain().worked
    world.advance(1)
    world.drain()

    assert early == 0
    assert world.record(record)["subject"] == "After"
    assert (world.sent(NEXTCAP, "GET /tickets/:id"), world.sent(HUBSPOT, READ)) == (1, 1)
    assert (world.sent(NEXTCAP, TIMELINE), world.sent(HUBSPOT, "POST /tickets/notes/batch/read")) == (1, 1)


def test_a_try_is_counted_before_any_work(world: World) -> None:
    """Whoever dies at the first call leaves the count behind."""
    ticket, _ = world.linked()
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()

    killed_while(world, READ)

    assert [row.claims for row in world.rows(tables.links)] == [1]


def test_a_link_whose_holder_died_twice_is_worked_alone(world: World) -> None:
    """It may be what kills: the others go on without it."""
    deadly, deadly_record = world.linked(subject="Before")
    other, record = world.linked(subject="Before")
    world.nextcap.set_fields(deadly, {"subject": "Deadly"})
    world.deliver()
    for _ in range(2):
        killed_while(world, READ)
        world.advance(21)

    world.nextcap.set_fields(other, {"subject": "After"})
    world.deliver()
    world.drain()
    without = (world.record(record)["subject"], world.record(deadly_record)["subject"])
    alone = world.process.work_alone()
    world.settle()

    assert without == ("After", "Before")
    assert [one.failure for one in alone] == [None]
    assert world.record(deadly_record)["subject"] == "Deadly"
    assert {row.claims for row in world.rows(tables.links)} == {0}


def test_leases_are_renewed_while_a_drain_works(world: World) -> None:
    """A drain that is slow, and not dead, keeps what it has claimed."""
    ticket, record = world.linked()
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()
    slow = world.new_process(timing=Timing(renew=0.01))
    renewed = threading.Event()
    later = world.clock.now() + timedelta(seconds=35)

    def wait_for_renewal() -> None:
        world.advance(15)
        for _ in range(500):
            row = world.link(ticket).ticket
            (held,) = world.rows(tables.tickets, id=row.id)
            if held.lease_until == later and world.connection().lease_until == later:
                renewed.set()
                return
            renewed.wait(0.01)

    slow.taps[HUBSPOT].before(READ, wait_for_renewal)
    slow.drain()

    assert renewed.is_set()
    assert world.record(record)["subject"] == "After"


def test_one_drain_at_a_time_works_a_connection(world: World) -> None:
    """A second one finds it taken and goes away; what came meanwhile is still done."""
    ticket, record = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()
    ended: list[draining.Drained] = []
    other = world.new_process()
    world.process.taps[HUBSPOT].before(READ, lambda: ended.append(other.drain()))

    world.drain()

    assert ended == [draining.Drained(0)], "and it does not ask to come again: whoever is at work does"
    assert world.record(record)["subject"] == "After"


def test_all_links_of_a_ticket_are_planned_by_one_holder(wide_world: World) -> None:
    """While one connection's drain holds the ticket, the other's does not touch it."""
    world = wide_world
    ticket, record = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()
    other, held = world.new_process(), world.link(ticket).ticket.id
    seen: list[list[int]] = []

    def look() -> None:
        now = world.clock.now()
        with other.engine.db.write() as connection:
            got = claims.claim(connection, SECOND, owner="x", now=now, until=now + timedelta(seconds=20), limit=9)
            seen.append([link.ticket.id for link in got])

    world.process.taps[HUBSPOT].before(READ, look)
    world.drain()
    world.drain(SECOND)

    assert seen == [[]]
    assert world.link(ticket).ticket.id == held
    assert world.record(record)["subject"] == "After"
    assert world.crms[SECOND].ticket(world.record_id(ticket, SECOND))["properties"]["subject"] == "After"


def test_a_ticket_that_a_dead_holder_keeps_is_waited_for_and_not_asked_for(world: World) -> None:
    """The drain goes away, and is told when to come again."""
    ticket, _ = world.linked()
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()
    killed_while(world, READ)
    with world.engine.db.write() as connection:
        connections.start_after(connection, HUBSPOT, world.clock.now())
        row = tables.connections.update().where(tables.connections.c.name == HUBSPOT)
        connection.execute(row.values(lease_until=None))
    world.clock.pauses.clear()

    ended = world.drain()

    assert (ended.worked, world.clock.pauses) == (0, [])
    assert ended.again_at == world.clock.now() + timedelta(seconds=20)


# -- order


def test_links_are_worked_in_the_order_in_which_they_became_dirty(world: World) -> None:
    """A later mark does not move a link to the end."""
    tickets = [world.linked()[0] for _ in range(3)]
    for ticket in (tickets[2], tickets[0], tickets[1], tickets[2]):
        world.nextcap.set_fields(ticket, {"subject": f"At {world.clock.monotonic()}"})
        world.deliver()
        world.advance(1)

    now = world.clock.now()
    with world.engine.db.write() as connection:
        claimed = claims.claim(connection, HUBSPOT, owner="x", now=now, until=now + timedelta(seconds=20), limit=2)

    assert [link.ticket.nextcap_id for link in claimed] == [tickets[2], tickets[0]]


def test_what_is_marked_during_a_pass_stays_due(world: World) -> None:
    """The pass may have looked before it came."""
    ticket, record = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "First"})
    world.deliver()

    def meanwhile() -> None:
        world.advance(0.1)
        world.nextcap.set_fields(ticket, {"subject": "Second"})
        world.deliver(NEXTCAP)

    world.process.taps[HUBSPOT].after(UPDATE, meanwhile)
    world.drain()

    assert world.record(record)["subject"] == "Second"
    assert world.sent(HUBSPOT, UPDATE) == 2


def test_a_busy_connection_keeps_its_spacing_and_an_idle_one_starts_at_once(world: World) -> None:
    """A quarter of a second between the starts of two batches of HubSpot; nothing before a lonely change."""
    ticket, _ = world.linked()
    world.clock.pauses.clear()

    world.nextcap.set_fields(ticket, {"subject": "First"})
    world.deliver()
    world.process.taps[HUBSPOT].before(READ, lambda: lonely.extend(world.clock.pauses))
    lonely: list[float] = []
    world.process.taps[HUBSPOT].after(
        UPDATE, lambda: (world.nextcap.set_fields(ticket, {"subject": "Second"}), world.deliver(NEXTCAP))
    )
    world.drain()

    starts = [at for at, _, route in world.process.taps[HUBSPOT].calls if route.endswith("batch/update")]
    assert lonely == []
    assert starts[1] - starts[0] == timedelta(seconds=0.25)


# -- bells and switches


def test_a_bell_is_rung_once_until_somebody_answers_it(world: World) -> None:
    """A burst costs one message; a drain that takes the connection answers it; a lost one is rung again."""
    ticket, _ = world.linked()
    bells = world.process.bells
    bells.clear()

    def change(number: int) -> int:
        world.nextcap.set_fields(ticket, {"subject": f"Number {number}"})
        world.deliver(NEXTCAP)
        return len(bells)

    burst = [change(number) for number in range(3)]
    world.drain()
    answered = change(3)
    world.advance(5.1)
    lost = change(4)

    assert (burst, answered, lost) == ([1, 1, 1], 2, 3)
    assert set(bells) == {HUBSPOT}


def test_a_bell_is_rung_after_the_commit(world: World) -> None:
    """Whoever answers it at once finds the work."""
    ticket, record = world.linked()
    answering = world.new_process()
    world.process = world.new_process(bell=lambda names: [answering.drain(name) for name in names])

    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver(NEXTCAP)

    assert world.record(record)["subject"] == "After"


def test_the_sweep_rings_for_everything_that_is_due(world: World) -> None:
    """Whatever bell was lost."""
    ticket, _ = world.linked()
    troubled, troubled_record = world.linked()
    world.nextcap.faults.add("status", method="PATCH", path=f"{troubled}$", status=500)
    world.hubspot.set_properties(troubled_record, {"subject": "Troubled"})
    world.deliver()
    world.drain()
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()
    world.process.bells.clear()
    world.advance(2)
    alone: list[str] = []

    rung = poll.sweep(world.engine, lambda _, number: alone.append(number))

    assert rung == world.process.bells == [HUBSPOT]
    assert alone == [str(world.nextcap.ticket(troubled)["ticket_number"])]


@pytest.mark.parametrize("alone", [False, True])
def test_a_paused_connection_takes_in_and_works_nothing(world: World, alone: bool) -> None:
    """Neither in drains nor alone; when it is resumed, what came meanwhile is carried."""
    ticket, record = world.linked()
    if alone:
        world.nextcap.faults.add("status", method="PATCH", status=500)
        world.hubspot.set_properties(record, {"content": "From HubSpot"})
        world.deliver()
        world.drain()
    switches.pause(world.engine, HUBSPOT, Direction.BOTH, by="ana")
    world.forget_calls()

    world.advance(5)
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.settle()
    during = world.nextcap.calls.total + world.hubspot.calls.total
    switches.resume(world.engine, HUBSPOT, Direction.BOTH, by="ana")
    world.settle()

    assert during == 0
    assert world.record(record)["subject"] == "After"
    assert world.link(ticket).state == links.ACTIVE
