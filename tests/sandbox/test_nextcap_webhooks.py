"""Webhooks of the Next Cap imitation: registration, fan-out, bodies, signatures, repeats."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import httpx
import pytest

from connector.sandbox.nextcap import NextCap
from connector.sandbox.nextcap_hooks import EVENTS

from .conftest import Receiver, problem
from .test_nextcap_tickets import ticket_at


def listen(nextcap: NextCap, receiver: Receiver, **settings: Any) -> str:
    """Register the receiver for everything; the secret."""
    nextcap.configure(**settings)
    return str(nextcap.create_webhook(receiver.url, EVENTS)["secret"])


def arrived(nextcap: NextCap, receiver: Receiver) -> list[str]:
    """The events since the last look."""
    assert nextcap.deliveries.wait_idle()
    events = receiver.events
    receiver.requests.clear()
    return events


# -- management


def test_registration_shows_the_secret_once(data: httpx.Client) -> None:
    answer = data.post("/webhooks", json={"url": "https://a.example/h", "events": ["ticket.reply"]})

    created = answer.json()["data"]
    listed = data.get("/webhooks").json()["data"]
    assert answer.status_code == 201
    assert set(created) == {"id", "url", "secret", "events", "is_active", "created_at"}
    assert listed == [{name: value for name, value in created.items() if name != "secret"}]
    assert data.delete(f"/webhooks/{created['id']}").status_code == 204
    assert data.get("/webhooks").json()["data"] == []
    assert problem(data.delete(f"/webhooks/{created['id']}")) == (404, "NOT_FOUND", [])


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["url", "events"]),
        ({"url": "http://a.example/h", "events": ["ticket.reply"]}, ["url"]),
        ({"url": "https://a.example/h", "events": []}, ["events"]),
        ({"url": "https://a.example/h", "events": ["*"]}, ["events"]),
        ({"url": "https://a.example/h", "events": "ticket.reply"}, ["events"]),
        ({"url": "https://a.example/h", "events": ["ticket.reply"], "secret": "mine"}, ["secret"]),
    ],
)
def test_registration_refuses_wrong_bodies(data: httpx.Client, body: dict[str, Any], fields: list[str]) -> None:
    assert problem(data.post("/webhooks", json=body)) == (400, "VALIDATION_ERROR", fields)


def test_listing_and_deleting_can_be_absent(nextcap: NextCap, data: httpx.Client) -> None:
    nextcap.configure(webhook_routes=False)

    assert data.get("/webhooks").status_code == 404
    assert data.delete("/webhooks/any").status_code == 404


# -- fan-out


def test_each_change_sends_its_own_events(nextcap: NextCap, receiver: Receiver, crm: httpx.Client) -> None:
    listen(nextcap, receiver)
    ticket = nextcap.create_ticket(subject="Help", customer_email="kim@example.com")["id"]
    path = f"/tickets/{ticket}"
    assert arrived(nextcap, receiver) == ["ticket.created"]

    crm.patch(path, json={"priority": "high", "tags": ["a"]})
    assert arrived(nextcap, receiver) == ["ticket.updated"]
    crm.patch(path, json={"status": "open"})
    assert arrived(nextcap, receiver) == ["ticket.status_changed", "ticket.updated"]
    crm.post(f"{path}/assign", json={"agent_id": nextcap.world.seat.id})
    assert arrived(nextcap, receiver) == ["ticket.assigned", "ticket.updated"]
    crm.post(f"{path}/transfer", json={"department_id": next(iter(nextcap.world.departments))})
    assert arrived(nextcap, receiver) == ["ticket.department_changed", "ticket.updated"]
    crm.post(f"{path}/reply", json={"content": "Hello"})
    assert arrived(nextcap, receiver) == ["ticket.reply"]
    crm.post(f"{path}/notes", json={"content": "Hm"})
    assert arrived(nextcap, receiver) == []
    crm.post(f"{path}/close")
    assert arrived(nextcap, receiver) == ["ticket.status_changed", "ticket.updated"]
    crm.post(f"{path}/reopen")
    assert arrived(nextcap, receiver) == ["ticket.reopened", "ticket.status_changed", "ticket.updated"]
    crm.patch(path, json={"priority": "high"})
    crm.patch(path, json={"status": "new"})
    assert arrived(nextcap, receiver) == []


def test_a_customers_reply_to_a_closed_ticket_reopens_it_audibly(nextcap: NextCap, receiver: Receiver) -> None:
    ticket = ticket_at(nextcap, "closed")
    listen(nextcap, receiver)

    nextcap.customer_reply(ticket, "Still broken")

    expected = ["ticket.customer_reply", "ticket.reopened", "ticket.status_changed", "ticket.updated"]
    assert arrived(nextcap, receiver) == expected


def test_conversations_leads_and_calls_are_announced(nextcap: NextCap, receiver: Receiver, data: httpx.Client) -> None:
    listen(nextcap, receiver)

    chat = nextcap.start_conversation("Hello")["id"]
    nextcap.hand_off(chat)
    nextcap.complete_conversation(chat)
    lead = nextcap.capture_lead(email="kim@example.com", name="Kim")
    call = nextcap.request_call(name="Kim", phone="+49 1")
    data.patch(f"/call-requests/{call['id']}", json={"status": "completed"})

    assert arrived(nextcap, receiver) == [
        "conversation.created",
        "conversation.handed_off",
        "conversation.completed",
        "lead.created",
        "call_request.created",
        "call_request.updated",
    ]
    assert data.get("/leads").json()["data"] == [lead]
    assert data.get("/leads", params={"created_before": "2000-01-01"}).json()["data"] == []
    assert data.get("/call-requests").json()["data"][0]["status"] == "completed"


def test_webhooks_get_only_their_events_and_of_every_widget(nextcap: NextCap, receiver: Receiver) -> None:
    nextcap.configure(widgets=["widget-main"])
    nextcap.create_webhook(receiver.url, ["ticket.status_changed"])

    nextcap.move(nextcap.create_ticket(subject="Other", widget="widget-shop")["id"], "open")

    assert arrived(nextcap, receiver) == ["ticket.status_changed"]


# -- bodies


def only_body(nextcap: NextCap, receiver: Receiver) -> Any:
    assert nextcap.deliveries.wait_idle()
    (body,) = receiver.bodies
    return body


def test_the_body_holds_the_full_ticket_as_it_is_now(nextcap: NextCap, receiver: Receiver, crm: httpx.Client) -> None:
    ticket = ticket_at(nextcap, "open", priority="low")
    listen(nextcap, receiver)

    after = crm.patch(f"/tickets/{ticket}", json={"priority": "high"}).json()["data"]

    body = only_body(nextcap, receiver)
    assert set(body) == {"event", "timestamp", "data"}
    assert body["data"].items() >= {name: one for name, one in after.items() if name != "attachments"}.items()
    assert body["data"]["changes"] == {"priority": {"from": "low", "to": "high"}}
    assert body["data"]["actor_id"] == nextcap.world.seat.id


def test_a_replys_body_carries_content_and_actor(nextcap: NextCap, receiver: Receiver) -> None:
    ticket = ticket_at(nextcap, "open")
    listen(nextcap, receiver)

    reply = nextcap.agent_reply(ticket, "Hello", files=[{"filename": "a.txt", "text": "a"}])

    facts = only_body(nextcap, receiver)["data"]
    assert (facts["id"], facts["reply_id"], facts["content"]) == (ticket, reply["id"], "Hello")
    assert facts["actor_id"] == reply["actor_id"]
    assert [one["filename"] for one in facts["attachments"]] == ["a.txt"]


def test_body_variants(nextcap: NextCap, receiver: Receiver) -> None:
    ticket = ticket_at(nextcap, "open")

    def body_of_reply(**settings: Any) -> Any:
        nextcap.world.webhooks.clear()
        receiver.requests.clear()
        listen(nextcap, receiver, **settings)
        nextcap.agent_reply(ticket, "Hello")
        return only_body(nextcap, receiver)

    nested = body_of_reply(payload="nested")
    id_only = body_of_reply(payload="id_only", envelope_id=True)
    flat = body_of_reply(payload="flat", envelope_id=True)
    typed = body_of_reply(payload="full", envelope="type", envelope_id=False)
    camel = body_of_reply(envelope="event", casing="camel")

    assert nested["data"]["ticket"]["id"] == ticket
    assert nested["data"]["id"] == nested["data"]["reply_id"] != ticket
    assert (set(id_only), id_only["data"]) == ({"id", "event", "timestamp", "data"}, {"ticket_id": ticket})
    assert (flat["id"], flat["event"], "data" in flat, bool(flat["event_id"])) == (ticket, "ticket.reply", False, True)
    assert set(typed) == {"type", "created_at", "data"}
    assert (camel["data"]["ticketNumber"], "replyId" in camel["data"]) == (1001, True)


# -- signatures


def signature_parts(profile: str, headers: dict[str, str], body: bytes) -> tuple[str, bytes, str]:
    """The signature as sent, the bytes that were signed, and the algorithm, read off the sheet's table."""
    stamp = headers.get("x-nextcap-timestamp", headers.get("x-webhook-timestamp", "")).encode()
    ours = headers.get("x-nextcap-signature", "")
    delivery = headers.get("x-nextcap-delivery", "").encode()
    layouts: dict[str, tuple[str, bytes, str]] = {
        "nextcap": (ours, body, "sha256"),
        "prefixed": (ours.removeprefix("sha256="), body, "sha256"),
        "timestamped": (ours, stamp + b"." + body, "sha256"),
        "id_timestamped": (ours, delivery + b"." + stamp + b"." + body, "sha256"),
        "versioned": (ours.removeprefix("v1="), stamp + b"." + body, "sha256"),
        "sha512": (ours, body, "sha512"),
        "base64": (base64.b64decode(ours).hex() if profile == "base64" else "", body, "sha256"),
        "generic": (headers.get("x-webhook-signature", ""), body, "sha256"),
        "hub": (headers.get("x-hub-signature-256", "").removeprefix("sha256="), body, "sha256"),
        "generic_timestamped": (
            headers.get("x-webhook-signature", "").removeprefix("sha256="),
            stamp + b"." + body,
            "sha256",
        ),
    }
    return layouts[profile]


