"""Pausing one direction: passes go on, nothing is written that way, and nothing is lost when it is resumed."""

from __future__ import annotations

import pytest

from connector.domain.rules import Direction
from connector.domain.ticket import Side
from connector.engine import operators, status, story, switches
from connector.store import journal, tables

from .harness import World
from .process import HUBSPOT, SECOND, everywhere

pytestmark = everywhere

TO_CRM, TO_NEXTCAP = Direction.TO_CRM, Direction.TO_NEXTCAP


def pause(world: World, direction: Direction, name: str = HUBSPOT) -> None:
    switches.pause(world.engine, name, direction, by="ana", reason="an import")


def resume(world: World, direction: Direction = Direction.BOTH, name: str = HUBSPOT) -> int:
    return switches.resume(world.engine, name, direction, by="ana")


def answer(world: World, ticket: str) -> str:
    (told,) = story.of_ticket(world.engine, ticket)
    return told.answer


def test_what_goes_to_next_cap_waits_and_the_other_way_goes_on(world: World) -> None:
    """Fields, statuses and comments alike; a single pause names its reason wherever people look."""
    ticket, record = world.linked()
    pause(world, TO_NEXTCAP)

    world.hubspot.set_properties(record, {"content": "From HubSpot", "hs_pipeline_stage": "3"})
    world.hubspot.write_note(record, "<p>#reply We are coming</p>")
    world.nextcap.set_fields(ticket, {"subject": "From Next Cap"})
    world.nextcap.customer_reply(ticket, "Hello?")
    world.settle()

    assert world.nextcap.ticket(ticket)["description"] != "From HubSpot"
    assert world.nextcap.ticket(ticket)["status"] == "new"
    assert world.said(ticket, "reply") == []
    assert world.record(record)["subject"] == "From Next Cap"
    assert "Hello?" in world.notes(record)
    assert world.due_in(ticket) is None
    assert "what goes to Next Cap is paused by ana: an import" in answer(world, ticket)
    assert "held_back" in world.codes(ticket)


def test_a_change_that_is_taken_back_while_it_waits_is_not_written(world: World) -> None:
    """The value of old is what was last settled, but not what was last read."""
    ticket, record = world.linked(subject="First")
    pause(world, TO_NEXTCAP)
    world.hubspot.set_properties(record, {"subject": "Second"})
    world.settle()

    world.hubspot.set_properties(record, {"subject": "First"})
    world.settle()
    resume(world)
    world.settle()

    assert world.outcomes()[-1] == "subject changed: the record will be read"
    assert world.nextcap.ticket(ticket)["subject"] == world.record(record)["subject"] == "First"


@pytest.mark.parametrize("opened", [TO_NEXTCAP, Direction.BOTH])
def test_what_waited_is_written_when_the_direction_is_resumed(world: World, opened: Direction) -> None:
    """Without a new event, in the order in which it was made."""
    ticket, record = world.linked()
    pause(world, TO_NEXTCAP)
    world.hubspot.set_properties(record, {"content": "From HubSpot"})
    world.hubspot.write_note(record, "<p>#reply We are coming</p>")
    world.settle()
    world.process.bells.clear()

    woken = resume(world, opened)
    rung = list(world.process.bells)
    world.settle()

    assert (woken, rung) == (1, [HUBSPOT])
    assert world.nextcap.ticket(ticket)["description"] == "From HubSpot"
    assert world.said(ticket, "reply") == ["We are coming"]
    assert world.link(ticket).cause_code is None


def test_what_goes_to_the_crm_waits_new_records_included(world: World) -> None:
    """A ticket that a customer opens meanwhile is created there once, afterwards."""
    ticket, record = world.linked()
    pause(world, TO_CRM)

    world.nextcap.set_fields(ticket, {"subject": "From Next Cap"})
    world.nextcap.customer_reply(ticket, "Hello?")
    world.hubspot.set_properties(record, {"content": "From HubSpot"})
    new = world.ticket(subject="New")
    world.settle()
    during = (world.record(record)["subject"], world.notes(record), world.hubspot.tickets_of(new))
    resume(world, TO_CRM)
    world.settle()

    assert during == ("Cannot log in", [], [])
    assert world.nextcap.ticket(ticket)["description"] == "From HubSpot"
    assert world.record(record)["subject"] == "From Next Cap"
    assert world.notes(record) == ["Hello?"]
    assert world.record(world.record_id(new))["subject"] == "New"


def test_a_ticket_that_the_crm_asks_for_waits_too(world: World) -> None:
    """It is made once, when the direction is resumed."""
    pause(world, TO_NEXTCAP)
    record = world.hubspot.create_ticket("Called us")
    world.settle()
    before = len(world.nextcap.state()["tickets"])

    resume(world)
    world.settle()

    assert before == 0
    assert [one["subject"] for one in world.nextcap.state()["tickets"]] == ["Called us"]
    assert world.record(record)["nextcap_ticket_id"]


