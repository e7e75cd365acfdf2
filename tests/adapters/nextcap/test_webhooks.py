"""Next Cap's webhooks: every likely signature and envelope is understood, and nothing unsigned is believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connector.adapters.base import Delivery, Event, EventKind
from connector.adapters.nextcap import NextCap
from connector.adapters.signing import PROFILES, profile_named
from connector.domain.errors import BadDelivery, ConfigError
from connector.domain.ticket import Requester
from connector.sandbox.kernel_http import Answer, Application, Environ
from connector.sandbox.nextcap_signatures import PROFILES as LAYOUTS

from .arena import SECRET, NextCapArena

SIGNED = sorted(set(LAYOUTS) - {"unsigned"})
BODY = b'{"event": "ticket.updated", "data": {"id": "7"}}'


class Mailbox:
    """A webhook endpoint that keeps what it gets."""

    def __init__(self, serve: Callable[[Application], str], arena: NextCapArena) -> None:
        self.deliveries: list[Delivery] = []
        self._came = threading.Condition()
        self.arena = arena
        self.url = serve(self._take) + "/webhooks/nextcap"

    def _take(self, environ: Environ) -> Answer:
        headers = {name[5:].lower().replace("_", "-"): value for name, value in environ.items() if "HTTP_" in name[:5]}
        with self._came:
            self.deliveries.append(Delivery("POST", environ["RAW_URI"], headers, environ["wsgi.input"].read()))
            self._came.notify_all()
        return Answer(202)

    def events(self, count: int) -> list[Event]:
        """The events of the first `count` deliveries, in their order."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.deliveries) >= count, 5)
        found = []
        for delivery in self.deliveries:
            self.arena.adapter.verify(delivery, now=self.arena.now())
            found += self.arena.adapter.parse(delivery)
        return found


@pytest.fixture
def mailbox(serve: Callable[[Application], str], arena: NextCapArena) -> Mailbox:
    return Mailbox(serve, arena)


def adapter(arena: NextCapArena, **options: Any) -> NextCap:
    return NextCap(arena.transport("key"), **{"secrets": [SECRET], **options})


@pytest.mark.parametrize("layout", SIGNED)
def test_every_likely_signature_verifies_and_is_pinned(arena: NextCapArena, layout: str) -> None:
    secret = "whsec_" + base64.b64encode(b"0123456789abcdef").decode() if layout == "standard" else SECRET
    arena.webhook_secrets[:] = [secret]
    other = next(one for one in SIGNED if LAYOUTS[one].signed != LAYOUTS[layout].signed)

    arena.adapter.verify(arena.signed(BODY, "ticket.updated", layout, secret), now=arena.now())

    assert len(arena.pinned) == 1
    arena.adapter.verify(arena.signed(BODY, "ticket.updated", layout, secret), now=arena.now())
    assert len(arena.pinned) == 1
    with pytest.raises(BadDelivery):
        arena.adapter.verify(arena.signed(BODY, "ticket.updated", other, secret), now=arena.now())


@pytest.mark.parametrize("layout", SIGNED)
def test_a_layout_does_not_excuse_a_changed_body(arena: NextCapArena, layout: str) -> None:
    delivery = arena.signed(BODY, "ticket.updated", layout)

    with pytest.raises(BadDelivery) as caught:
        arena.adapter.verify(replace(delivery, body=BODY + b" "), now=arena.now())

    assert caught.value.code == "bad_signature"
    assert arena.pinned == []


@pytest.mark.parametrize("layout", ["timestamped", "id_timestamped", "versioned", "inline_time", "standard"])
@pytest.mark.parametrize("seconds", [-303, 303, -86400])
def test_a_signed_time_far_away_is_refused_both_ways(arena: NextCapArena, layout: str, seconds: int) -> None:
    delivery = arena.signed(BODY, "ticket.updated", layout)

    with pytest.raises(BadDelivery) as caught:
        arena.adapter.verify(delivery, now=arena.now() + timedelta(seconds=seconds))

    assert caught.value.code == "stale"
    assert arena.pinned == []


@pytest.mark.parametrize("seconds", [-295, 295])
def test_a_signed_time_nearby_is_accepted(arena: NextCapArena, seconds: int) -> None:
    delivery = arena.signed(BODY, "ticket.updated", "timestamped")

    arena.adapter.verify(delivery, now=arena.now() + timedelta(seconds=seconds))


def test_a_changed_time_breaks_a_signature_that_covers_it(arena: NextCapArena) -> None:
    delivery = arena.signed(BODY, "ticket.updated", "timestamped")
    later = {**delivery.headers, "x-nextcap-timestamp": str(int(arena.now().timestamp()) + 1)}

    with pytest.raises(BadDelivery):
        arena.adapter.verify(replace(delivery, headers=later), now=arena.now())


def test_any_of_several_secrets_will_do(arena: NextCapArena) -> None:
    rotating = adapter(arena, secrets=["new-secret", SECRET])

    rotating.verify(arena.signed(BODY, "ticket.updated"), now=arena.now())
    rotating.verify(arena.signed(BODY, "ticket.updated", secret="new-secret"), now=arena.now())


