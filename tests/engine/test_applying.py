"""A changed mapping meets old tickets only when somebody says so: counted before, and carried like any change."""

from __future__ import annotations

from typing import Any

import pytest

from connector.domain.errors import NeedsReview
from connector.domain.ticket import Side
from connector.engine import applying
from connector.store import pauses, tables

from .harness import World
from .process import HUBSPOT, everywhere

pytestmark = everywhere

VALUES = {"low": "Low", "normal": "Medium", "high": "High", "urgent": "Urgent"}
SWAPPED = {"priority": {"values": {**VALUES, "high": "Urgent", "urgent": "High"}}}


def old_tickets(world: World, count: int = 3, **fields: Any) -> dict[str, str]:
    """Tickets and their records, at rest."""
    tickets = [world.ticket(subject=f"T{number}", priority="high", **fields) for number in range(count)]
    world.settle()
    world.advance(700)
    world.settle()
    world.forget_calls()
    return {ticket: world.record_id(ticket) for ticket in tickets}


def surveyed(world: World, *fields: str, **options: Any) -> applying.Survey:
    return applying.survey(world.engine, HUBSPOT, fields or applying.changed_fields(world.engine, HUBSPOT), **options)


def effects(found: applying.Survey) -> list[tuple[str, Side | None, int]]:
    return [(one.field, one.side, one.tickets) for one in found.effects]


def test_what_an_edit_changed_is_known(world: World) -> None:
    """The rules that differ from the mapping before, the status table among them."""
    world.write_mapping(fields=SWAPPED, status={"walk": {"max_hops": 2}})

    assert applying.changed_fields(world.engine, HUBSPOT) == ("status", "priority")


def test_looking_changes_nothing_and_calls_nobody(world: World) -> None:
    """It counts by field and side, with examples of before and after."""
    pairs = old_tickets(world)
    world.write_mapping(fields=SWAPPED)

    found = surveyed(world)
    world.settle()

    assert effects(found) == [("priority", Side.CRM, 3)]
    assert (found.looked_at, len(found.chosen), found.unread) == (3, 3, 0)
    labels = {f"#{world.nextcap.ticket(ticket)['ticket_number']}" for ticket in pairs}
    assert {one[0] for one in found.effects[0].examples} == labels
    assert {one[1:] for one in found.effects[0].examples} == {("HIGH", "URGENT")}
    assert world.nextcap.calls.total + world.hubspot.calls.total == 0
    assert {world.record(record)["hs_ticket_priority"] for record in pairs.values()} == {"HIGH"}


def test_what_was_looked_at_is_carried_by_ordinary_passes(world: World) -> None:
    """Next Cap's value goes to HubSpot by the new table, in a few calls; then both sides are at rest."""
    pairs = old_tickets(world)
    world.write_mapping(fields=SWAPPED)

    applying.apply(world.engine, HUBSPOT, surveyed(world), by="ana")
    world.pass_time(3)

    assert {world.record(record)["hs_ticket_priority"] for record in pairs.values()} == {"URGENT"}
    assert {world.nextcap.ticket(ticket)["priority"] for ticket in pairs} == {"high"}
    assert effects(surveyed(world)) == []
    assert all("mapping_applied" in world.codes(ticket) for ticket in pairs)
    assert {row.mass for row in world.rows(tables.links)} == {None}


def test_a_side_can_be_chosen(world: World) -> None:
    """HubSpot's value goes to Next Cap instead."""
    pairs = old_tickets(world)
    world.write_mapping(fields=SWAPPED)

    found = surveyed(world, take=Side.CRM)
    applying.apply(world.engine, HUBSPOT, found, by="ana")
    world.pass_time(3)

    assert effects(found) == [("priority", Side.NEXTCAP, 3)]
    assert {world.nextcap.ticket(ticket)["priority"] for ticket in pairs} == {"urgent"}


def test_a_new_field_is_filled_on_old_tickets(world: World) -> None:
    """The records are read for it first, all in one call."""
    world.write_mapping(fields={"description": None})
    pairs = old_tickets(world, description="It burns")
    world.write_mapping()

    found = surveyed(world)
    reads = world.sent(HUBSPOT, "POST /tickets/batch/read")
    applying.apply(world.engine, HUBSPOT, found, by="ana")
    world.pass_time(3)

    assert effects(found) == [("description", Side.CRM, 3)]
    assert reads == 1
    assert {world.record(record)["content"] for record in pairs.values()} == {"It burns"}


