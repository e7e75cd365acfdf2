"""Rules of reading: what an event of the CRM is worth, and whose a record is that no link knows."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import pytest

from connector.adapters.base import Event, EventKind
from connector.engine.context import NEXTCAP
from connector.engine.intake import Arrival, take
from connector.sandbox.hubspot_stock import NOTES, TICKETS
from connector.store import journal, tables

from .harness import World
from .process import HUBSPOT, everywhere

READ, UPDATE, UPSERT = "POST /tickets/batch/read", "POST /tickets/batch/update", "POST /tickets/batch/upsert"
NOTE_READ = "POST /notes/tickets/batch/read"


def connection_lines(world: World) -> list[str]:
    """The journal's lines that belong to no ticket, newest first, in codes."""
    with world.engine.db.read() as connection:
        return [str(line["code"]) for line in journal.of_connection(connection, HUBSPOT)]


# -- events about linked records


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_value_that_comes_back_while_its_change_is_carried_is_no_echo(world: World, moment: str) -> None:
    """What was last known is then what was known before the pass, which has read something else."""
    ticket, record = world.linked(subject="First")
    world.hubspot.set_properties(record, {"subject": "Second"})
    world.deliver()

    def meanwhile() -> None:
        world.hubspot.set_properties(record, {"subject": "First"})
        world.deliver(HUBSPOT)

    getattr(world.process.taps[NEXTCAP], moment)("PATCH /tickets/:id", meanwhile)
    world.settle()

    assert world.nextcap.ticket(ticket)["subject"] == world.record(record)["subject"] == "First"


def told_whole(world: World, record: str) -> None:
    """An event arrives that tells the whole record, as those of some CRMs do."""
    crm = world.engine.crms[HUBSPOT]
    with world.engine.db.read() as connection:
        names = sorted(world.engine.mappings.active(connection, HUBSPOT).crm_fields())
    whole = crm.read([record], names)[record]
    event = Event("ticket.changed", EventKind.TICKET, record, key=uuid4().hex, record=whole)
    take(world.engine, HUBSPOT, [Arrival(event.key, b"{}", [event])])


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_whole_record_told_in_the_middle_of_a_pass_is_an_echo_unless_a_value_came_back(
    world: World, comes_back: bool
) -> None:
    """It is held beside what the pass has written and seen, which is newer than what was last known."""
    ticket, record = world.linked(subject="First", priority="low")
    world.hubspot.set_properties(record, {"subject": "Second"})
    world.nextcap.set_fields(ticket, {"priority": "high"})
    world.deliver()

    def meanwhile() -> None:
        if comes_back:
            world.hubspot.set_properties(record, {"subject": "First"})
        told_whole(world, record)

    world.process.taps[NEXTCAP].before("PATCH /tickets/:id", meanwhile)
    world.drain()
    assert world.outcomes()[-1].startswith("echo" if not comes_back else "subject differs")
    world.settle()

    assert world.nextcap.ticket(ticket)["subject"] == world.record(record)["subject"]
    assert world.record(record)["hs_ticket_priority"] == "HIGH"


def test_our_own_write_coming_back_from_hubspot_costs_no_call(world: World) -> None:
    """A property that equals its shadow rings no bell, and the journal of arrivals says why."""
    ticket, _ = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()
    world.drain()
    world.forget_calls()

    echoes = world.deliver(HUBSPOT)
    world.drain()

    assert len(echoes) == 1
    assert world.outcomes()[-1] == "echo: subject is what was last known"
    assert world.due_in(ticket) is None
    assert world.hubspot.calls.total == 0


def test_an_echo_that_overtakes_the_commit_of_its_write_costs_no_call(world: World) -> None:
    """While a write is open, its own value is no news either."""
    ticket, _ = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()
    world.process.taps[HUBSPOT].after(UPDATE, lambda: world.deliver(HUBSPOT))

    world.drain()

    assert world.outcomes()[-1] == "echo: subject is what the pass at work writes or has seen"
    assert world.due_in(ticket) is None
    assert (world.sent(HUBSPOT, READ), world.sent(HUBSPOT, UPDATE)) == (1, 1)


def test_a_value_that_equals_its_shadow_rings_while_a_write_of_it_is_open(world: World) -> None:
    """Somebody may have undone our write before we knew that it was applied."""
    ticket, record = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()

    def meanwhile() -> None:
        world.hubspot.set_properties(record, {"subject": "Before"})
        world.deliver(HUBSPOT)

    world.process.taps[HUBSPOT].after(UPDATE, meanwhile)
    world.drain()
    world.settle()

    assert "doorbell: the record will be read" in world.outcomes()
    assert world.nextcap.ticket(ticket)["subject"] == world.record(record)["subject"]


def test_a_property_outside_the_mapping_rings_no_bell(world: World) -> None:
    """Nobody carries it, so nobody looks."""
    ticket, record = world.linked()
    world.write_mapping(fields={"description": None})

    world.hubspot.set_properties(record, {"content": "Not carried"})
    world.deliver()

    assert world.outcomes()[-1] == "content is not in the mapping"
    assert world.due_in(ticket) is None


