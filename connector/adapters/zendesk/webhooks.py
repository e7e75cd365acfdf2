"""Zendesk's event webhooks: signatures over the raw bytes, events, and our subscription."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar

from connector.adapters.base import Delivery, Event, EventKind, Json, Step
from connector.adapters.signing import check_signature, check_time, json_of
from connector.adapters.times import moment
from connector.adapters.zendesk.api import Api
from connector.adapters.zendesk.schema import CUSTOM
from connector.domain.errors import BadDelivery, Refused
from connector.domain.ticket import MISSING, Missing, Value, normal

T = TypeVar("T")
PREFIX: Final = "zen:event-type:"
SUBJECT: Final = "zen:ticket:"
HOOKS: Final = "/webhooks"
NAME: Final = "Next Cap connector"
FIELDS: Final = {
    "status_changed": "status",
    "custom_status_changed": "custom_status_id",
    "priority_changed": "priority",
    "subject_changed": "subject",
    "agent_assignment_changed": "assignee_id",
    "group_assignment_changed": "group_id",
    "tags_changed": "tags",
    "type_changed": "type",
    "external_id_changed": "external_id",
}
UPPER: Final = frozenset({"status", "priority", "type"})
KINDS: Final = {
    "created": EventKind.TICKET,
    "comment_added": EventKind.COMMENT,
    "merged": EventKind.MERGED,
    "soft_deleted": EventKind.DELETED,
    "permanently_deleted": EventKind.DELETED,
    "marked_as_spam": EventKind.DELETED,
    "undeleted": EventKind.RESTORED,
    **dict.fromkeys((*FIELDS, "custom_field_changed"), EventKind.TICKET),
}
WATCHED: Final = tuple(f"{PREFIX}ticket.{one}" for one in KINDS)
UNSURE: Final = frozenset({"type_changed", "external_id_changed", "custom_field_changed", "marked_as_spam"})
NEEDED: Final = tuple(one for one in WATCHED if one.removeprefix(f"{PREFIX}ticket.") not in UNSURE)
"""What must be heard. The others are not confirmed to exist: where Zendesk refuses them, sweeps find what they tell."""


def verify(delivery: Delivery, secrets: Sequence[str], *, now: datetime) -> None:
    """Raises BadDelivery unless one of the secrets signed the body within five minutes of now.

    A signature is base64 of HMAC-SHA256 over the time as sent and the raw body, with nothing between them.
    """
    told = delivery.headers.get("x-zendesk-webhook-signature-timestamp", "")
    signed = told.encode("utf-8", "replace") + delivery.body
    given = delivery.headers.get("x-zendesk-webhook-signature", "")
    check_signature(given, secrets, lambda key: base64.b64encode(hmac.digest(key, signed, "sha256")))
    check_time(moment(told), now)


def parse(body: bytes) -> list[Event]:
    """The one event of a delivery. What we have no use for comes as OTHER."""
    told = json_of(body)
    if not isinstance(told, dict):
        raise BadDelivery("the body is not an event", code="unreadable")
    name = str(told.get("type") or "unknown").removeprefix(PREFIX)
    what = name.removeprefix("ticket.")
    detail: Json = told.get("detail") if isinstance(told.get("detail"), dict) else {}
    changed: Json = told.get("event") if isinstance(told.get("event"), dict) else {}
    ticket = str(detail.get("id") or str(told.get("subject") or "").removeprefix(SUBJECT))
    kind = KINDS.get(what, EventKind.OTHER) if name.startswith("ticket.") and ticket.isdecimal() else EventKind.OTHER
    key = str(told.get("id") or "") or f"{name}:{ticket}:{told.get('time')}"
    at = moment(told.get("time"))
    if kind is EventKind.COMMENT:
        comment: Json = changed.get("comment") if isinstance(changed.get("comment"), dict) else {}
        return [Event(name, kind, str(comment.get("id") or key), key, ticket_id=ticket, moment=at)]
    if kind is EventKind.MERGED:
        survivor = str(changed.get("target_ticket_id") or "") or None
        return [Event(name, kind, ticket, key, ticket_id=ticket, survivor=survivor, moment=at)]
    field, value = _changed(what, changed, detail)
    event = Event(name, kind, ticket, key, ticket_id=ticket, field=field, moment=at)
    if value is MISSING:
        return [event]
    return [replace(event, value=value, has_value=True, version=moment(detail.get("updated_at")))]


def _changed(what: str, changed: Json, detail: Json) -> tuple[str | None, Value | Missing]:
    """The field that an event names, and its new value where that is told. Events shout what records say."""
    held = changed.get("field")
    field = f"{CUSTOM}{held.get('id')}" if isinstance(held, dict) else FIELDS.get(what)
    current = detail.get("tags", {}) if field == "tags" else changed.get("current", {})
    if field is None or isinstance(current, dict):
        return field, MISSING
    if current is None or isinstance(current, bool | list):
        return field, normal(current)
    return field, normal(str(current).lower() if field in UPPER else str(current))


class Subscription:
    """Our webhook. `keep` keeps its signing secret, which Zendesk makes; `known` are the secrets that we have."""

    def __init__(self, api: Api, known: Sequence[str], keep: Callable[[str], None]) -> None:
        self._api = api
        self._known = known
        self._keep = keep

    def subscribe(self, url: str, *, dry_run: bool) -> list[Step]:
        """Make the webhook, or complete the one that posts to this address."""
        mine = [one for one in self._api.listed(HOOKS, "webhooks") if one.get("endpoint") == url]
        if not mine:
            if dry_run:
                return [Step("webhook", "would", f"would be created for {url}")]
            return [self._make(url)]
        lacking = self._lacking(mine[0])
        secret = self._secret(mine[0])
        if not lacking and secret in self._known:
            return [Step("webhook", "ok")]
        if dry_run:
            return [Step("webhook", "would", "would be completed, and its signing secret kept")]
        if lacking:
            hook = {"hook": str(mine[0]["id"])}
            self._offered(lambda told: self._api.send("PATCH", f"{HOOKS}/:hook", ids=hook, json=told), url)
        self._keep(secret)
        return [Step("webhook", "done", "its signing secret is kept in the connector's store")]

    def state(self, url: str) -> str:
        """What is wrong with our webhook, in words; empty where nothing is."""
        mine = [one for one in self._api.listed(HOOKS, "webhooks") if one.get("endpoint") == url]
        if not mine:
            return f"no webhook posts to {url}"
        if lacking := self._lacking(mine[0]):
            return lacking
        return "" if self._secret(mine[0]) in self._known else "its signing secret is not known here"

    def _make(self, url: str) -> Step:
        try:
            made = self._offered(lambda told: self._api.send("POST", HOOKS, json=told).json, url)["webhook"]
        except Refused as error:
            return Step("webhook", "problem", f"{error}; only administrators make webhooks")
        self._keep(self._secret(made))
        return Step("webhook", "done", "its signing secret is kept in the connector's store")

    def _offered(self, send: Callable[[Json], T], url: str) -> T:
        """What came of all that we would hear; of what we must hear where Zendesk does not know the rest."""
        try:
            return send(_told(url, WATCHED))
        except Refused:
            return send(_told(url, NEEDED))

    def _secret(self, hook: Json) -> str:
        answer = self._api.send("GET", f"{HOOKS}/:hook/signing_secret", ids={"hook": str(hook["id"])}).json
        return str(answer["signing_secret"]["secret"])

    def _lacking(self, hook: Json) -> str:
        if hook.get("status") != "active":
            return "it is switched off"
        missing = set(NEEDED) - set(hook.get("subscriptions") or ())
        return (
            f"it does not listen to {', '.join(sorted(one.removeprefix(PREFIX) for one in missing))}" if missing else ""
        )


def _told(url: str, events: Sequence[str]) -> Json:
    told = {"name": NAME, "status": "active", "endpoint": url, "http_method": "POST", "request_format": "json"}
    return {"webhook": {**told, "subscriptions": list(events)}}
