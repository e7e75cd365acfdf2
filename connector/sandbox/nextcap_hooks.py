"""Next Cap's webhooks: who is told, what the body looks like, how it is signed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from .kernel import Clock, Deliveries, Delivery, iso
from .nextcap_casing import cased
from .nextcap_errors import invalid
from .nextcap_records import Actor, Ticket, Webhook, new_id
from .nextcap_settings import Settings
from .nextcap_signatures import PROFILES, secret_for
from .nextcap_world import World

EVENTS = (
    "lead.created",
    "ticket.created",
    "ticket.updated",
    "ticket.status_changed",
    "ticket.assigned",
    "ticket.department_changed",
    "ticket.reopened",
    "ticket.reply",
    "ticket.customer_reply",
    "conversation.created",
    "conversation.completed",
    "conversation.handed_off",
    "call_request.created",
    "call_request.updated",
)
"""The names of the call-request events are not public; these are the likeliest."""


class Hooks:
    """Publishes events to the registered webhooks; organisation-wide, whatever the seat may see."""

    def __init__(self, world: World, settings: Settings, clock: Clock, deliveries: Deliveries) -> None:
        self._world = world
        self._settings = settings
        self._clock = clock
        self._deliveries = deliveries

    def register(self, url: str, events: Sequence[str], secret: str | None = None) -> Webhook:
        """A new active webhook. The address must be https, or http on this machine."""
        if not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
            raise invalid(url="must be an https URL")
        unknown = sorted(set(events) - set(EVENTS))
        if unknown or not events:
            raise invalid(events=f"unknown: {', '.join(unknown)}" if unknown else "must not be empty")
        secret = secret or secret_for(self._settings.signature, secrets.token_bytes(32))
        hook = Webhook(new_id(), url, secret, tuple(events), self._clock.now())
        self._world.webhooks[hook.id] = hook
        return hook

    def ticket(self, event: str, ticket: Ticket, actor: Actor, facts: Mapping[str, Any]) -> None:
        """Publish something that happened to a ticket."""
        facts = {**facts, **actor.view()}
        settings = self._settings
        if settings.payload == "nested":
            own_id = {"id": facts["reply_id"]} if "reply_id" in facts else {}
            fields = {**own_id, "ticket": ticket.view(), **facts}
        elif settings.payload == "id_only":
            fields = {"ticket_id": ticket.id}
        else:
            fields = {**ticket.view(), **facts}
        self.publish(event, fields)

    def publish(self, event: str, fields: Mapping[str, Any]) -> None:
        """Queue one delivery for every active webhook that wants the event."""
        fields = cased(fields, self._settings.casing)
        for hook in list(self._world.webhooks.values()):
            self._switch_off_if_failing(hook)
            if not hook.is_active or event not in hook.events:
                continue
            delivery_id = new_id()
            about = {"webhook": hook.id, "secret": hook.secret, "event": event, "fields": fields}
            body = envelope(self._settings, event, delivery_id, self._clock.now(), fields)
            self._deliveries.send(hook.url, body, (event,), about=about, id=delivery_id)

    def _switch_off_if_failing(self, hook: Webhook) -> None:
        most = self._settings.disable_after
        if not most:
            return
        own = [one for one in self._deliveries.all() if one.about.get("webhook") == hook.id]
        ended = [one for one in own if one.state in ("delivered", "failed")][-most:]
        if len(ended) == most and all(one.state == "failed" for one in ended):
            hook.is_active = False


def envelope(settings: Settings, event: str, delivery_id: str, moment: datetime, fields: Mapping[str, Any]) -> bytes:
    """The body of one webhook request."""
    names = ("event", "timestamp") if settings.envelope == "event" else ("type", "created_at")
    if settings.payload == "flat" and names[1] in fields:
        names = (names[0], "sent_at")
    head = dict(zip(names, (event, iso(moment)), strict=True))
    if settings.envelope_id:
        head = {"event_id" if settings.payload == "flat" else "id": delivery_id, **head}
    body = {**head, **fields} if settings.payload == "flat" else {**head, "data": dict(fields)}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def moment_of(settings: Settings, clock: Clock, delivery: Delivery) -> datetime:
    """The time that an attempt claims: that of the event, or, where retries change it, the present."""
    return clock.now() if delivery.tries and settings.retry_changes_time else delivery.created_at


def render(settings: Settings, clock: Clock, delivery: Delivery) -> bytes:
    """The body of the next attempt."""
    if not (delivery.tries and settings.retry_changes_time):
        return delivery.body
    about = delivery.about
    return envelope(settings, about["event"], delivery.id, clock.now(), about["fields"])


def sign(settings: Settings, clock: Clock, delivery: Delivery) -> dict[str, str]:
    """The headers of the next attempt."""
    return PROFILES[settings.signature].headers(
        secret=delivery.about["secret"],
        body=delivery.body,
        event=delivery.about["event"],
        delivery_id=delivery.id,
        moment=moment_of(settings, clock, delivery),
    )
