"""Writing tickets: calls, contacts, refusals one by one, and what is left open."""

from __future__ import annotations

from typing import Any

import pytest

from connector.adapters.base import Change, ChangeKind
from connector.adapters.testing.hubspot import HubSpotArena
from connector.domain.errors import Gone, NotSupported, Refused, RetryLater, UnknownOutcome
from connector.domain.ticket import Requester, Value
from connector.sandbox.hubspot import HubSpot as Imitation

UPSERT = "POST /crm/objects/tickets/batch/upsert"
UPDATE = "POST /crm/objects/tickets/batch/update"
READ_CONTACTS = "POST /crm/objects/contacts/batch/read"


def creation(number: int, requester: Requester | None = None, **values: Value) -> Change:
    held = {"subject": f"Ticket {number}", "hs_pipeline_stage": "1", **values}
    return Change(
        ChangeKind.CREATE, f"create-{number}", held, external_id=f"nc-{number}", requester=requester or Requester()
    )


def update(ticket: str, key: str = "update", /, **values: Value) -> Change:
    return Change(ChangeKind.UPDATE, key, values, ticket)


def contacts(portal: Imitation) -> dict[str, dict[str, str]]:
    return {one["properties"]["email"]: one["properties"] for one in portal.state()["contacts"]}


def warm(arena: HubSpotArena) -> None:
    """What a process does once."""
    arena.hubspot.schema()
    arena.forget_calls()


# -- creating


def test_a_new_ticket_with_a_new_customer_takes_four_calls(arena: HubSpotArena, portal: Imitation) -> None:
    warm(arena)

    written = arena.write(creation(1, Requester(" Jo@Customer.example ", "Jo van Dyk", "+49 30 1")))["create-1"]

    assert arena.calls()[:3] == [READ_CONTACTS, "POST /crm/objects/contacts/batch/upsert", UPSERT]
    assert len(arena.calls()) == 4
    assert written.created
    assert written.warnings == ()
    held = contacts(portal)["jo@customer.example"]
    assert (held["firstname"], held["lastname"], held["phone"]) == ("Jo", "van Dyk", "+49 30 1")
    assert len(portal.ticket(written.id)["contacts"]) == 1


def test_a_hundred_new_tickets_take_as_many_calls_as_one(arena: HubSpotArena, portal: Imitation) -> None:
    warm(arena)
    changes = [creation(number, Requester(f"c{number % 30}@customer.example", "C")) for number in range(100)]

    written = arena.write(*changes)

    assert len(arena.calls()) == 4
    assert all(one.error is None for one in written.values())
    for change in changes:
        shown = portal.ticket(written[change.key].id)
        assert shown["properties"]["nextcap_ticket_id"] == change.external_id
        assert shown["properties"]["subject"] == change.values["subject"]
        assert len(shown["contacts"]) == 1
    assert len(contacts(portal)) == 30


def test_a_customer_met_before_is_not_looked_up_again(arena: HubSpotArena) -> None:
    warm(arena)
    arena.write(creation(1, Requester("jo@customer.example")))
    arena.forget_calls()

    arena.write(creation(2, Requester("jo@customer.example")))

    assert arena.calls()[0] == UPSERT
    assert len(arena.calls()) == 2


def test_creating_again_joins_the_contact_that_the_lost_answer_left_out(arena: HubSpotArena, portal: Imitation) -> None:
    warm(arena)
    change = creation(1, Requester("jo@customer.example"))
    arena.fault("drop_before", method="PUT", path="associations")

    first = arena.write(change)["create-1"]
    again = arena.write(change)["create-1"]

    assert isinstance(first.error, UnknownOutcome)
    assert (again.error, again.created) == (None, False)
    assert len(portal.tickets_of("nc-1")) == 1
    assert len(portal.ticket(again.id)["contacts"]) == 1


