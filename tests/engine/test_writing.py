"""Rules of writing: every write is an effect with a name, so that nothing is lost or doubled when an answer is."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

import pytest

from connector.engine.context import NEXTCAP
from connector.store import tables

from .harness import World
from .losses import LOOKED_FOR, LOST, SENT
from .process import HUBSPOT, everywhere

READ, UPDATE, UPSERT = "POST /tickets/batch/read", "POST /tickets/batch/update", "POST /tickets/batch/upsert"
PATCH, REOPEN, CREATE, LIST = "PATCH /tickets/:id", "POST /tickets/:id/reopen", "POST /crm/tickets", "GET /crm/tickets"
STAGE = "hs_pipeline_stage"
APPLIED = ("applied, silent", "applied, answered")


def moves(world: World, ticket: str) -> list[str]:
    """The statuses that a ticket went through."""
    return [str(one["new_value"]) for one in world.nextcap.timeline(ticket) if one["type"] == "status_changed"]


# -- an effect's life


@pytest.mark.parametrize(
    ("system", "call", "kind"),
    [
        (HUBSPOT, UPSERT, "create_crm"),
        (HUBSPOT, UPDATE, "update_crm"),
        (HUBSPOT, "POST /notes", "comment"),
        (NEXTCAP, CREATE, "create_nextcap"),
        (NEXTCAP, PATCH, "update_nextcap"),
        (NEXTCAP, REOPEN, "walk"),
        (NEXTCAP, "POST /tickets/:id/notes", "comment"),
    ],
)
def test_a_write_is_named_and_committed_as_sending_before_anything_is_sent(
    world: World, system: str, call: str, kind: str
) -> None:
    """Whoever takes over knows what may be under way, and until when nobody may look for it."""
    ticket, record = world.linked()
    world.nextcap.move(ticket, "closed")
    world.settle()
    seen: list[tuple[str, bool]] = []
    side = "crm" if system == HUBSPOT else "nextcap"
    other = world.new_process()

    def look() -> None:
        query = tables.effects.select().where(tables.effects.c.kind == kind, tables.effects.c.side == side)
        with other.engine.db.read() as connection:
            rows = connection.execute(query.where(tables.effects.c.state != "done")).all()
        until = world.clock.now() + timedelta(seconds=10)
        seen.extend((row.state, row.sending_until == until) for row in rows)

    world.process.taps[system].before(call, look)
    world.nextcap.set_fields(ticket, {"priority": "urgent"})
    world.nextcap.agent_reply(ticket, "A reply")
    world.ticket(subject="A new one")
    world.hubspot.set_properties(record, {"subject": "Changed"})
    world.hubspot.write_note(record, "<p>A note</p>")
    world.hubspot.move_stage(record, "Waiting on us")
    world.hubspot.create_ticket("Made in HubSpot")
    world.settle()

    assert set(seen) == {("sending", True)}


def test_what_a_done_effect_said_is_forgotten_and_what_it_made_is_not(world: World) -> None:
    """Identity stays, words go; writes of absolute values leave nothing but their shadows."""
    ticket, record = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.nextcap.agent_reply(ticket, "Words")
    world.settle()

    rows = {row.kind: row for row in world.effects(ticket)}

    assert set(rows) == {"create_crm", "comment"}
    assert rows["create_crm"].remote_id == f"record:{record}"
    assert all((row.state, row.payload) == ("done", {}) for row in rows.values())


# -- absolute values


@pytest.mark.parametrize("how", LOST)
def test_a_lost_answer_to_an_update_of_hubspot_is_settled_by_reading(world: World, how: str) -> None:
    """What it shows of ours is ours; what it does not show is written again."""
    ticket, record = world.linked(subject="Before")
    world.hubspot.faults.add(method="POST", path="tickets/batch/update$", **LOST[how])
    world.nextcap.set_fields(ticket, {"subject": "After"})

    world.pass_time(5)

    assert world.record(record)["subject"] == "After"
    assert world.shadow(ticket, "subject") == ("After", "After")
    assert world.sent(HUBSPOT, UPDATE) == (1 if how in APPLIED else 2)
    assert world.effects(ticket)[1:] == []
    assert world.due_in(ticket) is None


@pytest.mark.parametrize("how", LOST)
def test_a_lost_answer_to_an_update_of_next_cap_is_settled_by_reading(world: World, how: str) -> None:
    """The same the other way."""
    ticket, record = world.linked(subject="Before")
    world.nextcap.faults.add(method="PATCH", **LOST[how])
    world.hubspot.set_properties(record, {"subject": "After"})

    world.pass_time(5)

    assert world.nextcap.ticket(ticket)["subject"] == "After"
    assert world.shadow(ticket, "subject") == ("After", "After")
    assert world.sent(NEXTCAP, PATCH) == (1 if how in APPLIED else 2)
    assert world.due_in(ticket) is None


@pytest.mark.parametrize("how", LOST)
def test_a_lost_answer_to_a_batch_is_settled_for_each_of_its_tickets(world: World, how: str) -> None:
    """The batch got no usable answer as a whole: that is the connection's trouble, and costs no ticket a try."""
    pairs = [world.linked(subject="Before") for _ in range(3)]
    world.hubspot.faults.add(method="POST", path="tickets/batch/update$", **LOST[how])
    for ticket, _ in pairs:
        world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()

    ended = world.drain()
    tries = {row.attempts for row in world.rows(tables.links)}
    world.pass_time(5)

    assert ended.cause is not None
    assert tries == {0}
    assert all(world.record(record)["subject"] == "After" for _, record in pairs)
    assert all(world.shadow(ticket, "subject") == ("After", "After") for ticket, _ in pairs)


