"""The loop breaker at work: two automations that insist end in quarantine, all else goes on, a person releases it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.domain.ticket import Side
from connector.engine import operators
from connector.store import tables

from .harness import World
from .process import everywhere

SOON = 3
"""Seconds after which an automation reacts."""


def rounds(world: World, automation: Callable[[], None], *, times: int = 12, pause: float = SOON) -> int:
    """Let the automation react to whatever we do; how many writes we made."""
    world.forget_calls()
    for _ in range(times):
        automation()
        world.settle()
        world.advance(pause)
    return world.sent("hubspot", "POST /tickets/batch/update") + world.sent("nextcap", "PATCH /tickets/:id")


def looping(world: World) -> tuple[str, str, Callable[[], None]]:
    """A ticket whose priority two automations want otherwise."""
    ticket, record = world.linked(priority="urgent")
    world.hubspot.set_properties(record, {"hs_ticket_priority": "LOW"})
    world.settle()
    world.advance(SOON)
    turn = [0]

    def react() -> None:
        """Each side answers what it was given last, one after the other."""
        turn[0] += 1
        if turn[0] % 2:
            world.nextcap.set_fields(ticket, {"priority": "urgent"})
        else:
            world.hubspot.set_properties(record, {"hs_ticket_priority": "LOW"})

    return ticket, record, react


def test_two_automations_that_insist_end_in_quarantine(world: World) -> None:
    """After a few writes nothing is written any more, and both sides are shown."""
    ticket, _, react = looping(world)

    rounds(world, react)
    more = rounds(world, react)

    assert more == 0
    (item,) = world.parked()
    assert (item["code"], item["field"], item["nextcap_id"]) == ("loop", "priority", ticket)
    assert {item["nextcap"]["value"], item["crm"]["value"]} <= {"urgent", "low", "LOW", "URGENT"}
    assert "look for an automation" in item["reason"].lower()
    assert {row.label: row.value for row in world.rows(tables.counters, name="loops_broken")} == {"hubspot": 1}


def test_the_loop_costs_a_handful_of_writes(world: World) -> None:
    _, _, react = looping(world)

    assert rounds(world, react) <= 5


def test_other_fields_of_the_ticket_go_on(world: World) -> None:
    """And comments, both ways."""
    ticket, record, react = looping(world)
    rounds(world, react)

    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.hubspot.set_properties(record, {"content": "From HubSpot"})
    world.nextcap.customer_reply(ticket, "Hello?")
    world.settle()

    assert world.record(record)["subject"] == "After"
    assert world.nextcap.ticket(ticket)["description"] == "From HubSpot"
    assert world.notes(record) == ["Hello?"]
    assert len(world.parked()) == 1


def test_what_a_quarantined_field_shows_is_kept_up_to_date(world: World) -> None:
    """Whoever decides sees what both sides say now."""
    ticket, record, react = looping(world)
    rounds(world, react)

    world.nextcap.set_fields(ticket, {"priority": "high"})
    world.hubspot.set_properties(record, {"hs_ticket_priority": "MEDIUM"})
    world.settle()

    (item,) = world.parked()
    assert (item["nextcap"]["value"], item["crm"]["value"]) == ("high", "MEDIUM")


@everywhere
@pytest.mark.parametrize(("take", "expected"), [(Side.NEXTCAP, ("high", "HIGH")), (Side.CRM, ("normal", "MEDIUM"))])
def test_a_person_releases_it_with_the_side_of_their_choice(
    world: World, take: Side, expected: tuple[str, str]
) -> None:
    """The automations are off by then: it is an ordinary field again."""
    ticket, record, react = looping(world)
    rounds(world, react)
    world.nextcap.set_fields(ticket, {"priority": "high"})
    world.hubspot.set_properties(record, {"hs_ticket_priority": "MEDIUM"})
    world.settle()
    (item,) = world.parked()

    operators.resolve(world.engine, int(item["id"]), take=take, by="ana")
    world.settle()

    assert (world.nextcap.ticket(ticket)["priority"], world.record(record)["hs_ticket_priority"]) == expected
    assert world.parked() == []
    world.nextcap.set_fields(ticket, {"priority": "low"})
    world.settle()
    assert world.record(record)["hs_ticket_priority"] == "LOW"


def test_released_while_the_automations_go_on_it_is_broken_again(world: World) -> None:
    """Each release costs a handful of writes, and no more."""
    _, _, react = looping(world)
    rounds(world, react)
    (item,) = world.parked()

    operators.retry(world.engine, [int(item["id"])], by="ana")
    writes = rounds(world, react)

    assert 0 < writes <= 6
    (again,) = world.parked()
    assert again["id"] != item["id"]


def test_a_discarded_loop_leaves_both_sides_as_they_insist(world: World) -> None:
    """Nothing is written for what they show; a person's later change is carried again."""
    ticket, record, react = looping(world)
    rounds(world, react)
    (item,) = world.parked()

    operators.discard(world.engine, int(item["id"]), by="ana", reason="let it be")

    assert rounds(world, react) == 0
    assert world.parked() == []
    world.nextcap.set_fields(ticket, {"priority": "high"})
    world.settle()
    assert world.record(record)["hs_ticket_priority"] == "HIGH"


def test_people_who_argue_slowly_are_carried_for_ever(world: World) -> None:
    """The same two values, over and over, a few minutes apart."""
    ticket, record, react = looping(world)

    rounds(world, react, times=10, pause=120)

    assert world.parked() == []
    assert world.nextcap.ticket(ticket)["priority"] == "low"
    assert world.record(record)["hs_ticket_priority"] == "LOW"


def test_a_conversation_that_moves_the_status_is_no_loop(world: World) -> None:
    """Customer and agent answer each other every few seconds; the status goes back and forth with them."""
    ticket, record = world.linked()
    world.nextcap.move(ticket, "open")
    world.settle()
    for turn in range(10):
        if world.nextcap.ticket(ticket)["status"] != "waiting_customer":
            world.nextcap.move(ticket, "waiting_customer")
        world.settle()
        world.advance(SOON)
        world.nextcap.customer_reply(ticket, f"It does not work {turn}")
        world.settle()
        world.advance(SOON)

    assert world.parked() == []
    assert world.stage(record) == "Waiting on us"


def test_a_write_that_fails_again_and_again_is_no_loop(world: World) -> None:
    """Our own repeats count as nothing, unanswered ones included."""
    ticket, record = world.linked(priority="low")
    world.hubspot.faults.add("status", method="POST", path="/batch/update", status=500, times=6)
    world.nextcap.set_fields(ticket, {"priority": "urgent"})

    for _ in range(20):
        world.settle()
        world.advance(30)

    assert world.record(record)["hs_ticket_priority"] == "URGENT"
    assert world.parked() == []
