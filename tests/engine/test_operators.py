"""What a person decides: each decision does what it says, at once, and the journal names who made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from connector.domain.errors import NeedsReview
from connector.domain.ticket import Side
from connector.engine import operators, story
from connector.engine.context import NEXTCAP
from connector.store import parked, tables

from .harness import Parcel, World
from .process import HUBSPOT, everywhere

pytestmark = everywhere

UPDATE = "POST /tickets/batch/update"
ASK: Mapping[str, Any] = {"subject": {"owner": "ask"}}


def the_item(world: World) -> int:
    (item,) = world.parked()
    return int(item["id"])


def conflict(world: World) -> tuple[str, str, int]:
    """A subject that both sides changed; the ticket, its record, and the parked item."""
    world.write_mapping(fields=ASK)
    ticket, record = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "Ours"})
    world.hubspot.set_properties(record, {"subject": "Theirs"})
    world.settle()
    world.process.bells.clear()
    return ticket, record, the_item(world)


@pytest.mark.parametrize(("take", "subject"), [(Side.NEXTCAP, "Ours"), (Side.CRM, "Theirs")])
def test_a_conflict_is_settled_the_way_a_person_chose(world: World, take: Side, subject: str) -> None:
    """The chosen side's value goes to the other, and nothing waits any more."""
    ticket, record, item = conflict(world)

    operators.resolve(world.engine, item, take=take, by="ana")
    world.settle()

    assert world.nextcap.ticket(ticket)["subject"] == world.record(record)["subject"] == subject
    assert world.shadow(ticket, "subject") == (subject, subject)
    assert world.parked() == []
    assert f"ana chose {take}'s value of subject" in [line["text"] for line in world.lines(ticket)]


def test_a_field_whose_name_begins_like_a_comment_is_settled_too(world: World) -> None:
    """Only comments themselves, and a conversation that cannot be read, are no fields."""
    world.write_mapping(
        fields={"subject": None, "commentary": {"nextcap": "subject", "crm": "subject", "owner": "ask"}}
    )
    ticket, record = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "Ours"})
    world.hubspot.set_properties(record, {"subject": "Theirs"})
    world.settle()

    operators.resolve(world.engine, the_item(world), take=Side.CRM, by="ana")
    world.settle()

    assert world.nextcap.ticket(ticket)["subject"] == "Theirs"


def test_a_choice_made_while_the_ticket_is_being_worked_is_kept(world: World) -> None:
    """The pass that runs meanwhile must not put the old state back."""
    ticket, record, item = conflict(world)
    world.nextcap.set_fields(ticket, {"priority": "urgent"})
    world.process.taps[HUBSPOT].before(
        UPDATE, lambda: operators.resolve(world.new_process().engine, item, take=Side.CRM, by="ana")
    )

    world.settle()
    world.advance(21)
    world.settle()

    assert world.nextcap.ticket(ticket)["subject"] == world.record(record)["subject"] == "Theirs"
    assert world.record(record)["hs_ticket_priority"] == "URGENT"
    assert world.parked() == []


def test_what_is_no_conflict_cannot_be_resolved(world: World) -> None:
    """Neither twice, nor for a whole ticket."""
    _, _, item = conflict(world)
    operators.resolve(world.engine, item, take=Side.CRM, by="ana")

    with pytest.raises(NeedsReview, match="not an open conflict"):
        operators.resolve(world.engine, item, take=Side.CRM, by="ben")


def test_a_discarded_conflict_leaves_both_sides_as_they_are(world: World) -> None:
    """Both values are settled; the next change of either is carried."""
    ticket, record, item = conflict(world)

    operators.discard(world.engine, item, by="ana", reason="both are right")
    world.settle()
    between = (world.nextcap.ticket(ticket)["subject"], world.record(record)["subject"])
    world.nextcap.set_fields(ticket, {"subject": "New"})
    world.settle()

    assert between == ("Ours", "Theirs")
    assert world.record(record)["subject"] == "New"
    assert world.parked() == []
    (row,) = world.rows(tables.parked)
    assert (row.resolved_by, row.resolution) == ("ana", "discarded: both are right")


def test_a_refused_field_is_tried_again_when_a_person_asks(world: World) -> None:
    """The option was added in HubSpot meanwhile."""
    ticket, record = world.linked(priority="low")
    world.hubspot.remove_option("hs_ticket_priority", "URGENT")
    world.nextcap.set_fields(ticket, {"priority": "urgent"})
    world.settle()
    world.hubspot.add_option("hs_ticket_priority", "URGENT", "Urgent")

    done = operators.retry(world.engine, [the_item(world)], by="ana")
    world.settle()

    assert done == 1
    assert world.record(record)["hs_ticket_priority"] == "URGENT"
    assert world.parked() == []