@pytest.mark.parametrize("overtakes", [False, True])
def test_a_note_that_we_made_is_not_news(world: World, overtakes: bool) -> None:
    """Neither after its effect is done, nor before."""
    ticket, record = world.linked()
    world.nextcap.agent_reply(ticket, "We are on it")
    if overtakes:
        world.process.taps[HUBSPOT].after("POST /notes", lambda: world.deliver(HUBSPOT))

    world.settle()

    assert world.notes(record) == ["We are on it"]
    assert world.said(ticket, "reply", "note") == ["We are on it"]
    if not overtakes:
        assert "echo: an entry that we made ourselves" in world.outcomes()


# -- records that no link knows


def test_a_note_without_a_ticket_is_looked_for_after_5_30_and_120_seconds(world: World) -> None:
    """HubSpot links a note after it was made, or never; then the journal says so."""
    _, record = world.linked()
    world.hubspot.configure(note_link_delay=86_400.0)
    world.hubspot.write_note(record, "<p>Whose am I?</p>")
    world.deliver()
    looked: list[float] = []
    began = world.clock.monotonic()

    while world.rows(tables.unplaced):
        world.process.taps[HUBSPOT].before(NOTE_READ, lambda: looked.append(round(world.clock.monotonic() - began)))
        world.drain()
        world.advance(1)

    assert looked == [0, 5, 35, 155]
    assert connection_lines(world)[0] == "belongs_to_none"


def test_a_note_that_is_linked_late_crosses_once(world: World) -> None:
    """The second look finds its ticket."""
    ticket, record = world.linked()
    world.hubspot.configure(note_link_delay=86_400.0)
    note = world.hubspot.write_note(record, "<p>Called back</p>")
    world.settle()
    before = world.said(ticket, "note")
    with world.hubspot.lock:
        portal = world.hubspot.portal
        portal.link(portal.live(NOTES, note), portal.live(TICKETS, record), (), world.hubspot._person(None))
    world.mail()

    world.advance(6)
    world.settle()

    assert (before, world.said(ticket, "note")) == ([], ["Called back"])
    assert world.rows(tables.unplaced) == []


@everywhere
def test_a_record_that_a_person_made_becomes_a_ticket(world: World) -> None:
    """No link knows it, it carries no id of ours, and the mapping creates both ways."""
    world.linked()

    record = world.hubspot.create_ticket("Called about the invoice", stage="Waiting on us", contact="jo@home.example")
    world.settle()

    (ticket,) = [one for one in world.nextcap.state()["tickets"] if one["subject"] == "Called about the invoice"]
    assert ticket["status"] == "open"
    assert ticket["customer_email"] == "jo@home.example"
    assert ticket["metadata"] == {HUBSPOT: record}
    assert world.record_id(ticket["id"]) == record


def test_the_event_of_a_record_that_we_make_just_now_makes_no_second_ticket(world: World) -> None:
    """It carries our id; its create is about to be committed."""
    world.linked()
    ticket = world.ticket(subject="Being made")
    world.process.taps[HUBSPOT].after(UPSERT, lambda: world.deliver(HUBSPOT))

    world.deliver()
    world.settle()
    world.advance(3)
    world.settle()

    assert len(world.nextcap.state()["tickets"]) == 2
    assert world.rows(tables.unplaced) == []
    assert world.link(ticket).record_id == world.record_id(ticket)


def test_a_record_made_by_a_person_waits_while_a_create_of_ours_is_open(world: World) -> None:
    """A record without our id could be the one that an interrupted create left behind."""
    world.linked()
    world.ticket(subject="In doubt")
    world.deliver()
    world.hubspot.faults.add("lost_answer", method="POST", path="batch/upsert")
    world.hubspot.create_ticket("By a person")

    def opened() -> bool:
        return any(row.state == "sending" for row in world.rows(tables.effects, kind="create_crm"))

    world.process.taps[HUBSPOT].before("POST /tickets/batch/upsert", lambda: world.deliver(HUBSPOT))
    world.drain()
    waited = opened() and len(world.nextcap.state()["tickets"]) == 2
    world.settle()
    world.advance(5)
    world.settle()

    assert waited
    assert sorted(one["subject"] for one in world.nextcap.state()["tickets"]) == [
        "By a person",
        "Cannot log in",
        "In doubt",
    ]
    assert len(world.hubspot.state()["tickets"]) == 3


def test_a_record_that_is_gone_before_it_is_looked_at_is_nobodys(world: World) -> None:
    """One look, one line in the journal."""
    world.linked()
    record = world.hubspot.create_ticket("A mistake")
    world.hubspot.archive_ticket(record)

    world.settle()

    assert connection_lines(world)[0] == "not_there"
    assert len(world.nextcap.state()["tickets"]) == 1


