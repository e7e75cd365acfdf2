"""Zendesk and Next Cap, both ways, over real HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from .world import eventually
from .zendesk_world import ZendeskWorld


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZendeskWorld]:
    made = ZendeskWorld(tmp_path_factory.mktemp("zendesk"))
    made.start()
    yield made
    made.stop()


def opened(world: ZendeskWorld, **fields: Any) -> tuple[str, dict[str, Any]]:
    """A ticket of a customer, and its Zendesk ticket once it is there."""
    body = {"subject": "Printer on fire", "description": "It burns.", "customer_email": "cus@home.example", **fields}
    ticket = world.nextcap.create_ticket(**body)["id"]
    eventually(lambda: bool(world.zendesk.tickets_of(ticket)), what="the Zendesk ticket")
    return ticket, world.record(ticket)


def said(world: ZendeskWorld, ticket: str) -> list[tuple[str, bool]]:
    """The comments after the description, and whether the customer sees them."""
    return [(one["body"], one["public"]) for one in world.record(ticket)["comments"][1:]]


def entries(world: ZendeskWorld, ticket: str, words: str) -> list[dict[str, Any]]:
    return [one for one in world.nextcap.timeline(ticket) if words in str(one.get("content") or "")]


def stands_once(world: ZendeskWorld, ticket: str, words: str) -> bool:
    return len(entries(world, ticket, words)) == 1


def shows(world: ZendeskWorld, ticket: str, status: str) -> bool:
    return bool(world.record(ticket)["status"] == status)


def ours(world: ZendeskWorld, subject: str) -> list[dict[str, Any]]:
    return [one for one in world.nextcap.state()["tickets"] if one["subject"] == subject]


def test_a_new_ticket_is_created_once_with_its_customer(world: ZendeskWorld) -> None:
    ticket, record = opened(world, customer_name="Cus Tomer", priority="high", tags=["b", "a"])
    eventually(world.is_idle)

    assert record["subject"] == "Printer on fire"
    assert record["description"] == "It burns."
    assert record["priority"] == "high"
    assert record["tags"] == ["a", "b"]
    assert record["status"] == "new"
    assert record["requester"] == "cus@home.example"
    assert record["fields"]["Next Cap status"] == "new"
    assert ticket in record["fields"]["Next Cap ticket"]
    assert not [one for one in world.zendesk.calls.kept() if one.method == "PUT"]


def test_a_new_ticket_with_an_assignee_is_opened_as_zendesk_opens_it(world: ZendeskWorld) -> None:
    """Zendesk opens what is assigned, and takes no new back: so the ticket is opened, and nobody is asked."""
    waiting = world.parked()
    ticket, _ = opened(world, assignee="ada@acme.example")

    eventually(lambda: world.nextcap.ticket(ticket)["status"] == "open" and world.is_idle(), what="the ticket follows")

    assert shows(world, ticket, "open")
    assert world.parked() == waiting


def test_every_status_reaches_zendesk_and_solving_waits_for_an_assignee(world: ZendeskWorld) -> None:
    ticket, record = opened(world)
    for status, shown in (("open", "open"), ("waiting_customer", "pending"), ("in_progress", "open")):
        world.nextcap.move(ticket, status)
        eventually(partial(shows, world, ticket, shown), what=f"{status} → {shown}")

    world.nextcap.move(ticket, "resolved")
    eventually(lambda: world.record(ticket)["fields"]["Next Cap status"] == "resolved")
    eventually(lambda: "status" in {field for field, _ in world.parked()}, what="a person is asked for an assignee")
    assert world.record(ticket)["status"] == "open"

    world.zendesk.change(record["id"], {"assignee_id": 9003, "status": "solved"})
    eventually(lambda: world.record(ticket)["status"] == "solved" and world.is_idle())
    assert world.nextcap.ticket(ticket)["status"] == "resolved"


def test_a_change_in_zendesk_reaches_next_cap(world: ZendeskWorld) -> None:
    ticket, record = opened(world)

    world.zendesk.change(record["id"], {"status": "pending", "priority": "urgent", "subject": "Printer smokes"})

    eventually(lambda: world.nextcap.ticket(ticket)["status"] == "waiting_customer")
    eventually(lambda: world.nextcap.ticket(ticket)["priority"] == "urgent")
    assert world.nextcap.ticket(ticket)["subject"] == "Printer smokes"


def test_replies_and_notes_cross_once_and_keep_their_visibility(world: ZendeskWorld) -> None:
    ticket, record = opened(world)

    world.nextcap.agent_reply(ticket, "We look into it")
    world.nextcap.agent_note(ticket, "He is a big customer")
    world.nextcap.customer_reply(ticket, "It is hot now")
    eventually(lambda: len(said(world, ticket)) == 3, what="three comments in Zendesk")
    world.zendesk.reply(record["id"], "A person comes")
    world.zendesk.note(record["id"], "Sent Bob")
    eventually(
        lambda: len(entries(world, ticket, "A person comes")) == 1 and len(entries(world, ticket, "Sent Bob")) == 1
    )
    eventually(world.is_idle)

    shown = said(world, ticket)
    assert ("We look into it", True) in shown
    assert ("It is hot now", True) in shown
    assert [public for text, public in shown if "He is a big customer" in text] == [False]
    authors = {one["body"]: one["author"] for one in world.record(ticket)["comments"]}
    assert authors["It is hot now"] != "Next Cap Connector"
    assert len(shown) == 5
    assert entries(world, ticket, "Sent Bob")[0]["type"] != entries(world, ticket, "A person comes")[0]["type"]
    assert not [mail for mail in world.nextcap.state()["emails"] if "Sent Bob" in str(mail)]


def test_a_ticket_made_in_zendesk_is_made_in_next_cap_with_its_customer(world: ZendeskWorld) -> None:
    record = world.zendesk.create_ticket("Called about the invoice", "It is wrong", "pay@home.example")

    eventually(lambda: len(ours(world, "Called about the invoice")) == 1, what="the Next Cap ticket")
    ticket = ours(world, "Called about the invoice")[0]
    eventually(lambda: world.record(ticket["id"])["id"] == record, what="our id in Zendesk")
    assert ticket["description"] == "It is wrong"
    assert not said(world, ticket["id"])


def test_a_ticket_merged_into_that_of_another_ticket_asks_a_person(world: ZendeskWorld) -> None:
    """A ticket that Next Cap does not know yet is followed; one that is linked is not taken away."""
    _, first = opened(world)
    other, second = opened(world)

    world.zendesk.merge_tickets(first["id"], second["id"])
    eventually(lambda: "merged_into_another" in {code for _, code in world.parked()}, what="a person is asked")
    world.zendesk.reply(second["id"], "We come")
    eventually(partial(stands_once, world, other, "We come"))


def test_a_write_that_was_decided_unread_overwrites_nobody(world: ZendeskWorld) -> None:
    """A person was faster, and no webhook told of it: Zendesk refuses, the ticket is read, all is decided anew."""
    ticket, record = opened(world, priority="low", tags=["a"])
    assert world.zendesk.deliveries.wait_idle(5)
    eventually(world.is_idle)
    time.sleep(1.1)  # Zendesk counts versions in seconds.
    world.zendesk.deliveries.pause()
    world.zendesk.change(record["id"], {"subject": "A person's words"})

    world.nextcap.set_fields(ticket, {"priority": "high"})
    eventually(lambda: world.record(ticket)["priority"] == "high", what="the priority")
    eventually(lambda: world.nextcap.ticket(ticket)["subject"] == "A person's words", what="the person's words")
    world.zendesk.deliveries.resume()

    assert world.record(ticket)["subject"] == "A person's words"
    assert "written_unread" in world.lines()


def test_a_burst_costs_at_most_one_call_for_fifty_changes(world: ZendeskWorld) -> None:
    """No ticket is read before it is written: Zendesk itself refuses a write that was decided on an old version."""
    subjects = [f"Burst {number}" for number in range(100)]
    made = {one: world.nextcap.create_ticket(subject=one, customer_email="b@home.example")["id"] for one in subjects}
    eventually(lambda: all(world.zendesk.tickets_of(one) for one in made.values()) and world.is_idle(), within=60)
    world.nextcap.deliveries.pause()
    for turn in range(5):
        for subject, ticket in made.items():
            world.nextcap.set_fields(ticket, {"subject": f"{subject}, turn {turn}"})
    world.zendesk.calls.reset()

    world.nextcap.deliveries.resume()
    eventually(lambda: all(world.record(one)["subject"].endswith("turn 4") for one in made.values()), within=60)
    eventually(world.is_idle)
    calls = [f"{one.method} {one.path}" for one in world.zendesk.calls.kept()]

    assert len(calls) <= 5 * len(made) / 50, calls
    assert sum("tickets/show_many" in one for one in calls) <= 2, calls
