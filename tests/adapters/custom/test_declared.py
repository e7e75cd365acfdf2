"""What can be declared otherwise than the example does: paging, signatures, errors, credentials, addresses."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.adapters.base import Change, ChangeKind, Delivery, EventKind, NewComment
from connector.adapters.custom.client import Client, Live
from connector.adapters.custom.comments import Conversations
from connector.adapters.custom.kind import Settings, fixed, grant
from connector.adapters.custom.shapes import native, written
from connector.adapters.custom.webhooks import Hooks, verify
from connector.adapters.testing.custom import MAPPING, CustomArena
from connector.adapters.transport import NotSent, Request, Response
from connector.adapters.transport_network import PublicNetwork
from connector.adapters.wires import HttpxWire
from connector.domain.errors import BadDelivery, Gone, NotSupported, Refused, RetryLater
from connector.domain.ticket import CommentKind
from connector.mapping.grammar import Auth, Webhook
from connector.sandbox.example import Example

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
TEXT = MAPPING.read_text()
CURSOR = "paging: {kind: cursor, next: next, param: cursor}"


class Pages:
    """Answers each call from a list, and remembers what was asked."""

    system = "crm"
    base_url = "https://crm.example.test/api"

    def __init__(self, *answers: tuple[Mapping[str, Any], Mapping[str, str]]) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []

    def send(self, request: Request) -> Response:
        self.asked.append(request)
        told, headers = self.answers.pop(0)
        return Response(200, headers, json.dumps(told).encode(), request)


def listed(paging: str, *answers: tuple[Mapping[str, Any], Mapping[str, str]]) -> tuple[list[Any], list[Request]]:
    """What a list of that paging gives, and the calls that it took."""
    live = Live(lambda: TEXT.replace(CURSOR, f"paging: {paging}"))
    pages = Pages(*answers)
    call = live.grammar.changes
    assert call is not None
    return list(Client(pages, live).all(call, {"since": "x"})), pages.asked


def page(*ids: int, **more: Any) -> tuple[dict[str, Any], dict[str, str]]:
    return {"data": [{"id": one} for one in ids], **more}, {}


@pytest.mark.parametrize(
    ("paging", "answers", "second"),
    [
        ("{kind: cursor, next: next, param: after}", [page(1, 2, next="c2"), page(3)], {"since": "x", "after": "c2"}),
        ("{kind: page, param: p, size: 2}", [page(1, 2), page(3)], {"since": "x", "p": "2"}),
        ("{kind: page, param: p, size: 2, first: 0}", [page(1, 2), page(3)], {"since": "x", "p": "1"}),
        ("{kind: offset, param: o, size: 2, size_param: n}", [page(1, 2), page(3)], {"since": "x", "o": "2", "n": "2"}),
        ("{kind: next_url, next: next}", [page(1, 2, next="/api/tickets/changed?p=2"), page(3)], {"p": "2"}),
        (
            "{kind: link}",
            [(page(1, 2)[0], {"link": '<https://crm.example.test/api/tickets/changed?p=2>; rel="next"'}), page(3)],
            {"p": "2"},
        ),
    ],
)
def test_each_kind_of_paging_reads_to_the_end(paging: str, answers: list[Any], second: dict[str, str]) -> None:
    items, asked = listed(paging, *answers)

    assert [one["id"] for one in items] == [1, 2, 3]
    assert len(asked) == 2
    assert (asked[1].path, dict(asked[1].query)) == ("/tickets/changed", second)


@pytest.mark.parametrize(
    "address",
    ["https://evil.test/api/x", "http://crm.example.test/api/x", "//evil.test/api/x", "https://crm.example.test/other"],
)
def test_a_next_page_elsewhere_is_not_asked_for(address: str) -> None:
    with pytest.raises(Refused) as caught:
        listed("{kind: next_url, next: next}", page(1, next=address))

    assert caught.value.code == "foreign_address"


def test_a_list_is_asked_for_with_its_declared_headers() -> None:
    live = Live(
        lambda: TEXT.replace("path: /tickets/changed\n", "path: /tickets/changed\n    headers: {Api-Version: 3}\n")
    )
    pages = Pages(page(1, next="c2"), page(2))
    call = live.grammar.changes
    assert call is not None

    list(Client(pages, live).all(call, {"since": "x"}))

    assert [one.headers for one in pages.asked] == [{"Api-Version": "3"}] * 2


def test_a_list_that_goes_in_circles_ends() -> None:
    with pytest.raises(RetryLater):
        listed("{kind: cursor, next: next, param: after}", *[page(1, next="same")] * 5)


def test_an_answer_of_another_shape_is_not_taken_for_an_empty_list() -> None:
    with pytest.raises(RetryLater) as caught:
        listed(CURSOR.removeprefix("paging: "), ({"items": []}, {}))

    assert caught.value.code == "unreadable_answer"


HMAC = Webhook(kind="hmac", signature="X-Sig", prefix="sha256=", timestamp="X-Time", kinds={"changed": "ticket"})


def signed(body: bytes, *, at: datetime = NOON, key: str = "s3") -> Delivery:
    told = str(int(at.timestamp()))
    mac = hmac.new(key.encode(), told.encode() + b"." + body, hashlib.sha256).hexdigest()
    return Delivery("POST", "/webhooks/acme", {"x-sig": f"sha256={mac}", "x-time": told}, body)


def test_a_declared_signature_is_checked_with_its_time() -> None:
    verify(HMAC, signed(b"{}"), ["old", "s3"], NOON)

    for wrong, code in (
        (signed(b"{}", key="other"), "bad_signature"),
        (signed(b"{}", at=NOON - timedelta(minutes=6)), "stale"),
        (signed(b"{}", at=NOON + timedelta(minutes=6)), "stale"),
        (Delivery("POST", "/", {"x-sig": "sha256=zz", "x-time": "1"}, b"{}"), "bad_signature"),
    ):
        with pytest.raises(BadDelivery) as caught:
            verify(HMAC, wrong, ["s3"], NOON)
        assert caught.value.code == code
    with pytest.raises(BadDelivery):
        verify(HMAC, signed(b"{}"), [], NOON)


def test_a_signature_in_base64_without_time_is_checked() -> None:
    block = HMAC.model_copy(update={"encoding": "base64", "prefix": "", "timestamp": None, "algorithm": "sha512"})
    mac = base64.b64encode(hmac.new(b"s3", b"{}", hashlib.sha512).digest()).decode()

    verify(block, Delivery("POST", "/", {"x-sig": mac}, b"{}"), ["s3"], NOON)


def test_a_crm_that_does_not_sign_gets_a_secret_address() -> None:
    hooks = Hooks(Live(lambda: TEXT.replace("kind: standard", "kind: token")), [], lambda: ["right"])

    hooks.verify(Delivery("POST", "/webhooks/acme/right", {}, b"{}"), now=NOON)

    with pytest.raises(BadDelivery):
        hooks.verify(Delivery("POST", "/webhooks/acme/wrong", {}, b"{}"), now=NOON)


@pytest.mark.parametrize(
    ("told", "kind", "subject"),
    [
        ({"type": "note.created", "data": {"ticket_id": 5, "note_id": 9}}, EventKind.COMMENT, "9"),
        ({"type": "ticket.deleted", "data": {"ticket_id": 5}}, EventKind.DELETED, "5"),
        ({"type": "ticket.updated", "data": {}}, EventKind.OTHER, "none"),
        ({"type": "coffee.ready", "data": {"ticket_id": 5}}, EventKind.OTHER, "5"),
    ],
)
def test_events_are_read_by_their_places(arena: CustomArena, told: Any, kind: EventKind, subject: str) -> None:
    (event,) = arena.adapter.parse(arena.signed(told))

    assert (event.kind, event.subject) == (kind, subject)


def test_a_merge_names_its_survivor(arena: CustomArena) -> None:
    ticket, other = arena.new_ticket(), arena.new_ticket()
    arena.example.merge_tickets(ticket, other)

    fate = arena.adapter.fate(ticket)
    (event,) = arena.adapter.parse(arena.signed({"type": "ticket.merged", "data": {"ticket_id": 1, "merged_into": 2}}))

    assert fate.survivor == other
    assert event.survivor == "2"
    assert arena.adapter.read([ticket], arena.fields) == {}


def test_a_sweep_names_what_is_gone(arena: CustomArena) -> None:
    since = arena.now() - timedelta(seconds=1)
    kept, gone = arena.new_ticket(), arena.gone_ticket()

    (sweep,) = arena.swept(since)

    assert [one.id for one in sweep.records] == [kept]
    assert list(sweep.gone) == [gone]


@pytest.mark.parametrize(
    ("rule", "status", "kind", "code"),
    [
        ("{status: [409], then: wait, after: error.seconds}", 409, RetryLater, "vendor_busy"),
        ("{status: [418], then: conflict}", 418, RetryLater, "conflict"),
        ("{when: \"error.code == 'merged'\", then: gone}", 400, Gone, "gone"),
        ("{status: [403], when: \"error.code == 'merged'\", then: limit}", 403, RetryLater, "rate_limited"),
    ],
)
def test_an_error_rule_says_what_happens_next(
    example: Example, rule: str, status: int, kind: type[Exception], code: str
) -> None:
    arena = CustomArena(example, TEXT.replace("  errors:\n", f"  errors:\n    - {rule}\n"))
    ticket = arena.new_ticket()
    arena.fault("status", status=status, body={"error": {"code": "merged", "seconds": 9}})

    error = arena.update(ticket, {"subject": "x"}).error
    arena.close()

    assert isinstance(error, kind)
    assert error.code == code


def test_a_burst_is_written_in_one_call_and_each_has_its_outcome(arena: CustomArena) -> None:
    tickets = [arena.new_ticket() for _ in range(4)] + [arena.gone_ticket()]
    changes = [Change(ChangeKind.UPDATE, f"k{one}", {"priority": "high"}, one) for one in tickets]
    changes[1] = Change(ChangeKind.UPDATE, changes[1].key, {"priority": "mad"}, tickets[1])
    arena.wire.urls.clear()

    outcomes = list(arena.write(*changes).values())

    assert len(arena.wire.urls) == 1
    assert [type(one.error).__name__ for one in outcomes] == ["NoneType", "Refused", "NoneType", "NoneType", "Gone"]
    refused = outcomes[1].error
    assert isinstance(refused, Refused)
    assert refused.field == "priority"


def test_a_changed_ticket_may_have_a_new_comment_where_both_can_be_asked_for(example: Example) -> None:
    whole = CustomArena(example)
    start, end = TEXT.index("  comments:\n    list:"), TEXT.index("  people:\n")
    mute = CustomArena(example, TEXT[:start] + TEXT[end:])
    since, ticket = whole.now(), whole.new_ticket()

    listed = [{one.ticket_id for part in arena.swept(since) for one in part.commented} for arena in (whole, mute)]
    claimed = [arena.adapter.capabilities.lists_comments for arena in (whole, mute)]
    whole.close()
    mute.close()

    assert listed == [{ticket}, set()]
    assert claimed == [True, False]


def test_what_is_not_declared_is_a_missing_capability_told_plainly(example: Example) -> None:
    start, end = TEXT.index("  comments:\n    list:"), TEXT.index("  fields:\n    subject")
    arena = CustomArena(example, TEXT[:start] + TEXT[end:])
    ticket = arena.new_ticket()

    written = arena.add(arena.note(ticket, "key", "words"))["key"]
    lines = {one.what: one.detail for one in arena.adapter.check()}
    arena.close()

    assert isinstance(written.error, NotSupported)
    assert "no conversation crosses" in lines["no comments"]
    assert "nobody can be assigned" in lines["no people"]


def test_doctor_reads_a_ticket_and_names_the_fields_that_it_does_not_show(example: Example) -> None:
    arena = CustomArena(example, TEXT.replace("    labels: {label", "    colour: {}\n    labels: {label"))
    before = {one.what: one for one in arena.adapter.check()}
    ticket = arena.new_ticket()

    lines = {one.what: one.detail for one in arena.adapter.check()}
    arena.close()

    assert before["reading tickets"].ok
    assert lines["reading tickets"] == f"ticket {ticket}"
    assert lines["fields that it does not show"].startswith("colour:")


def test_doctor_takes_a_crm_that_knows_no_such_id_for_one_that_answers(example: Example) -> None:
    arena = CustomArena(example)
    arena.fault(
        "status",
        path="/api/tickets$",
        status=400,
        body={"error": {"code": "malformed", "message": "no id", "field": None}},
    )

    (line,) = [one for one in arena.adapter.check() if one.what == "reading tickets"]
    arena.close()

    assert line.ok


def test_only_a_reply_can_be_public_and_only_where_it_can_be_told(arena: CustomArena) -> None:
    ticket = arena.new_ticket()
    for kind in CommentKind:
        arena.add(arena.note(ticket, f"key-{kind}", f"words of a {kind}", kind))
    arena.example.customer_writes(ticket, "from the portal")

    seen = arena.customer_sees(ticket)
    kinds = [one.kind for one in arena.timeline(ticket)]

    assert ["reply" in one or "portal" in one for one in seen] == [True, True]
    assert not any("words of a note" in one for one in seen)
    assert kinds.count(CommentKind.CUSTOMER_REPLY) == 1


@pytest.mark.parametrize(("has_field", "lines"), [(True, 0), (False, 1)])
def test_our_reply_is_known_again_and_shows_a_reference_only_without_a_field_for_it(
    example: Example, has_field: bool, lines: int
) -> None:
    without = TEXT.replace(', reference: "{key}"', "").replace("    reference: reference ", "    # ")
    arena = CustomArena(example, "" if has_field else without)
    ticket, sent_at = arena.new_ticket(), arena.now()
    reply = arena.note(ticket, "key-1", "Try again now", CommentKind.REPLY)
    other = arena.note(ticket, "key-2", "Try again now", CommentKind.REPLY)
    written = arena.add(reply)["key-1"]

    found, (seen,) = arena.timeline(ticket), arena.customer_sees(ticket)
    known = [arena.custom.recognise(one, found, sent_at=sent_at, taken=frozenset()) for one in (reply, other)]
    arena.close()

    assert known == [written.id, None]
    assert seen.count("Reference ncref-") == lines


@pytest.mark.parametrize(
    ("words", "expected"), [("{public: 1, note: 0}", [1, 0]), ("{public: a, note: b}", ["a", "b"])]
)
def test_a_crm_is_told_who_sees_a_comment_in_its_own_words(words: str, expected: list[Any]) -> None:
    text = TEXT.replace('public: "{is_public}"', 'audience: "{visibility}"')
    live = Live(lambda: text.replace("      id: note.id\n", f"      id: note.id\n      visibility: {words}\n"))
    pages = Pages(*[({"note": {"id": 7}}, {})] * 2)

    Conversations(Client(pages, live), "crm").add(
        [NewComment(f"k-{kind}", "5", kind, "words") for kind in (CommentKind.REPLY, CommentKind.NOTE)]
    )

    assert [one.json["audience"] for one in pages.asked] == expected


def test_values_are_written_as_declared() -> None:
    text = TEXT.replace("    labels: {label", "    vip: {type: boolean, write_as: custom.vip}\n    labels: {label")
    grammar = Live(lambda: text).grammar

    body = written({"owner": "2", "labels": ("a", "b"), "vip": "true", "subject": None}, grammar)

    assert body == {"owner": 2, "labels": ["a", "b"], "custom": {"vip": True}, "subject": None}
    assert [native(one) for one in (2, 2.0, True, ["b", "a"], [], None)] == ["2", "2", "true", ("a", "b"), None, None]


def settings(**keys: Any) -> Settings:
    given = {"crm": "custom", "mapping": "m.yaml", "api_url": "https://crm.example.test", **keys}
    return Settings.model_validate(given)


def test_each_kind_of_credentials_is_sent_as_declared_and_never_shown() -> None:
    basic = fixed(Auth(kind="basic"), settings(username="jo", password="pw-secret"))
    header = fixed(Auth(kind="header", header="X-Key"), settings(access_token="tk-secret"))
    app = settings(client_id="app", client_secret="cs-secret", refresh_token="rt-secret")
    client, refresh = grant(Auth(kind="client_credentials", scope="all"), app), grant(Auth(kind="refresh_token"), app)

    assert basic.headers() == {"Authorization": f"Basic {base64.b64encode(b'jo:pw-secret').decode()}"}
    assert header.headers() == {"X-Key": "tk-secret"}
    assert (client.ask("").form or {})["grant_type"] == "client_credentials"
    assert (refresh.ask("rt-secret").form or {})["refresh_token"] == "rt-secret"
    shown = "".join(repr(one) for one in (basic, header, client, refresh, app))
    assert not any(one in shown for one in ("pw-secret", "tk-secret", "cs-secret", "rt-secret"))


@pytest.mark.parametrize("kind", ["client_credentials", "refresh_token"])
def test_tokens_are_given_at_the_root_of_the_host_whatever_path_the_api_has(kind: Any) -> None:
    app = settings(client_id="a", client_secret="b", refresh_token="c", api_url="https://crm.example.test/api/v2")

    given = grant(Auth(kind=kind, token_path="/login/token"), app)

    assert (given.base_url, given.ask("").path) == ("https://crm.example.test/", "/login/token")
    assert settings(client_id="a", client_secret="b").credentials()[0] == "OAuth: client_id and client_secret"


def test_a_private_address_is_not_called_unless_it_is_allowed(example: Example) -> None:
    wire = HttpxWire(network=PublicNetwork())

    with pytest.raises(NotSent) as caught:
        wire.send(Request("GET", "/", "/"), url=f"{example.url}/api/staff", headers={}, timeout=2.0)
    wire.close()

    assert "PrivateAddress" in str(caught.value)
    assert example.calls.total == 0


def test_a_changed_mapping_is_seen_without_a_restart() -> None:
    told, clock = [TEXT], [0.0]
    live = Live(lambda: told[0], clock=lambda: clock[0])
    before = live.grammar.read.batch
    told[0] = TEXT.replace("batch: 50\n\n  find", "batch: 7\n\n  find")

    soon, clock[0] = live.grammar.read.batch, 6.0

    assert (before, soon, live.grammar.read.batch) == (50, 50, 7)
