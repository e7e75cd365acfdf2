"""Writing to Next Cap: nothing replaced by accident, no move made twice."""

from __future__ import annotations

from typing import Any

import pytest

from connector.adapters.base import ChangeKind
from connector.domain.errors import Gone, Refused, UnknownOutcome
from connector.sandbox.nextcap_settings import PERMISSIONS

from .arena import NextCapArena
from .helpers import change, requests, shown, ticket_of


def test_keys_of_an_object_that_we_do_not_write_stay(arena: NextCapArena) -> None:
    """The object is replaced whole, so it is read first and sent whole."""
    ticket = ticket_of(arena, custom_fields={"plan": "pro", "raw": {"a": [1]}}, metadata={"crm": "x", "old": "y"})

    written = change(
        arena,
        ChangeKind.UPDATE,
        ticket,
        {"custom_fields.plan": "max", "custom_fields.seats": 3, "metadata.old": None, "metadata.hubspot": "9"},
    )

    assert written.error is None
    assert shown(arena, ticket)["custom_fields"] == {"plan": "max", "raw": {"a": [1]}, "seats": 3}
    assert shown(arena, ticket)["metadata"] == {"crm": "x", "hubspot": "9"}


def test_plain_fields_need_no_read(arena: NextCapArena) -> None:
    ticket = ticket_of(arena, category="a", tags=["x"])

    written = change(arena, ChangeKind.UPDATE, ticket, {"category": None, "tags": None, "description": None})

    assert written.error is None
    assert requests(arena, "GET") == []
    assert (shown(arena, ticket)["category"], shown(arena, ticket)["tags"], shown(arena, ticket)["description"]) == (
        None,
        [],
        "",
    )
    assert written.record is not None
    assert written.record.fields["tags"] is None


def test_all_values_go_in_one_call(arena: NextCapArena) -> None:
    ticket = ticket_of(arena)

    change(arena, ChangeKind.UPDATE, ticket, {"subject": "A", "priority": "high", "tags": ("b", "a")})

    assert len(requests(arena, "PATCH")) == 1
    assert shown(arena, ticket)["tags"] == ["b", "a"]


def test_too_much_metadata_is_refused_before_it_is_sent(arena: NextCapArena) -> None:
    ticket = ticket_of(arena, metadata={"old": "ü" * 4000})

    written = change(arena, ChangeKind.UPDATE, ticket, {"metadata.new": "ü" * 2000})

    assert isinstance(written.error, Refused)
    assert (written.error.code, written.error.field) == ("metadata_too_large", "metadata")
    assert requests(arena, "PATCH") == []


@pytest.mark.parametrize("name", ["requester.email", "department.name", "custom_fields", "metadata"])
def test_what_cannot_be_written_is_refused(arena: NextCapArena, name: str) -> None:
    written = change(arena, ChangeKind.UPDATE, ticket_of(arena), {name: "x"})

    assert isinstance(written.error, Refused)
    assert (written.error.code, written.error.field) == ("read_only", name)


def test_a_refused_custom_field_is_named_as_we_know_it(arena: NextCapArena) -> None:
    arena.imitation.configure(custom_field_names=["plan"])

    written = change(arena, ChangeKind.UPDATE, ticket_of(arena), {"custom_fields.colour": "red"})

    assert isinstance(written.error, Refused)
    assert written.error.field == "custom_fields.colour"


@pytest.mark.parametrize("settings", [{"empty_answers": True}, {"casing": "camel"}])
def test_an_answer_may_be_empty_or_in_another_casing(arena: NextCapArena, settings: dict[str, Any]) -> None:
    ticket = ticket_of(arena)
    arena.imitation.configure(**settings)

    written = change(arena, ChangeKind.UPDATE, ticket, {"priority": "high"})

    assert written.error is None
    assert written.id == ticket
    assert (written.record is None) == ("empty_answers" in settings)
    assert written.record is None or written.record.fields["priority"] == "high"


def test_a_ticket_out_of_sight_gives_a_refusal_without_a_write(arena: NextCapArena) -> None:
    written = change(arena, ChangeKind.UPDATE, arena.gone_ticket(), {"custom_fields.plan": "x"})

    assert isinstance(written.error, Gone)
    assert requests(arena, "PATCH") == []