def test_a_lost_batch_of_joins_leaves_its_creates_open(arena: HubSpotArena, portal: Imitation) -> None:
    warm(arena)
    changes = [creation(number, Requester(f"c{number}@customer.example")) for number in range(3)]
    changes.append(creation(3))
    arena.fault("drop_before", method="POST", path="associate/default")

    first, again = arena.write(*changes), arena.write(*changes)

    assert [isinstance(first[one.key].error, UnknownOutcome) for one in changes] == [True, True, True, False]
    assert all(one.error is None for one in again.values())
    assert [len(portal.ticket(again[one.key].id)["contacts"]) for one in changes] == [1, 1, 1, 0]


@pytest.mark.parametrize("status", [404, 405])
def test_where_there_is_no_batch_of_joins_each_is_made_alone(
    arena: HubSpotArena, portal: Imitation, status: int
) -> None:
    arena.fault("status", method="POST", path="associate/default", status=status, times=None)

    written = arena.write(*(creation(number, Requester(f"c{number}@customer.example")) for number in range(3)))

    assert all(one.error is None and one.warnings == () for one in written.values())
    assert all(len(portal.ticket(one.id)["contacts"]) == 1 for one in written.values())


# -- contacts


def test_a_contact_keeps_its_name_and_only_empty_parts_are_filled(arena: HubSpotArena, portal: Imitation) -> None:
    portal.create_contact("jo@customer.example", first_name="Johanna")

    arena.write(creation(1, Requester("JO@customer.example", "Jo Other", "+49 30 1")))

    held = contacts(portal)["jo@customer.example"]
    assert (held["firstname"], held.get("lastname"), held["phone"]) == ("Johanna", None, "+49 30 1")


@pytest.mark.parametrize("finds", [True, False])
def test_a_further_address_leads_to_the_contact_that_holds_it(
    arena: HubSpotArena, portal: Imitation, finds: bool
) -> None:
    """Where HubSpot does not find it, its refusal names the contact."""
    portal.configure(find_by_additional_email=finds)
    contact = portal.create_contact("jo@customer.example", additional_emails=["jo@private.example"])

    written = arena.write(creation(1, Requester("jo@private.example", "Jo")))["create-1"]

    assert written.warnings == ()
    assert portal.ticket(written.id)["contacts"] == [contact]
    assert set(contacts(portal)) == {"jo@customer.example"}


@pytest.mark.parametrize("address", ["not an address", "a@b", "jo@customer..", "a@b@c.example"])
def test_an_address_that_is_none_costs_the_contact_and_never_the_ticket(
    arena: HubSpotArena, portal: Imitation, address: str
) -> None:
    written = arena.write(creation(1, Requester(address)), creation(2, Requester("jo@customer.example")))

    assert written["create-1"].error is None
    assert "no contact was joined" in written["create-1"].warnings[0]
    assert written["create-2"].warnings == ()
    assert set(contacts(portal)) == {"jo@customer.example"}


def test_a_missing_scope_costs_the_contact_and_never_the_ticket(arena: HubSpotArena, portal: Imitation) -> None:
    warm(arena)
    portal.configure(scopes=[one for one in portal.settings.scopes if "contacts" not in one])

    written = arena.write(creation(1, Requester("jo@customer.example")))["create-1"]

    assert written.error is None
    assert "crm.objects.contacts" in written.warnings[0]


def test_a_contact_that_was_deleted_meanwhile_is_made_again(arena: HubSpotArena, portal: Imitation) -> None:
    first = arena.write(creation(1, Requester("jo@customer.example")))["create-1"]
    portal.forget_contact(portal.ticket(first.id)["contacts"][0])

    second = arena.write(creation(2, Requester("jo@customer.example")))["create-2"]

    assert (second.error, second.warnings) == (None, ())
    assert len(portal.ticket(second.id)["contacts"]) == 1


def test_a_limit_met_at_the_contacts_leaves_the_tickets_unmade(arena: HubSpotArena, portal: Imitation) -> None:
    warm(arena)
    portal.fail("burst", path="contacts", retry_after=3)

    written = arena.write(creation(1, Requester("jo@customer.example")))["create-1"]

    assert isinstance(written.error, RetryLater)
    assert written.error.after == 3
    assert arena.tickets() == 0


