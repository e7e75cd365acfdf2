"""Writing to Next Cap: nothing replaced by accident, no move made twice, nothing internal made public."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.adapters.base import Change, ChangeKind, NewComment, Written
from connector.adapters.nextcap import NextCap
from connector.domain.errors import Gone, NotSupported, Refused, RetryLater, UnknownOutcome
from connector.domain.schema import Schema
from connector.domain.ticket import Comment, CommentKind, Requester, Value
from connector.sandbox.nextcap_settings import PERMISSIONS

from .arena import SECRET, NextCapArena

URL = "https://connector.example.test/webhooks/nextcap"
NOON = datetime(2026, 4, 7, 12, 0, tzinfo=UTC)


def ticket_of(arena: NextCapArena, **fields: Any) -> str:
    return str(arena.imitation.create_ticket(subject="Hilfe", **fields)["id"])


def shown(arena: NextCapArena, ticket: str) -> dict[str, Any]:
    return arena.imitation.ticket(ticket)


def change(arena: NextCapArena, kind: ChangeKind, ticket: str, values: dict[str, Value]) -> Written:
    return arena.write(Change(kind, "key-1", values, ticket))["key-1"]


def requests(arena: NextCapArena, method: str) -> list[tuple[str, bytes]]:
    """The writes that arrived: the last part of the path, and the body."""
    kept = [call for call in arena.imitation.calls.kept() if call.method == method]
    return [(call.path.rsplit("/", 1)[1], call.body) for call in kept]


# -- fields


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


# -- status


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


# -- assignee and department


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


# -- new tickets


def test_a_new_ticket_says_whose_it_is(arena: NextCapArena) -> None:
    created = arena.create("key-1", "hs-9")

    ticket = shown(arena, created.id)

    assert ticket["metadata"] == {"hubspot": "hs-9"}
    assert (ticket["customer_email"], ticket["customer_name"]) == ("eve@customer.example", "Eve")
    assert (ticket["priority"], ticket["tags"]) == ("high", ["crm"])
    assert created.record is not None
    assert created.record.fields["status"] == "new"


@pytest.mark.parametrize(
    ("requester", "phone"),
    [(Requester(phone="+43 1"), "+43 1"), (Requester(email="e@x.example", phone="+43 1"), None)],
)
def test_a_phone_number_is_told_where_nothing_else_reaches(
    arena: NextCapArena, requester: Requester, phone: str | None
) -> None:
    wanted = replace(arena.creation("key-1", "hs-9"), requester=requester)

    created = arena.write(wanted)["key-1"]

    assert shown(arena, created.id)["customer_phone"] == phone


def test_a_widget_is_given_where_one_is_configured(arena: NextCapArena) -> None:
    adapter = NextCap(arena.transport("nextcap_ck_sandbox"), secrets=[SECRET], widget_id="widget-shop")

    (created,) = adapter.write([arena.creation("key-1", "hs-9")])

    assert shown(arena, created.id)["widget_id"] == "widget-shop"


def test_creating_is_not_supported_where_there_is_no_route(arena: NextCapArena) -> None:
    arena.imitation.configure(create_route=False)

    assert isinstance(arena.create("key-1", "hs-9").error, NotSupported)


def test_a_new_ticket_whose_answer_says_nothing_is_in_doubt_and_found(arena: NextCapArena) -> None:
    arena.imitation.configure(empty_answers=True)
    sent_at = arena.now()

    created = arena.create("key-1", "hs-9")
    found = arena.adapter.probe_create(arena.creation("key-1", "hs-9"), sent_at=sent_at)

    assert isinstance(created.error, UnknownOutcome)
    assert created.error.answered
    assert found is not None
    assert found.fields["metadata.hubspot"] == "hs-9"


def test_the_probe_knows_ours_from_others(arena: NextCapArena) -> None:
    sent_at = arena.now()
    for reference in ("hs-1", "hs-99"):
        arena.create(f"key-{reference}", reference)
    ticket_of(arena, metadata={"salesforce": "hs-9"})

    assert arena.adapter.probe_create(arena.creation("key-1", "hs-9"), sent_at=sent_at) is None


def test_the_probe_does_not_look_further_back_than_the_sending(arena: NextCapArena) -> None:
    arena.create("key-1", "hs-9")
    arena.imitation.clock.advance(120)

    assert arena.adapter.probe_create(arena.creation("key-1", "hs-9"), sent_at=arena.now()) is None


def test_without_a_reference_nothing_can_be_recognised(arena: NextCapArena) -> None:
    with pytest.raises(NotSupported):
        arena.adapter.probe_create(replace(arena.creation("key", "hs"), metadata={}), sent_at=arena.now())


# -- comments


def test_a_note_is_internal_in_so_many_words(arena: NextCapArena) -> None:
    ticket = ticket_of(arena, customer_email="eve@customer.example")

    arena.add(arena.note(ticket, "key-1", "secret"))

    assert b'"is_internal":true' in requests(arena, "POST")[0][1].replace(b" ", b"")
    assert arena.imitation.timeline(ticket)[-1]["is_internal"] is True


def test_a_reply_is_mailed_once_and_carries_a_key_that_stays(arena: NextCapArena) -> None:
    """Where Next Cap heeds the key, even a blind repeat mails nobody twice."""
    arena.imitation.configure(idempotency=True)
    ticket = ticket_of(arena, customer_email="eve@customer.example")
    reply = arena.note(ticket, "key-1", "Hello", CommentKind.REPLY)

    first, again = arena.add(reply)["key-1"], arena.add(reply)["key-1"]
    arena.add(replace(reply, text="Hello again"))

    assert first.id == again.id
    assert list(arena.customer_sees(ticket)) == ["Hello", "Hello again"]


def test_the_key_can_be_switched_off_and_field_writes_have_none(arena: NextCapArena) -> None:
    """A walk's steps are equal calls with different meanings: an honoured key would swallow the second."""
    ticket = ticket_of(arena)
    plain = NextCap(arena.transport("nextcap_ck_sandbox"), secrets=[SECRET], idempotency=False)

    plain.add_comments([arena.note(ticket, "key-1", "words")])
    arena.write(Change(ChangeKind.UPDATE, "key-2", {"priority": "high"}, ticket))

    assert not [call for call in arena.imitation.calls.kept() if "idempotency-key" in call.headers]


