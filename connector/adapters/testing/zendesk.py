"""Zendesk's adapter joined to the imitation of Zendesk over real HTTP, for its contract and its own tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from connector.adapters.base import Change, ChangeKind, Delivery
from connector.adapters.budget import MemoryBudget
from connector.adapters.oauth import StaticCredentials
from connector.adapters.testing.arena import Arena, RecordingWire
from connector.adapters.transport import Credentials, Transport
from connector.adapters.zendesk import Zendesk, rate, sort
from connector.domain.ticket import Requester
from connector.sandbox import zendesk as imitation
from connector.sandbox.zendesk_account import API_USER
from connector.sandbox.zendesk_hooks import sign
from connector.sandbox.zendesk_rules import seconds

TARGET = "https://connector.example.test/webhooks/acme"


class ZendeskArena(Arena):
    """An adapter and an account."""

    imitate = imitation.Zendesk
    fields = ("subject", "description", "status", "priority", "tags", "assignee_id", "external_id")
    text_field = "subject"
    option_field = "priority"
    option = "high"
    bad_option = "somewhat"
    unknown_field = "no_such_field"
    renews_credentials = False
    limit_wait = 7.0
    longest_comment = 20_000
    rate_limited = {"status": 429, "headers": {"Retry-After": "7"}, "body": {"error": "APIRateLimitExceeded"}}  # noqa: RUF012
    comment_call = {"method": "PUT", "path": r"/tickets/\d+"}  # noqa: RUF012

    def __init__(self, sandbox: imitation.Zendesk, credentials: Credentials | None = None) -> None:
        self.imitation = self.sandbox = sandbox
        sandbox.configure(job_seconds=0.0, export_limit=1000, rate_limit=5000)
        self.base_url = sandbox.url
        self.secrets = (sandbox.credentials.access_token, sandbox.credentials.client_secret)
        self.wire = RecordingWire()
        self.credentials = credentials or StaticCredentials(sandbox.credentials.access_token)
        self.kept: list[str] = []
        self.naps: list[float] = []
        self.adapter = self.zendesk = self.new_adapter()

    def new_adapter(self) -> Zendesk:
        """An adapter that knows nothing yet, as a new process has it."""
        transport = Transport(
            system="zendesk",
            base_url=self.base_url,
            wire=self.wire,
            credentials=self.credentials,
            budget=MemoryBudget(),
            sort=sort,
            rate=rate,
        )
        return Zendesk(
            transport,
            webhook_secrets=self.kept,
            keep_webhook_secret=self.kept.append,
            target=TARGET,
            clock=self.now,
            sleep=self.nap,
        )

    def nap(self, seconds: float) -> None:
        """Let the vendor's time pass, and none of ours."""
        self.naps.append(seconds)
        self.imitation.clock.advance(seconds)

    def set_up(self) -> None:
        """Make our fields and the webhook exist."""
        self.adapter.ensure_schema(dry_run=False)
        self.adapter.subscribe(TARGET, dry_run=False)
        self.adapter.schema()
        self.forget_calls()

    def forget_calls(self) -> None:
        self.wire.urls.clear()
        self.sandbox.calls.reset()

    def new_ticket(self, **more: Any) -> str:
        return self.sandbox.create_ticket("It does not work", "At all", "jo@customer.example", more)

    def gone_ticket(self) -> str:
        ticket = self.new_ticket()
        self.sandbox.delete_ticket(ticket)
        return ticket

    def restore(self, ticket_id: str) -> None:
        self.sandbox.restore_ticket(ticket_id)

    def merge(self, ticket_id: str, into: str) -> str:
        self.sandbox.merge_tickets(ticket_id, into)
        return into

    def close_for_good(self, ticket_id: str) -> None:
        self.sandbox.close_ticket(ticket_id)

    def creation(self, key: str, external_id: str) -> Change:
        values = {"subject": "From Next Cap", "description": "Help", "status": "new", "priority": "normal"}
        requester = Requester("jo@customer.example", "Jo Customer", "+49 30 1234567")
        return Change(ChangeKind.CREATE, key, values, external_id=external_id, requester=requester)

    def say(self, ticket_id: str, text: str) -> None:
        self.sandbox.note(ticket_id, text)

    def customer_sees(self, ticket_id: str) -> Sequence[str]:
        return [one["body"] for one in self.sandbox.ticket(ticket_id)["comments"][1:] if one["public"]]

    def tickets(self) -> int:
        return len(self.sandbox.state()["tickets"])

    def delivery(self, ticket_id: str) -> Delivery:
        subject = self.sandbox.ticket(ticket_id)["subject"]
        return self.event("ticket.subject_changed", ticket_id, {"current": subject, "previous": "Before"})

    def event(self, name: str, ticket_id: str, changed: dict[str, Any], body: bytes | None = None) -> Delivery:
        """A delivery as Zendesk would sign it now."""
        hooks = self.sandbox.hooks
        ticket = self.sandbox.account.tickets[int(ticket_id)]
        told = hooks.body(f"zen:event-type:{name}", ticket, API_USER, changed)
        raw = json.dumps(told).encode() if body is None else body
        at = seconds(self.now())
        signature = sign(self.kept[-1], at, raw)
        headers = {"x-zendesk-webhook-signature": signature, "x-zendesk-webhook-signature-timestamp": at}
        return Delivery("POST", "/webhooks/acme", headers, raw)

    def calls(self) -> list[str]:
        """Method and path of the account's calls since `forget_calls`."""
        return [f"{call.method} {call.path}" for call in self.sandbox.calls.kept()]
