"""Rules of planning, as the engine keeps them: shadows, first contact, and which change is the newest."""

from __future__ import annotations

import pytest

from connector.engine.context import NEXTCAP
from connector.sandbox.kernel import iso

from .harness import World
from .process import HUBSPOT

READ, UPDATE = "POST /tickets/batch/read", "POST /tickets/batch/update"


def both_change(world: World, ticket: str, record: str) -> None:
    """Each side changes the subject, 30 seconds apart."""
    world.nextcap.set_fields(ticket, {"subject": "Ours"})
    world.advance(30)
    world.hubspot.set_properties(record, {"subject": "Theirs"})


# -- shadows


def test_a_write_that_failed_leaves_both_shadows_where_they_were(world: World) -> None:
    """So the change is still seen as one, and carried as soon as it can be."""
    ticket, record = world.linked(subject="Before")
    world.hubspot.fail("error", "POST", "batch/update", times=1)
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()

    world.drain()
    between = world.shadow(ticket, "subject")
    world.advance(2)
    world.settle()

    assert between == ("Before", "Before")
    assert world.shadow(ticket, "subject") == ("After", "After")
    assert world.record(record)["subject"] == "After"


def test_a_write_that_was_refused_leaves_both_shadows_where_they_were(world: World) -> None:
    """What HubSpot does not take is not what HubSpot says."""
    ticket, _ = world.linked(priority="low")
    world.hubspot.remove_option("hs_ticket_priority", "URGENT")

    world.nextcap.set_fields(ticket, {"priority": "urgent"})
    world.settle()

    assert world.shadow(ticket, "priority") == ("low", "LOW")


def test_a_field_that_both_sides_changed_alike_is_settled_without_a_write(world: World) -> None:
    """Agreement moves both shadows."""
    ticket, record = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "Same"})
    world.hubspot.set_properties(record, {"subject": "Same"})

    world.settle()

    assert world.shadow(ticket, "subject") == ("Same", "Same")
    assert world.sent(HUBSPOT, UPDATE) == 0
    assert world.sent(NEXTCAP, "PATCH /tickets/:id") == 0


def test_the_shadow_of_the_target_is_what_its_answer_shows(world: World) -> None:
    """HubSpot's own automation changes a field on the way; the change comes back as one of HubSpot's."""
    ticket, record = world.linked(subject="Before", priority="low")
    world.hubspot.add_workflow("hs_ticket_priority", "URGENT", {"subject": "URGENT: Before"})

    world.nextcap.set_fields(ticket, {"priority": "urgent"})
    world.settle()

    assert world.nextcap.ticket(ticket)["subject"] == world.record(record)["subject"] == "URGENT: Before"
    assert world.shadow(ticket, "priority") == ("urgent", "URGENT")


def test_an_answer_that_shows_another_value_than_was_written_is_a_change_of_that_side(world: World) -> None:
    """A workflow inside the very request: its value travels as if it had come a moment later."""
    ticket, record = world.linked(priority="low")
    world.hubspot.add_workflow("hs_ticket_priority", "URGENT", {"hs_ticket_priority": "MEDIUM"})

    world.nextcap.set_fields(ticket, {"priority": "urgent"})
    world.settle()

    assert world.record(record)["hs_ticket_priority"] == "MEDIUM"
    assert world.nextcap.ticket(ticket)["priority"] == "normal"
    assert world.shadow(ticket, "priority") == ("normal", "MEDIUM")
    assert "answered_otherwise" in world.codes(ticket)
    assert world.sent(HUBSPOT, UPDATE) == 1


def test_two_automations_that_answer_each_other_inside_our_requests_are_stopped(world: World) -> None:
    """HubSpot's gives another value at once, Next Cap's people put theirs back: the loop breaker asks a person."""
    ticket, _ = world.linked(priority="low")
    world.hubspot.add_workflow("hs_ticket_priority", "URGENT", {"hs_ticket_priority": "MEDIUM"})

    for _ in range(12):
        world.nextcap.set_fields(ticket, {"priority": "urgent"})
        world.settle()

    assert [one["code"] for one in world.parked()] == ["loop"]
    assert world.sent(HUBSPOT, UPDATE) < 8
    assert world.due_in(ticket) is None


