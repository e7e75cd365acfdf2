"""The adapter of Memo joined to Memo."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from connector.adapters.base import Change, ChangeKind, Delivery
from connector.adapters.budget import MemoryBudget
from connector.adapters.testing import Arena, RecordingWire
from connector.adapters.transport import Transport
from connector.domain.ticket import Requester
from connector.sandbox.kernel import iso

from .adapter import MemoAdapter, sort
from .crm import SECRET, TOKEN, Memo, MemoWire, sign


class Renewed:
    """A token that can always be had again, unless it is disconnected."""

    is_connected = True

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {TOKEN}"}

    def renew(self) -> bool:
        return self.is_connected


class MemoArena(Arena):
    """One adapter, one CRM, and the people who work in it."""

    imitate = Memo
    fields = ("subject", "description", "priority", "external_id")
    text_field = "subject"
    option_field, option, bad_option = "priority", "high", "enormous"
    unknown_field = "no_such_field"
    renews_credentials = True
    rate_limited = {"status": 429, "headers": {"Retry-After": "7"}, "body": {"error": "slow_down"}}  # noqa: RUF012
    limit_wait = 7.0
    longest_comment = 20_000
    secrets = (TOKEN, SECRET)
    comment_call = {"method": "POST", "path": "notes"}  # noqa: RUF012
    create_call = {"method": "POST", "path": "write"}  # noqa: RUF012
    imitation: Memo

    def __init__(self, memo: Memo) -> None:
        self.imitation = memo
        self.base_url = memo.url
        self.wire = RecordingWire(MemoWire(memo))
        self.credentials = Renewed()
        transport = Transport(
            system="memo",
            base_url=self.base_url,
            wire=self.wire,
            credentials=self.credentials,
            budget=MemoryBudget(),
            sort=sort,
            sleep=lambda _: None,
        )
        self.adapter = self.memo = MemoAdapter(transport, clock=self.now)

    def new_ticket(self) -> str:
        return self.imitation.create({"subject": "Help", "priority": "low"}, "Jo@Customer.example").id

    def gone_ticket(self) -> str:
        ticket = self.new_ticket()
        self.imitation.live(ticket).gone = True
        return ticket

    def restore(self, ticket_id: str) -> None:
        self.imitation.tickets[ticket_id].gone = False

    def merge(self, ticket_id: str, into: str) -> str:
        self.imitation.tickets[ticket_id].gone, self.imitation.tickets[ticket_id].merged_into = True, into
        return into

    def creation(self, key: str, external_id: str) -> Change:
        values = {"subject": "From Next Cap", "priority": "normal"}
        who = Requester("jo@customer.example", "Jo Customer")
        return Change(ChangeKind.CREATE, key, values, external_id=external_id, requester=who)

    def say(self, ticket_id: str, text: str) -> None:
        self.imitation.note(ticket_id, text)

    def customer_sees(self, ticket_id: str) -> Sequence[str]:
        return [note["text"] for note in self.imitation.tickets[ticket_id].notes if note["public"]]

    def tickets(self) -> int:
        return len(self.imitation.tickets)

    def delivery(self, ticket_id: str) -> Delivery:
        body = json.dumps({"event": "ticket.changed", "ticket": ticket_id, "at": iso(self.now())}).encode()
        return Delivery("POST", "/webhooks/memo", sign(self.now(), body), body)