@pytest.mark.parametrize(
    "profile",
    [
        "nextcap",
        "prefixed",
        "timestamped",
        "id_timestamped",
        "versioned",
        "sha512",
        "base64",
        "generic",
        "hub",
        "generic_timestamped",
    ],
)
def test_hex_signatures(nextcap: NextCap, receiver: Receiver, profile: str) -> None:
    secret = listen(nextcap, receiver, signature=profile)

    nextcap.create_ticket(subject="Grüße")
    nextcap.deliveries.wait_idle()

    headers, body = receiver.requests[0]
    sent, signed, algorithm = signature_parts(profile, headers, body)
    assert sent == hmac.new(secret.encode(), signed, algorithm).hexdigest()


def test_the_standard_webhooks_layout(nextcap: NextCap, receiver: Receiver) -> None:
    secret = listen(nextcap, receiver, signature="standard")

    nextcap.create_ticket(subject="a")
    nextcap.deliveries.wait_idle()

    headers, body = receiver.requests[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_the_layout_with_its_time_inside_and_the_unsigned_one(nextcap: NextCap, receiver: Receiver) -> None:
    secret = listen(nextcap, receiver, signature="inline_time")
    nextcap.create_ticket(subject="a")
    nextcap.deliveries.wait_idle()
    nextcap.configure(signature="unsigned")
    nextcap.create_ticket(subject="b")
    nextcap.deliveries.wait_idle()

    (headers, body), (unsigned, _) = receiver.requests
    stamp, signature = (part.split("=")[1] for part in headers["x-nextcap-signature"].split(","))
    assert signature == hmac.new(secret.encode(), f"{stamp}.".encode() + body, "sha256").hexdigest()
    assert "x-nextcap-timestamp" not in headers
    assert "x-nextcap-signature" not in unsigned


def test_the_primary_headers_name_event_delivery_and_time(nextcap: NextCap, receiver: Receiver) -> None:
    listen(nextcap, receiver)

    nextcap.create_ticket(subject="a")
    nextcap.deliveries.wait_idle()

    headers, _ = receiver.requests[0]
    assert headers["x-nextcap-event"] == "ticket.created"
    assert headers["x-nextcap-delivery"] == nextcap.deliveries.all()[0].id
    assert headers["x-nextcap-timestamp"].isdigit()
    assert headers["content-type"] == "application/json"


# -- repeats and faults


@pytest.mark.parametrize("changes", [False, True])
def test_a_retry_keeps_its_id_and_may_change_its_time(nextcap: NextCap, receiver: Receiver, changes: bool) -> None:
    listen(nextcap, receiver, retry_changes_time=changes, retry_schedule=[60.0], retry_factor=1.0)
    receiver.answers = [503]
    nextcap.create_ticket(subject="a")
    assert not nextcap.deliveries.wait_idle(0.05)

    nextcap.clock.advance(60)
    nextcap.deliveries.wait_idle()

    (first, body), (second, repeated) = receiver.requests
    assert first["x-nextcap-delivery"] == second["x-nextcap-delivery"]
    assert (body != repeated) is changes
    assert (first["x-nextcap-timestamp"] != second["x-nextcap-timestamp"]) is changes
    assert (first["x-nextcap-signature"] != second["x-nextcap-signature"]) is changes


def test_a_failing_webhook_is_switched_off_where_set(nextcap: NextCap, receiver: Receiver, data: httpx.Client) -> None:
    listen(nextcap, receiver, disable_after=2, retry_schedule=[])
    receiver.answers = [500] * 10

    for _ in range(4):
        nextcap.create_ticket(subject="a")
        nextcap.deliveries.wait_idle()

    assert len(receiver.requests) == 2
    assert data.get("/webhooks").json()["data"][0]["is_active"] is False


def test_deliveries_can_be_lost_doubled_and_reversed(nextcap: NextCap, receiver: Receiver) -> None:
    ticket = ticket_at(nextcap, "open")
    listen(nextcap, receiver)

    nextcap.deliveries.drop(1)
    nextcap.agent_reply(ticket, "Lost")
    lost = arrived(nextcap, receiver)
    nextcap.deliveries.duplicate(1)
    nextcap.agent_reply(ticket, "Doubled")
    doubled = arrived(nextcap, receiver)
    nextcap.deliveries.reorder(2)
    nextcap.move(ticket, "in_progress")
    reversed_events = arrived(nextcap, receiver)
    nextcap.deliveries.redeliver()

    assert lost == []
    assert doubled == ["ticket.reply"] * 2
    assert reversed_events == ["ticket.updated", "ticket.status_changed"]
    assert arrived(nextcap, receiver) == ["ticket.reply"]
