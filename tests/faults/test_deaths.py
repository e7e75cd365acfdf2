"""What a death leaves behind besides a write in doubt: work to go on with, deliveries, what people said meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from connector.engine.points import Point, passed
from tests.engine.harness import World

SWEEP, NOT_IN_DOUBT = 5, 30


@pytest.fixture
def db_url(migrated: Path, tmp_path: Path) -> str:
    """SQLite is enough here: real processes do the same on PostgreSQL."""
    shutil.copy(migrated, tmp_path / "connector.db")
    return f"sqlite:///{tmp_path / 'connector.db'}"


def die(world: World, point: Point, kind: str) -> None:
    """End the present process when it passes this point; another one takes its place."""
    process = world.process

    def end(where: Point, *, kind: str, wanted: str = kind) -> None:
        if (where, kind) == (point, wanted):
            process.life.end()

    with passed.connected_to(end):
        process.die(process.drain)
    world.restart()


def test_what_is_not_in_doubt_goes_on_within_half_a_minute(world: World) -> None:
    """A reply that has its name, a field and a step of a walk: nobody has to look twice for them."""
    ticket, record = world.linked()
    world.nextcap.move(ticket, "closed")
    world.settle()
    for point, kind in ((Point.INTENDED, "note_nextcap"), (Point.SENDING, "update_crm"), (Point.HOP, "walk")):
        world.hubspot.write_note(record, f"<p>Before {point}</p>")
        world.nextcap.set_fields(ticket, {"subject": f"Before {point}"})
        if kind == "walk":
            world.hubspot.move_stage(record, "Waiting on contact")
        world.deliver()
        die(world, point, kind)

        for _ in range(NOT_IN_DOUBT // SWEEP):
            world.advance(SWEEP)
            world.settle()

        assert world.said(ticket, "note")[-1] == f"Before {point}"
        assert world.record(record)["subject"] == f"Before {point}"
        assert world.due_in(ticket) is None
    assert world.nextcap.ticket(ticket)["status"] == "waiting_customer"
    assert world.nextcap.state()["illegal_moves"] == []


@pytest.mark.parametrize("point", [Point.TAKING, Point.TAKEN])
def test_a_delivery_whose_taker_dies(world: World, point: Point) -> None:
    """Not committed: the sender is not answered, and repeats. Committed: the sweep rings, and the repeat is known."""
    ticket, record = world.linked()
    world.nextcap.set_fields(ticket, {"subject": "After"})
    (parcel,) = world.mail()
    process = world.process

    def end(where: Point, *, kind: str) -> None:
        if where == point:
            process.life.end()

    with passed.connected_to(end):
        process.die(lambda: world.post(parcel))
    world.restart()
    if point is Point.TAKING:
        assert world.due_in(ticket) is None
    world.post(parcel)
    world.settle()

    assert world.record(record)["subject"] == "After"


def test_what_people_say_on_a_record_that_a_dead_process_made(world: World) -> None:
    """Whoever takes the record up looks at its notes."""
    world.linked()
    ticket = world.ticket(subject="Of a customer")
    world.deliver()
    die(world, Point.APPLIED, "create_crm")

    world.hubspot.write_note(world.record_id(ticket), "<p>Already here</p>")
    world.mail()  # Its webhook is lost.
    seconds_pass(world, NOT_IN_DOUBT)

    assert world.said(ticket, "note") == ["Already here"]


def test_what_people_say_on_a_ticket_that_a_dead_process_made(world: World) -> None:
    """The same in Next Cap, where the ticket's row was made by its own webhooks meanwhile."""
    world.linked()
    record = world.hubspot.create_ticket("Made by a person")
    world.deliver()
    die(world, Point.APPLIED, "create_nextcap")

    (ticket,) = (one["id"] for one in world.nextcap.state()["tickets"] if one["subject"] == "Made by a person")
    world.nextcap.customer_reply(ticket, "Already here")
    world.mail()  # None of their webhooks arrives.
    seconds_pass(world, NOT_IN_DOUBT)

    assert world.notes(record) == ["Already here"]


@pytest.mark.parametrize("answer", ["early", "late"])
def test_what_people_say_on_a_ticket_before_its_maker_has_linked_it(world: World, answer: str) -> None:
    """Its webhooks come before the answer to our create, and find a ticket that no record is linked to."""
    world.linked()
    record = world.hubspot.create_ticket("Made by a person")
    world.deliver()

    def talk() -> None:
        (ticket,) = (one["id"] for one in world.nextcap.state()["tickets"] if one["subject"] == "Made by a person")
        if answer == "early":
            world.nextcap.customer_reply(ticket, "Already here")
        world.deliver("nextcap")

    world.process.taps["nextcap"].after("POST /crm/tickets", talk)
    world.drain()
    seconds_pass(world, NOT_IN_DOUBT)

    assert world.notes(record) == (["Already here"] if answer == "early" else [])


def seconds_pass(world: World, seconds: int) -> None:
    """The sweep rings every five seconds."""
    for _ in range(seconds // SWEEP):
        world.settle()
        world.advance(SWEEP)
    world.settle()