def test_an_unanswered_contact_is_only_late(arena: HubSpotArena) -> None:
    warm(arena)
    arena.fault("lost_answer", method="POST", path="contacts/batch/upsert")

    written = arena.write(creation(1, Requester("jo@customer.example")))["create-1"]

    assert isinstance(written.error, RetryLater)
    assert arena.tickets() == 0


# -- changing


def test_values_are_written_as_hubspot_keeps_them_and_come_back_normal(arena: HubSpotArena, portal: Imitation) -> None:
    ticket = arena.new_ticket()
    values: dict[str, Value] = {
        "hs_ticket_category": ("BILLING_ISSUE", "PRODUCT_ISSUE"),
        "content": None,
        "nextcap_tags": "a; b",
        "nextcap_department": 5,
    }

    written = arena.write(update(ticket, **values))["update"]

    assert written.record is not None
    assert written.record.fields == {**values, "nextcap_department": "5"}
    assert written.record.version is not None
    assert arena.properties(ticket)["hs_ticket_category"] == "BILLING_ISSUE;PRODUCT_ISSUE"
    assert "content" not in arena.properties(ticket)


@pytest.mark.parametrize("order", ["reversed", "asked"])
def test_outcomes_are_matched_by_name_and_never_by_place(arena: HubSpotArena, portal: Imitation, order: str) -> None:
    portal.configure(batch_order=order)
    tickets = [arena.new_ticket() for _ in range(4)]
    changes = [update(ticket, f"key-{ticket}", subject=f"Subject of {ticket}") for ticket in tickets]
    changes[2] = update(tickets[2], f"key-{tickets[2]}", hs_ticket_priority="SOMEWHAT")
    warm(arena)

    written = arena.write(*changes)

    assert arena.calls() == [UPDATE]
    for ticket in tickets:
        outcome = written[f"key-{ticket}"]
        assert outcome.id == ticket
        assert (outcome.record is None) is (ticket == tickets[2])
        assert outcome.record is None or outcome.record.fields == {"subject": f"Subject of {ticket}"}
    error = written[f"key-{tickets[2]}"].error
    assert isinstance(error, Refused)
    assert (error.field, error.code) == ("hs_ticket_priority", "invalid_option")


def test_a_batch_refused_as_a_whole_is_halved_until_the_culprit_stands_alone(arena: HubSpotArena) -> None:
    """A portal without partial success: seven are written, one is refused."""
    tickets = [arena.new_ticket() for _ in range(8)]
    changes = [update(ticket, f"key-{ticket}", subject="New") for ticket in tickets]
    warm(arena)
    arena.fault("status", path="batch/update", status=400, body={"category": "VALIDATION_ERROR"}, times=4)

    written = arena.write(*changes)

    refused = [one for one in written.values() if one.error is not None]
    assert len(refused) == 1
    assert isinstance(refused[0].error, Refused)
    assert arena.calls().count(UPDATE) == 7
    assert {arena.properties(one)["subject"] for one in tickets if f"key-{one}" != refused[0].key} == {"New"}


def test_a_missing_scope_is_not_looked_for_in_halves(arena: HubSpotArena, portal: Imitation) -> None:
    tickets = [arena.new_ticket() for _ in range(4)]
    warm(arena)
    portal.configure(scopes=[])

    written = arena.write(*(update(ticket, f"key-{ticket}", subject="New") for ticket in tickets))

    assert arena.calls() == [UPDATE]
    assert {getattr(one.error, "code", None) for one in written.values()} == {"missing_scopes"}
    assert all("tickets" in str(one.error) for one in written.values())


def test_an_input_that_the_answer_forgets_is_unknown(arena: HubSpotArena) -> None:
    ticket = arena.new_ticket()
    warm(arena)
    arena.fault("status", path="batch/update", status=200, body={"status": "COMPLETE", "results": []})

    assert isinstance(arena.write(update(ticket, subject="New"))["update"].error, UnknownOutcome)


