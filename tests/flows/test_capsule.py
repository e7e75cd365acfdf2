"""Capsule, both ways over real HTTP: a project on a board stands for a ticket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .capsule_world import CapsuleWorld
from .world import eventually


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CapsuleWorld]:
    made = CapsuleWorld(tmp_path_factory.mktemp("world"))
    made.start()
    yield made
    made.stop()


def opened(world: CapsuleWorld, **fields: Any) -> tuple[str, dict[str, Any]]:
    """A ticket of a customer, and its project once it is there."""
    body = {"subject": "Printer on fire", "description": "It burns.", "customer_email": "cus@home.example", **fields}
    ticket = world.nextcap.create_ticket(**body)["id"]
    eventually(lambda: bool(world.capsule.records_of(ticket, world.kind)), what="the project")
    return ticket, world.record(ticket)


def notes(world: CapsuleWorld, ticket: str) -> list[str]:
    return [one["content"] for one in world.record(ticket)["entries"]]


def test_a_new_ticket_is_a_project_with_its_customer(world: CapsuleWorld) -> None:
    ticket, record = opened(world, customer_name="Cus Tomer", priority="high", tags=["b", "a"], category="Billing")

    assert (record["name"], record["description"]) == ("Printer on fire", "It burns.")
    assert (record["board"], record["stage"], record["status"]) == ("Support", "New", "OPEN")
    assert record["tags"] == ["a", "b"]
    assert record["fields"]["Next Cap priority"] == "High"
    assert record["fields"]["Next Cap category"] == "Billing"
    assert record["fields"]["Next Cap status"] == "New"
    assert ticket in record["fields"]["Next Cap link"]
    party = next(one for one in world.capsule.state()["parties"] if one["id"] == record["party"])
    assert (party["name"], party["emails"]) == ("Cus Tomer", ["cus@home.example"])


def test_two_tickets_of_one_customer_share_a_party(world: CapsuleWorld) -> None:
    _, one = opened(world, customer_email="twice@home.example")
    _, two = opened(world, customer_email="twice@home.example")

    assert one["party"] == two["party"]


def test_every_status_reaches_its_stage(world: CapsuleWorld) -> None:
    ticket, _ = opened(world)
    for status, stage, state in (
        ("open", "Open", "OPEN"),
        ("waiting_customer", "Waiting on customer", "OPEN"),
        ("in_progress", "In progress", "OPEN"),
        ("waiting_internal", "Waiting internally", "OPEN"),
        ("resolved", "Resolved", "OPEN"),
        ("closed", "Resolved", "CLOSED"),
        ("reopened", "Open", "OPEN"),
    ):
        world.nextcap.move(ticket, status)
        eventually(
            lambda stage=stage, state=state: (
                (world.record(ticket)["stage"], world.record(ticket)["status"]) == (stage, state)
            ),
            what=f"{status} → {stage} {state}",
        )


def test_a_stage_walks_the_state_machine_by_legal_moves(world: CapsuleWorld) -> None:
    ticket, record = opened(world)
    before = len(world.nextcap.state()["illegal_moves"])

    world.capsule.move(record["id"], "Resolved")
    eventually(lambda: world.nextcap.ticket(ticket)["status"] == "resolved")
    world.capsule.close(record["id"])
    eventually(lambda: world.nextcap.ticket(ticket)["status"] == "closed")
    world.capsule.reopen(record["id"])
    world.capsule.move(record["id"], "Waiting on customer")

    eventually(lambda: world.nextcap.ticket(ticket)["status"] == "waiting_customer")
    assert len(world.nextcap.state()["illegal_moves"]) == before


def test_fields_cross_both_ways_and_come_to_rest(world: CapsuleWorld) -> None:
    ticket, record = opened(world, tags=["login"])

    world.nextcap.set_fields(ticket, {"subject": "Printer still on fire", "priority": "urgent"})
    eventually(lambda: world.record(ticket)["name"] == "Printer still on fire")
    eventually(lambda: world.record(ticket)["fields"]["Next Cap priority"] == "Urgent")
    world.capsule.set_fields(record["id"], {"Next Cap priority": "Low", "Next Cap category": "Hardware"})
    world.capsule.set_tags(record["id"], ["login", "vip"])
    world.capsule.change(record["id"], {"name": "Put out"})

    eventually(lambda: world.nextcap.ticket(ticket)["subject"] == "Put out")
    eventually(lambda: world.nextcap.ticket(ticket)["priority"] == "low")
    eventually(lambda: world.nextcap.ticket(ticket)["category"] == "Hardware")
    eventually(lambda: sorted(world.nextcap.ticket(ticket)["tags"]) == ["login", "vip"])


def test_what_we_write_comes_back_and_costs_no_call(world: CapsuleWorld) -> None:
    """Capsule tells us of our own writes too: a delivery that says what is known rings nothing."""
    ticket, record = opened(world)
    eventually(world.is_idle)
    assert world.capsule.deliveries.wait_idle(5)
    eventually(world.is_idle)
    before = len(calls_about(world, record["id"]))

    world.nextcap.set_fields(ticket, {"subject": "Only one call"})
    eventually(lambda: world.record(ticket)["name"] == "Only one call")
    assert world.capsule.deliveries.wait_idle(5)
    eventually(world.is_idle)

    made = calls_about(world, record["id"])[before:]
    assert made[-1].startswith("PUT"), made
    assert len(made) <= 2, "it is read before it is written, unless it was read just now, and that is all"


def calls_about(world: CapsuleWorld, record: Any) -> list[str]:
    """The calls that name this record, in the order of their coming; the sweeps' lists are not among them."""
    return [f"{call.method} {call.path}" for call in world.capsule.calls.kept() if str(record) in call.path]


