"""Creates that are never doubled, jobs, versions, and the words of refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.adapters.base import Change, ChangeKind
from connector.adapters.testing.zendesk import ZendeskArena
from connector.domain.errors import Refused, RetryLater, UnknownOutcome


def updates(arena: ZendeskArena, number: int) -> list[Change]:
    return [
        Change(ChangeKind.UPDATE, f"key-{place}", {"priority": "high"}, arena.new_ticket()) for place in range(number)
    ]


def test_a_hundred_changes_are_one_job_and_one_look(arena: ZendeskArena) -> None:
    changes = updates(arena, 100)
    arena.sandbox.configure(job_seconds=0.15)
    arena.forget_calls()

    written = arena.adapter.write(changes)

    assert [one.error for one in written] == [None] * 100
    assert len(arena.calls()) == 2
    assert arena.naps == [0.5]


def test_a_lonely_change_needs_no_job(arena: ZendeskArena) -> None:
    changes = updates(arena, 1)
    arena.forget_calls()

    arena.adapter.write(changes)

    assert arena.calls() == [f"PUT /api/v2/tickets/{changes[0].record_id}"]


def test_a_job_that_does_not_end_is_of_unknown_outcome(arena: ZendeskArena) -> None:
    changes = updates(arena, 3)
    arena.sandbox.configure(job_seconds=600.0)

    errors = [one.error for one in arena.adapter.write(changes)]

    assert all(isinstance(error, UnknownOutcome) and error.answered for error in errors)
    assert sum(arena.naps) < 10


def test_jobs_are_first_looked_at_when_the_last_ones_had_ended(arena: ZendeskArena) -> None:
    """Where Zendesk is slow, nobody asks before it can be done; where it is quick again, that is found out."""
    changes = [Change(ChangeKind.UPDATE, f"k{n}", {"priority": "high"}, record_id=arena.new_ticket()) for n in range(3)]
    naps = []
    for seconds in (1.9, 1.9, 0.1, 0.1):
        arena.sandbox.configure(job_seconds=seconds)
        arena.naps.clear()
        arena.write(*changes)
        naps.append(list(arena.naps))

    assert naps == [[0.5, 1.5], [2.0], [0.5], [0.5]]


def test_each_ticket_of_a_job_has_its_own_outcome(arena: ZendeskArena) -> None:
    good, gone, idle = arena.new_ticket(), arena.gone_ticket(), arena.new_ticket()
    values = {good: {"priority": "low"}, gone: {"priority": "low"}, idle: {"status": "solved"}}

    written = arena.write(*(Change(ChangeKind.UPDATE, one, told, one) for one, told in values.items()))

    assert written[good].error is None
    assert getattr(written[gone].error, "code", "") == "gone"
    refused = written[idle].error
    assert isinstance(refused, Refused)
    assert "ssignee" in str(refused)


@pytest.mark.parametrize("number", [1, 3])
def test_a_change_decided_on_an_old_version_is_decided_anew(arena: ZendeskArena, number: int) -> None:
    tickets = [arena.new_ticket() for _ in range(number)]
    read = arena.adapter.read(tickets, arena.fields)
    arena.imitation.clock.advance(5)
    arena.sandbox.change(tickets[0], {"subject": "A person was faster"})

    written = arena.write(
        *(Change(ChangeKind.UPDATE, one, {"subject": "Ours"}, one, version=read[one].version) for one in tickets)
    )
    error = written[tickets[0]].error

    assert isinstance(error, RetryLater)
    assert (error.code, error.scope) == ("conflict", "record")
    assert arena.read(tickets[0]).fields["subject"] == "A person was faster"
    assert [written[one].error for one in tickets[1:]] == [None] * (number - 1)


def test_a_create_repeated_after_its_key_has_ended_finds_the_first(arena: ZendeskArena) -> None:
    first = arena.create("key-1", "outside-1")
    arena.imitation.clock.advance(3 * 3600)
    again = Change(ChangeKind.CREATE, "key-1", {"subject": "From Next Cap"}, external_id="outside-1", repeated=True)

    written = arena.write(again)["key-1"]

    assert (written.id, written.created) == (first.id, False)
    assert len(arena.sandbox.tickets_of("outside-1")) == 1


def test_a_create_repeated_with_other_values_finds_the_first(arena: ZendeskArena) -> None:
    first = arena.create("key-1", "outside-1")
    other = Change(ChangeKind.CREATE, "key-1", {"subject": "Edited meanwhile"}, external_id="outside-1")

    written = arena.write(other)["key-1"]

    assert (written.id, written.error) == (first.id, None)
    assert len(arena.sandbox.tickets_of("outside-1")) == 1


def test_tags_are_told_as_zendesk_keeps_them(arena: ZendeskArena) -> None:
    tickets = [arena.new_ticket() for _ in range(3)]

    written = arena.write(*(Change(ChangeKind.UPDATE, one, {"tags": ("VIP Customer",)}, one) for one in tickets))

    for one in tickets:
        record = written[one].record
        assert record is not None
        assert record.fields["tags"] == arena.read(one).fields["tags"] == ("vip_customer",)


def test_what_zendesk_would_pass_over_is_refused_here(arena: ZendeskArena) -> None:
    """Zendesk answers 200 to a custom field that does not exist."""
    error = arena.update(arena.new_ticket(), {"custom_fields.1": "value"}).error

    assert isinstance(error, Refused)
    assert error.field == "custom_fields.1"


def test_a_closed_ticket_refuses_by_name(arena: ZendeskArena) -> None:
    ticket = arena.new_ticket(assignee_id=9002, status="solved")
    arena.sandbox.close_ticket(ticket)

    error = arena.update(ticket, {"status": "open"}).error

    assert isinstance(error, Refused)
    assert (error.code, error.field) == ("ticketclosed", "status")


def followed(arena: ZendeskArena) -> tuple[str, Change]:
    """A closed ticket that carries our id, and the making of its follow-up."""
    ticket = arena.create("key-1", "outside-1").id
    arena.sandbox.change(ticket, {"assignee_id": 9002, "status": "solved"})
    arena.sandbox.close_ticket(ticket)
    return ticket, replace(arena.creation("key-2", "outside-1"), follows=ticket)


def test_a_closed_ticket_is_followed_by_one_of_its_own(arena: ZendeskArena) -> None:
    ticket, change = followed(arena)

    made = arena.write(change)["key-2"]

    assert (made.error, made.created, made.id != ticket) == (None, True, True)
    assert arena.sandbox.ticket(ticket)["followup_ids"] == [int(made.id)]
    assert arena.read(made.id).fields["external_id"] == "outside-1"


@pytest.mark.parametrize("hours", [0, 3])
def test_a_follow_up_that_is_repeated_is_made_once(arena: ZendeskArena, hours: int) -> None:
    ticket, change = followed(arena)
    first = arena.write(change)["key-2"]
    arena.imitation.clock.advance(hours * 3600)

    again = arena.write(replace(change, repeated=True))["key-2"]

    assert (again.id, again.created) == (first.id, False)
    assert arena.sandbox.ticket(ticket)["followup_ids"] == [int(first.id)]