def test_changes_of_one_ticket_go_in_turns_and_stop_behind_an_open_one(arena: HubSpotArena) -> None:
    first, other = arena.new_ticket(), arena.new_ticket()
    warm(arena)
    changes = [
        update(first, "one", subject="One"),
        update(other, "other", subject="Other"),
        update(first, "two", subject="Two"),
    ]

    arena.write(*changes)
    in_turns = arena.calls()
    arena.fault("lost_answer", path="batch/update")
    written = arena.write(*changes)

    assert in_turns == [UPDATE, UPDATE]
    assert arena.properties(first)["subject"] == "One"
    assert isinstance(written["one"].error, UnknownOutcome)
    assert isinstance(written["two"].error, RetryLater)
    assert written["two"].error.scope == "record"


def test_an_archived_ticket_is_gone_and_is_not_made_anew(arena: HubSpotArena) -> None:
    gone, ticket = arena.gone_ticket(), arena.new_ticket()
    before = arena.tickets()

    written = arena.write(update(gone, "gone", subject="x"), update(ticket, "there", subject="x"))

    assert isinstance(written["gone"].error, Gone)
    assert written["there"].error is None
    assert arena.tickets() == before


def test_a_ticket_that_somebody_else_writes_just_now_is_read_again(arena: HubSpotArena, portal: Imitation) -> None:
    first, second = arena.new_ticket(), arena.new_ticket()
    warm(arena)
    portal.fail("conflict", path="batch/update", times=2)

    written = arena.write(update(first, "first", subject="New"), update(second, "second", subject="New"))

    assert isinstance(written["first"].error, RetryLater)
    assert (written["first"].error.scope, written["first"].error.code) == ("record", "conflict")
    assert written["second"].error is None


def test_a_rule_of_the_portal_is_told_in_its_own_words(arena: HubSpotArena, portal: Imitation) -> None:
    portal.configure(portal_rules=[{"stage": "Closed", "requires": "hs_resolution"}])
    ticket = arena.new_ticket()

    error = arena.write(update(ticket, hs_pipeline_stage="4"))["update"].error

    assert isinstance(error, Refused)
    assert error.field == "hs_resolution"
    assert "required to enter stage 'Closed'" in str(error)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"no_such_property": "x"}, "no_such_property"),
        ({"hs_pipeline_stage": "77"}, "hs_pipeline_stage"),
        ({"hubspot_owner_id": "900101"}, "hubspot_owner_id"),
        ({"createdate": "2026-01-01"}, "createdate"),
        ({"subject": "x" * 70_000}, "subject"),
    ],
)
def test_a_refusal_names_its_field(arena: HubSpotArena, values: dict[str, Any], field: str) -> None:
    written = arena.write(update(arena.new_ticket(), **values))["update"]

    assert isinstance(written.error, Refused)
    assert written.error.field == field


def test_a_create_that_is_refused_names_its_field_too(arena: HubSpotArena) -> None:
    written = arena.write(creation(1, hs_ticket_priority="SOMEWHAT"), creation(2))

    assert isinstance(written["create-1"].error, Refused)
    assert written["create-1"].error.field == "hs_ticket_priority"
    assert written["create-2"].error is None


@pytest.mark.parametrize(
    "change",
    [
        Change(ChangeKind.MOVE, "key", {"status": "open"}, "1"),
        Change(ChangeKind.CREATE, "key", {"subject": "x"}),
        Change(ChangeKind.UPDATE, "key", {"subject": "x"}),
    ],
)
def test_what_hubspot_cannot_express_is_said_and_not_sent(arena: HubSpotArena, change: Change) -> None:
    warm(arena)

    assert isinstance(arena.write(change)["key"].error, NotSupported)
    assert not [call for call in arena.calls() if "objects" in call]


def test_a_schema_that_cannot_be_read_leaves_writes_unsent(arena: HubSpotArena, portal: Imitation) -> None:
    """Else the answer could not be read: a set and a text look the same."""
    ticket = arena.new_ticket()
    portal.fail("burst", path="properties")

    written = arena.new_adapter().write([update(ticket, subject="New")])

    assert isinstance(written[0].error, RetryLater)
    assert arena.properties(ticket)["subject"] == "It does not work"
