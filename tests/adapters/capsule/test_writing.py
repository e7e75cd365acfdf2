"""What Capsule's rules ask of a write: pairs, types, rows to delete, and a create that is never repeated blindly."""

from __future__ import annotations

import pytest

from connector.adapters.base import Change, ChangeKind
from connector.adapters.testing.capsule import CapsuleArena
from connector.domain.errors import Gone, Refused, RetryLater, UnknownOutcome
from connector.domain.ticket import Requester


def test_one_write_carries_all_fields_of_a_record(arena: CapsuleArena) -> None:
    ticket = arena.new_ticket()
    arena.capsule.schema()
    arena.forget_calls()

    arena.update(
        ticket,
        {
            "name": "New",
            "stage": arena.step_id("Open"),
            "custom:Next Cap priority": "High",
            "expectedCloseOn": "2027-01-31",
        },
    )

    assert arena.calls() == [f"PUT /kases/{ticket}"]
    assert (arena.shown(ticket)["stage"], arena.shown(ticket)["expectedCloseOn"]) == ("Open", "2027-01-31")


@pytest.mark.parametrize("ownership", ["owner clears team", "pair"])
def test_owner_and_team_are_written_together(arena: CapsuleArena, ownership: str) -> None:
    arena.sandbox.configure(ownership=ownership)
    ticket = arena.new_ticket()
    arena.sandbox.assign(ticket, "ada", "Support")
    ben = str(arena.sandbox.account.user("ben").id)

    arena.update(ticket, {"owner": ben})
    after_owner = (arena.shown(ticket)["owner"], arena.shown(ticket)["team"])
    arena.update(ticket, {"team": "Billing"})

    assert after_owner == ("ben", "Support")
    assert (arena.shown(ticket)["owner"], arena.shown(ticket)["team"]) == ("ben", "Billing")


def test_an_owner_outside_the_team_is_refused_by_name(arena: CapsuleArena) -> None:
    ticket = arena.new_ticket()
    arena.sandbox.assign(ticket, None, "Sales")

    error = arena.update(ticket, {"owner": str(arena.sandbox.account.user("ben").id)}).error

    assert isinstance(error, Refused)
    assert error.field == "owner"


def test_nobody_is_the_tokens_user_unless_a_team_has_it(arena: CapsuleArena) -> None:
    ticket = arena.new_ticket()

    written = arena.update(ticket, {"owner": None})
    without_team = arena.shown(ticket)["owner"]
    arena.sandbox.assign(ticket, "ada", "Support")
    arena.update(ticket, {"owner": None})

    assert written.error is None
    assert without_team == "connector"
    assert (arena.shown(ticket)["owner"], arena.shown(ticket)["team"]) == (None, "Support")
    assert arena.capsule.read([ticket], ["owner"])[ticket].fields == {"owner": None}


def test_closing_keeps_the_stage_and_a_stage_opens_again(arena: CapsuleArena) -> None:
    ticket = arena.new_ticket()

    arena.update(ticket, {"stage": "CLOSED"})
    closed, read = arena.shown(ticket), arena.read(ticket).fields["stage"]
    arena.update(ticket, {"stage": arena.step_id("In progress")})

    assert (closed["status"], closed["stage"], read) == ("CLOSED", "New", "CLOSED")
    assert (arena.shown(ticket)["status"], arena.shown(ticket)["stage"]) == ("OPEN", "In progress")


def test_a_stage_that_is_on_no_board_is_never_written(arena: CapsuleArena) -> None:
    """Capsule would move the project without a word."""
    ticket = arena.new_ticket()
    arena.forget_calls()

    error = arena.update(ticket, {"stage": "1"}).error

    assert isinstance(error, Refused)
    assert error.field == "stage"
    assert not [one for one in arena.calls() if one.startswith("PUT")]


def test_custom_fields_are_written_by_type_and_read_as_text(arena: CapsuleArena) -> None:
    for name, kind in (("Seats", "number"), ("Flag", "boolean"), ("Day", "date")):
        arena.sandbox.add_field(name, kind)
    ticket, names = arena.new_ticket(), ["custom:Seats", "custom:Flag", "custom:Day"]

    written = arena.update(ticket, dict(zip(names, ("2.50", "true", "2027-02-28"), strict=True)))

    assert arena.shown(ticket)["fields"] == {"Seats": "2.5", "Flag": True, "Day": "2027-02-28"}
    assert written.record is not None
    shown = arena.capsule.read([ticket], names)[ticket].fields
    assert shown == {"custom:Seats": "2.5", "custom:Flag": "true", "custom:Day": "2027-02-28"}
    assert {name: written.record.fields[name] for name in names} == shown


@pytest.mark.parametrize(("kind", "value"), [("number", "many"), ("boolean", "perhaps"), ("date", "2027-02-31")])
def test_a_value_that_does_not_fit_is_refused_by_name_without_a_call(
    arena: CapsuleArena, kind: str, value: str
) -> None:
    """Capsule's own refusal would not say which field it was."""
    arena.sandbox.add_field("Odd", kind)

    error = arena.update(arena.new_ticket(), {"custom:Odd": value, "name": "x"}).error

    assert isinstance(error, Refused)
    assert error.field == "custom:Odd"


