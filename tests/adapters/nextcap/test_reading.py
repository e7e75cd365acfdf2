"""Reading Next Cap: few calls, either casing, paging with or without `meta`, and timelines that fail closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.adapters.nextcap import NextCap
from connector.adapters.nextcap.records import comment_of, record_of
from connector.domain.errors import Gone, NotSupported
from connector.domain.ticket import CommentKind, Requester, normal

from .arena import NextCapArena

AT = "2026-04-07T14:30:00.000Z"
CUSTOM = ("custom_fields.plan", "metadata.hubspot")


def calls(arena: NextCapArena, template: str, method: str = "GET") -> int:
    return arena.imitation.calls.count(method, f"/api/v1/external/crm{template}")


@pytest.mark.parametrize(("count", "listed", "single"), [(1, 0, 1), (3, 0, 3), (4, 1, 0), (90, 1, 0)])
def test_from_four_tickets_on_a_list_is_cheaper(arena: NextCapArena, count: int, listed: int, single: int) -> None:
    ids = [arena.new_ticket() for _ in range(count)]

    assert set(arena.adapter.read(ids, ())) == set(ids)
    assert (calls(arena, "/tickets"), calls(arena, "/tickets/<ticket_id>")) == (listed, single)


def test_tickets_that_are_not_among_the_newest_are_read_one_by_one(arena: NextCapArena) -> None:
    """Two hundred are looked through, no more."""
    old = [arena.new_ticket() for _ in range(5)]
    for _ in range(205):
        newest = arena.new_ticket()

    assert set(arena.adapter.read([*old, newest], ())) == {*old, newest}
    assert (calls(arena, "/tickets"), calls(arena, "/tickets/<ticket_id>")) == (2, 5)


def test_where_the_newest_are_others_no_more_of_them_are_looked_through(arena: NextCapArena) -> None:
    old = [arena.new_ticket() for _ in range(5)]
    for _ in range(100):
        arena.new_ticket()

    assert set(arena.adapter.read(old, ())) == set(old)
    assert (calls(arena, "/tickets"), calls(arena, "/tickets/<ticket_id>")) == (1, 5)


def test_a_second_page_is_not_read_for_a_few(arena: NextCapArena) -> None:
    old = [arena.new_ticket() for _ in range(3)]
    new = [arena.new_ticket() for _ in range(100)]

    assert set(arena.adapter.read([*old, *new[:10]], ())) == {*old, *new[:10]}
    assert (calls(arena, "/tickets"), calls(arena, "/tickets/<ticket_id>")) == (1, 3)


def test_a_list_reading_and_a_single_one_are_equal(arena: NextCapArena) -> None:
    made = arena.imitation.create_ticket(
        subject="Hilfe", custom_fields={"plan": "pro", "none": None}, customer_phone="+43 1", department="Sales"
    )
    others = [arena.new_ticket() for _ in range(3)]

    single = arena.adapter.read([made["id"]], CUSTOM)[made["id"]]
    listed = arena.adapter.read([made["id"], *others], CUSTOM)[made["id"]]

    assert single == listed
    assert single.fields["custom_fields.plan"] == "pro"
    assert single.fields["metadata.hubspot"] is None


@pytest.mark.parametrize("casing", ["snake", "camel"])
@pytest.mark.parametrize("list_meta", [True, False])
def test_variants_of_the_answers_are_read_alike(arena: NextCapArena, casing: str, list_meta: bool) -> None:
    ids = [arena.new_ticket() for _ in range(130)]
    arena.imitation.customer_reply(ids[0], "Thanks")
    plain = (arena.adapter.read(ids, ()), arena.adapter.comments([ids[0]]), arena.adapter.people())

    arena.imitation.configure(casing=casing, list_meta=list_meta)

    assert (arena.adapter.read(ids, ()), arena.adapter.comments([ids[0]]), arena.adapter.people()) == plain


@pytest.mark.parametrize("paged", [True, False])
@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("meta", [True, False])
def test_a_long_timeline_is_read_whole_and_in_order(
    arena: NextCapArena, paged: bool, newest_first: bool, meta: bool
) -> None:
    arena.imitation.configure(timeline_paged=paged, timeline_newest_first=newest_first, list_meta=meta)
    ticket = arena.new_ticket()
    count = 120 if paged else 90
    for number in range(count):
        arena.imitation.agent_note(ticket, f"note {number}")
        arena.imitation.clock.advance(1)

    texts = [comment.text for comment in arena.adapter.comments([ticket])[ticket]]

    assert texts == [f"note {number}" for number in range(count)]


def test_the_timeline_of_a_ticket_we_cannot_see_is_gone(arena: NextCapArena) -> None:
    for ticket in (arena.gone_ticket(), "no-such-ticket"):
        with pytest.raises(Gone):
            arena.adapter.comments([ticket])


def test_only_what_people_said_is_a_comment(arena: NextCapArena) -> None:
    """The description, status changes and assignments are not."""
    ticket = arena.imitation.create_ticket(subject="Hilfe", description="first words")["id"]
    arena.imitation.move(ticket, "open")
    arena.imitation.assign(ticket, "ben@acme.example")
    arena.imitation.agent_reply(ticket, "a reply")
    arena.imitation.agent_note(ticket, "a public note", internal=False)
    arena.imitation.agent_note(ticket, "a secret note")
    arena.imitation.customer_reply(ticket, "an answer")

    found = {comment.text: comment.kind for comment in arena.adapter.comments([ticket])[ticket]}

    assert found == {
        "a reply": CommentKind.REPLY,
        "a public note": CommentKind.REPLY,
        "a secret note": CommentKind.NOTE,
        "an answer": CommentKind.CUSTOMER_REPLY,
    }


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ({"type": "note"}, CommentKind.NOTE),
        ({"type": "note", "is_internal": None}, CommentKind.NOTE),
        ({"type": "note", "is_internal": "false"}, CommentKind.NOTE),
        ({"type": "ticket.note_added", "visibility": "internal"}, CommentKind.NOTE),
        ({"eventType": "NOTE", "isInternal": False}, CommentKind.REPLY),
        ({"kind": "note", "visibility": "public"}, CommentKind.REPLY),
        ({"type": "comment"}, CommentKind.NOTE),
        ({"type": "ticket.reply"}, CommentKind.REPLY),
        ({"type": "agent_reply"}, CommentKind.REPLY),
        ({"type": "reply", "internal": True}, CommentKind.NOTE),
        ({"type": "reply", "actor": {"type": "customer", "id": 5}}, CommentKind.CUSTOMER_REPLY),
        ({"type": "reply", "actor_type": "agent"}, CommentKind.REPLY),
        ({"action": "customer_reply"}, CommentKind.CUSTOMER_REPLY),
        ({"type": "status_changed"}, None),
        ({"type": "created"}, None),
        ({"type": "note_deleted"}, None),
        ({"type": "assigned"}, None),
        ({}, None),
    ],
)
def test_what_is_not_certainly_public_is_a_note(entry: dict[str, Any], kind: CommentKind | None) -> None:
    comment = comment_of({"id": "1", "content": "words", "created_at": AT, **entry})

    assert (comment.kind if comment else None) is kind


@pytest.mark.parametrize(
    "fields",
    [
        {"content": "words"},
        {"body": "words"},
        {"text": "words"},
        {"data": {"content": "words"}},
        {"payload": {"content": "words"}},
    ],
)
def test_the_words_are_found_wherever_they_are(fields: dict[str, Any]) -> None:
    comment = comment_of({"id": "1", "type": "reply", "createdAt": AT, **fields})

    assert comment is not None
    assert (comment.text, comment.created_at) == ("words", datetime(2026, 4, 7, 14, 30, tzinfo=UTC))


def test_an_entry_without_an_id_keeps_the_same_made_up_one() -> None:
    entry = {"type": "note", "content": "words", "created_at": AT}

    first, again, other = (comment_of({**entry, "content": words}) for words in ("words", "words", "others"))

    assert first
    assert again
    assert other
    assert first.id == again.id != other.id


def test_an_entry_of_files_alone_is_a_comment_and_an_empty_one_is_none() -> None:
    files = [{"attachment_id": "a1", "fileName": "x.png", "mimeType": "image/png", "fileSize": 3}]

    comment = comment_of({"id": "1", "type": "reply", "attachments": files})

    assert comment is not None
    assert [(one.id, one.name, one.content_type, one.size) for one in comment.attachments] == [
        ("a1", "x.png", "image/png", 3)
    ]
    assert comment_of({"id": "1", "type": "reply", "content": " "}) is None


def test_mark_up_is_read_as_words_and_kept_beside_them() -> None:
    comment = comment_of({"id": "1", "type": "reply", "content": "<p>Hello<br>there</p>", "created_at": AT})

    assert comment is not None
    assert (comment.text, comment.html) == ("Hello\nthere", "<p>Hello<br>there</p>")


@pytest.mark.parametrize(
    "raw",
    [
        {"customer_email": " Eve@X.example ", "customer_name": "Eve", "customer_phone": "1"},
        {"customerEmail": "eve@x.example", "customerName": "Eve", "customerPhone": "1"},
        {"requester": {"email": "eve@x.example", "name": "Eve", "phone": "1"}},
        {"customer": {"email": "eve@x.example", "name": "Eve", "phone": "1"}},
        {"customer_email": None, "contact": {"email": "eve@x.example", "name": "Eve", "phone": "1"}},
        {"visitor": {"email": "eve@x.example", "name": "Eve"}, "phone": "1"},
    ],
)
def test_the_customer_is_found_under_every_likely_name(raw: dict[str, Any]) -> None:
    record = record_of({"id": "7", **raw}, whole=False)

    assert record.requester == Requester("eve@x.example", "Eve", "1")
    assert record.fields["requester.email"] == "eve@x.example"


def test_a_ticket_without_a_customer_is_still_a_ticket() -> None:
    assert record_of({"id": "7"}, whole=True).requester == Requester()


def test_values_are_in_normal_form_and_nested_things_have_names() -> None:
    raw = {
        "id": "7",
        "ticketNumber": 1042,
        "description": "a\r\nb",
        "category": "",
        "tags": [{"name": "b"}, "a", None],
        "department": {"id": "d1", "name": "Sales"},
        "assigned_agent": {"id": "u1", "name": "Ben"},
        "custom_fields": {
            "plan": "pro",
            "seats": 3,
            "vip": True,
            "sites": ["b", "a"],
            "more": {"b": 1, "a": 2},
            "no": "",
        },
        "metadata": None,
        "updated_at": AT,
    }

    record = record_of(raw, whole=False, web_url="https://app.example/t/{id}?n={number}")

    assert record.number == "1042"
    assert record.version == datetime(2026, 4, 7, 14, 30, tzinfo=UTC)
    assert dict(record.fields) == {
        "id": "7",
        "number": "1042",
        "description": "a\nb",
        "category": None,
        "tags": ("a", "b"),
        "department_id": "d1",
        "department.name": "Sales",
        "assigned_agent_id": "u1",
        "custom_fields": 'more: {"a": 2, "b": 1}\nplan: pro\nseats: 3\nsites: a, b\nvip: True',
        "custom_fields.plan": "pro",
        "custom_fields.seats": 3,
        "custom_fields.vip": True,
        "custom_fields.sites": ("a", "b"),
        "custom_fields.more": '{"a": 2, "b": 1}',
        "custom_fields.no": None,
        "metadata": None,
        "url": "https://app.example/t/7?n=1042",
    }
    assert all(normal(value) == value for value in record.fields.values())


def test_a_sweep_ends_where_it_has_passed_the_moment(arena: NextCapArena) -> None:
    for _ in range(250):
        arena.new_ticket()
    arena.imitation.clock.advance(60)
    since = arena.now()
    arena.imitation.clock.advance(1)
    changed = arena.new_ticket()

    part = arena.adapter.changes(since, ())

    assert [record.id for record in part.records] == [changed]
    assert part.after == ""
    assert calls(arena, "/tickets") == 1


def test_a_sweep_goes_on_as_far_as_it_must(arena: NextCapArena) -> None:
    made = [arena.new_ticket() for _ in range(230)]

    parts = arena.swept(arena.now() - timedelta(hours=1))

    assert {record.id for part in parts for record in part.records} == set(made)
    assert calls(arena, "/tickets") == len(parts) == 3


def test_a_closed_directory_is_not_supported(arena: NextCapArena) -> None:
    arena.imitation.configure(permissions=["tickets:view"])

    with pytest.raises(NotSupported):
        arena.adapter.people()


def test_people_say_who_can_be_assigned(arena: NextCapArena) -> None:
    people = {person.name: (person.email, person.active) for person in arena.adapter.people()}

    assert people["Ben Agent"] == ("ben@acme.example", True)
    assert people["Dan Gone"] == ("dan@acme.example", False)
    assert people["CRM connector"][0] is None


def test_what_next_cap_cannot_do_is_said(arena: NextCapArena) -> None:
    adapter: NextCap = arena.adapter

    for ask in (lambda: adapter.find("subject", ["x"], ()), lambda: adapter.tickets_of(["1"])):
        with pytest.raises(NotSupported):
            ask()
    assert adapter.fate("7").code == "not_visible"
    assert adapter.requesters([arena.new_ticket()]) != {}


def test_a_department_without_its_name_is_not_called_as_the_one_before() -> None:
    """An answer to a transfer may name the new department by its id alone; it is laid over what was known."""
    before = record_of({"id": "7", "department": {"id": "d1", "name": "Sales"}}, whole=False)
    after = record_of({"id": "7", "department_id": "d2"}, whole=False)

    assert {**before.fields, **after.fields}["department.name"] is None
