"""Outgoing events: what is told of tickets, to whom, in which words."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from connector.domain.ticket import Side
from connector.engine import operators
from connector.engine.context import NEXTCAP
from connector.events.announcer import Announcer
from connector.events.catalogue import CHOOSABLE, EventType
from connector.store import outbox, parked

from .harness import World
from .listening import Listening, secret
from .process import HUBSPOT, SECOND, everywhere
from .receiver import Got, Receiver

one_database = pytest.mark.parametrize("db_url", ["sqlite"], indirect=True)


def told(got: list[Got]) -> list[tuple[str, object]]:
    """Each event with what is special about it."""
    about = ("changes", "comment", "link", "parked")
    return [
        (one.type.removeprefix("ticket."), next((one.data[key] for key in about if key in one.data), None))
        for one in got
    ]


@everywhere
def test_the_life_of_a_ticket_is_told_in_order_and_signed(world: World, receiver: Receiver) -> None:
    """Made, linked, changed, moved: each told once, and each request is one that a stranger can verify."""
    listener = Listening(world, receiver)
    ticket = world.ticket()
    listener.settle()
    world.nextcap.set_fields(ticket, {"priority": "urgent"})
    listener.settle()
    world.nextcap.move(ticket, "open")
    listener.settle()

    status = {"status": {"old": "new", "new": "open"}}
    assert told(receiver.got) == [
        ("created", None),
        ("linked", {"connection": HUBSPOT, "record_id": world.record_id(ticket)}),
        ("updated", {"priority": {"old": "normal", "new": "urgent"}}),
        ("updated", status),
        ("status_changed", status),
    ]
    assert len({one.id for one in receiver.got}) == 5
    for one in receiver.got:
        assert (one.path, one.headers["content-type"]) == ("/hooks?team=support", "application/json")
        assert one.is_signed_with(secret("a"))
        assert not one.is_signed_with(secret("b"))
        assert (one.json["version"], one.data["ticket"]["id"]) == (1, ticket)
    last = receiver.got[-1].data["ticket"]
    assert (last["status"], last["priority"]) == ("open", "urgent")
    assert last["url"] == f"https://app.example.test/tickets/{ticket}"


@one_database
def test_a_change_from_the_crm_is_told_once(world: World, receiver: Receiver) -> None:
    """The write's own answer, its webhook and its reading are one change; every step of a walk is told."""
    listener = Listening(world, receiver)
    ticket = world.ticket()
    listener.settle()
    receiver.forget()

    world.hubspot.set_properties(world.record_id(ticket), {"hs_ticket_priority": "HIGH"})
    world.hubspot.move_stage(world.record_id(ticket), "Closed")
    listener.settle()
    world.advance(60)
    world.poll()
    listener.settle()

    moves = [one.data["changes"]["status"] for one in receiver.of("ticket.status_changed")]
    assert moves[0]["old"] == "new"
    assert moves[-1]["new"] == "resolved"
    assert [one["new"] for one in moves[:-1]] == [one["old"] for one in moves[1:]]
    updates = [one.data["changes"] for one in receiver.of("ticket.updated")]
    assert sum("priority" in one for one in updates) == 1


@one_database
def test_a_ticket_that_is_made_from_the_crm_is_told_once(world: World, receiver: Receiver) -> None:
    listener = Listening(world, receiver)

    record = world.hubspot.create_ticket(subject="Called us")
    listener.settle()
    world.advance(60)
    world.poll()
    listener.settle()

    assert [one for one, _ in told(receiver.got)].count("created") == 1
    link = receiver.of("ticket.linked")[0].data
    assert link["link"] == {"connection": HUBSPOT, "record_id": str(record)}
    assert receiver.of("ticket.created")[0].data["ticket"]["id"] == link["ticket"]["id"]


@one_database
def test_what_a_new_tickets_webhook_told_is_not_forgotten_when_it_is_linked(world: World, receiver: Receiver) -> None:
    """The webhook of the ticket that we make comes before our own answer: the walk from there is told too."""
    listener = Listening(world, receiver)
    world.hubspot.create_ticket("Called us", stage="Waiting on us")
    world.deliver()

    world.process.taps[NEXTCAP].after("POST /crm/tickets", lambda: world.deliver(NEXTCAP))
    listener.settle()

    assert receiver.of("ticket.created")[0].data["ticket"]["status"] == "new"
    assert [one.data["changes"] for one in receiver.of("ticket.status_changed")] == [
        {"status": {"old": "new", "new": "open"}}
    ]


