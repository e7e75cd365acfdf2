"""HubSpot's adapter joined to the imitation of HubSpot over real HTTP, for its contract and its own tests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from connector.adapters.base import Change, ChangeKind, Delivery
from connector.adapters.budget import MemoryBudget
from connector.adapters.hubspot import HubSpot, rate, sort
from connector.adapters.oauth import StaticCredentials
from connector.adapters.testing.arena import Arena, RecordingWire
from connector.adapters.transport import Credentials, Transport
from connector.domain.ticket import Requester
from connector.sandbox import hubspot as imitation
from connector.sandbox.hubspot_events import sign_v3
from connector.sandbox.hubspot_troubles import trouble
from connector.sandbox.kernel import epoch_ms

PUBLIC_URL = "https://connector.example.test"
PATH = "/webhooks/hubspot"
VERSION = re.compile(r"/\d{4}-\d{2}")


class HubSpotArena(Arena):
    """An adapter and a portal. Search is up to date unless a test asks for its lag."""

    imitate = imitation.HubSpot
    fields = ("subject", "content", "hs_pipeline_stage", "hs_ticket_priority", "hs_ticket_category")
    text_field = "subject"
    option_field = "hs_ticket_priority"
    option = "HIGH"
    bad_option = "SOMEWHAT"
    unknown_field = "no_such_property"
    renews_credentials = False
    limit_wait = 7.0
    longest_comment = 20_000

    def __init__(self, sandbox: imitation.HubSpot, credentials: Credentials | None = None, **options: Any) -> None:
        self.imitation = self.sandbox = sandbox
        sandbox.configure(search_lag=0.0)
        self.base_url = sandbox.url
        self.secrets = (sandbox.credentials.static_token, sandbox.settings.client_secret)
        self.rate_limited = trouble("burst", retry_after=self.limit_wait)
        self.wire = RecordingWire()
        self.budget = MemoryBudget()
        self.credentials = credentials or StaticCredentials(sandbox.credentials.static_token)
        self.adapter = self.hubspot = self.new_adapter(**options)

    def new_adapter(self, **options: Any) -> HubSpot:
        """An adapter that knows nothing yet, as a new process has it."""
        transport = Transport(
            system="hubspot",
            base_url=self.base_url,
            wire=self.wire,
            credentials=self.credentials,
            budget=self.budget,
            sort=sort,
            rate=rate,
        )
        known = {"webhook_secrets": [self.sandbox.settings.client_secret], "public_url": PUBLIC_URL, "clock": self.now}
        return HubSpot(transport, **{**known, **options})

    def set_up(self) -> None:
        """Make our properties exist."""
        self.hubspot.ensure_schema(dry_run=False)
        self.forget_calls()

    def forget_calls(self) -> None:
        self.wire.urls.clear()
        self.sandbox.calls.reset()

    def new_ticket(self) -> str:
        return self.sandbox.create_ticket("It does not work", content="At all", contact="jo@customer.example")

    def gone_ticket(self) -> str:
        ticket = self.new_ticket()
        self.sandbox.archive_ticket(ticket)
        return ticket

    def restore(self, ticket_id: str) -> None:
        self.sandbox.restore_ticket(ticket_id)

    def merge(self, ticket_id: str, into: str) -> str:
        return self.sandbox.merge_tickets(into, ticket_id)

    def creation(self, key: str, external_id: str) -> Change:
        values = {"subject": "From Next Cap", "hs_pipeline_stage": "1", "nextcap_status": "new"}
        requester = Requester("jo@customer.example", "Jo Customer", "+49 30 1234567")
        return Change(ChangeKind.CREATE, key, values, external_id=external_id, requester=requester)

    def say(self, ticket_id: str, text: str) -> None:
        self.sandbox.write_note(ticket_id, f"<div><p>{text}</p></div>")

    def customer_sees(self, ticket_id: str) -> Sequence[str]:
        return [str(mail) for mail in self.sandbox.ticket(ticket_id)["emails"]]

    def tickets(self) -> int:
        return len(self.sandbox.state()["tickets"])

    def delivery(self, ticket_id: str) -> Delivery:
        return self.signed(
            [
                {"subscriptionType": "ticket.creation", "objectId": int(ticket_id), "changeFlag": "CREATED"},
                {"subscriptionType": "ticket.propertyChange", "objectId": int(ticket_id), "propertyName": "subject"}
                | {"propertyValue": "It does not work"},
            ]
        )

    def signed(self, events: Sequence[Mapping[str, Any]] | bytes, **changes: Any) -> Delivery:
        """A delivery of these events as HubSpot would sign it now."""
        now = epoch_ms(self.now())
        common = {"eventId": 1, "subscriptionId": 2, "portalId": 62515, "appId": 54321, "occurredAt": now}
        body = events if isinstance(events, bytes) else json.dumps([{**common, **one} for one in events]).encode()
        signature = sign_v3(self.sandbox.settings.client_secret, "POST", PUBLIC_URL + PATH, body, str(now))
        headers = {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": str(now)}
        return Delivery("POST", PATH, headers, body, **changes)

    def properties(self, ticket_id: str) -> dict[str, str]:
        """What the portal holds."""
        found: dict[str, str] = self.sandbox.ticket(ticket_id)["properties"]
        return found

    def calls(self) -> list[str]:
        """Method and path of the portal's calls since `forget_calls`, without API versions."""
        return [f"{call.method} {VERSION.sub('', call.path)}" for call in self.sandbox.calls.kept()]