def test_a_customers_reply_cannot_be_faked(arena: NextCapArena) -> None:
    ticket = ticket_of(arena)

    written = arena.add(arena.note(ticket, "key-1", "words", CommentKind.CUSTOMER_REPLY))["key-1"]

    assert isinstance(written.error, NotSupported)


def test_a_ticket_that_waits_does_not_hold_up_another(arena: NextCapArena) -> None:
    first, second = ticket_of(arena), ticket_of(arena)
    arena.fault("status", method="POST", path=f"{first}/notes", status=503)

    written = arena.add(
        arena.note(first, "a1", "one"), arena.note(first, "a2", "two"), arena.note(second, "b1", "three")
    )

    assert set(written) == {"a1", "b1"}
    assert isinstance(written["a1"].error, UnknownOutcome)
    assert written["b1"].error is None


def test_a_comment_whose_answer_names_no_entry_is_in_doubt_and_found(arena: NextCapArena) -> None:
    arena.imitation.configure(empty_answers=True)
    ticket, sent_at = ticket_of(arena), arena.now()
    note = arena.note(ticket, "key-1", "words")

    written = arena.add(note)["key-1"]

    assert isinstance(written.error, UnknownOutcome)
    assert arena.recognise(note, sent_at) is not None


def test_a_limit_on_length_is_told_and_never_cut(arena: NextCapArena) -> None:
    arena.imitation.configure(content_limit=10)

    error = arena.add(arena.note(ticket_of(arena), "key-1", "longer than ten"))["key-1"].error

    assert isinstance(error, Refused)
    assert error.field == "content"


def entry(number: int, text: str = "same words", **other: Any) -> Comment:
    at = NOON + timedelta(seconds=other.pop("after", 0))
    return Comment(f"e{number}", other.pop("kind", CommentKind.NOTE), text, at, **other)


@pytest.mark.parametrize(
    ("timeline", "taken", "found"),
    [
        ([entry(1)], (), "e1"),
        ([entry(1, "Same  words!\n")], (), "e1"),
        ([entry(1, "other words")], (), None),
        ([entry(1, kind=CommentKind.REPLY)], (), None),
        ([entry(1, after=-61)], (), None),
        ([entry(1, after=-59)], (), "e1"),
        ([entry(1)], ("e1",), None),
        ([entry(1), entry(2, after=1)], ("e1",), "e2"),
        ([entry(2, after=1), entry(1)], (), "e1"),
        ([entry(1, author_id="ben"), entry(2, after=1, author_id="seat")], (), "e2"),
        ([entry(1, author_id="ben")], (), "e1"),
        ([entry(1, "marked up", html="<b>same</b> words"), entry(2, "same words", after=9)], (), "e2"),
        ([entry(1, "same words", html="<i>x</i>")], (), "e1"),
        ([], (), None),
    ],
)
def test_which_entry_is_ours(
    arena: NextCapArena, timeline: list[Comment], taken: tuple[str, ...], found: str | None
) -> None:
    adapter = NextCap(arena.transport("key"), secrets=[SECRET], seat_id="seat")
    note = NewComment("key-1", "7", CommentKind.NOTE, "same words")

    assert adapter.recognise(note, timeline, sent_at=NOON, taken=frozenset(taken)) == found


def test_two_equal_texts_stay_two(arena: NextCapArena) -> None:
    ticket, sent_at = ticket_of(arena), arena.now()
    notes = [arena.note(ticket, f"key-{number}", "same") for number in range(2)]
    first = arena.add(notes[0])["key-0"].id
    arena.fault("lost_answer", method="POST", path="notes")

    arena.add(notes[1])
    second = arena.recognise(notes[1], sent_at, first)

    assert second not in (None, first)


