"""One ticket and two connections: what one of them brings to Next Cap reaches the other, once."""

from __future__ import annotations

from connector.engine import operators
from connector.engine.context import NEXTCAP

from .harness import World
from .process import HUBSPOT, SECOND


def subject(world: World, ticket: str, name: str) -> str:
    return str(world.crms[name].ticket(world.record_id(ticket, name))["properties"]["subject"])


def notes(world: World, ticket: str, name: str) -> list[str]:
    """How often each note is there."""
    return [str(one["body"]) for one in world.crms[name].ticket(world.record_id(ticket, name))["notes"]]


def test_a_change_in_one_crm_reaches_the_other(wide_world: World) -> None:
    """The echo of our own write is no news to the link that wrote it, and to nobody else."""
    ticket, record = wide_world.linked(subject="Before")

    wide_world.hubspot.set_properties(record, {"subject": "After"})
    wide_world.settle()

    assert wide_world.nextcap.ticket(ticket)["subject"] == "After"
    assert subject(wide_world, ticket, SECOND) == "After"


def test_a_change_that_one_connection_read_first_reaches_the_other(wide_world: World) -> None:
    """A drain of one finds it before its webhook comes, which then says nothing new."""
    ticket, record = wide_world.linked(subject="Before")
    wide_world.nextcap.set_fields(ticket, {"subject": "After"})
    late = wide_world.mail(NEXTCAP)
    wide_world.hubspot.set_properties(record, {"content": "Something else"})
    wide_world.deliver(HUBSPOT)
    wide_world.drain()

    for parcel in late:
        wide_world.post(parcel)
    wide_world.settle()

    assert subject(wide_world, ticket, HUBSPOT) == subject(wide_world, ticket, SECOND) == "After"


def test_a_note_that_came_from_one_crm_reaches_the_other_once(wide_world: World) -> None:
    """That our seat wrote it in Next Cap excludes it nowhere; only an effect of the same link does."""
    ticket, record = wide_world.linked()

    wide_world.hubspot.write_note(record, "<p>Called her</p>")
    wide_world.settle()
    wide_world.poll()
    wide_world.settle()

    assert wide_world.said(ticket, "note") == ["Called her"]
    assert len(notes(wide_world, ticket, HUBSPOT)) == 1
    (note,) = notes(wide_world, ticket, SECOND)
    assert "Called her" in note


def test_a_ticket_made_in_one_crm_is_made_in_the_other(wide_world: World) -> None:
    """By way of Next Cap, whichever webhook comes first."""
    wide_world.linked()

    wide_world.hubspot.create_ticket("Made in HubSpot")
    wide_world.settle()
    wide_world.advance(2)
    wide_world.settle()

    (ticket,) = [one["id"] for one in wide_world.nextcap.state()["tickets"] if one["subject"] == "Made in HubSpot"]
    assert subject(wide_world, ticket, SECOND) == "Made in HubSpot"
    assert len(wide_world.crms[SECOND].state()["tickets"]) == 2


def test_a_new_ticket_takes_its_timeline_to_both(wide_world: World) -> None:
    """One connection has read the timeline already when the other makes its record."""
    ticket = wide_world.ticket()
    wide_world.nextcap.agent_note(ticket, "Known for long")

    wide_world.settle()

    for name in (HUBSPOT, SECOND):
        (note,) = notes(wide_world, ticket, name)
        assert "Known for long" in note


def test_a_note_that_one_connection_found_by_chance_reaches_the_other(wide_world: World) -> None:
    """A close has the timeline looked at: what stands there is news to everybody."""
    ticket, record = wide_world.linked()
    wide_world.nextcap.agent_note(ticket, "By the way")
    wide_world.hubspot.move_stage(record, "Closed")

    wide_world.settle()
    wide_world.advance(6)
    wide_world.poll()
    wide_world.settle()

    assert wide_world.nextcap.ticket(ticket)["status"] == "resolved"
    for name in (HUBSPOT, SECOND):
        (note,) = notes(wide_world, ticket, name)
        assert "By the way" in note


def test_a_note_that_one_connection_found_as_it_looked_at_everything_reaches_the_other(wide_world: World) -> None:
    """Where only one was asked to look, the other must be told: for the poll, the timeline has been looked at."""
    ticket, _ = wide_world.linked()
    wide_world.nextcap.agent_note(ticket, "By the way")
    wide_world.nextcap.set_fields(ticket, {"subject": "After"})
    operators.resync(wide_world.engine, wide_world.link(ticket).id, by="ana")

    wide_world.settle()
    wide_world.advance(6)
    wide_world.poll()
    wide_world.settle()

    for name in (HUBSPOT, SECOND):
        (note,) = notes(wide_world, ticket, name)
        assert "By the way" in note


def test_the_trouble_of_one_connection_is_not_the_others(wide_world: World) -> None:
    """Its circuit is its own."""
    ticket, _ = wide_world.linked(subject="Before")
    wide_world.hubspot.stop()

    wide_world.nextcap.set_fields(ticket, {"subject": "After"})
    wide_world.deliver(NEXTCAP)
    wide_world.drain()
    wide_world.drain(SECOND)
    during = subject(wide_world, ticket, SECOND)
    wide_world.hubspot.start()
    wide_world.advance(5)
    wide_world.settle()

    assert during == "After"
    assert subject(wide_world, ticket, HUBSPOT) == "After"


def test_a_link_that_waited_for_its_ticket_is_rung_for_when_it_is_free(wide_world: World) -> None:
    """The other link's holder had the ticket when the bell rang: nobody waits for the sweep."""
    ticket, _ = wide_world.linked(subject="Before")
    wide_world.nextcap.set_fields(ticket, {"subject": "After"})
    wide_world.deliver(NEXTCAP)
    process = wide_world.process
    came_too_early: list[int] = []
    call = "POST /tickets/batch/update"
    process.taps[HUBSPOT].after(call, lambda: came_too_early.append(process.drain(SECOND).worked))
    process.bells.clear()

    wide_world.drain()

    assert came_too_early == [0]
    assert process.bells == [SECOND]
