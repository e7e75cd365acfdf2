"""Nobody knows whether a write was applied: it is looked for, and in the end it stands once, within a minute."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from connector.engine.points import Point, passed
from connector.store import effects, tables
from tests.engine.harness import World
from tests.engine.losses import LOST

from .writes import WRITES, Write

SWEEP = 5
DEATHS = {"before": Point.SENDING, "after": Point.APPLIED, "while it was kept": Point.KEEPING}
IN_DOUBT, NOT_IN_DOUBT = 60, 30


@pytest.fixture
def db_url(migrated: Path, tmp_path: Path) -> str:
    """SQLite is enough here: real processes do the same on PostgreSQL."""
    shutil.copy(migrated, tmp_path / "connector.db")
    return f"sqlite:///{tmp_path / 'connector.db'}"


def prepared(request: pytest.FixtureRequest, write: Write) -> tuple[World, str, str]:
    """A world with a ticket and its record, at rest."""
    world: World = request.getfixturevalue(write.world)
    return world, *world.linked()


def seconds_until_it_stands(world: World, write: Write, ticket: str, record: str) -> int:
    """Let the sweep ring until nothing is due; how long it took until the write stood. It may stand once only."""
    stood = 0 if write.stands(world, ticket, record) else None
    for passed_by in range(0, 180, SWEEP):
        world.settle()
        if stood is None and write.stands(world, ticket, record):
            stood = passed_by
        if stood is not None and is_at_rest(world):
            break
        world.advance(SWEEP)
    assert write.stands(world, ticket, record) == 1
    assert stood is not None
    return stood


def is_at_rest(world: World) -> bool:
    """Nothing is due, and no write is open."""
    is_open = [row for row in world.rows(tables.effects) if row.state in effects.OPEN]
    return not is_open and all(row.due_at is None for row in world.rows(tables.links))


def die(world: World, point: Point, kind: str) -> None:
    """End the present process when it passes this point; another one takes its place."""
    process = world.process

    def end(where: Point, *, kind: str, wanted: str = kind) -> None:
        if (where, kind) == (point, wanted):
            process.life.end()

    with passed.connected_to(end):
        process.die(process.drain)
    world.restart()


def fail_the_probe(world: World, write: Write) -> None:
    """The first look for the write is refused an answer."""
    method, path = write.probe
    world.sides[write.system].faults.add("status", method=method, path=path, status=500)


@pytest.mark.parametrize("probe", ["answers", "fails once"])
@pytest.mark.parametrize("how", LOST)
@pytest.mark.parametrize("write", WRITES, ids=str)
def test_a_lost_answer(request: pytest.FixtureRequest, write: Write, how: str, probe: str) -> None:
    """Applied or not, told or silent: it stands once within a minute, and nothing more is to be done."""
    world, ticket, record = prepared(request, write)
    method, path = write.call
    lost: dict[str, Any] = {**LOST[how]}
    world.sides[write.system].faults.add(method=method, path=path, **lost)
    write.ask(world, ticket, record)
    world.deliver()
    world.drain()
    if probe == "fails once":
        fail_the_probe(world, write)

    assert seconds_until_it_stands(world, write, ticket, record) <= IN_DOUBT
    assert world.due_in(ticket) is None


@pytest.mark.parametrize("probe", ["answers", "fails once"])
@pytest.mark.parametrize("moment", DEATHS)
@pytest.mark.parametrize("write", WRITES, ids=str)
def test_a_death(request: pytest.FixtureRequest, write: Write, moment: str, probe: str) -> None:
    """Before it was sent, after it was applied, before its outcome was stored: it stands once within a minute."""
    world, ticket, record = prepared(request, write)
    write.ask(world, ticket, record)
    world.deliver()
    die(world, DEATHS[moment], write.kind)
    if probe == "fails once":
        fail_the_probe(world, write)

    assert seconds_until_it_stands(world, write, ticket, record) <= IN_DOUBT
    assert world.due_in(ticket) is None


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
