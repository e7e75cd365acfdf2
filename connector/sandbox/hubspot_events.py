"""Webhooks: who is told of what, how events travel together, and how HubSpot signs them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from .hubspot_auth import Credentials
from .hubspot_portal import Change
from .hubspot_settings import Settings
from .hubspot_stock import BY_NAME, CONTACTS, EMAIL_CONTENT, EMAILS, NOTES, SILENT, TICKETS, TYPES, ObjectType
from .kernel import Deliveries, Delivery, epoch_ms

EVENT_LIMIT = 100
RETRIES = (60, 180, 600, 1200, 3600, 7200, 10_800, 14_400, 21_600, 25_200)
"""Ten further tries within a day."""

KINDS_OF_EVENT = ("creation", "deletion", "merge", "restore", "propertyChange", "associationChange")
PRIVACY = "privacyDeletion"
WATCHED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    TICKETS.name: (
        ("creation", "deletion", "merge", "restore", "associationChange"),
        (
            "subject",
            "content",
            "hs_pipeline",
            "hs_pipeline_stage",
            "hs_ticket_priority",
            "hs_ticket_category",
            "hubspot_owner_id",
            "nextcap_status",
        ),
    ),
    NOTES.name: (("creation", "deletion", "associationChange"), ("hs_note_body", "hs_attachment_ids")),
    CONTACTS.name: (("merge", PRIVACY), ("email",)),
}
"""What the app subscribes to unless it is told otherwise: events, and properties whose change is one."""

DECODED = re.compile(r"%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)


def sign_v3(secret: str, method: str, uri: str, body: bytes, timestamp: str) -> str:
    """X-HubSpot-Signature-v3: of the URI, only certain escapes are decoded before signing."""
    decoded = DECODED.sub(lambda found: chr(int(found[1], 16)), uri)
    signed = method.upper().encode() + decoded.encode() + body + timestamp.encode()
    return base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()


def sign_v1(secret: str, body: bytes) -> str:
    """X-HubSpot-Signature of version v1."""
    return hashlib.sha256(secret.encode() + body).hexdigest()


@dataclass(frozen=True, slots=True)
class Subscription:
    """One thing the app is told of, `only` for one property; `generic` ones are named object.*."""

    id: int
    kind: ObjectType
    what: str
    only: str | None
    generic: bool

    @property
    def type_name(self) -> str:
        return f"{'object' if self.generic else self.kind.singular}.{self.what}"

    def wants(self, change: Change) -> bool:
        is_it = self.kind is change.kind and self.what == change.what
        return is_it and self.only in (None, change.details.get("propertyName"))


def subscriptions_of(settings: Settings) -> list[Subscription]:
    """The subscriptions in force. ValueError on one that HubSpot does not offer."""
    ids = count(200_001)
    if settings.subscriptions:
        return [_read_subscription(next(ids), one) for one in settings.subscriptions]
    made = []
    for name, (events, properties) in WATCHED.items():
        wanted: list[tuple[str, str | None]] = [(event, None) for event in events]
        wanted += [("propertyChange", one) for one in properties]
        for what, prop in wanted:
            for generic in _namings(BY_NAME[name], what, settings.event_naming):
                made.append(Subscription(next(ids), BY_NAME[name], what, prop, generic))
    return made


def _namings(kind: ObjectType, what: str, naming: str) -> tuple[bool, ...]:
    """Which of the two namings an event travels under: notes have no names of their own."""
    if what == PRIVACY:
        return (False,)
    if not kind.named_events:
        return (True,)
    return {"legacy": (False,), "generic": (True,), "both": (False, True)}[naming]


def _read_subscription(number: int, wanted: Mapping[str, Any]) -> Subscription:
    """A subscription as a webhooks component writes it: subscriptionType, objectType, propertyName."""
    named, _, what = str(wanted.get("subscriptionType")).partition(".")
    generic = named == "object"
    kinds = {one.singular: one for one in TYPES if one.named_events}
    kind = BY_NAME.get(str(wanted.get("objectType"))) if generic else kinds.get(named)
    prop = wanted.get("propertyName")
    offered = (*KINDS_OF_EVENT, PRIVACY) if kind is CONTACTS and not generic else KINDS_OF_EVENT
    if kind is None or what not in offered or (what == "propertyChange") is not isinstance(prop, str):
        raise ValueError(f"HubSpot offers no subscription {dict(wanted)}")
    if prop in SILENT or (kind is EMAILS and prop in EMAIL_CONTENT):
        raise ValueError(f"HubSpot sends no events for {prop}")
    return Subscription(number, kind, what, prop, generic)


class Announcer:
    """Turns changes into events and events into deliveries of up to a hundred.

    Events that follow one another within the settings' window share a delivery that waits that long.
    """

    def __init__(self, settings: Settings, credentials: Credentials, deliveries: Deliveries) -> None:
        self._settings = settings
        self._credentials = credentials
        self._deliveries = deliveries
        self._event_ids = count(3_000_000_001)
        self._told = 0
        self._last_id = 0
        self._open: Delivery | None = None
        self._guard = threading.Lock()
        self.subscriptions = subscriptions_of(settings)

    def announce(self, change: Change) -> None:
        """Send an event for every subscription that wants this change and that the scopes allow."""
        if not self._settings.webhook_url:
            return
        for one in self.subscriptions:
            if one.wants(change) and set(change.kind.read).intersection(self._settings.scopes):
                self._add(self._event(one, change))

    def render(self, delivery: Delivery) -> bytes:
        """The body of one attempt; from the first one on, the delivery takes no more events."""
        with self._guard:
            if self._open is delivery:
                self._open = None
        tries = len(delivery.attempts) // delivery.copies
        return _body({**event, "attemptNumber": tries} for event in delivery.about["events"])

    def sign(self, delivery: Delivery) -> dict[str, str]:
        """HubSpot's headers, made anew for each attempt with the machine's time."""
        secret, timestamp = self._settings.client_secret, str(int(time.time() * 1000))
        return {
            "X-HubSpot-Signature-v3": sign_v3(secret, "POST", delivery.url, delivery.body, timestamp),
            "X-HubSpot-Request-Timestamp": timestamp,
            "X-HubSpot-Signature": sign_v1(secret, delivery.body),
            "X-HubSpot-Signature-Version": "v1",
            "User-Agent": "HubSpot Connect 2.0 (http://dev.hubspot.com/) (namespace: webhooks-nio-http-client)",
        }

    def _event(self, subscription: Subscription, change: Change) -> dict[str, Any]:
        event: dict[str, Any] = {
            "eventId": self._event_id(),
            "subscriptionId": subscription.id,
            "portalId": self._credentials.portal_id,
            "appId": self._credentials.app_id,
            "occurredAt": epoch_ms(change.at),
            "subscriptionType": subscription.type_name,
            "attemptNumber": 0,
            "objectId": int(change.object_id),
            "changeSource": change.source.change,
            "sourceId": change.source.id,
        }
        if subscription.generic:
            event["objectTypeId"] = change.kind.type_id
        if change.what == "associationChange" and not self._settings.association_object_id:
            del event["objectId"]
        if self._settings.surplus_fields:
            event["futureField"] = True
        return {**event, **change.details}

    def _event_id(self) -> int:
        """A number; with `repeat_event_ids` every second event repeats the one before."""
        self._told += 1
        if not self._settings.repeat_event_ids or self._told % 2:
            self._last_id = next(self._event_ids)
        return self._last_id

    def _add(self, event: Mapping[str, Any]) -> None:
        window = self._settings.event_window
        with self._guard:
            if self._open is None or not _has_room(self._open, window):
                events = [event]
                self._open = self._deliveries.send(
                    self._settings.webhook_url,
                    _body(events),
                    [event["subscriptionType"]],
                    about={"events": events, "until": time.monotonic() + window},
                    after=window,
                )
                return
            self._open.about["events"].append(event)
            self._open.events += (event["subscriptionType"],)
            if self._open.state != "queued":
                self._open.body = _body(self._open.about["events"])


def _has_room(delivery: Delivery, window: float) -> bool:
    is_early = window > 0 and time.monotonic() < delivery.about["until"]
    return is_early and len(delivery.about["events"]) < EVENT_LIMIT


def _body(events: Iterable[Mapping[str, Any]]) -> bytes:
    return json.dumps(list(events), ensure_ascii=False, separators=(",", ":")).encode()
