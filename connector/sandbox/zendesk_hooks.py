"""Webhooks that are subscribed to events: made by the API, signed with a secret of their own, sent as events happen."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from .kernel import Clock, Deliveries, Delivery
from .zendesk_account import Ticket
from .zendesk_errors import Refusal, bad_request
from .zendesk_rules import seconds
from .zendesk_settings import Settings

Raw = dict[str, Any]
ACCOUNT_ID = 1234567
PREFIX = "zen:event-type:"
RETRIES = (1.0, 5.0, 20.0)
NEEDED = ("name", "status", "endpoint", "http_method", "request_format")


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Base64 of HMAC-SHA256 over the time as sent and the body, without anything between."""
    return base64.b64encode(hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()).decode()


@dataclass(slots=True)
class Hook:
    id: str
    told: Raw
    secret: str
    created_at: datetime

    def view(self) -> Raw:
        return {"id": self.id, **self.told, "created_at": seconds(self.created_at)}


class Hooks:
    """The account's webhooks."""

    def __init__(self, settings: Settings, clock: Clock, deliveries: Deliveries) -> None:
        self._settings, self._clock, self._deliveries = settings, clock, deliveries
        self.all: dict[str, Hook] = {}

    def make(self, told: Any) -> Hook:
        """Check and keep a new one."""
        if not isinstance(told, Mapping) or any(not told.get(name) for name in NEEDED):
            raise bad_request("InvalidRequest", f"webhook needs {', '.join(NEEDED)}")
        subscriptions = told.get("subscriptions") or []
        if not all(one == "conditional_ticket_events" or str(one).startswith(PREFIX) for one in subscriptions):
            raise bad_request("InvalidRequest", "unknown subscription")
        if unknown := {f"{PREFIX}ticket.{one}" for one in self._settings.unknown_events} & set(subscriptions):
            raise bad_request("InvalidRequest", f"unknown subscription {min(unknown)}")
        if told["http_method"] != "POST" or told["request_format"] != "json":
            raise bad_request("InvalidRequest", "event subscriptions are posted as json")
        hook = Hook(str(uuid4()), dict(told), secrets.token_urlsafe(32), self._clock.now())
        self.all[hook.id] = hook
        return hook

    def get(self, hook_id: str) -> Hook:
        if hook_id not in self.all:
            raise Refusal(404, {"errors": [{"code": "NotFound", "title": "Webhook not found"}]})
        return self.all[hook_id]

    def announce(self, event: str, ticket: Ticket, actor: int, changed: Raw) -> None:
        """Tell every active webhook that asked for events of this type."""
        name = f"{PREFIX}ticket.{event}"
        for hook in self.all.values():
            if hook.told["status"] == "active" and name in hook.told.get("subscriptions", ()):
                self.send(hook, name, ticket, actor, changed)

    def send(self, hook: Hook, name: str, ticket: Ticket, actor: int, changed: Raw) -> None:
        body = json.dumps(self.body(name, ticket, actor, changed), ensure_ascii=False).encode()
        self._deliveries.send(hook.told["endpoint"], body, [name], about={"secret": hook.secret, "hook": hook.id})

    def body(self, name: str, ticket: Ticket, actor: int, changed: Raw) -> Raw:
        """An event as it is sent."""
        values, status = ticket.values, "DELETED" if ticket.deleted else ticket.status.upper()
        told = {
            "actor_id": actor,
            "assignee_id": values["assignee_id"],
            "group_id": values["group_id"],
            "id": ticket.id,
            "requester_id": values["requester_id"],
            "submitter_id": values["submitter_id"],
        }
        texts = {one: None if value is None else str(value) for one, value in told.items()}
        return {
            "type": name,
            "id": str(uuid4()),
            "time": seconds(self._clock.now()),
            "account_id": ACCOUNT_ID,
            "zendesk_event_version": "2022-11-06",
            "subject": f"zen:ticket:{ticket.id}",
            "event": changed,
            "detail": {
                **(told if self._settings.numeric_ids else texts),
                "status": status,
                "subject": values["subject"],
                "tags": values["tags"],
                "priority": (values["priority"] or "").upper() or None,
                "external_id": values["external_id"],
                "created_at": seconds(ticket.created_at),
                "updated_at": seconds(ticket.changed_at),
                "via": {"channel": values["channel"]},
            },
        }

    def headers(self, delivery: Delivery) -> dict[str, str]:
        """The signature headers of one attempt."""
        timestamp = seconds(self._clock.now())
        return {
            "x-zendesk-account-id": str(ACCOUNT_ID),
            "x-zendesk-webhook-id": str(delivery.about["hook"]),
            "x-zendesk-webhook-invocation-id": delivery.id,
            "x-zendesk-webhook-signature": sign(str(delivery.about["secret"]), timestamp, delivery.body),
            "x-zendesk-webhook-signature-timestamp": timestamp,
        }
