"""Next Cap's adapter joined to its imitation, for all tests of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import MappingProxyType

from connector.adapters.base import Change, ChangeKind, Delivery
from connector.adapters.budget import MemoryBudget
from connector.adapters.nextcap import NextCap, rate, sort
from connector.adapters.testing import Arena, RecordingWire
from connector.adapters.transport import HeaderCredentials, Transport
from connector.domain.ticket import Requester
from connector.sandbox import nextcap as imitation
from connector.sandbox.kernel import iso
from connector.sandbox.nextcap_signatures import PROFILES

SECRET = "nxc-webhook-secret"


class NextCapArena(Arena):
    """Next Cap with its default settings and no rate limit in the way."""

    imitate = imitation.NextCap
    fields = (
        "subject",
        "description",
        "status",
        "priority",
        "category",
        "tags",
        "custom_fields.plan",
        "requester.email",
    )
    text_field = "subject"
    option_field = "priority"
    option = "urgent"
    bad_option = "enormous"
    unknown_field = "no_such_field"
    renews_credentials = False
    rate_limited = MappingProxyType(
        {
            "status": 429,
            "body": {"success": False, "error": {"code": "RATE_LIMITED", "message": "slow down", "retryAfter": 7}},
        }
    )
    limit_wait = 7.0
    longest_comment = 9_000

    imitation: imitation.NextCap

    def __init__(self, nextcap: imitation.NextCap, **options: object) -> None:
        self.imitation = nextcap
        self.wire = RecordingWire()
        self.base_url = nextcap.api_url
        self.secrets = (imitation.CRM_KEY, imitation.DATA_KEY, SECRET)
        self.webhook_secrets = [SECRET]
        self.pinned: list[str] = []
        self.adapter: NextCap = NextCap(
            self.transport(imitation.CRM_KEY),
            data_transport=self.transport(imitation.DATA_KEY),
            secrets=self.webhook_secrets,
            pinned=lambda: self.pinned[-1] if self.pinned else None,
            pin=self.pinned.append,
            on_secret=self.webhook_secrets.append,
            now=nextcap.now,
            **options,
        )

    def transport(self, key: str) -> Transport:
        return Transport(
            system="nextcap",
            base_url=self.base_url,
            wire=self.wire,
            credentials=HeaderCredentials("x-api-key", key),
            budget=MemoryBudget(),
            sort=sort,
            rate=rate,
        )

    def new_ticket(self) -> str:
        made = self.imitation.create_ticket(subject="Help", customer_email="Eve@Customer.example", customer_name="Eve")
        return str(made["id"])

    def gone_ticket(self) -> str:
        self.imitation.configure(widgets=["widget-main"])
        return str(self.imitation.create_ticket(subject="Elsewhere", widget="widget-shop")["id"])

    def restore(self, ticket_id: str) -> None:
        self.imitation.configure(widgets=["widget-main", "widget-shop"])

    def creation(self, key: str, external_id: str) -> Change:
        values = {"subject": "From a CRM", "description": "words", "priority": "high", "tags": ("crm",)}
        requester = Requester(email="eve@customer.example", name="Eve")
        return Change(ChangeKind.CREATE, key, values, None, external_id, requester, {"hubspot": external_id})

    def say(self, ticket_id: str, text: str) -> None:
        self.imitation.agent_note(ticket_id, text)

    def customer_sees(self, ticket_id: str) -> Sequence[str]:
        return [one.content for one in self.imitation.world.emails if one.ticket_id == ticket_id]

    def tickets(self) -> int:
        return len(self.imitation.world.tickets)

    def delivery(self, ticket_id: str) -> Delivery:
        """As the imitation would send it: the whole ticket at `data`, the primary signature."""
        ticket = self.imitation.ticket(ticket_id)
        envelope = {"event": "ticket.updated", "timestamp": iso(self.now()), "data": ticket}
        return self.signed(json.dumps(envelope).encode(), "ticket.updated")

    def signed(self, body: bytes, event: str, profile: str = "nextcap", secret: str = SECRET) -> Delivery:
        headers = PROFILES[profile].headers(
            secret=secret, body=body, event=event, delivery_id="delivery-1", moment=self.now()
        )
        lower = {name.lower(): value for name, value in headers.items()}
        return Delivery("POST", "/webhooks/nextcap", {**lower, "content-type": "application/json"}, body)
