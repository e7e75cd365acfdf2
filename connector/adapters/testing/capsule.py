"""Capsule's adapter joined to the imitation of Capsule over real HTTP, for its contract and its own tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx

from connector.adapters.base import Change, ChangeKind, Delivery
from connector.adapters.budget import MemoryBudget
from connector.adapters.capsule import LIMITS, Capsule, rate, sort
from connector.adapters.oauth import StaticCredentials
from connector.adapters.testing.arena import Arena, RecordingWire
from connector.adapters.transport import Credentials, Transport
from connector.domain.ticket import Requester
from connector.sandbox import capsule as imitation
from connector.sandbox.capsule_troubles import trouble

PATH = "/webhooks/acme"
HOOK_URL = f"https://connector.example.test{PATH}"
PATH_TOKEN = "a-path-token-that-nobody-guesses"
OLD_TOKEN = "the-path-token-before"
KINDS = {"projects": "kases", "opportunities": "opportunities"}


class CapsuleArena(Arena):
    """An adapter and an account. The index is up to date unless a test asks for its lag."""

    imitate = imitation.Capsule
    text_field = "name"
    option_field = "custom:Next Cap priority"
    option = "High"
    bad_option = "Somewhat"
    unknown_field = "custom:No such field"
    limit_wait = 7.0
    longest_comment = 20_000
    comment_call: Mapping[str, str] = {"method": "POST", "path": "entries"}

    def __init__(
        self,
        sandbox: imitation.Capsule,
        credentials: Credentials | None = None,
        *,
        target: str = "projects",
        **options: Any,
    ) -> None:
        self.imitation = self.sandbox = sandbox
        sandbox.configure(search_lag=0.0)
        self.target, self.kind = target, KINDS[target]
        self.create_call = {"method": "POST", "path": self.kind}
        self.step = "stage" if target == "projects" else "milestone"
        self.fields = ("name", "description", self.step, "tags", "team", self.option_field)
        self.base_url = sandbox.url
        self.secrets = (sandbox.credentials.personal_token, PATH_TOKEN)
        self.rate_limited = trouble("limit", now=sandbox.now(), seconds=self.limit_wait)
        self.wire = RecordingWire()
        self.budget = MemoryBudget(LIMITS)
        self.renews_credentials = credentials is not None
        self.credentials = credentials or StaticCredentials(sandbox.credentials.personal_token)
        self.adapter = self.capsule = self.new_adapter(**options)

    def new_adapter(self, **options: Any) -> Capsule:
        """An adapter that knows nothing yet, as a new process has it."""
        transport = Transport(
            system="capsule",
            base_url=self.base_url,
            wire=self.wire,
            credentials=self.credentials,
            budget=self.budget,
            sort=sort,
            rate=rate,
        )
        known: dict[str, Any] = {
            "tokens": lambda: [PATH_TOKEN, OLD_TOKEN],
            "has_hooks": self.renews_credentials,
        }
        known |= {"target": self.target, "watched": lambda: self.fields, "clock": self.now}
        return Capsule(transport, **{**known, **options})

    def set_up(self) -> None:
        """Make our fields exist."""
        self.capsule.ensure_schema(dry_run=False)
        self.forget_calls()

    def forget_calls(self) -> None:
        self.wire.urls.clear()
        self.sandbox.calls.reset()

    def new_ticket(self) -> str:
        make = self.sandbox.create_project if self.kind == "kases" else self.sandbox.create_opportunity
        return make("It does not work", "At all", party="Jo Customer", email="jo@customer.example")

    def gone_ticket(self) -> str:
        ticket = self.new_ticket()
        self.sandbox.restrict(ticket, kind=self.kind)
        return ticket

    def restore(self, ticket_id: str) -> None:
        self.sandbox.unrestrict(ticket_id, kind=self.kind)

    def creation(self, key: str, external_id: str) -> Change:
        values = {"name": "From Next Cap", self.step: self.step_id("New"), "custom:Next Cap status": "New"}
        requester = Requester("jo@customer.example", "Jo Customer", "+49 30 1234567")
        return Change(ChangeKind.CREATE, key, values, external_id=external_id, requester=requester)

    def say(self, ticket_id: str, text: str) -> None:
        self.sandbox.write_note(ticket_id, text, kind=self.kind)

    def customer_sees(self, ticket_id: str) -> Sequence[str]:
        return [str(one) for one in self.shown(ticket_id)["entries"] if one["type"] == "email"]

    def tickets(self) -> int:
        return len(self.sandbox.state()["projects" if self.kind == "kases" else self.kind])

    def delivery(self, ticket_id: str) -> Delivery:
        singular = "kase" if self.kind == "kases" else "opportunity"
        path = f"/api/v2/{self.kind}/{ticket_id}?embed=fields,tags"
        headers = {"Authorization": f"Bearer {self.sandbox.credentials.personal_token}"}
        shown = httpx.get(self.base_url + path, headers=headers).json()[singular]
        return self.posted({"event": f"{singular}/updated", "payload": [shown]})

    def forged(self, delivery: Delivery) -> Delivery:
        """Only the address vouches for a delivery."""
        return replace(delivery, path=delivery.path + "x")

    def bare(self, delivery: Delivery) -> Delivery:
        return replace(delivery, path=PATH)

    def posted(self, told: Any, token: str = PATH_TOKEN) -> Delivery:
        """A delivery of these words to our address."""
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        return Delivery("POST", f"{PATH}/{token}", {"content-type": "application/json"}, body)

    def shown(self, ticket_id: str) -> dict[str, Any]:
        """What the account holds."""
        return self.sandbox.record(ticket_id, self.kind)

    def step_id(self, name: str, parent: str = "") -> str:
        """The id of a stage or milestone."""
        account = self.sandbox.account
        steps, parents = (
            (account.stages, account.boards) if self.kind == "kases" else (account.milestones, account.pipelines)
        )
        chosen = parent or ("Support" if self.kind == "kases" else "Support deals")
        return next(str(one.id) for one in steps.values() if (one.name, parents[one.parent].name) == (name, chosen))

    def calls(self) -> list[str]:
        """Method and path of the account's calls since `forget_calls`."""
        return [f"{call.method} {call.path.removeprefix('/api/v2')}" for call in self.sandbox.calls.kept()]