@pytest.mark.parametrize(
    ("before", "step", "call"),
    [
        ((), "open", ("PATCH", None)),
        ((), "closed", ("POST", "close")),
        (("closed",), "reopened", ("POST", "reopen")),
        (("open",), "resolved", ("PATCH", None)),
    ],
)
def test_a_step_takes_the_call_that_is_meant_for_it(
    arena: NextCapArena, before: tuple[str, ...], step: str, call: tuple[str, str | None]
) -> None:
    ticket = ticket_of(arena)
    for status in before:
        arena.imitation.move(ticket, status)

    written = change(arena, ChangeKind.MOVE, ticket, {"status": step})

    assert written.record is not None
    assert written.record.fields["status"] == step
    assert [path for path, _ in requests(arena, call[0])] == [call[1] or ticket]
    assert call[1] is None or requests(arena, "POST")[0][1] == b""


def test_an_illegal_step_is_tried_once(arena: NextCapArena) -> None:
    """A 400 about the move itself is no reason to try another form of it."""
    ticket = ticket_of(arena)
    arena.imitation.move(ticket, "closed")

    for step in ("closed", "open"):
        written = change(arena, ChangeKind.MOVE, ticket, {"status": step})
        assert isinstance(written.error, Refused)
        assert (written.error.code, written.error.field) == ("illegal_move", "status")

    assert len(arena.imitation.world.illegal_moves) == 2
    assert len(requests(arena, "POST")) == len(requests(arena, "PATCH")) == 1


def test_a_server_that_wants_a_body_gets_one_the_second_time(arena: NextCapArena) -> None:
    ticket = ticket_of(arena)
    arena.fault("status", method="POST", path="/close", status=415, body={"error": "body expected"})

    written = change(arena, ChangeKind.MOVE, ticket, {"status": "closed"})

    assert written.error is None
    assert [body for _, body in requests(arena, "POST")] == [b"", b"{}"]


def test_without_the_right_to_close_the_status_is_patched(arena: NextCapArena) -> None:
    ticket = ticket_of(arena)
    arena.imitation.configure(permissions=[one for one in PERMISSIONS if one != "tickets:close"])

    written = change(arena, ChangeKind.MOVE, ticket, {"status": "closed"})

    assert written.error is None
    assert shown(arena, ticket)["status"] == "closed"


@pytest.mark.parametrize("kind", ["lost_answer", "error_after"])
def test_a_step_of_unknown_outcome_is_not_tried_another_way(arena: NextCapArena, kind: str) -> None:
    ticket = ticket_of(arena)
    arena.fault(kind, method="POST", path="/close")

    written = change(arena, ChangeKind.MOVE, ticket, {"status": "closed"})

    assert isinstance(written.error, UnknownOutcome)
    assert len(requests(arena, "POST")) == 1
    assert requests(arena, "PATCH") == []


def test_assigning_and_taking_the_assignee_away(arena: NextCapArena) -> None:
    ticket = ticket_of(arena)
    ben = next(person.id for person in arena.adapter.people() if person.email == "ben@acme.example")

    assigned = change(arena, ChangeKind.ASSIGN, ticket, {"assigned_agent_id": ben})
    after = shown(arena, ticket)["assigned_agent_id"]
    taken = change(arena, ChangeKind.ASSIGN, ticket, {"assigned_agent_id": None})

    assert (assigned.error, taken.error) == (None, None)
    assert (after, shown(arena, ticket)["assigned_agent_id"]) == (ben, None)


def test_an_assignee_who_is_refused_is_named_as_our_field(arena: NextCapArena) -> None:
    written = change(arena, ChangeKind.ASSIGN, ticket_of(arena), {"assigned_agent_id": "nobody"})

    assert isinstance(written.error, Refused)
    assert written.error.field == "assigned_agent_id"


def test_an_assignee_that_cannot_be_taken_away_is_refused_in_words(arena: NextCapArena) -> None:
    arena.imitation.configure(null_unassigns=False)

    written = change(arena, ChangeKind.ASSIGN, ticket_of(arena), {"assigned_agent_id": None})

    assert isinstance(written.error, Refused)
    assert (written.error.code, written.error.field) == ("unassign_refused", "assigned_agent_id")


def test_a_transfer_keeps_the_assignee(arena: NextCapArena) -> None:
    """Next Cap would drop them unless told not to."""
    ticket = ticket_of(arena, assignee="ben@acme.example")
    department = next(iter(arena.imitation.world.departments))

    written = change(arena, ChangeKind.TRANSFER, ticket, {"department_id": department})

    assert written.error is None
    assert shown(arena, ticket)["department_id"] == department
    assert shown(arena, ticket)["assigned_agent_id"] is not None
