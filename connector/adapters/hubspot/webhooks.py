"""HubSpot's webhooks: who signed them, what they say, and the component that subscribes to them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Sequence, Set
from datetime import datetime
from functools import partial
from typing import Final

from connector.adapters.answers import mapping_of
from connector.adapters.base import Delivery, Event, EventKind, Json, Step, taken
from connector.adapters.signing import check_signature, check_time, digest, json_of
from connector.adapters.times import moment
from connector.domain.errors import BadDelivery
from connector.domain.ticket import Value

MILLISECONDS = re.compile(r"\d{1,15}", re.ASCII)
DECODED = re.compile(r"%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
TYPE_IDS: Final = {"0-5": "ticket", "0-46": "note", "0-1": "contact"}
TICKET_EVENTS: Final = {
    "creation": EventKind.CREATED,
    "propertyChange": EventKind.TICKET,
    "deletion": EventKind.DELETED,
    "restore": EventKind.RESTORED,
}
WATCHED: Final = {
    "ticket": ("creation", "deletion", "merge", "restore", "associationChange"),
    "note": ("creation", "associationChange"),
}
STOCK_PROPERTIES: Final = (
    *("subject", "content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_priority"),
    *("hs_ticket_category", "hubspot_owner_id"),
)
NOT_OFFERED: Final = frozenset({"hs_lastmodifieddate", "createdate"})
Native = Callable[[str, object], Value]
Watched = Callable[[], Iterable[str]]
Make = Callable[..., Event]
"""Makes an event of a delivery's item, whose name and moment are known."""


class Webhooks:
    """Only signatures of v3 name a time; v1 and v2 can be replayed and are off unless asked for.

    `native` turns a property's value; `watched` names the properties that the mapping reads now.
    """

    answer = staticmethod(taken)

    def __init__(
        self, secrets: Sequence[str], public_url: str, accepted: Set[str], *, native: Native, watched: Watched = tuple
    ) -> None:
        self._secrets, self._accepted, self._public_url = secrets, accepted, public_url.rstrip("/")
        self._native, self._watched = native, watched

    def verify(self, delivery: Delivery, *, now: datetime) -> None:
        """Raises BadDelivery unless a secret of ours made the signature, within five minutes where it has a time."""
        headers, uri = delivery.headers, (self._public_url + delivery.path).encode("utf-8", "replace")
        called = delivery.method.upper().encode() + uri
        given, version = headers.get("x-hubspot-signature-v3", ""), "v3"
        told = headers.get("x-hubspot-request-timestamp", "")
        signed = _decoded(called) + delivery.body + told.encode("utf-8", "replace")
        if not given:
            given = headers.get("x-hubspot-signature", "").lower()
            version = headers.get("x-hubspot-signature-version", "").lower()
            signed = delivery.body if version == "v1" else called + delivery.body
        if given and version not in self._accepted:
            raise BadDelivery("signatures of this version are not accepted here", code="signature_version")
        check_signature(given, self._secrets, lambda secret: _signature(version, secret, signed))
        if version == "v3":
            check_time(moment(told) if MILLISECONDS.fullmatch(told) else None, now)

    def parse(self, delivery: Delivery) -> list[Event]:
        """The events of a delivery: an array, or one object. What we have no use for comes as OTHER. Makes no call."""
        told = json_of(delivery.body)
        items = [told] if isinstance(told, dict) else told
        if not isinstance(items, list):
            raise BadDelivery("the body is neither an event nor a list of events", code="unreadable")
        return [event for item in items for event in _events(mapping_of(item), self._native)]

    def subscribe(self, url: str, *, dry_run: bool) -> list[Step]:  # noqa: ARG002 - nothing here writes
        """What a person does: no call registers the webhooks of a project app."""
        app = json.dumps(component(url, self._watched()), indent=2)
        told = "Save what follows as src/app/webhooks/nextcap-hsmeta.json in your HubSpot project and run"
        return [
            Step("webhooks", "manual", f"{told} `hs project upload`:\n{app}"),
            Step("client secret", "manual", "Copy the app's client secret (its Auth tab) into webhook_secrets"),
        ]


def _signature(version: str, secret: bytes, signed: bytes) -> bytes:
    if version == "v3":
        return base64.b64encode(hmac.digest(secret, signed, "sha256"))
    return hashlib.sha256(secret + signed).hexdigest().encode()


def _decoded(uri: bytes) -> bytes:
    """HubSpot signs the address with these few escapes decoded, and all others as they were sent."""
    return DECODED.sub(lambda escape: chr(int(escape[0][1:], 16)), uri.decode()).encode()


