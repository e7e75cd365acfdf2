"""The mass-change fuse: what we do to many tickets at once stops, says what it was, and goes on when a person says."""

from __future__ import annotations

import pytest

from connector.domain.rules import Direction
from connector.engine import operators, status, switches
from connector.store import journal, tables

from .harness import World
from .process import HUBSPOT, everywhere

pytestmark = everywhere

LIMIT = 5
OLD = 700
"""Seconds after which a ticket's being opened is over."""


@pytest.fixture
def fused(world: World) -> World:
    """A world whose fuse is small."""
    world.restart(mass_changes=LIMIT)
    return world


def old_tickets(world: World, count: int) -> dict[str, str]:
    """Tickets and their records, opened a while ago."""
    tickets = [world.ticket(subject=f"T{number}") for number in range(count)]
    world.settle()
    world.advance(OLD)
    world.settle()
    return {ticket: world.record_id(ticket) for ticket in tickets}


def close_all(world: World, pairs: dict[str, str]) -> None:
    """Somebody's bulk edit in HubSpot."""
    for record in pairs.values():
        world.hubspot.move_stage(record, "Closed")
    world.settle()


def closed(world: World, pairs: dict[str, str]) -> int:
    return sum(world.nextcap.ticket(ticket)["status"] == "resolved" for ticket in pairs)


def test_mass_closing_stops_at_the_limit_and_asks(fused: World) -> None:
    """With counts and examples; the direction is paused by the fuse, and no more is written that way."""
    pairs = old_tickets(fused, LIMIT + 3)

    close_all(fused, pairs)

    assert closed(fused, pairs) == LIMIT
    (item,) = fused.parked()
    assert (item["code"], item["field"], item["link_id"]) == ("mass_change", "to_nextcap", None)
    assert f"more than {LIMIT} mass changes in Next Cap within a minute ({LIMIT} closed)" in item["reason"]
    numbers = {f"#{fused.nextcap.ticket(ticket)['ticket_number']}" for ticket in pairs}
    assert set(item["candidates"]) <= numbers
    assert len(item["candidates"]) > LIMIT
    (figures,) = (one for one in status.figures(fused.engine).connections if one.name == HUBSPOT)
    assert [(one.direction, one.by_fuse, one.waiting) for one in figures.pauses] == [("to_nextcap", True, 3)]
    assert {row.label: row.value for row in fused.rows(tables.counters, name="fuses_tripped")} == {
        "hubspot:to_nextcap": 1
    }


def test_what_is_stopped_is_that_direction_alone(fused: World) -> None:
    """Customers are heard, and HubSpot is written."""
    pairs = old_tickets(fused, LIMIT + 1)
    close_all(fused, pairs)
    ticket, record = next((one, other) for one, other in pairs.items() if closed(fused, {one: other}) == 0)

    fused.nextcap.customer_reply(ticket, "Hello?")
    fused.nextcap.set_fields(ticket, {"subject": "After"})
    fused.settle()

    assert fused.notes(record) == ["Hello?"]
    assert fused.record(record)["subject"] == "After"


@pytest.mark.parametrize("way", ["resume", "parked retry"])
def test_one_command_goes_on(fused: World, way: str) -> None:
    """What a person has seen does not trip the fuse again, however much it is."""
    pairs = old_tickets(fused, 3 * LIMIT)
    close_all(fused, pairs)
    (item,) = fused.parked()

    if way == "resume":
        switches.resume(fused.engine, HUBSPOT, Direction.BOTH, by="ana")
    else:
        operators.retry(fused.engine, [int(item["id"])], by="ana")
    fused.settle()

    assert closed(fused, pairs) == 3 * LIMIT
    assert fused.parked() == []
    assert fused.rows(tables.pauses) == []


@pytest.mark.parametrize("way", ["resume", "parked discard"])
def test_one_command_discards(fused: World, way: str) -> None:
    """What waited is not written; both sides keep what they have, and later changes are carried."""
    pairs = old_tickets(fused, LIMIT + 2)
    close_all(fused, pairs)
    (item,) = fused.parked()

    if way == "resume":
        switches.resume(fused.engine, HUBSPOT, Direction.TO_NEXTCAP, by="ana", discard=True)
    else:
        operators.discard(fused.engine, int(item["id"]), by="ana", reason="a workflow ran wild")
    fused.settle()

    assert closed(fused, pairs) == LIMIT
    assert fused.parked() == []
    ticket, record = next((one, other) for one, other in pairs.items() if closed(fused, {one: other}) == 0)
    fused.hubspot.set_properties(record, {"content": "Later"})
    fused.settle()
    assert fused.nextcap.ticket(ticket)["description"] == "Later"
    assert "discarded" in fused.codes(ticket)


def test_tickets_that_customers_open_never_trip_it(fused: World) -> None:
    """However many; nor what HubSpot makes of them at once, such as an owner for each."""
    owner = {one["email"]: one["id"] for one in fused.hubspot.state()["owners"]}["ben@acme.example"]
    tickets = [fused.ticket(subject=f"T{number}") for number in range(3 * LIMIT)]
    fused.settle()
    for ticket in tickets:
        fused.hubspot.set_properties(fused.record_id(ticket), {"hubspot_owner_id": owner})
    fused.settle()

    assert fused.parked() == []
    assert all(fused.nextcap.ticket(ticket)["assigned_agent_id"] for ticket in tickets)