@one_database
def test_what_no_webhook_told_is_told_once(world: World, receiver: Receiver) -> None:
    """Found by looking; the webhook that comes late after all is no news."""
    listener = Listening(world, receiver)
    ticket = world.ticket()
    listener.settle()
    receiver.forget()

    world.nextcap.set_fields(ticket, {"priority": "urgent"})
    world.nextcap.agent_reply(ticket, "Ocelot")
    late = world.mail(NEXTCAP)
    world.advance(20)
    world.poll()
    listener.settle()
    for parcel in late:
        world.post(parcel)
    listener.settle()

    assert sorted(receiver.types()) == ["ticket.replied", "ticket.updated"]


@one_database
def test_whoever_says_nothing_of_notes_and_words_is_told_of_neither(world: World, receiver: Receiver) -> None:
    """No internal note, not even that there is one; no subject, customer or reply: only that they changed or came."""
    listener = Listening(world, receiver)
    ticket = world.ticket(subject="Zebra", description="Yak")
    world.settle()
    world.nextcap.agent_note(ticket, "Walrus")
    world.nextcap.agent_reply(ticket, "Ocelot")
    world.nextcap.customer_reply(ticket, "Quokka")
    world.hubspot.write_note(world.record_id(ticket), "<p>Numbat</p>")
    world.nextcap.set_fields(ticket, {"subject": "Lemur", "custom_fields": {"animal": "Tapir"}})
    world.advance(20)
    world.poll()
    listener.settle()

    said = b" ".join(one.body for one in receiver.got).decode()
    for word in ("Zebra", "Yak", "Walrus", "Ocelot", "Quokka", "Numbat", "Lemur", "Tapir", "jo@home", '"Jo"'):
        assert word not in said
    assert "ticket.noted" not in receiver.types()
    replies = [one.data["comment"] for one in receiver.of("ticket.replied")]
    assert [(one["by"], one["internal"], one["source"]) for one in replies] == [
        ("agent", False, "nextcap"),
        ("customer", False, "nextcap"),
    ]
    changed = [one.data["changes"] for one in receiver.of("ticket.updated")]
    assert {"subject": None, "custom_fields.animal": None} in changed


@one_database
def test_whoever_asks_is_told_notes_and_words_and_notes_are_marked(world: World, receiver: Receiver) -> None:
    listener = Listening(world, receiver, types=CHOOSABLE, words=True)
    ticket = world.ticket(subject="Zebra")
    world.settle()
    world.nextcap.agent_note(ticket, "Walrus")
    world.hubspot.write_note(world.record_id(ticket), "<p>Numbat</p>")
    world.hubspot.write_note(world.record_id(ticket), "<p>#reply Ocelot</p>")
    world.advance(20)
    world.poll()
    world.settle()
    world.advance(20)
    world.poll()
    listener.settle()

    notes = [one.data["comment"] for one in receiver.of("ticket.noted")]
    assert sorted((one["text"], one["source"], one["internal"]) for one in notes) == [
        ("Numbat", HUBSPOT, True),
        ("Walrus", "nextcap", True),
    ]
    (reply,) = (one.data for one in receiver.of("ticket.replied"))
    assert (reply["comment"]["text"], reply["comment"]["internal"]) == ("Ocelot", False)
    assert reply["ticket"]["subject"] == "Zebra"
    assert reply["ticket"]["requester"] == {"email": "jo@home.example", "name": "Jo", "phone": None}


@one_database
def test_every_listener_is_told_what_it_chose_under_one_id(world: World, receiver: Receiver) -> None:
    listener = Listening(world, receiver)
    other = replace(
        listener.endpoint, name="other", types=frozenset({EventType.ASSIGNED, EventType.CREATED}), words=True
    )
    world.restart(announcer=Announcer([listener.endpoint, other]))
    ticket = world.ticket()
    world.settle()
    world.nextcap.assign(ticket, "ben@acme.example")
    world.settle()
    listener.send()

    with world.process.engine.db.read() as connection:
        rows = outbox.listed(connection, name="other", state=None, limit=100)[::-1]
        bodies = [outbox.one(connection, one["id"]) for one in rows]
    mine = {one.type: one for one in receiver.got}
    assert [one["type"] for one in rows] == ["ticket.created", "ticket.assigned"]
    assert [one["message_id"] for one in rows] == [mine[one["type"]].id for one in rows]
    assert all(one is not None and '"subject":"Cannot log in"' in one.body for one in bodies)
    assert "subject" not in mine["ticket.created"].data["ticket"]
    assert mine["ticket.assigned"].data["changes"]["assigned_agent_id"]["old"] is None


