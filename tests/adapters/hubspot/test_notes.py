"""The timeline: what a note of ours looks like, that it is made once, and how people's notes are read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connector.adapters.base import NewComment
from connector.adapters.entries import marker
from connector.adapters.hubspot.comments import LONGEST_BODY, note_body
from connector.adapters.testing.hubspot import HubSpotArena
from connector.domain.errors import Refused, UnknownOutcome
from connector.domain.text import html_to_text
from connector.domain.ticket import Attachment, CommentKind
from connector.sandbox.hubspot import HubSpot as Imitation

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BATCH = "POST /crm/objects/notes/batch/create"
SINGLE = "POST /crm/objects/notes"


def comment(ticket: str, key: str, text: str = "Hello", at: datetime = NOON, **more: object) -> NewComment:
    told = {"kind": CommentKind.NOTE, "author": "Ana", **more}
    return NewComment(key, ticket, text=text, created_at=at, **told)  # type: ignore[arg-type]  # each test gives right ones


@pytest.mark.parametrize(
    ("kind", "author", "heading"),
    [
        (CommentKind.REPLY, "Ana", "Ana replied in Next Cap (#1042)"),
        (CommentKind.REPLY, "", "An agent replied in Next Cap (#1042)"),
        (CommentKind.CUSTOMER_REPLY, "Jo <b>", "Customer Jo <b> wrote in Next Cap (#1042)"),
        (CommentKind.CUSTOMER_REPLY, "", "The customer wrote in Next Cap (#1042)"),
        (CommentKind.NOTE, "Ana", "Internal note by Ana in Next Cap (#1042)"),
        (CommentKind.NOTE, "", "Internal note in Next Cap (#1042)"),
    ],
)
def test_a_note_says_who_wrote_what_and_where(kind: CommentKind, author: str, heading: str) -> None:
    files = (Attachment("1", "in & out.pdf"), Attachment("2", "log.txt"))
    body = note_body(
        comment("1", "key", "a <script>\nb", kind=kind, author=author, ticket_number="#1042", attachments=files)
    )

    assert html_to_text(body).split("\n\n") == [
        heading,
        "a <script>\nb",
        "Files in Next Cap: in & out.pdf, log.txt",
        f"Reference {marker('key')}",
    ]
    assert "<script>" not in body


def test_a_marker_is_of_one_key() -> None:
    assert marker("a") == marker("a") != marker("b")


@pytest.mark.parametrize(
    "text",
    [
        "paragraph & more\n\n" * 9000,
        "line 👋 of text\n" * 9000,
        "word " * 40_000,
        "👋" * 70_000,
        "x" * 65_500,
        "&" * 30_000,
    ],
)
def test_a_long_text_is_cut_where_a_reader_would_and_says_so(arena: HubSpotArena, portal: Imitation, text: str) -> None:
    ticket = arena.new_ticket()

    written = arena.add(comment(ticket, "key", text))["key"]
    (note,) = portal.ticket(ticket)["notes"]
    read = arena.timeline(ticket)[0].text

    assert written.error is None
    assert len(note["body"].encode("utf-16-le")) // 2 <= LONGEST_BODY
    assert marker("key") in read
    assert "too long for HubSpot: read it in Next Cap" in read
    kept = read.split("\n\n", 1)[1].split("The rest of this text")[0].strip()
    assert text.startswith(kept)
    assert len(kept.encode("utf-16-le")) // 2 > 10_000
    if "paragraph" in text:
        assert kept.endswith("& more")


def test_a_text_that_just_fits_is_not_cut() -> None:
    room = LONGEST_BODY - len(note_body(comment("1", "key", "x")))

    assert "too long" not in note_body(comment("1", "key", "x" * (room + 1)))
    assert "too long" in note_body(comment("1", "key", "x" * (room + 2)))


# -- writing


def test_many_notes_are_one_call_and_one_is_one(arena: HubSpotArena, portal: Imitation) -> None:
    first, second = arena.new_ticket(), arena.new_ticket()
    comments = [
        comment(ticket, f"{ticket}-{number}", f"Number {number}", NOON + timedelta(seconds=number))
        for number in range(40)
        for ticket in (first, second)
    ]

    arena.add(*comments)
    together = arena.calls()
    arena.forget_calls()
    arena.add(comment(first, "alone", "Alone", NOON + timedelta(hours=1)))

    assert together == [BATCH]
    assert arena.calls() == [SINGLE]
    said = [one.text.split("\n\n")[1] for one in arena.timeline(first)]
    assert said == [*(f"Number {number}" for number in range(40)), "Alone"]
    assert len(portal.ticket(second)["notes"]) == 40


def test_each_note_knows_its_outcome_whatever_the_order_of_the_answer(arena: HubSpotArena, portal: Imitation) -> None:
    portal.configure(batch_order="reversed")
    ticket, gone, other = arena.new_ticket(), arena.gone_ticket(), arena.new_ticket()

    written = arena.add(comment(ticket, "one"), comment(gone, "lost"), comment(other, "two"))

    notes = {one.id: one.text for found in arena.hubspot.comments([ticket, other]).values() for one in found}
    assert marker("one") in notes[written["one"].id]
    assert marker("two") in notes[written["two"].id]
    assert isinstance(written["lost"].error, Refused)


@pytest.mark.parametrize("status", [404, 405])
def test_where_there_is_no_batch_of_notes_each_is_made_alone(arena: HubSpotArena, status: int) -> None:
    ticket = arena.new_ticket()
    arena.fault("status", path="notes/batch/create", status=status, times=None)

    written = arena.add(comment(ticket, "one"), comment(ticket, "two"))

    assert all(one.error is None for one in written.values())
    assert len(arena.timeline(ticket)) == 2


def test_notes_behind_an_open_one_wait(arena: HubSpotArena) -> None:
    """More than a call takes: what follows in the next call is not tried, for that ticket alone."""
    ticket, other = arena.new_ticket(), arena.new_ticket()
    comments = [comment(ticket, f"key-{number}") for number in range(101)] + [comment(other, "other")]
    arena.fault("lost_answer", path="notes/batch/create")

    written = arena.add(*comments)

    assert {type(written[f"key-{number}"].error) for number in range(100)} == {UnknownOutcome}
    assert "key-100" not in written
    assert written["other"].error is None


def test_two_equal_texts_stay_two(arena: HubSpotArena) -> None:
    ticket = arena.new_ticket()
    first, second = comment(ticket, "one"), comment(ticket, "two")
    arena.fault("lost_answer", path="notes")
    arena.add(first)
    timeline = arena.timeline(ticket)

    assert arena.hubspot.recognise(second, timeline, sent_at=NOON, taken=frozenset()) is None
    assert arena.hubspot.recognise(first, timeline, sent_at=NOON, taken=frozenset()) == timeline[0].id
    assert arena.hubspot.recognise(first, timeline, sent_at=NOON, taken=frozenset({timeline[0].id})) is None


def test_a_note_is_found_again_after_hubspot_has_rewritten_it(arena: HubSpotArena, portal: Imitation) -> None:
    portal.configure(note_html="wrapped")
    ticket = arena.new_ticket()
    sent = comment(ticket, "one")

    written = arena.add(sent)["one"]

    assert arena.hubspot.recognise(sent, arena.timeline(ticket), sent_at=NOON, taken=frozenset()) == written.id


def test_a_note_without_a_time_is_of_now(arena: HubSpotArena) -> None:
    ticket = arena.new_ticket()

    arena.add(NewComment("key", ticket, CommentKind.NOTE, "Hello"))

    assert abs(arena.timeline(ticket)[0].created_at - arena.now()) < timedelta(seconds=5)


# -- reading


def test_a_persons_note_is_read_with_its_author_and_files(arena: HubSpotArena, portal: Imitation) -> None:
    ticket = arena.new_ticket()
    file = portal.add_file("in.pdf", "aGVsbG8=")
    portal.write_note(ticket, "<div>Hi <b>there</b><br>again</div>", by="ben@acme.example", attachments=[file])

    (note,) = arena.timeline(ticket)

    assert (note.kind, note.text) == (CommentKind.NOTE, "Hi there\nagain")
    assert (note.author_name, note.author_id) == ("Ben Agent", portal.portal.owners.named("ben@acme.example").id)
    assert [one.id for one in note.attachments] == [file]


def test_authors_are_asked_for_once(arena: HubSpotArena, portal: Imitation) -> None:
    ticket = arena.new_ticket()
    portal.write_note(ticket, "<p>Hi</p>")
    portal.configure(scopes=[one for one in portal.settings.scopes if "owners" not in one])

    first, again = arena.timeline(ticket), arena.timeline(ticket)

    assert [one.author_name for one in (*first, *again)] == ["", ""]
    assert sum("owners" in call for call in arena.calls()) == 1


def test_a_deleted_note_and_an_archived_ticket_show_nothing(arena: HubSpotArena, portal: Imitation) -> None:
    ticket, gone = arena.new_ticket(), arena.gone_ticket()
    portal.delete_note(portal.write_note(ticket, "<p>Hi</p>"))

    assert arena.hubspot.comments([ticket, gone]) == {ticket: [], gone: []}


def test_many_timelines_are_few_calls(arena: HubSpotArena, portal: Imitation) -> None:
    tickets = [arena.new_ticket() for _ in range(30)]
    for ticket in tickets:
        for _ in range(4):
            portal.write_note(ticket, "<p>Hi</p>")
    arena.hubspot.people()
    arena.forget_calls()

    timelines = arena.hubspot.comments(tickets)

    assert [len(one) for one in timelines.values()] == [4] * 30
    assert (
        arena.calls()
        == ["POST /crm/associations/tickets/notes/batch/read"] + ["POST /crm/objects/notes/batch/read"] * 2
    )


def test_more_links_than_a_page_are_all_read(arena: HubSpotArena) -> None:
    """The answer names where a record's further links begin."""
    ticket = arena.new_ticket()
    pages = [
        {"results": [{"from": {"id": ticket}, "to": [{"toObjectId": 1}], "paging": {"next": {"after": "1"}}}]},
        {"results": [{"from": {"id": ticket}, "to": [{"toObjectId": 2}]}]},
    ]
    for page in pages:
        arena.fault("status", path="notes/tickets/batch/read", status=200, body=page)

    assert arena.hubspot.tickets_of([ticket]) == {ticket: ["1", "2"]}


def test_a_new_note_is_on_no_ticket_until_its_link_comes(arena: HubSpotArena, portal: Imitation) -> None:
    portal.configure(note_link_delay=30.0)
    ticket = arena.new_ticket()
    late = portal.write_note(ticket, "<p>Hi</p>")
    portal.configure(note_link_delay=0.0)
    note = portal.write_note(ticket, "<p>Hi</p>")

    assert arena.hubspot.tickets_of([late, note]) == {late: [], note: [ticket]}
