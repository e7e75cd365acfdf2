"""Reading, sweeping, hooks and set-up: what Capsule tells and what it keeps to itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from connector.adapters.base import EventKind
from connector.adapters.capsule.schema import Wanted
from connector.adapters.oauth import OAuthCredentials
from connector.adapters.testing.capsule import HOOK_URL, OLD_TOKEN, PATH_TOKEN, CapsuleArena
from connector.domain.errors import BadDelivery, Refused
from connector.domain.ticket import CommentKind
from connector.sandbox.capsule import Capsule as Imitation
from tests.adapters.conftest import MemoryStore


@pytest.fixture
def hooked(account: Imitation, app: OAuthCredentials) -> Iterator[CapsuleArena]:
    """An adapter that acts for the registered application."""
    with closing(CapsuleArena(account, app)) as arena:
        arena.set_up()
        yield arena


@pytest.mark.parametrize("bare", [False, True])
def test_the_board_is_known_whether_the_stage_tells_it_or_not(arena: CapsuleArena, bare: bool) -> None:
    ticket = arena.new_ticket()
    arena.sandbox.configure(bare_steps=bare)

    record = arena.capsule.read([ticket], ["board", "stage"])[ticket]

    assert record.fields["board"] == str(arena.sandbox.account.named(arena.sandbox.account.boards, "Support").id)


def test_what_became_of_a_record(arena: CapsuleArena) -> None:
    gone, hidden = arena.new_ticket(), arena.gone_ticket()
    arena.sandbox.delete(gone)

    assert arena.capsule.fate(gone).code == "deleted"
    assert arena.capsule.fate(hidden).code == "restricted"


def test_a_sweep_tells_what_is_gone_and_whose_timelines_have_entries(arena: CapsuleArena) -> None:
    since = arena.now() - timedelta(seconds=1)
    gone, spoken = arena.gone_ticket(), arena.new_ticket()
    entry = arena.sandbox.write_note(spoken, "Words")

    parts = arena.swept(since)

    assert gone in {one for part in parts for one in part.gone}
    told = [(one.ticket_id, one.comment_id) for part in parts for one in part.commented]
    assert told == [(spoken, entry)]


def test_a_sweep_begins_again_where_a_deletion_may_have_hidden_a_record(arena: CapsuleArena) -> None:
    since = arena.now() - timedelta(seconds=1)
    tickets = [arena.new_ticket() for _ in range(120)]
    first = arena.capsule.changes(since, arena.fields)
    arena.imitation.clock.advance(2)
    arena.sandbox.delete(tickets[-1])

    parts = [first]
    while parts[-1].after:
        assert len(parts) < 20
        parts.append(arena.capsule.changes(since, arena.fields, parts[-1].after))

    assert set(tickets[:-1]) <= {record.id for part in parts for record in part.records}


def test_a_place_that_is_none_is_refused(arena: CapsuleArena) -> None:
    with pytest.raises(Refused):
        arena.capsule.changes(arena.now(), arena.fields, "nowhere 1")


def test_entries_are_told_as_what_they_are(arena: CapsuleArena) -> None:
    ticket = arena.new_ticket()
    arena.sandbox.write_note(ticket, "A \\*note\\*")
    arena.sandbox.write_note(ticket, "Sold it", activity="Call")
    arena.sandbox.send_email(ticket, "Hello", "<p>#reply <b>Dear</b> Jo</p>")
    arena.sandbox.complete_task(ticket, "Not a word")

    told = [(one.kind, one.text) for one in arena.timeline(ticket)]

    assert told == [
        (CommentKind.NOTE, "A *note*"),
        (CommentKind.NOTE, "[Call] Sold it"),
        (CommentKind.NOTE, "[E-mail in Capsule] Hello\n\n#reply Dear Jo"),
    ]


def test_more_than_fifty_entries_are_read_page_by_page(arena: CapsuleArena) -> None:
    ticket = arena.new_ticket()
    for number in range(53):
        arena.sandbox.write_note(ticket, f"Note {number}")

    assert len(arena.timeline(ticket)) == 53


def test_an_account_that_calls_the_reference_project_is_served_too(arena: CapsuleArena) -> None:
    arena.sandbox.configure(entry_link="project")
    ticket = arena.new_ticket()

    written = arena.add(*(arena.note(ticket, f"key-{one}", f"Words {one}") for one in range(2)))

    assert [one.error for one in written.values()] == [None, None]


def test_a_delivery_is_believed_by_its_address_alone(arena: CapsuleArena) -> None:
    told = {"event": "kase/moved", "payload": [{"id": 1}]}

    arena.capsule.verify(arena.posted(told), now=arena.now())
    arena.capsule.verify(arena.posted(told, OLD_TOKEN), now=arena.now())
    for path in ("/webhooks/acme", "/webhooks/acme/", f"/webhooks/acme/{PATH_TOKEN}x"):
        with pytest.raises(BadDelivery) as caught:
            arena.capsule.verify(replace(arena.posted(told), path=path), now=arena.now())
        assert PATH_TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("kase/created", EventKind.TICKET),
        ("project/updated", EventKind.TICKET),
        ("kase/moved", EventKind.TICKET),
        ("kase/closed", EventKind.TICKET),
        ("kase/deleted", EventKind.DELETED),
        ("party/updated", EventKind.OTHER),
        ("opportunity/moved", EventKind.OTHER),
        ("kase/exploded", EventKind.OTHER),
    ],
)
def test_events_by_their_names(arena: CapsuleArena, event: str, kind: EventKind) -> None:
    events = arena.capsule.parse(arena.posted({"event": event, "payload": [{"id": 7}, {"id": 8}, {"id": 7}]}))

    assert [(one.kind, one.subject) for one in events] == [(kind, "7"), (kind, "8")]


def test_hooks_are_had_once_strays_go_and_an_older_address_is_replaced(hooked: CapsuleArena) -> None:
    hooked.new_adapter(tokens=lambda: [OLD_TOKEN]).subscribe(HOOK_URL, dry_run=False)

    steps = hooked.capsule.subscribe(HOOK_URL, dry_run=False)

    assert [one.state for one in steps] == ["done"] * 10
    hooks = hooked.sandbox.state()["hooks"]
    assert sorted(one["event"] for one in hooks) == [
        f"kase/{one}" for one in ("closed", "created", "deleted", "moved", "updated")
    ]
    assert {one["target"] for one in hooks} == {f"{HOOK_URL}/{PATH_TOKEN}"}
    assert {one.state for one in hooked.capsule.subscribe(HOOK_URL, dry_run=False)} == {"ok"}


def test_a_stray_makes_room_where_the_account_is_full(hooked: CapsuleArena) -> None:
    hooked.new_adapter(tokens=lambda: [OLD_TOKEN]).subscribe(HOOK_URL, dry_run=False)
    hooked.sandbox.configure(foreign_hooks=15)

    hooked.capsule.subscribe(HOOK_URL, dry_run=False)

    assert {one["target"] for one in hooked.sandbox.state()["hooks"]} == {f"{HOOK_URL}/{PATH_TOKEN}"}
    assert len(hooked.sandbox.state()["hooks"]) == 5


@pytest.mark.parametrize("trouble", [{"foreign_hooks": 20}, {"role": "NORMAL"}])
def test_hooks_that_cannot_be_had_are_a_problem_told_plainly(hooked: CapsuleArena, trouble: dict[str, object]) -> None:
    hooked.sandbox.configure(**trouble)

    steps = hooked.capsule.subscribe(HOOK_URL, dry_run=False)

    assert {one.state for one in steps} == {"problem"}
    assert PATH_TOKEN not in str(steps)


def test_accounts_that_name_projects_otherwise_are_subscribed_to_as_well(hooked: CapsuleArena) -> None:
    hooked.sandbox.configure(hook_prefix="project")

    hooked.capsule.subscribe(HOOK_URL, dry_run=False)

    assert {one["event"].partition("/")[0] for one in hooked.sandbox.state()["hooks"]} == {"project"}


def test_a_personal_token_has_no_hooks_and_says_so(arena: CapsuleArena) -> None:
    assert [one.state for one in arena.capsule.subscribe(HOOK_URL, dry_run=False)] == ["manual"]
    assert arena.capsule.capabilities.webhooks is False
    assert arena.calls() == []


def test_the_board_is_checked_and_never_made(arena: CapsuleArena) -> None:
    def step(parent: str, *words: str) -> tuple[str, str]:
        adapter = arena.new_adapter(wanted=Wanted(parent, frozenset(words)))
        found = adapter.ensure_schema(dry_run=False)[-1]
        return found.state, found.advice

    assert step("Support", "Open", "CLOSED")[0] == "ok"
    assert "Escalated" in step("Support", "Open", "Escalated")[1]
    assert "there is none of that name" in step("Second line")[1]
    assert "Second line" not in arena.sandbox.state()["boards"]


def test_a_field_that_cannot_serve_is_a_problem(blank: CapsuleArena) -> None:
    blank.sandbox.add_field("Next Cap ticket ID", "number")
    blank.sandbox.add_field("Next Cap priority", "list", ["Low"])

    steps = {one.what: one for one in blank.capsule.ensure_schema(dry_run=False)}

    assert "type number" in steps["custom field Next Cap ticket ID"].advice
    assert "Urgent" in steps["custom field Next Cap priority"].advice


def test_a_rotated_refresh_token_is_kept_before_it_is_used(
    hooked: CapsuleArena, app: OAuthCredentials, store: MemoryStore
) -> None:
    hooked.sandbox.clock.advance(60)
    hooked.sandbox.expire_tokens()

    ticket = hooked.new_ticket()

    assert hooked.read(ticket).id == ticket
    assert store.kept[-1].refresh == hooked.sandbox.tokens.refresh_token
    assert app.token().access == store.kept[-1].access


def test_an_opportunity_has_no_closed_beside_its_milestones(arena: CapsuleArena) -> None:
    """A mapping that still writes the word that only projects know is told so before a ticket needs it."""
    opportunities = arena.new_adapter(target="opportunities", wanted=Wanted("", frozenset({"New", "CLOSED"})))

    assert opportunities.ensure_schema(dry_run=True)[-1].state == "problem"
