"""A small CRM of nobody's: strict about what it is told, signed Standard Webhooks, one API token.

It stands for whatever CRM somebody declares in YAML; `mappings/custom-example.yaml` declares this one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Flask

from .example_desk import Desk, Note, Ticket
from .example_routes import add_routes
from .kernel import Deliveries, Imitation, RateLimit, action, iso
from .kernel import Delivery as Sent

TOKEN = "example-token-5f0c2a"
SECRET = "whsec_" + base64.b64encode(b"example-crm-webhook-secret").decode()
RETRIES = (1.0, 5.0, 30.0, 120.0)
SETTINGS: Mapping[str, Any] = {"webhook_url": "", "calls": 600, "retry_factor": 1.0, "rule": {}, "replays": False}


def sign(secret: str, message_id: str, seconds: int, body: bytes) -> dict[str, str]:
    """The headers of a Standard Webhook."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{seconds}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(seconds), "webhook-signature": f"v1,{signature}"}


class Example(Imitation):
    """The example CRM on 127.0.0.1."""

    name: ClassVar[str] = "example"
    token = TOKEN
    secret = SECRET

    def __init__(self, port: int = 0) -> None:
        self.settings = dict(SETTINGS)
        super().__init__(port)
        self.forget()

    def routes(self, app: Flask) -> None:
        add_routes(app, desk=lambda: self.desk, token=TOKEN, limit=lambda: self.limit)

    def make_deliveries(self) -> Deliveries:
        return Deliveries(self.clock, self._signed, schedule=RETRIES)

    def _signed(self, delivery: Sent) -> Mapping[str, str]:
        return sign(SECRET, delivery.id, int(self.now().timestamp()), delivery.body)

    def forget(self) -> None:
        """An empty desk."""
        self.settings = dict(SETTINGS)
        self.deliveries.retry_factor = 1.0
        self.limit = RateLimit(self.clock, limit=int(SETTINGS["calls"]), seconds=60.0, rolling=True)
        self.desk = Desk(self.now, self._announce)

    def settings_view(self) -> Mapping[str, Any]:
        return dict(self.settings)

    def configure(self, **changes: Any) -> None:
        """`webhook_url`, `calls` a minute, `retry_factor` of the webhooks' waits; `rule`: fields that the CRM itself
        gives each ticket when it has been made by a call; `replays`: a repeated create is answered as the first was.
        """
        if unknown := changes.keys() - SETTINGS.keys():
            raise ValueError(f"there is no setting {', '.join(sorted(unknown))}")
        self.settings |= changes
        self.desk.rule = self.desk.checked(self.settings["rule"])
        self.desk.replays = bool(self.settings["replays"])
        self.limit.limit = int(self.settings["calls"])
        self.deliveries.retry_factor = float(self.settings["retry_factor"])

    def introduce(self, connector: str) -> Mapping[str, str | list[str] | bool]:
        """Send the webhooks there; the token, the secret, and the mapping that declares this CRM."""
        self.configure(webhook_url=f"{connector}/webhooks/example")
        return {
            "crm": "custom",
            "mapping": "mappings/custom-example.yaml",
            "api_url": f"{self.url}/api",
            "access_token": TOKEN,
            "webhook_secrets": [SECRET],
            "allow_private": True,
        }

    def state(self) -> dict[str, Any]:
        return {"tickets": [self._view(one) for one in self.desk.tickets.values()]}

    def ticket(self, ticket: str | int) -> dict[str, Any]:
        """One ticket with its notes, deleted ones too; KeyError if it never was."""
        with self.lock:
            return self._view(self.desk.tickets[int(ticket)])

    def tickets_of(self, our_id: str) -> list[dict[str, Any]]:
        """The live tickets that carry that id of the other side: more than one is a double."""
        with self.lock:
            live = [one for one in self.desk.tickets.values() if not one.deleted]
            return [self._view(one) for one in live if one.fields["nextcap_ticket_id"] == our_id]

    def _view(self, ticket: Ticket) -> dict[str, Any]:
        return {**ticket.view(), "notes": [note.view() for note in ticket.notes]}

    def _announce(self, event: str, ticket: Ticket, note: Note | None) -> None:
        if not self.settings["webhook_url"]:
            return
        told = {"type": event, "at": iso(self.now()), "data": {"ticket_id": ticket.id, "note_id": note and note.id}}
        if ticket.merged_into:
            told["data"]["merged_into"] = ticket.merged_into  # type: ignore[index]  # it is the dict above
        self.deliveries.send(str(self.settings["webhook_url"]), json.dumps(told).encode(), [event])

    # -- what people do

    @action
    def create_ticket(
        self, subject: str, description: str = "", email: str | None = None, fields: Mapping[str, Any] | None = None
    ) -> str:
        """Make a ticket in the CRM's own pages; its id."""
        values = self.desk.checked({"subject": subject, "description": description or None, **(fields or {})})
        made, _ = self.desk.create(values, {"email": email} if email else None)
        return str(made.id)

    @action
    def edit(self, ticket: str, fields: Mapping[str, Any]) -> None:
        """Edit a ticket."""
        self.desk.update(self.desk.live(ticket), self.desk.checked(dict(fields)))

    @action
    def write_note(self, ticket: str, text: str, public: bool = False, author: str = "Ada Admin") -> str:
        """Write an internal note, or a public answer."""
        return str(self.desk.note(self.desk.live(ticket), text, public=public, author=author).id)

    @action
    def customer_writes(self, ticket: str, text: str) -> str:
        """The customer answers in the CRM's portal."""
        note = self.desk.note(self.desk.live(ticket), text, public=True, author="Customer", from_customer=True)
        return str(note.id)

    @action
    def delete_ticket(self, ticket: str) -> None:
        self.desk.delete(self.desk.live(ticket))

    @action
    def restore_ticket(self, ticket: str) -> None:
        """Take a deleted ticket out of the bin."""
        self.desk.restore(self.desk.tickets[int(ticket)])

    @action
    def merge_tickets(self, ticket: str, into: str) -> None:
        """Merge a ticket into another."""
        self.desk.merge(self.desk.live(ticket), self.desk.live(into))
