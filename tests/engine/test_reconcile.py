"""What webhooks dropped is found by looking: within minutes, cheaply, in a lane of its own, and told as drift."""

from __future__ import annotations

from typing import Any

import pytest

from connector.domain.rules import Direction
from connector.engine import status
from connector.engine.context import NEXTCAP
from connector.sandbox.nextcap_web import CRM
from connector.store import connections, drifts, links, pauses, tables

from .harness import World
from .process import HUBSPOT, everywhere

pytestmark = everywhere

TIMELINE = f"{CRM}/tickets/<ticket_id>/events"
SEARCH = "/search"


def look(world: World, seconds: float = 240, **paces: Any) -> None:
    """Let time pass as beat and the workers see it, half a minute a step."""
    for _ in range(int(seconds / 30)):
        world.advance(30)
        world.poll()
        world.process.reconcile(**paces)
        world.settle()


def drift(world: World) -> dict[str, int]:
    """How many differences nobody told of, by side."""
    with world.engine.db.read() as connection:
        rows = drifts.per_day(connection, since=world.clock.began)
    return {side: count for _, side, _, count in rows}


def why(world: World, ticket: str) -> list[str]:
    """What the journal says of drift."""
    return [str(row["text"]) for row in world.lines(ticket) if row["code"] == "no_webhook"]


@pytest.fixture
def deaf(world: World) -> World:
    """A world whose webhooks are all lost, with the first looks behind it."""
    world.silent = {NEXTCAP, HUBSPOT}
    look(world, 30)
    return world


# -- with all webhooks off


def test_without_any_webhook_both_sides_still_converge(deaf: World) -> None:
    """Tickets, records, fields, statuses, replies, notes, deletions, both ways, within five minutes."""
    ours = deaf.ticket(subject="From Next Cap")
    theirs = deaf.hubspot.create_ticket("From HubSpot", content="Hello", contact="bo@home.example")
    look(deaf)
    record = deaf.record_id(ours)
    (made,) = (one for one in deaf.nextcap.state()["tickets"] if one["subject"] == "From HubSpot")

    deaf.nextcap.set_fields(ours, {"subject": "Changed in Next Cap", "priority": "high"})
    deaf.hubspot.set_properties(theirs, {"subject": "Changed in HubSpot"})
    deaf.nextcap.customer_reply(ours, "Any news?")
    deaf.nextcap.agent_note(ours, "Look at the log")
    deaf.hubspot.write_note(record, "<p>#reply We are at it</p>")
    deaf.hubspot.write_note(theirs, "<p>Seen before</p>")
    look(deaf, 300)

    assert deaf.record(record)["subject"] == "Changed in Next Cap"
    assert deaf.record(record)["hs_ticket_priority"] == "HIGH"
    assert deaf.nextcap.ticket(made["id"])["subject"] == "Changed in HubSpot"
    assert {"Any news?", "Look at the log"} <= set(deaf.notes(record))
    assert "We are at it" in deaf.said(ours, "reply")
    assert any("Seen before" in one for one in deaf.said(made["id"], "note"))

    deaf.hubspot.move_stage(record, "Closed")
    deaf.hubspot.archive_ticket(theirs)
    look(deaf, 240, rotation=120.0)

    assert deaf.nextcap.ticket(ours)["status"] == "resolved"
    assert deaf.link(made["id"]).state == links.GONE

    deaf.nextcap.customer_reply(ours, "It is back")
    deaf.hubspot.restore_ticket(theirs)
    look(deaf, 300)

    assert deaf.stage(record) == "Waiting on us"
    assert deaf.link(made["id"]).state == links.ACTIVE


def test_a_lost_change_of_a_ticket_that_is_worked_anyway_is_looked_at_with_it(world: World) -> None:
    """What it is due for need not lead to the record; the next sweep would not show the change again."""
    ticket, record = world.linked(subject="Before")
    look(world, 30)
    world.hubspot.set_properties(record, {"subject": "Lost"})
    world.mail()
    world.nextcap.set_fields(ticket, {"metadata": {"internal": "1"}})
    world.deliver(NEXTCAP)
    assert world.due_in(ticket) is not None

    world.advance(30)
    world.process.reconcile(sweep=1.0)
    world.settle()

    assert world.nextcap.ticket(ticket)["subject"] == "Lost"