def _events(item: Json, native: Native) -> Iterable[Event]:
    name = str(item.get("subscriptionType") or item.get("eventType") or "unknown")
    kind, _, what = name.partition(".")
    kind = TYPE_IDS.get(str(item.get("objectTypeId")), kind) if kind == "object" else kind
    event = partial(Event, name, moment=moment(item.get("occurredAt")))
    if what == "associationChange":
        return [_association(item, kind, event)]
    if kind == "ticket":
        return _merges(item, event) if what == "merge" else [_ticket(item, what, native, event)]
    subject = _id(item.get("objectId"))
    is_heard = subject and kind == "note" and what in ("creation", "propertyChange", "restore")
    return [event(EventKind.COMMENT if is_heard else EventKind.OTHER, subject, _key(item, kind, what, subject))]


def _ticket(item: Json, what: str, native: Native, event: Make) -> Event:
    subject = _id(item.get("objectId"))
    kind = TICKET_EVENTS.get(what, EventKind.OTHER) if subject else EventKind.OTHER
    field = str(item["propertyName"]) if item.get("propertyName") else None
    told = field is not None and "propertyValue" in item and not item.get("isSensitive")
    value = native(field, item["propertyValue"]) if field and told else None
    key = _key(item, "ticket", what, subject)
    return event(kind, subject, key, ticket_id=subject, field=field, value=value, has_value=told)


def _merges(item: Json, event: Make) -> Iterable[Event]:
    """One event for each ticket that is no more. A merge may end in a third record: then the primary is one too."""
    primary = _id(item.get("primaryObjectId") or item.get("objectId"))
    survivor = _id(item.get("newObjectId") or primary)
    merged = item.get("mergedObjectIds")
    for loser in dict.fromkeys([*map(_id, merged if isinstance(merged, list) else [merged or primary]), primary]):
        if loser != survivor:
            key = _key(item, "ticket", "merge", loser, survivor)
            yield event(EventKind.MERGED, loser, key, ticket_id=loser, survivor=survivor)


def _association(item: Json, kind: str, event: Make) -> Event:
    """A note put on a ticket is the one association that says something new about the ticket's timeline."""
    words = str(item.get("associationType") or "").lower().split("_to_")
    source = TYPE_IDS.get(str(item.get("fromObjectTypeId"))) or words[0] or kind
    target = TYPE_IDS.get(str(item.get("toObjectTypeId"))) or words[-1].removesuffix("_unlabeled")
    ends = {source: _id(item.get("fromObjectId")), target: _id(item.get("toObjectId"))}
    note, ticket, removed = ends.get("note"), ends.get("ticket"), bool(item.get("associationRemoved"))
    key = _key(item, kind, "associationChange", *sorted(f"{end} {one}" for end, one in ends.items()), str(removed))
    if note and ticket and not removed:
        return event(EventKind.COMMENT, note, key, ticket_id=ticket)
    return event(EventKind.OTHER, ticket or _id(item.get("objectId")), key, ticket_id=ticket)


def _key(item: Json, kind: str, what: str, *about: str) -> str:
    """What repeats of one event have in common. HubSpot's own event id is not promised to be unique."""
    value = digest(item.get("propertyValue"))
    when = item.get("occurredAt") or item.get("eventId")
    parts = (item.get("portalId"), kind, what, *about, item.get("propertyName"), item.get("messageId"), when, value)
    return ":".join("" if part is None else str(part) for part in parts)


def _id(told: object) -> str:
    return "" if told is None else str(told)


def component(url: str, properties: Iterable[str]) -> Json:
    """The webhooks component of a HubSpot project: what it subscribes to, and where that is sent."""
    watched = [one for one in dict.fromkeys([*STOCK_PROPERTIES, *properties]) if one not in NOT_OFFERED]
    events = [_subscription(kind, what) for kind, heard in WATCHED.items() for what in heard]
    events += [_subscription("ticket", "propertyChange", propertyName=one) for one in watched]
    events += [_subscription("note", "propertyChange", propertyName="hs_note_body")]
    config = {
        "settings": {"targetUrl": url, "maxConcurrentRequests": 10},
        "subscriptions": {"crmObjects": events, "legacyCrmObjects": [], "hubEvents": []},
    }
    return {"uid": "nextcap-webhooks", "type": "webhooks", "config": config}


def _subscription(kind: str, what: str, **more: str) -> Json:
    return {"subscriptionType": f"object.{what}", "objectType": kind, "active": True, **more}