def test_replies_and_notes_go_to_the_timeline_in_order_and_never_to_the_customer(world: CapsuleWorld) -> None:
    ticket, _ = opened(world)
    world.nextcap.customer_reply(ticket, "It burns *brightly*_now_")
    world.nextcap.agent_note(ticket, "Call the fire brigade")
    world.nextcap.agent_reply(ticket, "We are on it")

    eventually(lambda: len(notes(world, ticket)) == 3)
    first, second, third = notes(world, ticket)
    assert "It burns \\*brightly\\*\\_now\\_" in first
    assert "Internal note" in second
    assert "replied in Next Cap" in third
    assert all(one["type"] == "note" for one in world.record(ticket)["entries"])


def test_a_note_stays_internal_and_a_marked_one_is_a_reply(world: CapsuleWorld) -> None:
    """No hook tells of an entry: the sweep finds it."""
    ticket, record = opened(world)
    world.capsule.write_note(record["id"], "Ask the *manager*", by="ben")
    world.capsule.write_note(record["id"], "#reply It is fixed", by="ben")
    world.capsule.write_note(record["id"], "Come and get it", by="ben", activity="Customer reply")
    world.capsule.send_email(record["id"], "Re: fire", "#reply The mail was sent by Capsule")

    def entries() -> list[dict[str, Any]]:
        return [one for one in world.nextcap.timeline(ticket) if one["type"] in ("reply", "note")]

    eventually(lambda: len(entries()) == 4, within=60, what="four entries")
    replies = [one["content"] for one in entries() if one["type"] == "reply"]
    kept = [one["content"] for one in entries() if one["type"] == "note"]
    assert sorted(replies) == ["Come and get it", "It is fixed"]
    assert "Ask the *manager*" in kept
    assert any("The mail was sent by Capsule" in one for one in kept)
    assert sorted(one["content"] for one in world.nextcap.state()["emails"] if one["ticket_id"] == ticket) == sorted(
        replies
    )


