"""Reading tickets: what a value is, what is not there, what became of it, and what changed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.adapters.base import Commented
from connector.adapters.testing.hubspot import HubSpotArena
from connector.domain.errors import Gone, Refused, RetryLater
from connector.domain.ticket import Requester
from connector.sandbox.hubspot import HubSpot as Imitation


@pytest.mark.parametrize("unset", ["null", "absent", "empty"])
def test_no_value_is_one_thing_however_hubspot_says_it(arena: HubSpotArena, portal: Imitation, unset: str) -> None:
    portal.configure(unset=unset, surplus_fields=True)
    ticket = arena.new_ticket()

    record = arena.hubspot.read([ticket], ["subject", "hs_ticket_category", "nextcap_department"])[ticket]

    assert record.fields == {"subject": "It does not work", "hs_ticket_category": None, "nextcap_department": None}


def test_a_multiple_choice_is_a_set_and_lines_end_in_one_way(arena: HubSpotArena, portal: Imitation) -> None:
    ticket = arena.new_ticket()
    portal.set_properties(ticket, {"hs_ticket_category": "PRODUCT_ISSUE;BILLING_ISSUE", "content": "a;b\r\nc"})

    record = arena.hubspot.read([ticket], ["hs_ticket_category", "content"])[ticket]

    assert record.fields == {"hs_ticket_category": ("BILLING_ISSUE", "PRODUCT_ISSUE"), "content": "a;b\nc"}


@pytest.mark.parametrize("unset", ["null", "absent"])
def test_a_property_that_was_taken_away_is_not_read_as_empty(
    arena: HubSpotArena, portal: Imitation, unset: str
) -> None:
    """Else archiving a property in HubSpot would empty that field of every ticket in Next Cap."""
    portal.configure(unset=unset)
    ticket = arena.new_ticket()
    arena.hubspot.read([ticket], ["nextcap_tags"])
    portal.archive_property("nextcap_tags")
    portal.clock.advance(600)

    fields = arena.hubspot.read([ticket], ["nextcap_tags", "nextcap_department"])[ticket].fields

    assert fields == {"nextcap_department": None}


def test_a_property_that_is_new_is_learned_once(arena: HubSpotArena) -> None:
    ticket = arena.new_ticket()
    arena.hubspot.read([ticket], ["subject"])
    arena.forget_calls()

    for _ in range(3):
        arena.hubspot.read([ticket], ["subject", "not_there"])

    assert arena.calls().count("GET /crm/properties/tickets") == 1


def test_a_stored_schema_saves_reading_it(arena: HubSpotArena) -> None:
    schema, ticket = arena.hubspot.schema(), arena.new_ticket()
    adapter = arena.new_adapter()
    arena.forget_calls()

    adapter.learn(schema)
    adapter.read([ticket], ["hs_ticket_category"])

    assert arena.calls() == ["POST /crm/objects/tickets/batch/read"]


# -- what became of a ticket


def test_the_fate_of_an_archived_ticket_can_be_undone(arena: HubSpotArena, portal: Imitation) -> None:
    ticket = arena.gone_ticket()

    fate = arena.hubspot.fate(ticket)
    portal.restore_ticket(ticket)

    assert (fate.code, fate.survivor) == ("archived", None)
    assert set(arena.hubspot.read([ticket], ["subject"])) == {ticket}


@pytest.mark.parametrize("makes_new", [False, True])
def test_the_fate_of_a_merged_ticket_names_its_survivor(
    arena: HubSpotArena, portal: Imitation, makes_new: bool
) -> None:
    portal.configure(merge_makes_new_record=makes_new)
    primary, loser = arena.new_ticket(), arena.new_ticket()

    survivor = portal.merge_tickets(primary, loser)

    assert arena.hubspot.read([loser], ["subject"]) == {}
    assert arena.hubspot.fate(loser).survivor == survivor
    assert (survivor == primary) is not makes_new


def test_a_survivor_is_found_by_its_list_where_the_old_id_answers_nothing(
    arena: HubSpotArena, portal: Imitation
) -> None:
    """What GET does with the id of a merged ticket is not documented: contacts answer the survivor."""
    primary, loser = arena.new_ticket(), arena.new_ticket()
    portal.merge_tickets(primary, loser)
    body = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "resource not found"}
    portal.faults.add("status", method="GET", path=f"tickets/{loser}$", status=404, body=body)

    assert arena.hubspot.fate(loser).survivor == primary


def test_the_fate_of_what_never_was(arena: HubSpotArena) -> None:
    fate = arena.hubspot.fate("404")

    assert isinstance(fate, Gone)
    assert (fate.code, fate.survivor) == ("gone", None)


def test_a_ticket_that_is_there_has_no_fate_yet(arena: HubSpotArena) -> None:
    with pytest.raises(RetryLater, match="is there"):
        arena.hubspot.fate(arena.new_ticket())


def test_a_wrong_version_does_not_make_tickets_gone(arena: HubSpotArena) -> None:
    """An address that HubSpot does not know answers 404 as well; it must not end every link."""
    adapter, ticket = arena.new_adapter(versions={"objects": "2031-03"}), arena.new_ticket()

    with pytest.raises(Exception, match="404") as caught:
        adapter.read([ticket], ["subject"])

    assert not isinstance(caught.value, Gone)


def test_a_batch_read_that_failed_for_another_reason_is_not_a_missing_ticket(arena: HubSpotArena) -> None:
    ticket = arena.new_ticket()
    arena.hubspot.read([ticket], ["subject"])
    error = {"status": "error", "category": "INTERNAL_ERROR", "message": "could not read one"}
    arena.fault("status", method="POST", status=207, body={"results": [], "errors": [error]})

    with pytest.raises(RetryLater) as caught:
        arena.hubspot.read([ticket], ["subject"])

    assert caught.value.scope == "record"


# -- finding


def test_our_id_is_looked_up_at_once_and_other_fields_when_search_has_caught_up(
    arena: HubSpotArena, portal: Imitation
) -> None:
    portal.configure(search_lag=30.0)
    ticket = arena.create("key-1", "outside-1").id
    portal.set_properties(ticket, {"subject": "Order 4711"})

    ours = arena.hubspot.find("nextcap_ticket_id", ["outside-1", "outside-2"], ["subject"])
    early = arena.hubspot.find("subject", ["order 4711"], ["subject"])
    portal.clock.advance(31)
    late = arena.hubspot.find("subject", ["order 4711", "order 4712"], ["subject"])

    assert {value: [one.id for one in found] for value, found in ours.items()} == {
        "outside-1": [ticket],
        "outside-2": [],
    }
    assert early == {"order 4711": []}
    assert [one.id for one in late["order 4711"]] == [ticket]
    assert late["order 4712"] == []


def test_a_value_of_two_tickets_finds_both(arena: HubSpotArena) -> None:
    tickets = {arena.new_ticket(), arena.new_ticket()}

    found = arena.hubspot.find("subject", ["It does not work"], ["subject"])

    assert {one.id for one in found["It does not work"]} == tickets


def test_an_option_is_found_as_it_is_written(arena: HubSpotArena, portal: Imitation) -> None:
    ticket = arena.new_ticket()
    portal.set_properties(ticket, {"hs_ticket_priority": "HIGH"})

    assert [one.id for one in arena.hubspot.find("hs_ticket_priority", ["HIGH"], ["subject"])["HIGH"]] == [ticket]


def test_long_values_are_looked_for_in_parts_that_hubspot_takes(arena: HubSpotArena) -> None:
    arena.new_ticket()
    values = [f"{'x' * 400} {number}" for number in range(20)]

    found = arena.hubspot.find("subject", [*values, "It does not work"], ["subject"])

    assert [value for value, tickets in found.items() if tickets] == ["It does not work"]


# -- the sweep


def test_a_sweep_costs_a_search_a_page_and_shows_what_the_index_knows(arena: HubSpotArena, portal: Imitation) -> None:
    since = arena.now()
    tickets = []
    for _ in range(205):
        tickets.append(arena.new_ticket())
        portal.clock.advance(0.01)
    portal.configure(search_lag=5.0)
    portal.clock.advance(6)
    portal.set_properties(tickets[0], {"subject": "Newer than the index"})
    arena.hubspot.changes(since, ["subject"])  # By now it knows how properties are written.
    arena.forget_calls()

    parts = arena.swept(since, ["subject"])

    found = {one.id: one.fields["subject"] for part in parts for one in part.records}
    assert set(found) == set(tickets)
    assert found[tickets[0]] == "It does not work"
    assert all(call.endswith("/search") for call in arena.calls())
    assert len(parts) == 3  # Two pages of tickets, one of notes.


def test_a_page_of_one_moment_does_not_stop_a_sweep(arena: HubSpotArena, portal: Imitation) -> None:
    """A mass edit gives many tickets the same time of change."""
    since = arena.now() - timedelta(seconds=1)
    tickets = [arena.new_ticket() for _ in range(405)]
    moment = arena.now()
    for record in portal.portal.tables["tickets"].live():
        record.settle(moment, horizon=moment)

    parts = arena.swept(since, ["subject"])

    assert {one.id for part in parts for one in part.records} == set(tickets)


def test_a_sweep_finds_an_edited_note_by_its_ticket(arena: HubSpotArena, portal: Imitation) -> None:
    """A ticket's own time does not move for it."""
    ticket = arena.new_ticket()
    note = portal.write_note(ticket, "<p>First</p>")
    portal.clock.advance(3600)
    since = arena.now()
    portal.edit_note(note, "<p>Second</p>")

    parts = arena.swept(since, ["subject"])

    assert [one for part in parts for one in part.commented] == [Commented(ticket, note)]
    assert [one for part in parts for one in part.records] == []