def test_a_body_that_no_person_changed_is_never_rewritten(world: World) -> None:
    """Line ends differ between systems; their normal form does not."""
    ticket, _ = world.linked(description="One\r\nTwo\r\n")

    world.nextcap.set_fields(ticket, {"priority": "high"})
    world.settle()
    world.advance(60)
    world.nextcap.set_fields(ticket, {"priority": "low"})
    world.settle()

    assert world.nextcap.ticket(ticket)["description"] == "One\r\nTwo\r\n"
    assert world.sent(NEXTCAP, "PATCH /tickets/:id") == 0


# -- first contact


@pytest.mark.parametrize(
    ("first", "ours", "theirs"),
    [("fill_empty", "Ours", "Theirs"), ("nextcap", "Ours", "Ours"), ("crm", "Theirs", "Theirs")],
)
def test_a_field_that_is_new_in_the_mapping_is_first_contact(world: World, first: str, ours: str, theirs: str) -> None:
    """Two values that were there before are no conflict: the mapping says what becomes of them."""
    world.write_mapping(fields={"description": None})
    ticket, record = world.linked(description="Ours")
    world.hubspot.set_properties(record, {"content": "Theirs"})
    world.settle()

    world.write_mapping(fields={"description": {"first": first}})
    world.nextcap.set_fields(ticket, {"priority": "high"})
    world.settle()

    assert (world.nextcap.ticket(ticket)["description"], world.record(record)["content"]) == (ours, theirs)
    assert world.parked() == []


@pytest.mark.parametrize("ours", ["Ours", ""])
def test_first_contact_fills_the_side_that_is_empty(world: World, ours: str) -> None:
    """`fill_empty`, either way."""
    world.write_mapping(fields={"description": None})
    ticket, record = world.linked(description=ours)
    if not ours:
        world.hubspot.set_properties(record, {"content": "Theirs"})
        world.settle()

    world.write_mapping()
    world.nextcap.set_fields(ticket, {"priority": "high"})
    world.settle()

    assert world.nextcap.ticket(ticket)["description"] == world.record(record)["content"] == (ours or "Theirs")


def test_first_contact_that_asks_keeps_both_candidates_whatever_is_read(world: World) -> None:
    """A pass that reads neither side must not forget what HubSpot said."""
    world.write_mapping(fields={"description": None})
    ticket, record = world.linked(description="Ours")
    world.hubspot.set_properties(record, {"content": "Theirs"})
    world.settle()
    world.write_mapping(fields={"description": {"first": "ask"}})
    world.nextcap.set_fields(ticket, {"priority": "high"})
    world.settle()

    world.advance(60)
    world.nextcap.agent_note(ticket, "Nothing changes by this")
    world.poll()
    world.settle()

    (item,) = world.parked()
    assert (item["nextcap"], item["crm"]) == ({"value": "Ours"}, {"value": "Theirs"})


# -- who is the newest


@pytest.mark.parametrize(("apart", "winner"), [(30.0, "Theirs"), (1.0, "Ours"), (-30.0, "Ours")])
def test_newest_compares_the_moments_at_which_the_field_changed(world: World, apart: float, winner: str) -> None:
    """Under two seconds apart Next Cap wins."""
    ticket, record = world.linked(subject="Before")
    if apart > 0:
        world.nextcap.set_fields(ticket, {"subject": "Ours"})
    else:
        world.hubspot.set_properties(record, {"subject": "Theirs"})
    world.advance(abs(apart))
    if apart > 0:
        world.hubspot.set_properties(record, {"subject": "Theirs"})
    else:
        world.nextcap.set_fields(ticket, {"subject": "Ours"})

    world.settle()

    assert world.nextcap.ticket(ticket)["subject"] == world.record(record)["subject"] == winner