def test_whoever_asks_why_is_told_in_the_first_sentence_what_waits(world: World) -> None:
    """The field, the reason, the item to settle it by, and the code under which the runbook says what to do."""
    ticket, _, item = conflict(world)

    (told,) = story.of_ticket(world.engine, ticket)

    assert "waits for a person: subject: " in told.answer
    assert f"(`connector parked list`, item {item}; docs/runbook.md, conflict)" in told.answer


@pytest.mark.parametrize("asks", [True, False])
def test_somebody_who_was_added_meanwhile_is_found(world: World, asks: bool) -> None:
    """At once where an operator asks for it, and by itself when everybody is listed the next time."""
    world.write_mapping(fields={"assignee": {"otherwise": {"to_crm": "stop"}}})
    world.hubspot.configure(owner_emails=["ben@acme.example"])
    ticket, record = world.linked()
    cleo = next(one["id"] for one in world.nextcap.state()["members"] if one["email"] == "cleo@acme.example")
    world.nextcap.set_fields(ticket, {"assigned_agent_id": cleo})
    world.settle()
    item = the_item(world)

    world.hubspot.configure(owner_emails=["ben@acme.example", "cleo@acme.example"])
    if asks:
        operators.retry(world.engine, [item], by="ana")
    else:
        world.advance(3601)
        world.nextcap.set_fields(ticket, {"subject": "Something else happens"})
    world.settle()

    owners = {one["id"]: one["email"] for one in world.hubspot.state()["owners"]}
    assert owners[world.record(record)["hubspot_owner_id"]] == "cleo@acme.example"
    assert world.parked() == []


def test_a_retry_that_fails_again_waits_again(world: World) -> None:
    """Nothing disappears."""
    ticket, _ = world.linked(priority="low")
    world.hubspot.remove_option("hs_ticket_priority", "URGENT")
    world.nextcap.set_fields(ticket, {"priority": "urgent"})
    world.settle()
    first = the_item(world)

    operators.retry(world.engine, [first], by="ana")
    world.settle()

    assert the_item(world) != first


def test_a_refused_comment_is_sent_when_a_person_asks(world: World) -> None:
    """Once."""
    ticket, record = world.linked()
    world.nextcap.configure(content_limit=5)
    world.hubspot.write_note(record, "<p>#reply Too long</p>")
    world.settle()
    world.nextcap.configure(content_limit=0)

    operators.retry(world.engine, [the_item(world)], by="ana")
    world.settle()

    assert world.said(ticket, "reply") == ["Too long"]
    assert world.parked() == []


def test_everything_that_waits_for_one_cause_is_tried_again_together(world: World) -> None:
    """Other causes wait on."""
    pairs = [world.linked(priority="low") for _ in range(3)]
    world.hubspot.remove_option("hs_ticket_priority", "URGENT")
    for ticket, _ in pairs:
        world.nextcap.set_fields(ticket, {"priority": "urgent"})
    world.hubspot.add_option("hs_ticket_priority", "SOMEDAY", "Some day")
    other, other_record = world.linked()
    world.hubspot.set_properties(other_record, {"hs_ticket_priority": "SOMEDAY"})
    world.settle()
    codes = {str(item["code"]) for item in world.parked()}
    cause = next(str(item["code"]) for item in world.parked() if item["nextcap_id"] != other)
    world.hubspot.add_option("hs_ticket_priority", "URGENT", "Urgent")

    done = operators.retry_all(world.engine, by="ana", name=HUBSPOT, code=cause)
    world.settle()

    assert (len(codes), done) == (2, 3)
    assert [world.record(record)["hs_ticket_priority"] for _, record in pairs] == ["URGENT"] * 3
    assert [item["nextcap_id"] for item in world.parked()] == [other]


def ambiguous(world: World) -> tuple[str, list[str]]:
    """A ticket that two HubSpot records may be; the ticket and the records."""
    world.write_mapping(create="to_crm", find=[{"crm": "subject", "nextcap": "subject"}])
    records = [world.hubspot.create_ticket("The same") for _ in range(2)]
    world.settle()
    ticket = world.ticket(subject="The same", priority="high")
    world.settle()
    return ticket, records


def test_an_ambiguous_ticket_is_joined_to_the_record_that_a_person_chose(world: World) -> None:
    """The candidates are shown, none is made, and the join is first contact."""
    ticket, records = ambiguous(world)
    (item,) = world.parked()

    operators.relink(world.engine, int(item["id"]), records[1], by="ana")
    world.settle()

    assert (item["code"], sorted(item["candidates"])) == ("ambiguous", sorted(records))
    assert world.link(ticket).record_id == records[1]
    assert world.record(records[1])["hs_ticket_priority"] == "HIGH"
    assert world.parked() == []