def test_more_fields_than_a_search_takes_are_read_by_id(arena: HubSpotArena) -> None:
    since = arena.now() - timedelta(seconds=1)
    names = [f"a_property_with_a_rather_long_name_{number}" for number in range(80)]
    ticket = arena.new_ticket()

    parts = arena.swept(since, ["subject", *names])

    assert [one.id for part in parts for one in part.records] == [ticket]
    assert any(call.endswith("tickets/batch/read") for call in arena.calls())


def test_a_place_that_means_nothing_is_refused(arena: HubSpotArena) -> None:
    with pytest.raises(Refused):
        arena.hubspot.changes(arena.now(), ["subject"], "nowhere")


def test_a_sweep_sees_tickets_of_every_pipeline(arena: HubSpotArena, portal: Imitation) -> None:
    since = arena.now() - timedelta(seconds=1)
    other = portal.add_pipeline("Returns", {"New": "OPEN"})
    ticket = portal.create_ticket("Parcel", pipeline=other["id"])

    found = arena.hubspot.changes(since, ["hs_pipeline"]).records

    assert [(one.id, one.fields["hs_pipeline"]) for one in found] == [(ticket, other["id"])]


# -- the customer


def test_the_customer_is_the_tickets_contact(arena: HubSpotArena, portal: Imitation) -> None:
    ticket, alone = arena.new_ticket(), portal.create_ticket("No contact")
    contact = next(iter(portal.ticket(ticket)["contacts"]))
    portal.set_contact(contact, {"firstname": "Jo", "lastname": "Customer", "phone": "+1"})

    assert arena.hubspot.requesters([ticket, alone]) == {
        ticket: Requester("jo@customer.example", "Jo Customer", "+1"),
    }