@pytest.mark.parametrize("secrets", [[], [""]])
def test_without_a_secret_nothing_is_believed(arena: NextCapArena, secrets: list[str]) -> None:
    """An empty secret would make a signature that anybody can compute."""
    delivery = arena.signed(BODY, "ticket.updated", secret="")

    with pytest.raises(BadDelivery) as caught:
        adapter(arena, secrets=secrets).verify(delivery, now=arena.now())

    assert caught.value.code == "no_secret"


def test_a_wrong_secret_or_a_strange_header_is_refused_without_a_crash(arena: NextCapArena) -> None:
    genuine = arena.signed(BODY, "ticket.updated")
    for value in ("", "é", "sha256=", "=", "t=,v1=", "zz", "," * 5000, "v1," + "A" * 5000, "\udc80"):
        headers = {**genuine.headers, "x-nextcap-signature": value}
        with pytest.raises(BadDelivery):
            arena.adapter.verify(replace(genuine, headers=headers), now=arena.now())
    with pytest.raises(BadDelivery):
        arena.adapter.verify(arena.signed(BODY, "ticket.updated", secret="other"), now=arena.now())


def test_old_hashes_are_not_in_the_list(arena: NextCapArena) -> None:
    for algorithm in ("sha1", "md5"):
        mac = hmac.new(SECRET.encode(), BODY, getattr(hashlib, algorithm)).hexdigest()
        with pytest.raises(BadDelivery):
            arena.adapter.verify(
                Delivery("POST", "/", {"x-nextcap-signature": f"{algorithm}={mac}"}, BODY), now=arena.now()
            )


def test_a_named_profile_is_the_only_one(arena: NextCapArena) -> None:
    named = adapter(arena, signature="x-nextcap-signature/sha256/hex/timestamp.body")

    named.verify(arena.signed(BODY, "ticket.updated", "timestamped"), now=arena.now())

    with pytest.raises(BadDelivery):
        named.verify(arena.signed(BODY, "ticket.updated", "nextcap"), now=arena.now())


def test_an_unknown_profile_is_a_configuration_error_or_refuses_everything(arena: NextCapArena) -> None:
    with pytest.raises(ConfigError, match="no profile"):
        adapter(arena, signature="none")
    with pytest.raises(BadDelivery):
        adapter(arena, pinned=lambda: "none").verify(arena.signed(BODY, "ticket.updated"), now=arena.now())


def test_a_huge_body_is_refused(arena: NextCapArena) -> None:
    with pytest.raises(BadDelivery) as caught:
        arena.adapter.verify(arena.signed(b" " * (1024 * 1024 + 1), "ticket.updated"), now=arena.now())

    assert caught.value.code == "too_large"


def test_every_profile_has_its_own_name() -> None:
    assert len({profile.name for profile in PROFILES}) == len(PROFILES)
    assert all(profile_named(profile.name) is profile for profile in PROFILES)


@pytest.mark.parametrize("casing", ["snake", "camel"])
@pytest.mark.parametrize("envelope", ["event", "type"])
@pytest.mark.parametrize("envelope_id", [True, False])
@pytest.mark.parametrize("payload", ["full", "nested", "flat"])
def test_a_ticket_in_a_payload_saves_the_read(
    arena: NextCapArena, mailbox: Mailbox, payload: str, envelope: str, casing: str, envelope_id: bool
) -> None:
    """The record names what a GET names, however it is wrapped."""
    arena.imitation.configure(payload=payload, envelope=envelope, casing=casing, envelope_id=envelope_id)
    arena.imitation.create_webhook(mailbox.url, ["ticket.status_changed", "ticket.updated"], SECRET)
    ticket = arena.imitation.create_ticket(
        subject="Hilfe", tags=["b", "a"], custom_fields={"plan": "pro"}, customer_email="Eve@Customer.example"
    )
    arena.imitation.move(ticket["id"], "open")

    events = mailbox.events(2)
    read = arena.read(ticket["id"])

    assert [event.name for event in events] == ["ticket.status_changed", "ticket.updated"]
    assert len({event.key for event in events}) == 2
    for event in events:
        assert (event.kind, event.subject, event.ticket_id) == (EventKind.TICKET, ticket["id"], ticket["id"])
        assert event.record is not None
        assert event.record.version == read.version
        told = {name: value for name, value in event.record.fields.items() if name != "created_at"}
        assert told == {name: read.fields[name] for name in told}
        assert event.record.fields["tags"] == ("a", "b")
        assert event.record.fields["custom_fields.plan"] == "pro"
        assert event.record.requester == Requester(email="eve@customer.example")
        assert event.moment is not None


def test_a_payload_with_only_an_id_is_a_doorbell(arena: NextCapArena, mailbox: Mailbox) -> None:
    arena.imitation.configure(payload="id_only")
    arena.imitation.create_webhook(mailbox.url, ["ticket.created"], SECRET)
    ticket = arena.imitation.create_ticket(subject="Hilfe")

    (event,) = mailbox.events(1)

    assert (event.subject, event.kind, event.record) == (ticket["id"], EventKind.TICKET, None)