def test_what_people_do_in_next_cap_never_trips_it(fused: World) -> None:
    """They may close as much as they like there."""
    pairs = old_tickets(fused, 3 * LIMIT)
    for ticket in pairs:
        fused.nextcap.move(ticket, "open")
        fused.nextcap.move(ticket, "resolved")
    fused.settle()

    assert fused.parked() == []
    assert {fused.stage(record) for record in pairs.values()} == {"Closed"}


def test_reassigning_counts(fused: World) -> None:
    pairs = old_tickets(fused, LIMIT + 1)
    owner = {one["email"]: one["id"] for one in fused.hubspot.state()["owners"]}["ben@acme.example"]
    for record in pairs.values():
        fused.hubspot.set_properties(record, {"hubspot_owner_id": owner})
    fused.settle()

    (item,) = fused.parked()
    assert f"({LIMIT} reassigned)" in item["reason"]


def test_tickets_that_we_make_in_next_cap_count(fused: World) -> None:
    """And each is made once, when a person lets them through."""
    for number in range(LIMIT + 4):
        fused.hubspot.create_ticket(f"H{number}")
    fused.settle()
    made = len(fused.nextcap.state()["tickets"])

    switches.resume(fused.engine, HUBSPOT, Direction.TO_NEXTCAP, by="ana")
    fused.settle()

    assert made == LIMIT
    assert len(fused.nextcap.state()["tickets"]) == LIMIT + 4


def test_discarded_new_tickets_are_not_made(fused: World) -> None:
    """Neither when their record changes nor when a regular look finds it; a person may want one after all."""
    records = [fused.hubspot.create_ticket(f"H{number}") for number in range(LIMIT + 1)]
    fused.settle()
    switches.resume(fused.engine, HUBSPOT, Direction.TO_NEXTCAP, by="ana", discard=True)
    fused.settle()
    (left,) = [one for one in records if not fused.record(one).get("nextcap_ticket_id")]

    fused.advance(60)
    fused.hubspot.set_properties(left, {"content": "Changed"})
    fused.settle()
    before = len(fused.nextcap.state()["tickets"])
    (link,) = fused.rows(tables.links, record_id=left)
    operators.resync(fused.engine, link.id, by="ana")
    fused.settle()

    assert before == LIMIT
    assert len(fused.nextcap.state()["tickets"]) == LIMIT + 1


def test_slowly_is_no_mass_change(fused: World) -> None:
    """The same number of tickets within several minutes."""
    pairs = old_tickets(fused, 3 * LIMIT)
    for record in pairs.values():
        fused.hubspot.move_stage(record, "Closed")
        fused.settle()
        fused.advance(60 / LIMIT + 1)

    assert closed(fused, pairs) == 3 * LIMIT
    assert fused.parked() == []


def test_all_processes_count_together(fused: World) -> None:
    """Two workers, each within the limit, are over it together."""
    pairs = old_tickets(fused, LIMIT + 1)
    tickets = list(pairs)
    close_all(fused, {one: pairs[one] for one in tickets[:3]})
    fused.restart(mass_changes=LIMIT)

    close_all(fused, {one: pairs[one] for one in tickets[3:]})

    assert closed(fused, pairs) == LIMIT
    assert [item["code"] for item in fused.parked()] == ["mass_change"]


def test_a_deleted_record_that_closes_its_ticket_counts(fused: World) -> None:
    """And what was held back is closed when a person lets it through."""
    fused.write_mapping(on_delete="close")
    pairs = old_tickets(fused, LIMIT + 1)
    for record in pairs.values():
        fused.hubspot.archive_ticket(record)
    fused.settle()
    before = sum(fused.nextcap.ticket(ticket)["status"] == "closed" for ticket in pairs)

    switches.resume(fused.engine, HUBSPOT, Direction.TO_NEXTCAP, by="ana")
    fused.settle()

    assert before == LIMIT
    assert sum(fused.nextcap.ticket(ticket)["status"] == "closed" for ticket in pairs) == LIMIT + 1


def test_the_journal_and_the_metrics_tell(fused: World) -> None:
    close_all(fused, old_tickets(fused, LIMIT + 1))

    with fused.engine.db.read() as connection:
        codes = [line["code"] for line in journal.of_connection(connection, HUBSPOT)]
    text = fused.process.client.get("/metrics").text
    assert "mass_change" in codes
    assert 'connector_direction_paused{by="fuse",connection="hubspot",direction="to_nextcap"} 1.0' in text
    assert 'connector_fuses_tripped_total{label="hubspot:to_nextcap"} 1.0' in text


def test_what_was_counted_is_forgotten_after_a_minute(fused: World) -> None:
    """The table stays small."""
    pairs = old_tickets(fused, 4)
    for record in pairs.values():
        fused.hubspot.move_stage(record, "Closed")
        fused.settle()
        fused.advance(61)

    assert len(fused.rows(tables.mass_changes)) == 1
