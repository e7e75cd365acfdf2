"""The declared adapter joined to the example CRM over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from connector.adapters.base import Change, ChangeKind, Delivery
from connector.adapters.budget import MemoryBudget
from connector.adapters.custom.adapter import Custom
from connector.adapters.custom.client import Live
from connector.adapters.oauth import StaticCredentials
from connector.adapters.testing.arena import Arena, RecordingWire
from connector.adapters.transport import Transport
from connector.domain.ticket import Requester, Value
from connector.sandbox.example import SECRET, TOKEN, Example, sign

MAPPING = Path(__file__).parents[3] / "mappings" / "custom-example.yaml"
PATH = "/webhooks/example"


class CustomArena(Arena):
    """The example CRM as `mappings/custom-example.yaml` declares it; `text` may declare it otherwise."""

    imitate = Example
    files = (MAPPING,)
    fields = ("subject", "description", "stage", "priority", "labels")
    text_field = "subject"
    option_field = "priority"
    option = "high"
    bad_option = "somewhat"
    unknown_field = "no_such_field"
    renews_credentials = False
    limit_wait = 7.0
    longest_comment = 15_000
    secrets = (TOKEN, SECRET)

    def __init__(self, example: Example, text: str = "") -> None:
        self.imitation = self.example = example
        self.rate_limited = {"status": 429, "headers": {"Retry-After": "7"}, "body": {"error": {"code": "too_many"}}}
        self.base_url = f"{example.url}/api"
        self.wire = RecordingWire()
        live = Live(lambda: text or MAPPING.read_text())
        transport = Transport(
            system="acme",
            base_url=self.base_url,
            wire=self.wire,
            credentials=StaticCredentials(TOKEN),
            budget=MemoryBudget(),
            sort=live.sort,
            rate=live.rate,
        )
        self.adapter = self.custom = Custom(
            transport, live, name="acme", webhook_secrets=[SECRET], path_tokens=lambda: ["pt"], clock=self.now
        )

    def new_ticket(self) -> str:
        return self.example.create_ticket("It does not work", "At all", "Jo@customer.example")

    def gone_ticket(self) -> str:
        ticket = self.new_ticket()
        self.example.delete_ticket(ticket)
        return ticket

    def restore(self, ticket_id: str) -> None:
        self.example.restore_ticket(ticket_id)

    def merge(self, ticket_id: str, into: str) -> str:
        self.example.merge_tickets(ticket_id, into)
        return into

    def creation(self, key: str, external_id: str) -> Change:
        values: dict[str, Value] = {"subject": "From Next Cap", "stage": "new", "labels": ("a", "b")}
        who = Requester("jo@customer.example", "Jo Customer")
        return Change(ChangeKind.CREATE, key, values, external_id=external_id, requester=who)

    def say(self, ticket_id: str, text: str) -> None:
        self.example.write_note(ticket_id, text)

    def customer_sees(self, ticket_id: str) -> Sequence[str]:
        return [str(one["text"]) for one in self.example.ticket(ticket_id)["notes"] if one["public"]]

    def tickets(self) -> int:
        return len(self.example.state()["tickets"])

    def delivery(self, ticket_id: str) -> Delivery:
        return self.signed({"type": "ticket.updated", "data": {"ticket_id": int(ticket_id)}})

    def signed(self, told: object) -> Delivery:
        body = json.dumps(told).encode()
        return Delivery("POST", PATH, sign(SECRET, "msg-1", int(self.now().timestamp()), body), body)
