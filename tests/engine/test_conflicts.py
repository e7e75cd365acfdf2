"""Rules of planning, as the engine keeps them: conflicts that ask, sets, refusals of one field, statuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.engine.context import NEXTCAP

from .harness import World
from .process import HUBSPOT, everywhere

pytestmark = everywhere

UPDATE = "POST /tickets/batch/update"
ASK: Mapping[str, Any] = {"subject": {"owner": "ask"}}


def both_change(world: World, ticket: str, record: str) -> None:
    """Each side changes the subject, 30 seconds apart."""
    world.nextcap.set_fields(ticket, {"subject": "Ours"})
    world.advance(30)
    world.hubspot.set_properties(record, {"subject": "Theirs"})


# -- conflicts that ask


def test_a_conflict_that_asks_holds_one_field_and_keeps_both_candidates(world: World) -> None:
    """The others go on, and both shadows stay where they were."""
    world.write_mapping(fields=ASK)
    ticket, record = world.linked(subject="Before", priority="low")
    both_change(world, ticket, record)
    world.nextcap.set_fields(ticket, {"priority": "high"})

    world.settle()

    (item,) = world.parked()
    assert (item["field"], item["nextcap"], item["crm"]) == ("subject", {"value": "Ours"}, {"value": "Theirs"})
    assert world.shadow(ticket, "subject") == ("Before", "Before")
    assert world.record(record)["hs_ticket_priority"] == "HIGH"
    assert (world.nextcap.ticket(ticket)["subject"], world.record(record)["subject"]) == ("Ours", "Theirs")


def test_a_conflict_that_asks_costs_nothing_until_something_changes(world: World) -> None:
    """No mark is left, no call is made, no second item appears."""
    world.write_mapping(fields=ASK)
    ticket, record = world.linked(subject="Before")
    both_change(world, ticket, record)
    world.settle()
    world.forget_calls()

    world.advance(36_000)
    world.settle()

    assert world.due_in(ticket) is None
    assert world.nextcap.calls.total == world.hubspot.calls.total == 0
    assert len(world.parked()) == 1


def test_a_held_field_is_decided_anew_when_one_side_changes_again(world: World) -> None:
    """The item then shows the newest candidates."""
    world.write_mapping(fields=ASK)
    ticket, record = world.linked(subject="Before")
    both_change(world, ticket, record)
    world.settle()

    world.nextcap.set_fields(ticket, {"subject": "Ours again"})
    world.settle()

    (item,) = world.parked()
    assert (item["nextcap"], item["crm"]) == ({"value": "Ours again"}, {"value": "Theirs"})


def test_a_held_field_that_comes_to_agree_waits_no_more(world: World) -> None:
    """People settled it themselves."""
    world.write_mapping(fields=ASK)
    ticket, record = world.linked(subject="Before")
    both_change(world, ticket, record)
    world.settle()

    world.nextcap.set_fields(ticket, {"subject": "Theirs"})
    world.settle()

    assert world.parked() == []
    assert world.shadow(ticket, "subject") == ("Theirs", "Theirs")


# -- sets


def test_tags_merge_element_by_element_against_the_shadow(world: World) -> None:
    """What either side added is in, what either side removed is out."""
    ticket, record = world.linked(tags=["login", "old"])
    world.nextcap.set_fields(ticket, {"tags": ["login", "vip"]})
    world.hubspot.set_properties(record, {"nextcap_tags": "emea; login; old"})

    world.settle()

    assert world.nextcap.ticket(ticket)["tags"] == ["emea", "login", "vip"]
    assert world.record(record)["nextcap_tags"] == "emea; login; vip"


def test_a_set_that_is_replaced_whole_is_read_in_the_drain_that_writes_it(world: World) -> None:
    """A tag that nobody told of survives."""
    ticket, record = world.linked(tags=["login"])
    world.nextcap.set_fields(ticket, {"tags": ["login", "unannounced"]})
    world.mail(NEXTCAP)
    world.advance(60)
    world.hubspot.set_properties(record, {"nextcap_tags": "emea; login", "subject": "Announces it"})

    world.settle()

    assert world.nextcap.ticket(ticket)["tags"] == ["emea", "login", "unannounced"]
    assert world.record(record)["nextcap_tags"] == "emea; login; unannounced"


# -- refusals that name a field


def test_a_refused_field_parks_alone_and_everything_else_goes_on(world: World) -> None:
    """Fields, the status and a reply of the same pass."""
    ticket, record = world.linked(subject="Before", priority="low")
    world.hubspot.remove_option("hs_ticket_priority", "URGENT")
    world.nextcap.agent_reply(ticket, "On it")
    world.nextcap.set_fields(ticket, {"subject": "After", "priority": "urgent", "status": "open"})

    world.settle()

    (item,) = world.parked()
    assert (item["field"], item["nextcap"]) == ("priority", {"value": "urgent"})
    assert world.record(record)["subject"] == "After"
    assert world.stage(record) == "Waiting on us"
    assert world.notes(record) == ["On it"]
    assert world.due_in(ticket) is None


def test_a_field_that_next_cap_refuses_parks_alone(world: World) -> None:
    """An agent who is disabled cannot be assigned; subject and status go on."""
    ticket, record = world.linked(subject="Before")
    owner = next(one for one in world.hubspot.state()["owners"] if one["email"] == "ben@acme.example")
    world.nextcap.faults.add(
        "status",
        method="POST",
        path="/assign$",
        status=400,
        body={"error": {"code": "VALIDATION_ERROR", "message": "no", "details": [{"field": "agent_id"}]}},
    )
    world.hubspot.set_properties(record, {"subject": "After", "hubspot_owner_id": str(owner["id"])})
    world.hubspot.move_stage(record, "Waiting on contact")

    world.settle()

    (item,) = world.parked()
    assert item["field"] == "assignee"
    assert world.nextcap.ticket(ticket)["subject"] == "After"
    assert world.nextcap.ticket(ticket)["status"] == "waiting_customer"


def test_a_value_outside_its_table_parks_alone(world: World) -> None:
    """`otherwise: stop`."""
    ticket, record = world.linked(subject="Before")
    world.hubspot.add_option("hs_ticket_priority", "SOMEDAY", "Some day")

    world.hubspot.set_properties(record, {"subject": "After", "hs_ticket_priority": "SOMEDAY"})
    world.settle()

    assert [item["field"] for item in world.parked()] == ["priority"]
    assert world.nextcap.ticket(ticket)["subject"] == "After"


# -- statuses


def test_statuses_that_were_over_before_we_looked_are_not_replayed(world: World) -> None:
    """Only what the ticket says now is written."""
    ticket, record = world.linked()
    for status in ("open", "waiting_customer", "open", "resolved"):
        world.nextcap.move(ticket, status)

    world.settle()

    assert world.stage(record) == "Closed"
    assert world.sent(HUBSPOT, UPDATE) == 1


def test_a_status_that_cannot_be_reached_settles_at_its_substitute(world: World) -> None:
    """Nothing leads back to `new`: `open` stands for it, and the pair is remembered as agreement."""
    ticket, record = world.linked()
    world.nextcap.move(ticket, "open")
    world.nextcap.move(ticket, "waiting_customer")
    world.settle()

    world.hubspot.move_stage(record, "New")
    world.settle()
    settled = (world.nextcap.ticket(ticket)["status"], world.stage(record))
    world.nextcap.set_fields(ticket, {"subject": "Something else"})
    world.settle()

    assert settled == ("open", "New")
    assert (world.nextcap.ticket(ticket)["status"], world.stage(record)) == ("open", "New")
    assert world.nextcap.state()["illegal_moves"] == []


def test_a_status_withheld_for_an_empty_field_goes_as_soon_as_the_field_is_filled(world: World) -> None:
    """It waits for the field and not for a person, whichever side fills it."""
    world.write_mapping(fields={"assignee": {"required_on": ["Closed"]}})
    ticket, record = world.linked()
    world.nextcap.move(ticket, "open")
    world.nextcap.move(ticket, "resolved")
    world.settle()
    waiting = [(item["field"], item["code"]) for item in world.parked()]
    owner = next(one for one in world.hubspot.state()["owners"] if one["email"] == "ben@acme.example")

    world.hubspot.set_properties(record, {"hubspot_owner_id": str(owner["id"])})
    world.settle()

    assert waiting == [("status", "required_field_empty")]
    assert world.parked() == []
    assert world.stage(record) == "Closed"


def test_a_record_is_made_without_a_status_whose_field_is_empty(world: World) -> None:
    """Some CRMs would refuse the whole record; the status follows as soon as it may."""
    world.write_mapping(fields={"assignee": {"required_on": ["Closed"]}})
    ticket = world.ticket()
    for status in ("open", "resolved"):
        world.nextcap.move(ticket, status)

    world.settle()

    assert world.stage(world.record_id(ticket)) == "New"
    assert [(item["field"], item["code"]) for item in world.parked()] == [("status", "required_field_empty")]