def test_a_change_of_a_person_after_a_lost_write_is_not_taken_for_ours(world: World) -> None:
    """Our value was applied, then somebody changed it in HubSpot: theirs is the newer."""
    ticket, record = world.linked(subject="Before")
    world.hubspot.faults.add("lost_answer", method="POST", path="tickets/batch/update$")
    world.nextcap.set_fields(ticket, {"subject": "Ours"})
    world.deliver()
    world.drain()
    world.advance(30)

    world.hubspot.set_properties(record, {"subject": "Theirs"})
    world.settle()

    assert world.nextcap.ticket(ticket)["subject"] == world.record(record)["subject"] == "Theirs"


def test_a_set_that_both_sides_are_given_moves_its_shadow_with_the_second_write(world: World) -> None:
    """HubSpot's half is written, Next Cap's answer is lost: the additions of both sides survive."""
    ticket, record = world.linked(tags=["login"])
    world.nextcap.faults.add("drop_before", method="PATCH")
    world.nextcap.set_fields(ticket, {"tags": ["login", "vip"]})
    world.hubspot.set_properties(record, {"nextcap_tags": "emea; login"})

    world.settle()
    between = world.shadow(ticket, "tags")
    world.pass_time(5)

    assert between == (("login",), "login")
    assert world.nextcap.ticket(ticket)["tags"] == ["emea", "login", "vip"]
    assert world.record(record)["nextcap_tags"] == "emea; login; vip"


# -- making the other half


@pytest.mark.parametrize("how", LOST)
def test_a_lost_answer_to_a_create_in_hubspot_makes_one_record(world: World, how: str) -> None:
    """HubSpot recognises our id, so the create is simply repeated."""
    world.linked()
    world.hubspot.faults.add(method="POST", path="tickets/batch/upsert$", **LOST[how])
    ticket = world.ticket(subject="New")

    world.pass_time(5)

    assert world.hubspot.state()["creates"][ticket] == 1
    assert world.link(ticket).record_id == world.record_id(ticket)
    assert len(world.nextcap.state()["tickets"]) == 2