def test_a_record_of_another_pipeline_is_not_carried(world: World) -> None:
    """The connection carries one pipeline."""
    world.linked()
    world.hubspot.add_pipeline("Returns", {"Arrived": "OPEN", "Done": "CLOSED"})

    world.hubspot.create_ticket("A parcel", pipeline="Returns", stage="Arrived")
    world.settle()

    assert connection_lines(world)[0] == "not_carried"
    assert len(world.nextcap.state()["tickets"]) == 1


def test_a_record_made_by_a_person_stays_where_the_mapping_creates_one_way(world: World) -> None:
    """`create: to_crm`."""
    world.write_mapping(create="to_crm")

    world.hubspot.create_ticket("Only here")
    world.settle()

    assert connection_lines(world)[0] == "not_carried"
    assert world.nextcap.state()["tickets"] == []


def test_an_outage_while_a_record_is_placed_closes_the_circuit(world: World) -> None:
    """Otherwise the next drain would ask again at once, and again."""
    world.linked()
    world.hubspot.create_ticket("Waits")
    world.deliver()
    world.hubspot.faults.add("drop_before", method="POST", path="tickets/batch/read", times=None)

    ended = world.drain()
    closed = world.connection().closed_until
    asked: list[datetime] = []
    world.process.taps[HUBSPOT].before(READ, lambda: asked.append(world.clock.now()))
    world.drain()

    assert ended.cause is not None
    assert ended.again_at == closed
    assert asked[0] >= closed > world.clock.began
    assert world.connection().failures == 2


def test_a_placement_that_is_refused_stops_nobody(world: World) -> None:
    """A scope that our token lacks is told once; other tickets go on."""
    ticket, record = world.linked(subject="Before")
    world.hubspot.create_ticket("By a person")
    world.deliver()
    refusal = {"status": "error", "category": "MISSING_SCOPES", "message": "no"}
    world.hubspot.faults.add("status", method="POST", path="tickets/batch/read", status=403, body=refusal)

    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.settle()

    assert world.record(record)["subject"] == "After"


# -- the side about to be written is read first


def test_what_hubspot_changed_unannounced_is_seen_before_it_is_written(world: World) -> None:
    """Its webhook was lost; the read in the same drain finds it."""
    ticket, record = world.linked()
    world.hubspot.set_properties(record, {"hs_ticket_priority": "URGENT"})
    world.mail()

    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.settle()

    assert world.record(record)["subject"] == "After"
    assert world.nextcap.ticket(ticket)["priority"] == "urgent"


def test_what_next_cap_changed_unannounced_is_seen_before_it_is_written(world: World) -> None:
    """The same the other way."""
    ticket, record = world.linked()
    world.nextcap.set_fields(ticket, {"priority": "urgent"})
    world.mail()

    world.hubspot.set_properties(record, {"subject": "After"})
    world.settle()

    assert world.nextcap.ticket(ticket)["subject"] == "After"
    assert world.record(record)["hs_ticket_priority"] == "URGENT"


def test_a_newer_change_that_was_not_announced_is_not_overwritten(world: World) -> None:
    """Both changed the same field; the read before the write lets the later one win."""
    ticket, record = world.linked()
    world.nextcap.set_fields(ticket, {"subject": "Earlier"})
    world.advance(30)
    world.hubspot.set_properties(record, {"subject": "Later"})
    world.mail(HUBSPOT)

    world.settle()

    assert world.nextcap.ticket(ticket)["subject"] == world.record(record)["subject"] == "Later"


@pytest.mark.parametrize(("after", "reads"), [(1.0, 0), (3.0, 1)])
def test_a_side_written_within_two_seconds_is_not_read_again(world: World, after: float, reads: int) -> None:
    """Two seconds of trust, no more."""
    ticket, record = world.linked()
    world.nextcap.set_fields(ticket, {"subject": "First"})
    world.deliver()
    world.drain()
    world.forget_calls()
    world.advance(after)

    world.nextcap.set_fields(ticket, {"subject": "Second"})
    world.deliver()
    world.drain()

    assert world.record(record)["subject"] == "Second"
    assert (world.sent(HUBSPOT, READ), world.sent(HUBSPOT, UPDATE)) == (reads, 1)


def test_a_plan_older_than_five_seconds_is_made_again(world: World) -> None:
    """Next Cap is written one ticket after the other: the last of a batch must not be written as it was long ago."""
    tickets = [world.linked(subject="Before") for _ in range(2)]
    for _, record in tickets:
        world.hubspot.set_properties(record, {"subject": "From HubSpot"})
    world.deliver()

    def meanwhile() -> None:
        world.advance(30)
        for ticket, _ in tickets:
            world.nextcap.set_fields(ticket, {"subject": "A person was later"})

    world.process.taps[NEXTCAP].before("PATCH /tickets/:id", meanwhile)
    world.drain()
    subjects = [world.nextcap.ticket(ticket)["subject"] for ticket, _ in tickets]
    world.settle()

    assert sorted(subjects) == ["A person was later", "From HubSpot"]
    assert all(world.nextcap.ticket(one)["subject"] == world.record(two)["subject"] for one, two in tickets)