@one_database
def test_what_waits_for_a_person_is_told_when_it_begins_and_when_it_ends(world: World, receiver: Receiver) -> None:
    """Once each, however often the ticket is worked meanwhile, be it settled by itself or by a person."""
    world.write_mapping(fields={"priority": {"owner": "ask"}})
    listener = Listening(world, receiver)
    ticket = world.ticket()
    listener.settle()
    receiver.forget()

    world.nextcap.set_fields(ticket, {"priority": "urgent"})
    world.hubspot.set_properties(world.record_id(ticket), {"hs_ticket_priority": "LOW"})
    listener.settle()
    world.nextcap.set_fields(ticket, {"subject": "Another"})
    listener.settle()
    (parking,) = receiver.of("ticket.parked")
    world.nextcap.set_fields(ticket, {"priority": "low"})
    listener.settle()

    world.nextcap.set_fields(ticket, {"priority": "urgent"})
    world.hubspot.set_properties(world.record_id(ticket), {"hs_ticket_priority": "MEDIUM"})
    listener.settle()
    with world.process.engine.db.read() as connection:
        (item,) = parked.listed(connection)
    operators.resolve(world.process.engine, item["id"], take=Side.NEXTCAP, by="kim")
    listener.settle()

    facts = parking.data["parked"]
    assert (facts["field"], facts["code"], facts["connection"]) == ("priority", "conflict", HUBSPOT)
    assert "reason" not in facts
    assert [one for one in receiver.types() if "parked" in one] == ["ticket.parked", "ticket.unparked"] * 2
    assert {one.data["parked"]["field"] for one in receiver.of("ticket.unparked")} == {"priority"}


@one_database
def test_a_deleted_record_is_told(world: World, receiver: Receiver) -> None:
    listener = Listening(world, receiver)
    ticket = world.ticket()
    listener.settle()
    record = world.record_id(ticket)
    receiver.forget()

    world.hubspot.archive_ticket(record)
    listener.settle()
    world.hubspot.restore_ticket(record)
    listener.settle()

    fates = [one for one in told(receiver.got) if one[0] in ("linked", "unlinked")]
    link = {"connection": HUBSPOT, "record_id": record}
    assert fates == [("unlinked", link), ("linked", link)]


@everywhere
def test_a_listener_to_one_connection_hears_of_its_tickets_alone(wide_world: World, receiver: Receiver) -> None:
    """A note that crosses from one CRM over Next Cap to another is told once, as what it is."""
    world = wide_world
    listener = Listening(world, receiver, connections=frozenset({SECOND}), types=CHOOSABLE)
    ticket = world.ticket()
    listener.settle()
    first = told(receiver.got)
    world.hubspot.write_note(world.record_id(ticket), "<p>Numbat</p>")
    world.settle()
    world.advance(20)
    world.poll()
    listener.settle()

    assert "created" not in [one for one, _ in first], "nobody carried it yet"
    assert ("linked", {"connection": SECOND, "record_id": world.record_id(ticket, SECOND)}) in first
    (note,) = receiver.of("ticket.noted")
    assert note.data["comment"]["source"] == HUBSPOT


@one_database
def test_what_was_there_before_anybody_listened_is_no_news(world: World, receiver: Receiver) -> None:
    ticket = world.ticket()
    world.nextcap.agent_reply(ticket, "Ocelot")
    world.advance(60)
    listener = Listening(world, receiver)

    world.poll()
    listener.settle()

    assert {one for one, _ in told(receiver.got)} <= {"linked", "updated"}


@one_database
def test_where_nobody_listens_nothing_is_written(world: World, receiver: Receiver) -> None:
    """Not even a question is asked of the tables."""
    ticket = world.ticket()
    world.settle()
    statements: list[str] = []
    sa.event.listen(
        world.process.engine.db.engine, "before_cursor_execute", lambda *about: statements.append(str(about[2]))
    )
    world.nextcap.agent_reply(ticket, "Ocelot")
    world.nextcap.move(ticket, "open")
    world.settle()

    assert statements
    assert [one for one in statements if "outbox" in one or "endpoints" in one] == []


@one_database
def test_the_heartbeats_ticket_is_no_news(world: World, receiver: Receiver) -> None:
    listener = Listening(world, receiver)

    world.ticket(tags=["connector-heartbeat-hubspot"])
    listener.settle()

    assert receiver.got == []
    assert outbox.WAITING not in {one["state"] for one in listener.messages()}