@everywhere
@pytest.mark.parametrize("how", LOST)
def test_a_lost_answer_to_a_create_in_next_cap_makes_one_ticket(world: World, how: str) -> None:
    """Next Cap is looked through for the record's id in a ticket's metadata, once or twice, before it goes again."""
    world.linked()
    world.nextcap.faults.add(method="POST", path="/crm/tickets$", **LOST[how])
    record = world.hubspot.create_ticket("Made in HubSpot", stage="Waiting on us")

    world.pass_time(45)

    (ticket,) = [one["id"] for one in world.nextcap.state()["tickets"] if one["subject"] == "Made in HubSpot"]
    assert world.moments(NEXTCAP, CREATE) == SENT[how]
    assert world.moments(NEXTCAP, LIST) == LOOKED_FOR[how]
    assert world.record_id(ticket) == world.link(ticket).record_id == record
    assert world.nextcap.ticket(ticket)["status"] == "open"
    assert len(world.hubspot.state()["tickets"]) == 2


def test_a_create_that_met_a_limit_was_not_sent_and_is_not_looked_for(world: World) -> None:
    """A wait is no doubt: it is sent as soon as the vendor allows."""
    world.linked()
    world.nextcap.faults.add("status", method="POST", path="/crm/tickets$", status=429, headers={"Retry-After": "5"})
    world.hubspot.create_ticket("Made in HubSpot")

    world.pass_time(8)

    assert world.moments(NEXTCAP, CREATE) == [0, 5]
    assert world.moments(NEXTCAP, LIST) == []


def test_the_twin_of_a_ticket_that_we_make_gets_no_record_of_its_own(world: World) -> None:
    """Its webhook comes before the answer to our create: the ticket waits, then turns out to be ours."""
    world.linked()
    world.hubspot.create_ticket("Made in HubSpot")
    world.process.taps[NEXTCAP].after(CREATE, lambda: world.deliver(NEXTCAP))

    world.settle()
    world.advance(2)
    world.settle()

    assert len(world.nextcap.state()["tickets"]) == len(world.hubspot.state()["tickets"]) == 2
    assert len(world.rows(tables.tickets)) == len(world.rows(tables.links)) == 2


def test_the_twin_of_a_ticket_whose_create_is_in_doubt_waits(world: World) -> None:
    """The answer was lost, the webhook comes: it is adopted by the create, not made a ticket of its own."""
    world.linked()
    world.nextcap.faults.add("lost_answer", method="POST", path="/crm/tickets$")
    record = world.hubspot.create_ticket("Made in HubSpot")
    world.settle()
    waiting = len(world.hubspot.state()["tickets"])

    world.pass_time(15)

    assert waiting == len(world.hubspot.state()["tickets"]) == 2
    assert [world.link(one["id"]).record_id for one in world.nextcap.state()["tickets"]][1] == record
    assert len(world.rows(tables.links)) == 2


def test_a_create_in_doubt_holds_up_no_ticket_that_is_certainly_another(world: World) -> None:
    """A ticket whose reading names no record of ours in its metadata is nobody's twin."""
    world.linked()
    world.nextcap.faults.add("drop_before", method="POST", path="/crm/tickets$", times=None)
    world.hubspot.create_ticket("Made in HubSpot")
    world.settle()

    ticket = world.ticket(subject="Of a customer")
    world.settle()

    assert world.record(world.record_id(ticket))["subject"] == "Of a customer"


def test_a_ticket_that_copies_anothers_metadata_gets_its_own_record(world: World) -> None:
    """The record that it names is linked to another ticket for good."""
    world.linked()
    record = world.hubspot.create_ticket("Made in HubSpot")
    world.settle()

    copy = world.ticket(subject="A copy", metadata={HUBSPOT: record})
    world.pass_time(5)

    assert world.record_id(copy) != record
    assert world.due_in(copy) is None


def test_after_the_first_write_a_record_is_written_by_its_id(world: World) -> None:
    """The upsert is for a link without a record only."""
    ticket, _ = world.linked()

    for number in range(3):
        world.nextcap.set_fields(ticket, {"subject": f"Number {number}"})
        world.settle()

    assert (world.sent(HUBSPOT, UPSERT), world.sent(HUBSPOT, UPDATE)) == (0, 3)


# -- walks