def test_the_assignee_travels_by_address_and_nobody_is_our_own_user(world: CapsuleWorld) -> None:
    ticket, record = opened(world)
    assert record["owner"] == "connector"
    ben = {person["email"]: person["id"] for person in world.nextcap.state()["members"]}["ben@acme.example"]

    world.nextcap.assign(ticket, "cleo@acme.example")
    eventually(lambda: world.record(ticket)["owner"] == "cleo")
    world.capsule.assign(record["id"], "ben", "Support")
    eventually(lambda: world.nextcap.ticket(ticket)["assigned_agent_id"] == ben)
    world.capsule.assign(record["id"], "connector", "Support")

    eventually(lambda: world.nextcap.ticket(ticket)["assigned_agent_id"] is None)
    assert (world.record(ticket)["owner"], world.record(ticket)["team"]) == ("connector", "Support")


def test_a_project_that_a_person_makes_is_made_in_next_cap_once(world: CapsuleWorld) -> None:
    before = len(world.nextcap.state()["tickets"])

    record = world.capsule.create_project("Called us", "About the bill", stage="Open", email="joe@home.example")
    elsewhere = world.capsule.create_project("A delivery", stage="Doing", board="Delivery")

    eventually(lambda: bool(world.capsule.record(record)["fields"].get("Next Cap ticket ID")), what="our id")
    made = world.nextcap.ticket(world.capsule.record(record)["fields"]["Next Cap ticket ID"])
    assert (made["subject"], made["customer_email"]) == ("Called us", "joe@home.example")
    assert made["metadata"]["capsule"] == record
    eventually(lambda: world.nextcap.ticket(made["id"])["status"] == "open")
    eventually(world.is_idle)
    assert "Next Cap ticket ID" not in world.capsule.record(elsewhere)["fields"]
    assert len(world.nextcap.state()["tickets"]) == before + 1


@pytest.mark.parametrize("kind", ["lost_answer", "error_after"])
def test_a_create_whose_answer_is_lost_makes_one_project(world: CapsuleWorld, kind: str) -> None:
    rule = {"status": 502} if kind == "error_after" else {}
    world.capsule.faults.add(kind, method="POST", path="/kases$", **rule)

    ticket, _ = opened(world, subject=f"Lost: {kind}")
    world.nextcap.set_fields(ticket, {"priority": "low"})

    eventually(lambda: world.record(ticket)["fields"]["Next Cap priority"] == "Low", within=60)
    eventually(world.is_idle, within=60)
    assert len(world.capsule.records_of(ticket)) == 1


def test_a_note_whose_answer_is_lost_is_written_once(world: CapsuleWorld) -> None:
    ticket, _ = opened(world)
    world.capsule.faults.add("error_after", method="POST", path="/entries$", status=500)

    world.nextcap.customer_reply(ticket, "Only once")
    world.nextcap.customer_reply(ticket, "And then this")

    eventually(lambda: len(notes(world, ticket)) == 2, within=60)
    assert "Only once" in notes(world, ticket)[0]
    assert "And then this" in notes(world, ticket)[1]


def test_a_deleted_project_ends_the_link_and_not_the_ticket(world: CapsuleWorld) -> None:
    ticket, record = opened(world)

    world.capsule.delete(record["id"])
    eventually(world.is_idle)
    world.nextcap.set_fields(ticket, {"subject": "Still here"})
    eventually(world.is_idle)

    assert world.nextcap.ticket(ticket)["status"] == "new"
    assert world.capsule.records_of(ticket) == []


def test_a_used_up_limit_is_waited_for_and_loses_nothing(world: CapsuleWorld) -> None:
    ticket, _ = opened(world)
    world.capsule.fail("limit", seconds=3)

    world.nextcap.customer_reply(ticket, "Are you there?")
    world.nextcap.set_fields(ticket, {"subject": "After the limit"})

    eventually(lambda: world.record(ticket)["name"] == "After the limit", within=40)
    eventually(lambda: len(notes(world, ticket)) == 1, within=40)


def test_an_expired_token_is_renewed_once(world: CapsuleWorld) -> None:
    ticket, _ = opened(world)
    before = world.capsule.state()["refreshes"]

    world.capsule.expire_tokens()
    world.nextcap.set_fields(ticket, {"subject": "With a new token"})

    eventually(lambda: world.record(ticket)["name"] == "With a new token")
    assert world.capsule.state()["refreshes"] == before + 1