def test_a_changed_status_table_walks(world: World) -> None:
    """And never by an illegal move."""
    pairs = old_tickets(world, 2)
    for record in pairs.values():
        world.hubspot.move_stage(record, "Waiting on contact")
    world.settle()
    to_nextcap = {"New": "new", "Waiting on us": "open", "Waiting on contact": "waiting_internal", "Closed": "resolved"}
    to_crm = {"waiting_customer": "Waiting on us", "waiting_internal": "Waiting on contact"}
    status = {"to_nextcap": to_nextcap, "to_crm": {**_stock_to_crm(), **to_crm}}
    world.write_mapping(status=status)

    found = surveyed(world, take=Side.CRM)
    applying.apply(world.engine, HUBSPOT, found, by="ana")
    world.pass_time(3)

    assert effects(found) == [("status", Side.NEXTCAP, 2)]
    assert {world.nextcap.ticket(ticket)["status"] for ticket in pairs} == {"waiting_internal"}
    assert world.nextcap.state()["illegal_moves"] == []


def _stock_to_crm() -> dict[str, str]:
    from .mapping import STATUS

    return dict(STATUS["to_crm"])


def test_what_cannot_be_written_is_told_and_not_chosen(world: World) -> None:
    """A value that the new table does not have."""
    old_tickets(world)
    world.write_mapping(fields={"priority": {"values": {"low": "Low", "normal": "Medium"}}})

    found = surveyed(world)

    assert effects(found) == [("priority", None, 3)]
    assert "high" in found.effects[0].why
    assert found.chosen == {}


def test_a_first_trial_can_be_small(world: World) -> None:
    pairs = old_tickets(world)
    world.write_mapping(fields=SWAPPED)

    applying.apply(world.engine, HUBSPOT, surveyed(world, limit=1), by="ana")
    world.pass_time(3)

    shown = sorted(world.record(record)["hs_ticket_priority"] for record in pairs.values())
    assert shown == ["HIGH", "HIGH", "URGENT"]


def test_it_goes_at_half_the_speed_of_the_fuse_and_does_not_trip_it(world: World) -> None:
    """Yet every edit is counted, so that it does trip with others beside it."""
    world.restart(mass_changes=4)
    pairs = old_tickets(world, 6)
    world.write_mapping(fields=SWAPPED)

    applying.apply(world.engine, HUBSPOT, surveyed(world), by="ana")
    world.settle()
    at_once = [world.record(record)["hs_ticket_priority"] for record in pairs.values()].count("URGENT")
    counted = sum(row.count for row in world.rows(tables.mass_changes, direction="to_crm"))
    world.pass_time(160)

    assert (at_once, counted) == (1, 1)
    assert {world.record(record)["hs_ticket_priority"] for record in pairs.values()} == {"URGENT"}
    assert world.parked() == []


def test_the_fuse_stops_an_application_that_goes_too_fast(world: World) -> None:
    """Whatever pushes it: a person is asked, and the rest waits."""
    world.restart(mass_changes=4)
    pairs = old_tickets(world, 6)
    world.write_mapping(fields=SWAPPED)
    applying.apply(world.engine, HUBSPOT, surveyed(world), by="ana")

    for ticket in pairs:
        world.nextcap.set_fields(ticket, {"tags": ["now"]})
    world.settle()

    assert [world.record(record)["hs_ticket_priority"] for record in pairs.values()].count("URGENT") <= 4
    (item,) = world.parked()
    assert (item["code"], item["field"]) == (pauses.MASS_CHANGE, "to_crm")


def test_a_change_made_meanwhile_is_not_overwritten(world: World) -> None:
    """Somebody sets the field between the look and the pass: the newer change wins, as ever."""
    ((ticket, record),) = old_tickets(world, 1).items()
    world.write_mapping(fields=SWAPPED)
    found = surveyed(world)
    applying.apply(world.engine, HUBSPOT, found, by="ana")
    world.advance(5)
    world.hubspot.set_properties(record, {"hs_ticket_priority": "LOW"})

    world.pass_time(3)

    assert (world.nextcap.ticket(ticket)["priority"], world.record(record)["hs_ticket_priority"]) == ("low", "LOW")


def test_a_field_that_is_not_mapped_is_refused(world: World) -> None:
    with pytest.raises(NeedsReview, match="colour"):
        surveyed(world, "colour")
