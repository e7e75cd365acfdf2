"""Next Cap's webhook bodies as events. Their format is not public: every likely envelope is read, none is trusted.

An event is a doorbell with, at most, a reading of the ticket's fields.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from connector.adapters.base import Delivery, Event, EventKind
from connector.adapters.nextcap.answers import Raw, inner, pick
from connector.adapters.nextcap.records import NOTE_WORDS, REPLY_WORDS, record_of
from connector.adapters.signing import ID_HEADERS, json_of
from connector.adapters.times import moment
from connector.domain.errors import BadDelivery
from connector.domain.ticket import Record

EVENT_HEADERS: Final = ("x-nextcap-event", "x-webhook-event")
NAME_FIELDS: Final = ("event", "event_type", "type", "topic")
BODY_FIELDS: Final = ("data", "payload", "object")
ID_FIELDS: Final = ("event_id", "delivery_id")
TIME_FIELDS: Final = ("timestamp", "occurred_at", "sent_at")


def parse(delivery: Delivery, *, web_url: str) -> list[Event]:
    """The events of a delivery: one as a rule, several where the body is a list. Not about tickets: kind OTHER."""
    body = json_of(delivery.body)
    envelopes = body if isinstance(body, list) else [body]
    if not all(isinstance(one, Mapping) for one in envelopes):
        raise BadDelivery("nextcap: the body is not an object", code="unreadable")
    digest = hashlib.sha256(delivery.body).hexdigest()
    return [_event(one, delivery, digest, place, web_url) for place, one in enumerate(envelopes)]


def _event(envelope: Raw, delivery: Delivery, digest: str, place: int, web_url: str) -> Event:
    name = _name(envelope, delivery)
    body = next((inner(envelope, field) for field in BODY_FIELDS if inner(envelope, field)), envelope)
    key = _key(envelope, delivery, digest, is_flat=body is envelope) + (f"#{place}" if place else "")
    at = moment(pick(envelope, *TIME_FIELDS) or pick(envelope if body is not envelope else {}, "created_at"))
    if not name.lower().startswith("ticket."):
        subject = pick(body, "id", "conversation_id", "lead_id") or ""
        return Event(name=name, kind=EventKind.OTHER, subject=str(subject), key=key, moment=at)
    ticket_id = _ticket_id(body)
    if not ticket_id:
        raise BadDelivery(f"nextcap: a {name[:60]} event names no ticket", code="no_ticket_id")
    record = _record(body, ticket_id, web_url)
    is_comment = bool(set(name.lower().removeprefix("ticket.").split("_")) & (NOTE_WORDS | REPLY_WORDS))
    return Event(
        name=name,
        kind=EventKind.COMMENT if is_comment else EventKind.TICKET,
        subject=ticket_id,
        key=key,
        ticket_id=ticket_id,
        record=record,
        moment=at or (record.version if record else None),
    )


def _name(envelope: Raw, delivery: Delivery) -> str:
    named = [envelope.get(field) for field in NAME_FIELDS] + [delivery.headers.get(name) for name in EVENT_HEADERS]
    return next((one for one in named if isinstance(one, str) and one), "unknown")


def _ticket_id(body: Raw) -> str:
    """The ticket's own id before the body's, which may be the reply's."""
    found = pick(body, "ticket_id") or pick(inner(body, "ticket"), "id", "ticket_id") or pick(body, "id")
    return str(found) if isinstance(found, str | int) else ""


def _record(body: Raw, ticket_id: str, web_url: str) -> Record | None:
    """A reading of the ticket with the fields that the body named, where it is certainly the ticket's."""
    for candidate in (inner(body, "ticket"), body):
        is_ticket = str(pick(candidate, "id")) == ticket_id and pick(candidate, "status") is not None
        if is_ticket and moment(pick(candidate, "updated_at")) is not None:
            return record_of(candidate, whole=False, web_url=web_url)
    return None


def _key(envelope: Raw, delivery: Delivery, digest: str, *, is_flat: bool) -> str:
    """The delivery's id: from a header, else the body, else the hash of its bytes (`digest`).

    A flat body's `id` is the ticket's. A header whose name might also hold the subscription's id is not trusted alone.
    """
    for name in ID_HEADERS:
        if delivery.headers.get(name):
            sent = delivery.headers[name].strip()
            return sent if name.endswith(("delivery", "delivery-id")) else f"{sent}:{digest[:16]}"
    own = pick(envelope, *(ID_FIELDS if is_flat else (*ID_FIELDS, "id")))
    return str(own) if isinstance(own, str | int) else digest