def test_a_lost_webhook_of_either_side_is_found_and_told_of(world: World) -> None:
    """The journal says that nobody told; other tickets' webhooks arrive as ever."""
    ours, record = world.linked()
    theirs, their_record = world.linked()
    told, told_record = world.linked()
    look(world, 30)
    world.nextcap.set_fields(ours, {"subject": "Lost one"})
    world.hubspot.set_properties(their_record, {"content": "Lost two"})
    world.mail()
    world.nextcap.set_fields(told, {"subject": "Told one"})
    world.hubspot.set_properties(told_record, {"content": "Told two"})

    look(world, 300)

    assert world.record(record)["subject"] == "Lost one"
    assert world.nextcap.ticket(theirs)["description"] == "Lost two"
    assert drift(world) == {"nextcap": 1, "crm": 1}
    assert why(world, ours) == ["no webhook told of this: subject in Next Cap; found by looking"]
    assert why(world, theirs) == ["no webhook told of this: content in HubSpot; found by looking"]
    assert why(world, told) == []


def test_a_webhook_that_comes_after_the_look_is_late_and_not_lost(world: World) -> None:
    ticket, record = world.linked()
    look(world, 30)
    world.advance(120)
    world.nextcap.set_fields(ticket, {"subject": "One"})
    world.hubspot.set_properties(record, {"content": "Two"})
    late = world.mail()
    world.poll()
    world.process.reconcile()
    world.settle()
    world.advance(50)
    for parcel in late:
        world.post(parcel)

    look(world, 300)

    assert (world.record(record)["subject"], world.nextcap.ticket(ticket)["description"]) == ("One", "Two")
    assert drift(world) == {}


# -- cost


def test_a_quiet_account_costs_two_searches_a_sweep(world: World) -> None:
    """What was seen, and what we wrote ourselves, is looked at no second time."""
    ticket, _ = world.linked()
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.nextcap.agent_reply(ticket, "A reply, so a note of ours")
    world.settle()
    look(world, 300)
    world.forget_calls()

    look(world, 600)

    assert world.sent(HUBSPOT, f"POST /tickets{SEARCH}") == 5
    assert world.sent(HUBSPOT, f"POST /notes{SEARCH}") == 5
    # And where the listed notes belong, and once who people are.
    assert len(world.process.taps[HUBSPOT].calls) <= 10 + 5 + 1


def test_records_that_nobody_carries_are_not_read(world: World) -> None:
    world.write_mapping(create="to_crm")
    look(world, 150)
    world.hubspot.create_ticket("A stranger", contact="bo@home.example")
    world.mail()
    world.forget_calls()

    look(world, 300)

    assert world.sent(HUBSPOT, "POST /tickets/batch/read") == 0
    assert world.rows(tables.links) == []


def test_looking_is_done_in_a_lane_of_its_own(world: World) -> None:
    world.linked()
    world.advance(200)

    world.process.reconcile(rotation=60.0)

    (bucket,) = (one for one in status.figures(world.engine).limits if (one.system, one.name) == (HUBSPOT, "default"))
    assert bucket.usage is not None
    assert set(bucket.usage.lanes) == {"reconcile"}


# -- sweeps


def test_a_sweep_that_meets_a_limit_goes_on_where_it_was_in_another_process(world: World) -> None:
    world.write_mapping(create="to_crm")
    ticket, record = world.linked()
    world.advance(1000)
    for number in range(205):
        world.hubspot.create_ticket(f"T{number}", contact="bo@home.example")
        world.hubspot.clock.advance(0.01)
    world.hubspot.set_properties(record, {"subject": "On the second page"})
    world.mail()
    world.hubspot.faults.add("delay", path="tickets/search", times=1)
    world.hubspot.fail("search", path="tickets/search", retry_after=5.0)

    world.process.reconcile()
    before = world.nextcap.ticket(ticket)["subject"]
    world.restart()
    world.forget_calls()
    look(world, 150)

    assert before == "Cannot log in"
    assert world.nextcap.ticket(ticket)["subject"] == "On the second page"
    assert world.sent(HUBSPOT, f"POST /tickets{SEARCH}") == 1 + 2  # The rest of the first sweep, and a whole one.


def test_a_long_list_of_next_cap_that_meets_a_limit_goes_on_where_it_was(deaf: World) -> None:
    """A look that always began anew would never come to its end where calls are few."""
    for number in range(120):
        deaf.nextcap.create_ticket(subject=f"T{number}", customer_email="jo@home.example")
    deaf.nextcap.faults.add("delay", method="GET", path="/tickets", times=1)
    deaf.nextcap.faults.add("status", method="GET", path="/tickets", status=429, headers={"Retry-After": "5"})
    deaf.advance(15)

    first = deaf.poll()
    deaf.advance(6)
    deaf.forget_calls()
    deaf.restart()
    second = deaf.poll()

    assert (first, second) == (100, 20)
    assert deaf.sent(NEXTCAP, "GET /external/crm/tickets") == 1
    assert len(deaf.rows(tables.tickets)) == 120