# -- set-up


def test_a_webhook_is_registered_once_and_its_secret_is_kept(arena: NextCapArena) -> None:
    arena.webhook_secrets.clear()

    dry = arena.adapter.subscribe(URL, dry_run=True)
    first = arena.adapter.subscribe(URL, dry_run=False)
    second = arena.adapter.subscribe(URL, dry_run=False)
    hook = next(iter(arena.imitation.world.webhooks.values()))

    assert [step.state for step in (*dry, *first, *second)] == ["would", "done", "ok"]
    assert arena.webhook_secrets == [hook.secret]
    assert "ticket.customer_reply" in hook.events
    assert len(arena.imitation.world.webhooks) == 1
    assert hook.secret not in repr((*first, *second))


def test_a_kept_secret_is_believed_at_once(arena: NextCapArena) -> None:
    arena.webhook_secrets.clear()
    arena.adapter.subscribe(URL, dry_run=False)

    arena.adapter.verify(arena.signed(b"{}", "x", secret=arena.webhook_secrets[0]), now=arena.now())


def test_without_a_data_key_or_a_place_for_the_secret_a_person_does_it(arena: NextCapArena) -> None:
    keyless = NextCap(arena.transport("key"), secrets=[])
    homeless = NextCap(arena.transport("key"), data_transport=arena.transport("key"), secrets=[])

    for adapter in (keyless, homeless):
        (step,) = adapter.subscribe(URL, dry_run=False)
        assert step.state == "manual"
        assert "ticket.reply" in step.advice
    assert arena.wire.urls == []


def test_a_list_that_is_missing_makes_no_second_webhook(arena: NextCapArena) -> None:
    arena.imitation.configure(webhook_routes=False)
    arena.webhook_secrets.clear()

    first = arena.adapter.subscribe(URL, dry_run=False)
    second = arena.adapter.subscribe(URL, dry_run=False)

    assert [step.state for step in (*first, *second)] == ["done", "manual"]
    assert len(arena.imitation.world.webhooks) == 1


@pytest.mark.parametrize("trouble", ["inactive", "too few events", "secret lost"])
def test_a_webhook_that_cannot_work_is_a_problem_with_a_remedy(arena: NextCapArena, trouble: str) -> None:
    arena.adapter.subscribe(URL, dry_run=False)
    hook = next(iter(arena.imitation.world.webhooks.values()))
    if trouble == "inactive":
        hook.is_active = False
    elif trouble == "too few events":
        hook.events = ("ticket.created",)
    else:
        arena.webhook_secrets.clear()

    (step,) = arena.adapter.subscribe(URL, dry_run=False)

    assert step.state == "problem"
    assert "Delete it" in step.advice


def checks(arena: NextCapArena) -> dict[str, bool]:
    return {check.what: check.ok for check in arena.adapter.check()}


def test_each_missing_right_is_a_line_of_its_own(arena: NextCapArena) -> None:
    arena.imitation.configure(permissions=["tickets:view"])

    assert checks(arena) == {
        "tickets": True,
        "clock": True,
        "team directory": False,
        "conversations": True,
        "chat queue": True,
        "webhooks": True,
    }


def test_a_removed_seat_and_a_dead_webhook_are_seen(arena: NextCapArena) -> None:
    arena.adapter.subscribe(URL, dry_run=False)
    next(iter(arena.imitation.world.webhooks.values())).is_active = False
    arena.imitation.configure(seat_active=False)

    found = checks(arena)

    assert (found["tickets"], found["webhooks"]) == (False, False)


def test_a_clock_that_is_wrong_is_seen(arena: NextCapArena) -> None:
    def wrong() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=90)

    adapter = NextCap(arena.transport("nextcap_ck_sandbox"), secrets=[SECRET], now=wrong)

    (clock,) = (check for check in adapter.check() if check.what == "clock")

    assert not clock.ok
    assert clock.detail.startswith("-9")


def test_the_schema_says_what_may_be_written(arena: NextCapArena) -> None:
    schema: Schema = arena.adapter.schema()
    status = schema.field("status")

    assert status is not None
    assert len(status.options) == 8
    assert {field.name for field in schema.fields if field.writable} == {
        "subject",
        "description",
        "status",
        "priority",
        "category",
        "tags",
        "department_id",
        "assigned_agent_id",
    }
    assert set(arena.read(ticket_of(arena)).fields) - {"custom_fields.plan"} <= {field.name for field in schema.fields}


def test_a_removed_seat_stops_the_connection_and_blames_no_ticket(arena: NextCapArena) -> None:
    ticket = ticket_of(arena)
    arena.imitation.configure(seat_active=False)

    error = change(arena, ChangeKind.UPDATE, ticket, {"priority": "high"}).error

    assert isinstance(error, RetryLater)
    assert (error.code, error.scope) == ("unauthorized", "connection")
