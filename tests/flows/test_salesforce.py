"""The promises of the main job between Next Cap and Salesforce, each played once over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.engine import operators
from connector.store import tables

from .salesforce_world import MAPPING, SalesforceWorld
from .world import eventually


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SalesforceWorld]:
    made = SalesforceWorld(tmp_path_factory.mktemp("salesforce"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def soap_world(tmp_path: Path) -> Iterator[SalesforceWorld]:
    made = SalesforceWorld(tmp_path, by="soap")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def forms_world(tmp_path: Path) -> Iterator[SalesforceWorld]:
    """The mapping reads e-mails and posts too, and writes notes as posts."""
    shipped = MAPPING.read_text()
    forms = "  history: all\n  forms: {email: note, post: as_is}\n  written_as: {note: post}\n"
    assert shipped.count("  history: all\n") == 1
    (tmp_path / "salesforce.yaml").write_text(shipped.replace("  history: all\n", forms))
    made = SalesforceWorld(tmp_path, mapping=tmp_path / "salesforce.yaml")
    made.start()
    objects = ["Case", "CaseComment", "EmailMessage", "FeedItem"]
    made.salesforce.configure(rights=["ViewAllData"], trigger_objects=objects)
    yield made
    made.stop()


@pytest.fixture
def typed_world(tmp_path: Path) -> Iterator[SalesforceWorld]:
    """The org has two record types; the mapping has the statuses of the second."""
    types = {"Sales": {"Status": ["New", "Won"]}, "Support": {"Status": ["New", "Working", "Escalated", "Closed"]}}
    made = SalesforceWorld(tmp_path, record_types=types, picklists={"Status": [*types["Support"]["Status"], "Won"]})
    made.start()
    yield made
    made.stop()


def opened(world: SalesforceWorld, **fields: Any) -> tuple[str, dict[str, Any]]:
    """A ticket of a customer, and its case once it is there."""
    body = {"subject": "Printer on fire", "description": "It burns.", "customer_email": "cus@home.example", **fields}
    ticket = world.nextcap.create_ticket(**body)["id"]
    eventually(lambda: bool(world.salesforce.cases_of(ticket)), what="the case")
    return ticket, world.record(ticket)


def values(world: SalesforceWorld, ticket: str) -> dict[str, Any]:
    return dict(world.record(ticket)["fields"])


def test_a_new_ticket_is_created_once_with_its_customer(world: SalesforceWorld) -> None:
    ticket, case = opened(world, customer_name="Cus Tomer", priority="urgent", tags=["b", "a"])

    fields = case["fields"]
    assert (fields["Subject"], fields["Description"], fields["Status"]) == ("Printer on fire", "It burns.", "New")
    assert (fields["Priority"], fields["NextCap_Priority__c"]) == ("High", "urgent")
    assert fields["NextCap_Tags__c"] == "a; b"
    assert ticket in fields["NextCap_Ticket_Url__c"]
    assert fields["ContactEmail"] == "cus@home.example"
    assert case["owner"] == "Next Cap"
    assert world.nextcap.ticket(ticket)["assigned_agent_id"] is None


def test_every_status_reaches_salesforce(world: SalesforceWorld) -> None:
    ticket, _ = opened(world)
    for status, shown in (
        ("open", "Working"),
        ("waiting_internal", "Escalated"),
        ("in_progress", "Working"),
        ("resolved", "Closed"),
        ("reopened", "Working"),
    ):
        world.nextcap.move(ticket, status)
        eventually(
            lambda status=status, shown=shown: (
                values(world, ticket)["Status"] == shown and values(world, ticket)["NextCap_Status__c"] == status
            ),
            what=f"{status} → {shown}",
        )


def test_a_status_of_salesforce_walks_by_legal_moves(world: SalesforceWorld) -> None:
    ticket, case = opened(world)
    before = len(world.nextcap.state()["illegal_moves"])

    world.salesforce.move(case["id"], "Closed")

    eventually(lambda: world.nextcap.ticket(ticket)["status"] == "resolved")
    assert len(world.nextcap.state()["illegal_moves"]) == before


def test_an_urgent_ticket_stays_urgent_when_salesforce_changes_something_else(world: SalesforceWorld) -> None:
    ticket, case = opened(world, priority="urgent")

    world.salesforce.set_fields(case["id"], {"Subject": "Printer was on fire"})

    eventually(lambda: world.nextcap.ticket(ticket)["subject"] == "Printer was on fire")
    assert world.nextcap.ticket(ticket)["priority"] == "urgent"


def test_replies_and_notes_arrive_once_in_order_and_only_replies_are_public(world: SalesforceWorld) -> None:
    ticket, _ = opened(world)

    world.nextcap.customer_reply(ticket, "Are you there?")
    world.nextcap.agent_note(ticket, "He sounds worried")
    world.nextcap.agent_reply(ticket, "On our way")

    eventually(lambda: len(world.record(ticket)["comments"]) == 3, what="three comments")
    comments = world.record(ticket)["comments"]
    for words, public, told in zip(
        ("Are you there?", "He sounds worried", "On our way"), (True, False, True), comments, strict=True
    ):
        assert words in told["body"]
        assert told["public"] is public


def test_only_a_published_comment_of_a_colleague_is_a_reply(world: SalesforceWorld) -> None:
    ticket, case = opened(world)
    mails = len(world.nextcap.state()["emails"])

    world.salesforce.comment(case["id"], "Between us")
    world.salesforce.comment(case["id"], "We are coming", public=True)

    eventually(lambda: len([e for e in world.nextcap.timeline(ticket) if e["type"] in ("note", "reply")]) == 2)
    entries = {entry["type"]: entry for entry in world.nextcap.timeline(ticket) if entry["type"] in ("note", "reply")}
    assert "Between us" in entries["note"]["content"]
    assert entries["note"]["is_internal"] is True
    assert entries["reply"]["content"] == "We are coming"
    assert len(world.nextcap.state()["emails"]) == mails + 1


def test_the_owner_travels_both_ways_and_a_queue_is_nobody(world: SalesforceWorld) -> None:
    ticket, case = opened(world)
    ben = {person["email"]: person["id"] for person in world.nextcap.state()["members"]}["ben@acme.example"]

    world.nextcap.assign(ticket, "ben@acme.example")
    eventually(lambda: world.record(ticket)["owner"] == "Ben Berg", what="the owner")
    world.salesforce.give(case["id"], "Billing Queue")
    eventually(lambda: world.nextcap.ticket(ticket)["assigned_agent_id"] is None, what="unassigned")
    assert world.record(ticket)["owner"] == "Billing Queue"
    world.salesforce.give(case["id"], "ben@acme.example")

    eventually(lambda: world.nextcap.ticket(ticket)["assigned_agent_id"] == ben, what="the agent")


def test_a_case_made_in_salesforce_becomes_a_ticket(world: SalesforceWorld) -> None:
    case = world.salesforce.create_case("Called us", "About the bill", contact="caller@home.example", status="Working")

    eventually(
        lambda: any(
            one["subject"] == "Called us" and one["status"] == "open" for one in world.nextcap.state()["tickets"]
        ),
        what="the ticket",
    )
    made = [one for one in world.nextcap.state()["tickets"] if one["subject"] == "Called us"]
    assert len(made) == 1
    assert world.salesforce.case(case)["fields"]["Subject"] == "Called us"


def test_outbound_messages_are_acknowledged_and_heard(soap_world: SalesforceWorld) -> None:
    world = soap_world
    ticket, case = opened(world)

    world.salesforce.move(case["id"], "Closed")
    world.salesforce.comment(case["id"], "Between us")

    eventually(lambda: world.nextcap.ticket(ticket)["status"] == "resolved")
    eventually(lambda: "Between us" in [entry["content"] for entry in world.nextcap.timeline(ticket)])
    assert world.salesforce.deliveries.wait_idle()
    assert {one.state for one in world.salesforce.deliveries.all()} == {"delivered"}
    assert all(len(one.attempts) == 1 for one in world.salesforce.deliveries.all())


def test_a_burst_costs_at_most_one_call_for_a_hundred_changes(world: SalesforceWorld) -> None:
    world.nextcap.configure(rate_limit=60_000)
    tickets = [world.nextcap.create_ticket(subject=f"Burst {number}", description="x")["id"] for number in range(100)]
    eventually(lambda: all(world.salesforce.cases_of(one) for one in tickets), what="the cases")
    eventually(world.is_idle, what="quiet")
    world.nextcap.deliveries.pause()
    for turn in range(10):
        for ticket in tickets:
            world.nextcap.set_fields(ticket, {"subject": f"Turn {turn} of {ticket}"})
    world.salesforce.calls.reset()

    world.nextcap.deliveries.resume()

    eventually(
        lambda: all(values(world, one)["Subject"] == f"Turn 9 of {one}" for one in tickets), what="the last turn"
    )
    assert len(world.salesforce.calls.kept()) <= 10


def test_mails_and_posts_cross_once_and_nothing_is_mailed_again(forms_world: SalesforceWorld) -> None:
    world = forms_world
    ticket, case = opened(world)
    mails = len(world.nextcap.state()["emails"])

    def entries(kind: str) -> list[str]:
        return [one["content"] for one in world.nextcap.timeline(ticket) if one["type"] == kind]

    world.salesforce.email(case["id"], "It still burns", sender="cus@home.example")
    world.salesforce.email(case["id"], "Water is coming", incoming=False, to="cus@home.example")
    world.salesforce.post(case["id"], "He is right")
    eventually(lambda: len(entries("note")) == 3, what="three notes")
    world.nextcap.agent_note(ticket, "Ours")
    eventually(lambda: any("Ours" in one["Body"] for one in feed(world)), what="the post")
    world.salesforce.post(case["id"], "All is well", public=True)
    eventually(lambda: entries("reply") == ["All is well"], what="the reply")
    eventually(world.is_idle, what="quiet")

    assert sorted(entries("note")) == [
        "Email from Ana Agent:\n\nWater is coming",
        "Email from cus@home.example:\n\nIt still burns",
        "He is right",
        "Ours",
    ]
    assert [one["Visibility"] for one in feed(world) if "Ours" in one["Body"]] == ["InternalUsers"]
    assert world.record(ticket)["comments"] == []
    assert len(world.nextcap.state()["emails"]) == mails + 1
    assert len(world.salesforce.state()["emails"]) == 2


def feed(world: SalesforceWorld) -> list[dict[str, Any]]:
    """What was posted."""
    found = [one["fields"] for one in world.salesforce.state()["feed"]]
    return [one for one in found if one["Type"] == "TextPost"]


def test_cases_of_one_record_type_are_carried_and_others_are_told(typed_world: SalesforceWorld) -> None:
    world = typed_world
    types = {one.values["Name"]: one.id for one in world.salesforce.org.live("RecordType")}

    ticket, case = opened(world)
    world.salesforce.create_case("Of sales", fields={"RecordTypeId": types["Sales"]})
    world.salesforce.create_case("Of support", fields={"RecordTypeId": types["Support"]})
    world.nextcap.move(ticket, "open")

    assert case["fields"]["RecordTypeId"] == types["Support"]
    eventually(lambda: values(world, ticket)["Status"] == "Working")
    eventually(lambda: "Of support" in subjects(world))
    eventually(lambda: "not_carried" in [row.code for row in world.rows(tables.journal)])
    assert "Of sales" not in subjects(world)


def test_a_ticket_whose_id_several_cases_carry_waits_for_a_person(world: SalesforceWorld) -> None:
    """Their field is not unique: an upsert is answered 300. The one that is chosen is carried both ways."""
    our_field = world.salesforce.org.schema.objects["Case"].fields["NextCap_Ticket_Id__c"]
    our_field.unique = False
    world.salesforce.faults.add("status", method="PATCH", path="NextCap_Ticket_Id__c", times=None, status=503)
    ticket = world.nextcap.create_ticket(subject="Whose?", customer_email="cus@home.example")["id"]
    held = {"NextCap_Ticket_Id__c": ticket}
    other, chosen = (world.salesforce.create_case(one, fields=held) for one in ("Other", "Chosen"))
    world.salesforce.faults.clear()

    eventually(lambda: "ambiguous" in [row.code for row in world.rows(tables.parked)])
    (item,) = (row for row in world.rows(tables.parked) if row.code == "ambiguous")
    operators.relink(world.runtime.engine, item.id, chosen, by="a person")
    world.nextcap.agent_note(ticket, "Found it")
    eventually(lambda: len(world.salesforce.case(chosen)["comments"]) == 1, what="the note")
    world.salesforce.set_fields(other, {"Subject": "Still nobody's"})
    world.salesforce.set_fields(chosen, {"Subject": "Ours"})

    eventually(lambda: world.nextcap.ticket(ticket)["subject"] == "Ours")
    assert set(item.candidates) == {other, chosen}
    assert world.salesforce.case(other)["comments"] == []
    assert "Still nobody's" not in subjects(world)
    our_field.unique = True


def subjects(world: SalesforceWorld) -> list[str]:
    return [one["subject"] for one in world.nextcap.state()["tickets"]]