def test_a_list_that_is_late_is_no_drift(world: World) -> None:
    """The index still shows what was before our own write: one read, and nothing more."""
    ticket, record = world.linked()
    look(world, 300)
    world.hubspot.configure(search_lag=20.0)
    world.hubspot.set_properties(record, {"content": "Touched"})
    world.settle()
    world.advance(25)
    world.nextcap.set_fields(ticket, {"subject": "Ours"})
    world.settle()

    look(world, 300)

    assert world.record(record)["subject"] == "Ours"
    assert drift(world) == {}


def test_two_processes_take_turns(world: World) -> None:
    world.linked()
    world.advance(200)
    second = world.new_process()
    world.forget_calls()

    world.process.reconcile()
    second.reconcile()

    assert len(world.process.taps[HUBSPOT].calls) > 0
    assert second.taps[HUBSPOT].calls == []


@pytest.mark.parametrize("held", ["paused", "closed"])
def test_a_system_that_is_not_to_be_called_is_not_looked_at(world: World, held: str) -> None:
    world.linked()
    world.advance(200)
    world.forget_calls()
    with world.engine.db.write() as connection:
        if held == "paused":
            told = {"code": pauses.PERSON, "reason": "asked", "by": "ops", "now": world.clock.now()}
            pauses.close(connection, HUBSPOT, Direction.BOTH, **told)
        else:
            connections.fail(connection, HUBSPOT, cause="away", until=world.clock.now() + world.engine.timing.give_up)

    world.process.reconcile()

    assert world.process.taps[HUBSPOT].calls == []


def test_a_list_that_may_not_be_read_is_told_once_and_the_rotation_goes_on(world: World) -> None:
    ticket, record = world.linked()
    world.hubspot.faults.add("status", path=SEARCH, status=403, body={"category": "MISSING_SCOPES"}, times=None)
    world.hubspot.archive_ticket(record)
    world.mail()

    look(world, 300, rotation=120.0)

    assert world.link(ticket).state == links.GONE
    (ours,) = (one for one in status.figures(world.engine).rounds if one.side == HUBSPOT)
    assert "a sweep cannot be made" in ours.trouble


def test_what_looking_finds_is_in_the_metrics(deaf: World) -> None:
    deaf.ticket()
    look(deaf, 240, rotation=60.0)

    told = deaf.process.client.get("/metrics").get_data(as_text=True)

    for line in (
        'connector_drift_total{label="nextcap:nextcap"} 1.0',
        'connector_rotation_records{system="hubspot"} 1.0',
        'connector_rotation_never{system="nextcap"} 0.0',
        'connector_calls_allowed{bucket="default",system="hubspot"}',
        "connector_lane_calls_counted{",
    ):
        assert line in told, line


# -- the rotation


def test_a_note_written_between_our_read_and_our_write_is_found(world: World) -> None:
    """Our own write is the newest that the list shows, so nothing there tells of the note just before it."""
    ticket, record = world.linked()
    look(world, 30)
    world.process.taps[NEXTCAP].before(
        "PATCH /tickets/:id", lambda: world.nextcap.agent_note(ticket, "In the very moment")
    )
    world.hubspot.set_properties(record, {"subject": "From HubSpot"})
    world.settle()
    missed = world.notes(record)
    for _ in range(3):
        world.advance(15)
        world.poll()
        world.settle()
    still_missed = world.notes(record)

    look(world, 120)

    assert missed == still_missed == []
    assert world.notes(record) == ["In the very moment"]
    assert drift(world) == {}  # No webhook tells of a note.


def test_a_ticket_of_whose_notes_nothing_is_owed_waits_for_its_turn(world: World) -> None:
    """A rotation costs no more than its length says."""
    world.linked()
    look(world, 90)
    look(world, 90, rotation=60.0)
    world.forget_calls()

    look(world, 600)

    assert world.nextcap.calls.count("GET", TIMELINE) == 0


def test_a_reply_that_moved_no_time_and_told_nobody_is_found_by_the_rotation(world: World) -> None:
    ticket, record = world.linked()
    look(world, 90)
    before = world.nextcap.world.tickets[ticket].updated_at
    world.nextcap.customer_reply(ticket, "Is anybody there?")
    world.nextcap.world.tickets[ticket].updated_at = before
    world.mail()

    look(world, 300, rotation=120.0)

    assert world.notes(record) == ["Is anybody there?"]
    assert drift(world) == {"nextcap": 1}


def test_the_length_of_a_rotation_is_told(world: World) -> None:
    world.linked()
    world.linked()
    before = {one.side: (one.total, one.never) for one in status.figures(world.engine).rounds}

    look(world, 120, rotation=60.0)

    after = {one.side: (one.total, one.never) for one in status.figures(world.engine).rounds}
    assert before == {NEXTCAP: (2, 2), HUBSPOT: (2, 2)}
    assert after == {NEXTCAP: (2, 0), HUBSPOT: (2, 0)}
