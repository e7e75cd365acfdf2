"""Adding to Next Cap: tickets and comments are made once, and nothing internal becomes public."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.adapters.base import Change, ChangeKind, NewComment
from connector.adapters.nextcap import NextCap
from connector.domain.errors import NotSupported, Refused, UnknownOutcome
from connector.domain.ticket import Comment, CommentKind, Requester

from .arena import SECRET, NextCapArena
from .helpers import requests, shown, ticket_of

NOON = datetime(2026, 4, 7, 12, 0, tzinfo=UTC)


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