def test_a_record_of_another_ticket_cannot_be_taken(world: World) -> None:
    """The item stays open."""
    _, taken = world.linked()
    ambiguous(world)
    item = the_item(world)

    with pytest.raises(NeedsReview, match="another ticket"):
        operators.relink(world.engine, item, taken, by="ana")

    assert the_item(world) == item


def test_a_ticket_that_is_joined_to_another_record_meets_it_for_the_first_time(world: World) -> None:
    """What its old record had said counts no more: nothing of the new one is taken for a change."""
    _, survivor = world.linked()
    ticket, record = world.linked(subject="Before", description="Ours")
    world.write_mapping(create="to_crm")
    other = world.hubspot.create_ticket("Another", content="Theirs")
    world.hubspot.merge_tickets(survivor, record)
    world.settle()

    operators.relink(world.engine, the_item(world), other, by="ana")
    world.settle()

    assert world.link(ticket).record_id == other
    assert world.nextcap.ticket(ticket)["description"] == "Ours"
    assert world.record(other)["content"] == "Theirs"


# -- deliveries


def unreadable(world: World) -> Parcel:
    """A delivery that is Next Cap's and that nobody can read."""
    parcel = world.forge("ticket.updated")
    world.post(parcel)
    return parcel


def test_a_delivery_that_is_signed_and_unreadable_is_kept_for_a_person(world: World) -> None:
    """It is answered as received; it comes again and again, and waits once."""
    parcel = unreadable(world)
    world.post(parcel)

    (item,) = world.parked()
    assert (item["connection"], item["code"]) == (NEXTCAP, "no_ticket_id")
    assert item["delivery_id"] is not None


def test_a_delivery_that_is_still_unreadable_waits_on(world: World) -> None:
    """A retry of it is no way to lose it."""
    unreadable(world)

    done = operators.retry_all(world.engine, by="ana")

    assert done == 0
    assert len(world.parked()) == 1


def test_a_wrong_signature_keeps_nothing(world: World) -> None:
    """Neither the body nor a line."""
    ticket, _ = world.linked()
    world.nextcap.set_fields(ticket, {"subject": "After"})
    (parcel,) = world.mail(NEXTCAP)
    stored = len(world.rows(tables.deliveries))

    world.post(Parcel(parcel.source, parcel.body + b" ", parcel.headers, parcel.events), answered=401)

    assert len(world.rows(tables.deliveries)) == stored
    assert world.due_in(ticket) is None


def test_a_stored_delivery_can_be_taken_in_again(world: World) -> None:
    """As if it had come now."""
    ticket, _ = world.linked()
    world.nextcap.configure(payload="id_only")
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver(NEXTCAP)
    world.drain()
    delivery = world.rows(tables.deliveries, connection=NEXTCAP)[-1].id

    receipt = operators.replay(world.engine, delivery)

    assert receipt.events == 1
    assert world.due_in(ticket) == 0


def test_a_resync_looks_at_both_sides_whole(world: World) -> None:
    """It finds what no webhook told of, on either side."""
    ticket, record = world.linked()
    world.nextcap.agent_note(ticket, "Unheard")
    world.hubspot.set_properties(record, {"content": "Unheard too"})
    world.mail()

    operators.resync(world.engine, world.link(ticket).id, by="ana")
    world.settle()

    assert world.notes(record) == ["Unheard"]
    assert world.nextcap.ticket(ticket)["description"] == "Unheard too"


@pytest.mark.parametrize("decision", ["retry", "resolve", "resync"])
def test_a_decision_rings_at_once(world: World, decision: str) -> None:
    """Nobody waits for the sweep, and no bell is noted that was not rung."""
    ticket, _, item = conflict(world)

    if decision == "retry":
        operators.retry(world.engine, [item], by="ana")
    elif decision == "resolve":
        operators.resolve(world.engine, item, take=Side.CRM, by="ana")
    else:
        operators.resync(world.engine, world.link(ticket).id, by="ana")

    assert world.process.bells == [HUBSPOT]


def test_items_of_a_ticket_name_it(world: World) -> None:
    """Its number, its id and its record, for whoever has to decide."""
    ticket, record, item = conflict(world)

    with world.engine.db.read() as connection:
        (found,) = parked.listed(connection, name=HUBSPOT, code="conflict")

    assert (found["id"], found["nextcap_id"], found["record_id"]) == (item, ticket, record)
    assert found["number"] == str(world.nextcap.ticket(ticket)["ticket_number"])