def test_newest_goes_by_the_vendors_moment_and_not_by_the_order_of_arrival(world: World) -> None:
    """HubSpot's change was the later, its webhook the earlier."""
    ticket, record = world.linked(subject="Before")
    both_change(world, ticket, record)
    world.hubspot.set_properties(record, {"hs_ticket_priority": "HIGH"})
    ours, theirs = world.mail(NEXTCAP), world.mail(HUBSPOT)

    for parcel in [*theirs, *ours]:
        world.post(parcel)
    world.settle()

    assert world.nextcap.ticket(ticket)["subject"] == world.record(record)["subject"] == "Theirs"


def test_newest_goes_by_the_field_and_not_by_the_record(world: World) -> None:
    """A later change of another field says nothing of this one."""
    ticket, record = world.linked(subject="Before", priority="low")
    both_change(world, ticket, record)
    world.advance(30)
    world.nextcap.set_fields(ticket, {"priority": "high"})

    world.settle()

    assert world.nextcap.ticket(ticket)["subject"] == world.record(record)["subject"] == "Theirs"


def test_a_moment_of_long_ago_does_not_speak_for_a_change_that_nobody_told_of(world: World) -> None:
    """HubSpot's field changed yesterday, and again just now without a webhook: now is what counts."""
    ticket, record = world.linked(subject="Before")
    world.hubspot.set_properties(record, {"subject": "Yesterday"})
    world.settle()
    world.advance(86_400)
    world.nextcap.set_fields(ticket, {"subject": "Ours"})
    world.advance(600)
    world.hubspot.set_properties(record, {"subject": "Theirs"})
    world.mail(HUBSPOT)

    world.settle()

    assert world.nextcap.ticket(ticket)["subject"] == world.record(record)["subject"] == "Theirs"


def test_an_older_event_that_comes_late_does_not_set_the_moment_back(world: World) -> None:
    """HubSpot sends the events of one property in any order."""
    ticket, record = world.linked(subject="Before")
    world.hubspot.set_properties(record, {"subject": "First"})
    world.advance(60)
    world.nextcap.set_fields(ticket, {"subject": "Ours"})
    world.advance(60)
    world.hubspot.set_properties(record, {"subject": "Second"})

    for parcel in [*world.mail(NEXTCAP), *reversed(world.mail(HUBSPOT))]:
        world.post(parcel)
    world.settle()

    assert world.nextcap.ticket(ticket)["subject"] == world.record(record)["subject"] == "Second"


def test_when_the_crm_changed_is_still_known_after_a_pass_that_could_not_look(world: World) -> None:
    """Else the older of two changes would count as the newer after every outage."""
    ticket, record = world.linked(subject="Before")
    world.hubspot.set_properties(record, {"content": "Read once"})
    world.settle()
    world.hubspot.set_properties(record, {"subject": "Theirs"})
    world.deliver()
    world.post(world.forge("ticket.updated", ticket_id=ticket))
    world.nextcap.faults.add("status", status=503, times=None)
    world.drain()
    world.nextcap.faults.clear()
    for _ in range(2):
        world.advance(30)
        world.nextcap.set_fields(ticket, {"subject": "Ours"})
        world.deliver()

    world.settle()

    assert world.nextcap.ticket(ticket)["subject"] == "Ours"
    assert world.record(record)["subject"] == "Ours"


# -- departments


DEPARTMENT = {"department": {"nextcap": "department_id", "crm": "nextcap_department", "department": True}}


def test_a_department_is_called_as_a_ticket_shows_it_and_what_waited_for_its_name_goes_on(world: World) -> None:
    """Next Cap has no list of departments: only its tickets say what one is called."""
    world.write_mapping(fields=DEPARTMENT)
    waiting, record = world.linked()
    support = next(iter(world.nextcap.world.departments.values()))
    world.nextcap.transfer(waiting, support.name)
    world.settle()
    parked = [item["code"] for item in world.parked()]
    teller = world.ticket()
    world.settle()

    world.advance(5)
    news = {"department_id": support.id, "department": {"id": support.id, "name": "Help"}}
    news["updated_at"] = iso(world.clock.now())
    world.post(world.forge("ticket.updated", **world.nextcap.ticket(teller) | news))
    world.settle()

    assert parked == ["department_unknown"]
    assert world.record(record)["nextcap_department"] == "Help"
    assert not world.parked()