def test_a_pass_that_ends_while_its_direction_is_resumed_is_worked_again(world: World) -> None:
    """What it held back is not forgotten between the two."""
    ticket, record = world.linked()
    pause(world, TO_NEXTCAP)
    world.nextcap.set_fields(ticket, {"subject": "From Next Cap"})
    world.hubspot.set_properties(record, {"content": "From HubSpot"})
    world.process.taps[HUBSPOT].after("POST /tickets/batch/update", lambda: resume(world))

    world.settle()

    assert world.nextcap.ticket(ticket)["description"] == "From HubSpot"


def test_one_direction_of_a_paused_connection_can_be_opened(world: World) -> None:
    """The other stays paused, for the reason for which all was."""
    ticket, record = world.linked()
    pause(world, Direction.BOTH)
    world.nextcap.set_fields(ticket, {"subject": "From Next Cap"})
    world.hubspot.set_properties(record, {"content": "From HubSpot"})
    world.settle()

    resume(world, TO_CRM)
    world.settle()

    assert world.record(record)["subject"] == "From Next Cap"
    assert world.nextcap.ticket(ticket)["description"] != "From HubSpot"
    (figures,) = (one for one in status.figures(world.engine).connections if one.name == HUBSPOT)
    (left,) = figures.pauses
    assert (left.direction, left.waiting) == ("to_nextcap", 1)
    assert left.told == "what goes to Next Cap is paused by ana: an import"


def test_both_directions_paused_one_by_one_wake_what_waits_for_either(world: World) -> None:
    """A ticket with work both ways is worked the way that is open."""
    ticket, record = world.linked()
    pause(world, TO_CRM)
    pause(world, TO_NEXTCAP)
    world.nextcap.set_fields(ticket, {"subject": "From Next Cap"})
    world.hubspot.set_properties(record, {"content": "From HubSpot"})
    world.settle()

    resume(world, TO_NEXTCAP)
    world.settle()

    assert world.nextcap.ticket(ticket)["description"] == "From HubSpot"
    assert world.record(record)["subject"] == "Cannot log in"


def test_other_connections_go_on(wide_world: World) -> None:
    world = wide_world
    ticket, _ = world.linked()
    second = world.record_id(ticket, SECOND)
    pause(world, TO_CRM, SECOND)

    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.settle()

    assert world.record(world.record_id(ticket))["subject"] == "After"
    assert world.crms[SECOND].ticket(second)["properties"]["subject"] != "After"


def test_a_paused_direction_costs_no_call_to_look_at_what_it_may_not_write(world: World) -> None:
    """The side that is not written is not read before."""
    ticket, _ = world.linked()
    pause(world, TO_CRM)

    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.settle()

    assert world.hubspot.calls.total == 0


def test_who_paused_and_resumed_is_journaled(world: World) -> None:
    pause(world, TO_NEXTCAP)
    resume(world, TO_NEXTCAP)

    with world.engine.db.read() as connection:
        lines = journal.of_connection(connection, HUBSPOT)
    told = [line["text"] for line in lines if line["code"] in ("paused", "resumed")]
    assert told == ["ana resumed what goes to Next Cap", "ana paused what goes to Next Cap: an import"]


def test_a_persons_choice_waits_for_the_direction_too(world: World) -> None:
    """It is no way around the pause, and it is kept."""
    world.write_mapping(fields={"subject": {"owner": "ask"}})
    ticket, record = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "Ours"})
    world.hubspot.set_properties(record, {"subject": "Theirs"})
    world.settle()
    (item,) = world.parked()
    pause(world, TO_NEXTCAP)

    operators.resolve(world.engine, int(item["id"]), take=Side.CRM, by="ana")
    world.settle()
    during = world.nextcap.ticket(ticket)["subject"]
    resume(world)
    world.settle()

    assert (during, world.nextcap.ticket(ticket)["subject"]) == ("Ours", "Theirs")


def test_metrics_show_the_paused_direction(world: World) -> None:
    ticket, record = world.linked()
    pause(world, TO_NEXTCAP)
    world.hubspot.set_properties(record, {"content": "From HubSpot"})
    world.settle()

    text = world.process.client.get("/metrics").text

    assert 'connector_direction_paused{by="person",connection="hubspot",direction="to_nextcap"} 1.0' in text
    assert 'connector_held_back_links{connection="hubspot",direction="to_nextcap"} 1.0' in text
    assert ticket
    assert len(world.rows(tables.pauses)) == 1
