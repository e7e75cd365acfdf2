"""Cases as records over their life: short ids, owners who left, contacts that are gone, bins and back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.adapters.base import Change, ChangeKind
from connector.adapters.testing.salesforce import SalesforceArena
from connector.domain.errors import Gone, Refused, RetryLater


def test_a_case_is_read_by_its_short_id_too(arena: SalesforceArena) -> None:
    case = arena.new_ticket()
    arena.sandbox.comment(case, "Words")

    assert arena.salesforce.read([case[:15]], arena.fields)[case[:15]].id == case
    assert len(arena.salesforce.comments([case[:15]])[case[:15]]) == 1
    assert arena.update(case[:15], {"Subject": "By its short id"}).id == case


def test_an_owner_who_left_refuses_that_field_and_a_queue_is_an_owner(arena: SalesforceArena) -> None:
    case = arena.new_ticket()
    people = {one.name: one.id for one in arena.salesforce.people()}
    arena.sandbox.deactivate("ben@acme.example")

    error = arena.update(case, {"OwnerId": people["Ben Berg"]}).error
    written = arena.update(case, {"OwnerId": people["Billing Queue"]}, key="again")

    assert isinstance(error, Refused)
    assert (error.code, error.field) == ("inactive_owner_or_user", "OwnerId")
    assert written.error is None
    assert arena.sandbox.case(case)["owner"] == "Billing Queue"


def test_a_contact_that_is_gone_is_looked_up_again(arena: SalesforceArena) -> None:
    arena.create("key-1", "outside-1")
    contact = arena.sandbox.state()["contacts"][0]["id"]
    arena.sandbox.org.delete(arena.sandbox.org.records[contact], arena.sandbox.org.user_id)

    first, again = arena.create("key-2", "outside-2"), arena.create("key-3", "outside-2")

    assert isinstance(first.error, RetryLater)
    assert first.error.scope == "record"
    assert again.error is None
    assert arena.sandbox.case(again.id)["fields"]["ContactEmail"] == "jo@customer.example"


def test_a_case_that_is_restored_is_found_and_read_again(arena: SalesforceArena) -> None:
    case = arena.gone_ticket()
    arena.imitation.clock.advance(3600)
    since = arena.now() - timedelta(seconds=1)
    assert arena.salesforce.read([case], arena.fields) == {}
    assert isinstance(arena.update(case, {"Subject": "x"}).error, Gone)
    assert list(arena.salesforce.changes(since, arena.fields).gone) == []

    arena.sandbox.undelete_case(case)

    found = arena.salesforce.changes(since, arena.fields)
    assert ([one.id for one in found.records], list(found.gone)) == ([case], [])
    assert arena.read(case).id == case


def test_a_merge_is_swept_as_gone_and_its_survivor_as_changed(arena: SalesforceArena) -> None:
    master, loser = arena.new_ticket(), arena.new_ticket()
    entry = arena.sandbox.comment(loser, "Words")
    arena.imitation.clock.advance(3600)
    since = arena.now() - timedelta(seconds=1)

    arena.sandbox.merge_cases(master, loser)

    found = arena.salesforce.changes(since, arena.fields)
    assert ([one.id for one in found.records], list(found.gone)) == ([master], [loser])
    assert [one.id for one in arena.timeline(master)] == [entry]


def test_a_queryall_that_a_composite_does_not_take_is_asked_alone(arena: SalesforceArena) -> None:
    """The documents do not say whether it is allowed as a part."""
    arena.sandbox.configure(composite_queryall=False)
    case, gone = arena.new_ticket(), arena.gone_ticket()

    found = arena.salesforce.changes(arena.now() - timedelta(hours=1), arena.fields)

    assert ([one.id for one in found.records], list(found.gone)) == ([case], [gone])


def test_a_change_that_waits_holds_back_the_later_ones_of_its_case(arena: SalesforceArena) -> None:
    case, other = arena.new_ticket(), arena.new_ticket()
    arena.fault(
        "status",
        method="PATCH",
        path="composite/sobjects",
        status=200,
        times=1,
        body=[
            {"success": False, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "", "fields": []}]},
            {"id": other, "success": True, "errors": []},
        ],
    )

    written = arena.write(
        Change(ChangeKind.UPDATE, "one", {"Subject": "1"}, case),
        Change(ChangeKind.UPDATE, "other", {"Subject": "2"}, other),
        Change(ChangeKind.UPDATE, "later", {"Subject": "3"}, case),
    )

    errors = {key: getattr(one.error, "code", "") for key, one in written.items()}
    assert errors == {"one": "unable_to_lock_row", "other": "", "later": "held_back"}


@pytest.mark.parametrize("forms", [frozenset(), frozenset({"email", "post"})])
def test_a_sweep_asks_by_system_stamp_where_that_can_be(arena: SalesforceArena, forms: frozenset[str]) -> None:
    """`LastModifiedDate` does not move for what the system changes; a feed knows no other time than its making."""
    arena.sandbox.configure(rights=["ViewAllData"])
    arena.adapter = arena.salesforce = arena.new_adapter(forms=lambda: forms)
    arena.salesforce.schema()
    arena.forget_calls()

    arena.salesforce.changes(arena.now(), arena.fields)

    (call,) = arena.sandbox.calls.kept()
    told = call.body.decode()
    assert told.count("SystemModstamp+%3E%3D") == 3 + ("email" in forms)
    assert told.count("CreatedDate+%3E%3D") == int("post" in forms)
    assert "LastModifiedDate" not in told