def test_an_option_that_was_taken_away_since_is_refused_by_name(arena: CapsuleArena) -> None:
    ticket = arena.new_ticket()
    arena.update(ticket, {"custom:Next Cap priority": "High", "custom:Next Cap category": "a"})
    arena.sandbox.set_options("Next Cap priority", ["Low"])

    error = arena.update(ticket, {"custom:Next Cap category": "b", "custom:Next Cap priority": "High"}).error

    assert isinstance(error, Refused)
    assert error.field == "custom:Next Cap priority"


def test_clearing_deletes_a_booleans_row_and_nulls_the_others(arena: CapsuleArena) -> None:
    arena.sandbox.add_field("Flag", "boolean")
    ticket = arena.new_ticket()
    arena.update(ticket, {"custom:Flag": "true", "custom:Next Cap category": "a"})

    written = arena.update(ticket, {"custom:Flag": None, "custom:Next Cap category": None})

    assert written.error is None
    assert arena.shown(ticket)["fields"] == {}


def test_tags_become_exactly_those_whatever_their_case(arena: CapsuleArena) -> None:
    ticket = arena.new_ticket()
    arena.sandbox.set_tags(ticket, ["VIP", "old"])

    arena.update(ticket, {"tags": ("new", "vip")})

    assert arena.shown(ticket)["tags"] == ["VIP", "new"]


def test_a_create_finds_the_customer_in_spite_of_a_late_index(arena: CapsuleArena) -> None:
    arena.sandbox.configure(search_lag=60.0)

    first = arena.create("key-1", "outside-1")
    again = arena.new_adapter().write([arena.creation("key-2", "outside-2")])[0]

    assert arena.shown(first.id)["party"] == arena.shown(again.id)["party"]


def test_a_visitor_without_an_address_gets_one_party_a_ticket(arena: CapsuleArena) -> None:
    change = Change(
        ChangeKind.CREATE,
        "key-1",
        {"name": "Hi", "stage": arena.step_id("New")},
        external_id="outside-1",
        requester=Requester(name="Visitor 7"),
    )
    arena.fault("status", method="POST", path="/kases$", status=503)

    first = arena.write(change)["key-1"]
    second = arena.write(change)["key-1"]

    parties = [one for one in arena.sandbox.state()["parties"] if one["name"] == "Visitor 7"]
    assert isinstance(first.error, UnknownOutcome)
    assert second.error is None
    assert [(one["tags"], one["about"]) for one in parties] == [
        (["Next Cap visitor"], "Next Cap visitor, ticket outside-1")
    ]


def test_a_customer_whose_making_lost_its_answer_is_looked_for(arena: CapsuleArena) -> None:
    arena.fault("lost_answer", method="POST", path="/parties$")

    first = arena.create("key-1", "outside-1")
    second = arena.create("key-1", "outside-1")

    assert isinstance(first.error, RetryLater)
    assert second.error is None
    emails = [one["emails"] for one in arena.sandbox.state()["parties"]]
    assert emails.count(["jo@customer.example"]) == 1


def test_a_party_that_was_deleted_is_looked_up_again(arena: CapsuleArena) -> None:
    first = arena.create("key-1", "outside-1")
    arena.sandbox.delete(arena.shown(first.id)["party"], kind="parties")

    second = arena.create("key-2", "outside-2")

    assert second.error is None


def test_a_lost_create_is_found_although_the_index_is_late(arena: CapsuleArena) -> None:
    arena.sandbox.configure(search_lag=600.0)
    sent_at, change = arena.now(), arena.creation("key-1", "outside-1")
    arena.fault("lost_answer", method="POST", path="/kases$")

    arena.write(change)
    found = arena.new_adapter().probe_create(change, sent_at=sent_at)

    assert found is not None
    assert found.fields["custom:Next Cap ticket ID"] == "outside-1"


def test_a_ticket_that_is_closed_already_is_made_closed_on_its_board(arena: CapsuleArena) -> None:
    board = arena.capsule.schema().field("board")
    assert board is not None
    support = next(one.value for one in board.options if one.label == "Support")
    change = Change(
        ChangeKind.CREATE, "key-1", {"name": "Old", "stage": "CLOSED", "board": support}, external_id="outside-1"
    )

    written = arena.write(change)["key-1"]

    shown = arena.shown(written.id)
    assert (shown["board"], shown["stage"], shown["status"]) == ("Support", "Resolved", "CLOSED")


def test_after_the_limit_nothing_more_is_sent(arena: CapsuleArena) -> None:
    tickets = [arena.new_ticket() for _ in range(3)]
    arena.fault("status", **arena.rate_limited)

    written = arena.write(*(Change(ChangeKind.UPDATE, one, {"name": "x"}, one) for one in tickets))

    assert all(isinstance(one.error, RetryLater) for one in written.values())
    assert arena.calls().count(f"PUT /kases/{tickets[0]}") == 1
    assert len([one for one in arena.calls() if one.startswith("PUT")]) == 1


def test_a_record_that_is_gone_is_told_so(arena: CapsuleArena) -> None:
    gone = arena.gone_ticket()

    assert isinstance(arena.update(gone, {"owner": None}).error, Gone)
    assert isinstance(arena.update(gone, {"name": "x"}).error, Gone)
