"""A holder that slept neither sends nor stores: each send and each change of the store asks whose the ticket is."""

from __future__ import annotations

import pytest

from connector.engine.context import NEXTCAP
from connector.store import tables

from .harness import World
from .process import HUBSPOT, Process, everywhere

pytestmark = everywhere

REPLY, PATCH, REOPEN = "POST /reply", "PATCH /tickets/:id", "POST /reopen"
CREATE = "POST /crm/tickets"


def overslept(world: World, system: str, call: str, seconds: int = 60) -> Process:
    """A process that falls asleep after such a call, for so long; meanwhile another one works."""
    sleeper = world.new_process()

    def sleep() -> None:
        world.advance(21)  # Its lease is over; it renews nothing while it sleeps.
        world.settle()
        for _ in range(seconds // 5):
            world.advance(5)
            world.settle()

    sleeper.taps[system].after(call, sleep)
    sleeper.drain()
    world.settle()
    return sleeper


def test_the_second_comment_of_a_call_is_not_sent_by_a_holder_that_slept_after_the_first(world: World) -> None:
    """Another one has looked for both meanwhile, found one, and sent the other."""
    ticket, record = world.linked()
    for text in ("First", "Second"):
        world.hubspot.write_note(record, f"<p>#reply {text}</p>")
        world.advance(1)
    world.deliver()

    sleeper = overslept(world, NEXTCAP, REPLY)

    assert world.said(ticket, "reply") == ["First", "Second"]
    assert len([one for one in sleeper.taps[NEXTCAP].calls if one[2].endswith("/reply")]) == 1


def test_a_limit_that_a_sleeper_is_told_of_reopens_no_comment_that_was_sent_meanwhile(world: World) -> None:
    """It would have been sent again."""
    ticket, record = world.linked()
    world.nextcap.faults.add("status", method="POST", path="/reply$", status=429, headers={"Retry-After": "1"})
    world.hubspot.write_note(record, "<p>#reply Once</p>")
    world.deliver()

    overslept(world, NEXTCAP, REPLY)
    world.pass_time(3)

    assert world.said(ticket, "reply") == ["Once"]
    assert [row.state for row in world.rows(tables.effects, kind="comment")] == ["done"]


def test_the_second_part_of_a_write_of_values_is_not_sent_by_a_holder_that_slept(world: World) -> None:
    """Somebody chose another assignee meanwhile: the old one must not come back."""
    world.hubspot.configure(owner_emails=["ben@acme.example", "cleo@acme.example"])
    ticket, record = world.linked()
    owners = {one["email"]: one["id"] for one in world.hubspot.state()["owners"]}
    world.hubspot.set_properties(record, {"subject": "After", "hubspot_owner_id": owners["cleo@acme.example"]})
    world.deliver()
    sleeper = world.new_process()

    def sleep() -> None:
        world.advance(21)
        world.settle()
        world.hubspot.set_properties(record, {"hubspot_owner_id": owners["ben@acme.example"]})
        world.settle()

    sleeper.taps[NEXTCAP].after(PATCH, sleep)
    sleeper.drain()
    world.settle()

    members = {one["id"]: one["email"] for one in world.nextcap.state()["members"]}
    assert members[world.nextcap.ticket(ticket)["assigned_agent_id"]] == "ben@acme.example"
    assert world.record(record)["hubspot_owner_id"] == owners["ben@acme.example"]


def test_the_next_step_of_a_walk_is_not_made_by_a_holder_that_slept(world: World) -> None:
    """A person took another way meanwhile."""
    ticket, record = world.linked()
    world.nextcap.move(ticket, "closed")
    world.settle()
    world.hubspot.move_stage(record, "Waiting on contact")
    world.deliver()
    sleeper = world.new_process()

    def sleep() -> None:
        world.advance(21)
        world.nextcap.move(ticket, "in_progress")
        world.settle()

    sleeper.taps[NEXTCAP].after(REOPEN, sleep)
    sleeper.drain()
    world.settle()

    assert world.nextcap.ticket(ticket)["status"] == "in_progress"
    assert world.stage(record) == "Waiting on us"


def test_a_ticket_whose_record_was_deleted_is_not_closed_by_a_holder_that_slept(world: World) -> None:
    """The record came back meanwhile."""
    world.write_mapping(on_delete="close")
    ticket, record = world.linked()
    world.hubspot.archive_ticket(record)
    world.deliver()
    sleeper = world.new_process()

    def sleep() -> None:
        world.advance(21)
        world.hubspot.restore_ticket(record)
        world.settle()

    sleeper.taps[HUBSPOT].after("GET /tickets/:ticket", sleep)
    sleeper.drain()
    world.settle()

    assert world.nextcap.ticket(ticket)["status"] == "new"


@pytest.mark.parametrize(("system", "call"), [(HUBSPOT, "POST /tickets/contacts/batch/read"), (NEXTCAP, CREATE)])
def test_a_ticket_is_made_once_although_its_maker_slept(world: World, system: str, call: str) -> None:
    """Another one has made it meanwhile, or has found it."""
    world.linked()
    world.hubspot.create_ticket("Made in HubSpot")
    world.deliver()

    overslept(world, system, call)

    assert [one["subject"] for one in world.nextcap.state()["tickets"]].count("Made in HubSpot") == 1


def test_a_send_holds_the_ticket_for_another_lease(world: World) -> None:
    """A pass may be long and its keeper without luck: nobody may take a ticket while a call for it is under way."""
    ticket, _ = world.linked()
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()
    world.process.taps[HUBSPOT].after("POST /tickets/batch/read", lambda: world.advance(19))
    held: list[float] = []

    def look() -> None:
        (row,) = world.rows(tables.tickets)
        held.append((row.lease_until - world.clock.now()).total_seconds())

    world.process.taps[HUBSPOT].before("POST /tickets/batch/update", look)
    world.drain()

    assert held == [20.0]
