"""Salesforce's adapter joined to the imitation of Salesforce over real HTTP, for its contract and its own tests."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from connector.adapters.base import Change, ChangeKind, Delivery
from connector.adapters.budget import MemoryBudget
from connector.adapters.building import Parts
from connector.adapters.oauth import Token
from connector.adapters.salesforce.adapter import Salesforce
from connector.adapters.salesforce.kind import Settings, build
from connector.adapters.salesforce.wire import SalesforceWire
from connector.adapters.testing.arena import Arena, RecordingWire
from connector.domain.ticket import Requester
from connector.sandbox import salesforce as imitation
from connector.sandbox.kernel import iso
from connector.sandbox.salesforce_troubles import trouble

PUBLIC_URL = "https://connector.example.test"
PATH = "/webhooks/salesforce"
PATH_TOKEN = "a-secret-last-part-of-an-address-0123456789"


class KeptToken:
    """A token store of one process."""

    def __init__(self) -> None:
        self.token: Token | None = None
        self._lock = threading.RLock()

    def lock(self) -> AbstractContextManager[object]:
        return self._lock

    def load(self) -> Token | None:
        return self.token

    def save(self, token: Token) -> None:
        self.token = token


class SalesforceArena(Arena):
    """An adapter and an org in which an administrator has deployed our fields."""

    imitate = imitation.Salesforce
    fields = ("Subject", "Description", "Status", "Priority", "Origin")
    text_field = "Subject"
    option_field = "Priority"
    option = "High"
    bad_option = "Somewhat"
    unknown_field = "No_Such_Field__c"
    renews_credentials = True
    limit_wait = 900.0
    longest_comment = 20_000
    comment_call: Mapping[str, str] = {"method": "POST", "path": "composite/sobjects$"}
    create_call: Mapping[str, str] = {"method": "PATCH", "path": "NextCap_Ticket_Id__c"}

    def __init__(self, sandbox: imitation.Salesforce, **options: Any) -> None:
        self.imitation = self.sandbox = sandbox
        self.base_url = sandbox.url
        self.secrets = (sandbox.settings.client_secret, sandbox.settings.trigger_secret, PATH_TOKEN)
        self.rate_limited = trouble("daily")
        self.wire = RecordingWire()
        self.budget = MemoryBudget()
        self.store = KeptToken()
        self.parts = Parts(
            name="salesforce",
            public_url=PUBLIC_URL,
            keep=self.keep,
            budget=lambda _: self.budget,
            observe=lambda _: None,
            token_store=self.store,
            webhook_secrets=[sandbox.settings.trigger_secret],
            keep_webhook_secret=lambda _: None,
            path_tokens=lambda: [PATH_TOKEN],
            watched=tuple,
            mapping_text=str,
            forms=frozenset,
            clock=self.now,
        )
        self.adapter = self.salesforce = self.new_adapter(**options)

    def settings(self, **changes: Any) -> Settings:
        told: dict[str, Any] = {"login_url": self.base_url, "client_id": self.sandbox.credentials.client_id}
        told |= {"client_secret": self.sandbox.settings.client_secret, "crm": "salesforce", "mapping": Path("m.yaml")}
        return Settings(**{**told, **changes})

    def new_adapter(self, settings: Settings | None = None, **options: Any) -> Salesforce:
        """An adapter that knows nothing yet, as a new process has it. `options` are other parts than usual."""
        return build(replace(self.parts, **options), settings or self.settings())

    def keep(self, wire: SalesforceWire) -> RecordingWire:
        self.wire.wire.close()
        self.wire.wire = wire
        return self.wire

    def set_up(self) -> None:
        self.sandbox.install_fields()
        self.salesforce.people()
        self.forget_calls()

    def forget_calls(self) -> None:
        self.wire.urls.clear()
        self.sandbox.calls.reset()

    def new_ticket(self) -> str:
        return self.sandbox.create_case("It does not work", description="At all", contact="jo@customer.example")

    def gone_ticket(self) -> str:
        case = self.new_ticket()
        self.sandbox.delete_case(case)
        return case

    def restore(self, ticket_id: str) -> None:
        self.sandbox.undelete_case(ticket_id)

    def merge(self, ticket_id: str, into: str) -> str:
        return self.sandbox.merge_cases(into, ticket_id)

    def creation(self, key: str, external_id: str) -> Change:
        values = {"Subject": "From Next Cap", "Status": "New", "NextCap_Status__c": "new"}
        requester = Requester("jo@customer.example", "Jo Customer", "+49 30 1234567")
        return Change(ChangeKind.CREATE, key, values, external_id=external_id, requester=requester)

    def say(self, ticket_id: str, text: str) -> None:
        self.sandbox.comment(ticket_id, text)

    def customer_sees(self, ticket_id: str) -> Sequence[str]:
        return [one["body"] for one in self.sandbox.case(ticket_id)["comments"] if one["public"]]

    def tickets(self) -> int:
        return len(self.sandbox.state()["cases"])

    def delivery(self, ticket_id: str) -> Delivery:
        return self.signed({"v": 1, "object": "Case", "ids": [ticket_id], "sent_at": iso(self.now()), "nonce": "n1"})

    def signed(self, told: Any, secret: str = "") -> Delivery:
        """A trigger's callout as it arrives."""
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        key = (secret or self.sandbox.settings.trigger_secret).encode()
        headers = {"content-type": "application/json"}
        headers["x-connector-signature"] = hmac.new(key, body, hashlib.sha256).hexdigest()
        return Delivery("POST", PATH, headers, body)

    def message(self, *cases: str, token: str = PATH_TOKEN) -> Delivery:
        """An Outbound Message about these records as it arrives."""
        org = self.sandbox.org
        told = [(org.ids.make("04l"), org.records[one]) for one in cases]
        headers = {"content-type": "text/xml; charset=utf-8", "soapaction": '""'}
        return Delivery("POST", f"{PATH}/{token}", headers, self.sandbox.outbound.message(told))

    def calls(self) -> list[str]:
        """Method and path of the org's API calls since `forget_calls`, without the version."""
        made = [call for call in self.sandbox.calls.kept() if call.path.startswith("/services/data/")]
        return [f"{call.method} {call.path.removeprefix('/services/data/v62.0')}" for call in made]