@pytest.mark.parametrize("payload", ["full", "nested", "id_only", "flat"])
def test_replies_name_their_ticket_and_not_themselves(arena: NextCapArena, mailbox: Mailbox, payload: str) -> None:
    arena.imitation.configure(payload=payload)
    arena.imitation.create_webhook(mailbox.url, ["ticket.reply", "ticket.customer_reply"], SECRET)
    ticket = arena.imitation.create_ticket(subject="Hilfe", customer_email="eve@customer.example")
    arena.imitation.agent_reply(ticket["id"], "We are on it")
    arena.imitation.customer_reply(ticket["id"], "Thanks")

    events = mailbox.events(2)

    assert [(event.kind, event.ticket_id) for event in events] == [(EventKind.COMMENT, ticket["id"])] * 2
    assert all("on it" not in repr(event.record) for event in events)


def test_other_things_are_put_aside(arena: NextCapArena, mailbox: Mailbox) -> None:
    names = ["lead.created", "conversation.created", "call_request.created"]
    arena.imitation.create_webhook(mailbox.url, names, SECRET)
    arena.imitation.capture_lead(email="eve@customer.example")
    arena.imitation.start_conversation("hello")
    arena.imitation.request_call(phone="+1")

    events = mailbox.events(3)

    assert sorted(event.name for event in events) == sorted(names)
    assert {event.kind for event in events} == {EventKind.OTHER}


def parsed(arena: NextCapArena, body: object, **headers: str) -> list[Event]:
    return list(arena.adapter.parse(Delivery("POST", "/webhooks/nextcap", headers, json.dumps(body).encode())))


def test_a_partial_payload_names_only_what_it_names(arena: NextCapArena) -> None:
    """What is absent is not empty: a missing field must never look like a cleared one."""
    body = {"id": "7", "status": "open", "updated_at": "2026-04-07T14:30:00.000Z", "category": None}

    (event,) = parsed(arena, {"event": "ticket.updated", "data": body})

    assert event.record is not None
    assert dict(event.record.fields) == {"id": "7", "status": "open", "category": None}


@pytest.mark.parametrize(
    "body",
    [
        {"id": "reply-1", "ticket_id": "7", "status": "sent", "updated_at": "2026-04-07T14:30:00.000Z"},
        {"id": "7", "status": "open"},
        {"id": "7", "updated_at": "2026-04-07T14:30:00.000Z"},
        {"id": "7", "status": "open", "updated_at": "yesterday"},
    ],
)
def test_what_is_not_certainly_a_timed_ticket_is_no_reading(arena: NextCapArena, body: dict[str, str]) -> None:
    (event,) = parsed(arena, {"event": "ticket.reply", "data": body})

    assert event.record is None
    assert event.ticket_id == "7"


def test_the_key_is_the_deliverys_id_then_the_bodys_then_its_hash(arena: NextCapArena) -> None:
    body = {"event": "ticket.updated", "id": "evt-1", "data": {"ticket_id": "7"}}
    flat = {"event": "ticket.updated", "id": "7", "status": "open"}

    assert parsed(arena, body, **{"x-nextcap-delivery": "d-1"})[0].key == "d-1"
    assert parsed(arena, body)[0].key == "evt-1"
    assert (
        parsed(arena, {**body, "id": None})[0].key
        == hashlib.sha256(json.dumps({**body, "id": None}).encode()).hexdigest()
    )
    assert parsed(arena, flat)[0].key != parsed(arena, {**flat, "status": "closed"})[0].key


def test_a_subscriptions_id_in_a_header_does_not_make_all_deliveries_one(arena: NextCapArena) -> None:
    first, second = (
        parsed(arena, {"event": "ticket.updated", "data": {"id": ticket}}, **{"x-webhook-id": "hook-1"})[0]
        for ticket in ("7", "8")
    )

    assert first.key != second.key


def test_several_events_in_one_delivery_have_several_keys(arena: NextCapArena) -> None:
    body = [{"event": "ticket.updated", "data": {"id": ticket}} for ticket in ("7", "8")]

    events = parsed(arena, body, **{"x-nextcap-delivery": "d-1"})

    assert [(event.subject, event.key) for event in events] == [("7", "d-1"), ("8", "d-1#1")]


def test_the_events_name_may_stand_in_a_header(arena: NextCapArena) -> None:
    (event,) = parsed(arena, {"data": {"ticket_id": 7}}, **{"x-nextcap-event": "ticket.assigned"})

    assert (event.name, event.subject) == ("ticket.assigned", "7")


@pytest.mark.parametrize("body", [{"event": "ticket.updated"}, {"event": "ticket.updated", "data": {"id": ["7"]}}])
def test_a_ticket_event_without_a_ticket_is_bad(arena: NextCapArena, body: object) -> None:
    with pytest.raises(BadDelivery) as caught:
        parsed(arena, body)

    assert caught.value.code == "no_ticket_id"


def test_a_body_nested_without_end_is_bad_and_no_crash(arena: NextCapArena) -> None:
    with pytest.raises(BadDelivery):
        arena.adapter.parse(Delivery("POST", "/", {}, b"[" * 200_000))