@pytest.mark.parametrize("how", LOST)
@pytest.mark.parametrize("hop", ["first", "second"])
def test_a_lost_answer_on_a_walk_makes_no_step_twice(world: World, how: str, hop: str) -> None:
    """From closed by way of reopened: each step is made once, none is illegal."""
    ticket, record = world.linked()
    world.nextcap.move(ticket, "closed")
    world.settle()
    fault = {"method": "POST", "path": "/reopen$"} if hop == "first" else {"method": "PATCH"}
    world.nextcap.faults.add(**fault, **LOST[how])

    world.hubspot.move_stage(record, "Waiting on contact")
    world.pass_time(5)

    assert moves(world, ticket) == ["closed", "reopened", "waiting_customer"]
    assert world.nextcap.state()["illegal_moves"] == []
    assert world.stage(record) == "Waiting on contact"
    assert world.shadow(ticket, "status") == ("waiting_customer", world.record(record)[STAGE])
    assert world.due_in(ticket) is None


def test_each_hop_commits_next_caps_shadow_and_the_crms_is_known_with_the_last(world: World) -> None:
    """So whoever resumes knows which status is ours, and that the CRM's is still to be carried, whatever it is."""
    ticket, record = world.linked()
    world.nextcap.move(ticket, "closed")
    world.settle()
    world.hubspot.move_stage(record, "Waiting on contact")
    between: list[object] = []
    world.process.taps[NEXTCAP].before(PATCH, lambda: between.append(world.shadow(ticket, "status")))

    world.settle()

    assert between == [("reopened", None)]
    assert world.shadow(ticket, "status") == ("waiting_customer", world.record(record)[STAGE])


def with_a_walk_begun(world: World) -> tuple[str, str, str]:
    """A closed ticket, its record, which waits for the customer, and the status of the step that the walk got to."""
    ticket, record = world.linked()
    world.nextcap.move(ticket, "closed")
    world.settle()
    world.nextcap.faults.add("status", method="PATCH", status=502)
    world.hubspot.move_stage(record, "Waiting on contact")
    world.deliver()
    world.drain()
    return ticket, record, world.nextcap.ticket(ticket)["status"]


def test_a_walk_whose_goal_was_taken_back_while_it_was_interrupted_is_taken_back_too(world: World) -> None:
    """HubSpot stands where it stood before the walk, Next Cap on a step of it: both would pass for unchanged."""
    ticket, record, reached = with_a_walk_begun(world)

    world.hubspot.move_stage(record, "Closed")
    world.pass_time(5)

    assert reached == "reopened"
    assert (world.nextcap.ticket(ticket)["status"], world.stage(record)) == ("resolved", "Closed")
    assert world.nextcap.state()["illegal_moves"] == []


def test_a_status_off_the_unfinished_walk_is_a_persons(world: World) -> None:
    """Somebody moved the ticket while the walk was interrupted: their change is the newer, and the walk is off."""
    ticket, record, reached = with_a_walk_begun(world)

    world.advance(30.1)
    world.nextcap.move(ticket, "in_progress")
    world.settle()

    assert reached == "reopened"
    assert moves(world, ticket) == ["closed", "reopened", "in_progress"]
    assert world.stage(record) == "Waiting on us"


def test_a_move_that_next_cap_refuses_twice_is_left_to_a_person(world: World) -> None:
    """Its table allows the move, Next Cap does not: nobody tries for ever."""
    ticket, record = world.linked()
    refusal = {"error": {"code": "VALIDATION_ERROR", "message": "no", "details": [{"field": "status"}]}}
    world.nextcap.faults.add("status", method="PATCH", status=400, body=refusal, times=None)

    world.hubspot.move_stage(record, "Waiting on us")
    world.pass_time(10)

    assert [(item["field"], item["code"]) for item in world.parked()] == [("status", "walk_refused")]
    assert world.due_in(ticket) is None


def test_a_note_with_the_id_of_a_record_that_we_made_is_a_persons(world: World) -> None:
    """CRMs count their notes and their records each for themselves, so the two may be the same number."""
    ticket = world.ticket()
    world.settle()
    record = world.record_id(ticket)
    world.hubspot.portal._ids = count(int(record))

    note = world.hubspot.write_note(record, "<p>Called her</p>")
    world.settle()

    assert note == record
    assert world.said(ticket, "note") == ["Called her"]
