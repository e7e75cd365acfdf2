"""Both vendors imitated, a thousand tickets linked, and the webhooks of a burst, recorded before they are sent."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench import load
from bench.servers import ROOT
from connector.sandbox.nextcap import CRM_KEY
from connector.sandbox.server import Sandbox

SECRET = "bench-webhook-secret"
EVENTS = ("ticket.created", "ticket.updated", "ticket.status_changed")
PLENTY = 1_000_000
HOOK = "http://127.0.0.1/webhooks/nextcap"
AT_ONCE = 5000
"""So many deliveries an imitation remembers."""
NEVER = 100_000
"""Seconds between two polls of Next Cap: none may carry what is only being recorded."""

Post = tuple[str, dict[str, str], bytes]


class Stage:
    """Next Cap and HubSpot without limits, with `tickets` tickets that exist in Next Cap alone at first."""

    def __init__(self, tickets: int) -> None:
        self.sandbox = Sandbox()
        self.sandbox.start()
        self.nextcap: Any = self.sandbox.nextcap
        self.hubspot: Any = self.sandbox.hubspot
        self.dice = random.Random(1)
        self.made = 0
        self.nextcap.configure(rate_limit=PLENTY)
        self.without_limits()
        self.tickets = [
            self.nextcap.create_ticket(subject=f"T{number}", description="It", customer_email=f"c{number}@home.example")
            for number in range(tickets)
        ]

    def without_limits(self) -> None:
        """Let HubSpot be called as often as one likes."""
        self.hubspot.configure(burst=PLENTY, association_burst=PLENTY, search_burst=PLENTY, daily=PLENTY * 100)

    def close(self) -> None:
        """End both imitations."""
        self.sandbox.stop()

    def write_config(self, folder: Path, *, port: int, database: str, calls: int = PLENTY) -> Path:
        """The configuration as an operator would write it; `calls` is HubSpot's limit for ten seconds."""
        path = folder / "config.toml"
        path.write_text(
            f"""
public_url = "http://127.0.0.1:{port}"
secret_key = ["a-key-for-the-figures"]
[store]
url = "{database}"
[nextcap]
api_url = "{self.nextcap.api_url}"
api_key = "{CRM_KEY}"
webhook_secrets = ["{SECRET}"]
calls_per_minute = {PLENTY}
poll_seconds = {NEVER}
[connections.hubspot]
crm = "hubspot"
mapping = "{ROOT / "mappings" / "hubspot.yaml"}"
api_url = "{self.hubspot.url}"
access_token = "{self.hubspot.credentials.static_token}"
webhook_secrets = ["{self.hubspot.settings.client_secret}"]
calls_per_10_seconds = {calls}
"""
        )
        return path

    def linked(self) -> int:
        """How many HubSpot tickets carry one of our ids."""
        return sum(1 for one in self.records() if one["properties"].get("nextcap_ticket_id"))

    def record_changes(self, count: int, file: Path) -> int:
        """People change fields of random tickets; what Next Cap would post goes to the file. How many posts."""
        posts: list[Post] = []
        for place in range(0, count, AT_ONCE):
            posts += self._changed(min(AT_ONCE, count - place))
        return load.record(file, sorted(posts, key=_moment))

    def _changed(self, count: int) -> list[Post]:
        """So many changes, as Next Cap would post each; it is told to drop them, so that it need not send them here."""
        deliveries, hook = self.nextcap.deliveries, self.nextcap.create_webhook(HOOK, EVENTS, SECRET)
        deliveries.drop(count)
        for _ in range(count):
            self.made += 1
            change = {"subject": f"S{self.made}"}  # Values that return so fast would be taken for a loop, rightly.
            self.nextcap.set_fields(self.dice.choice(self.tickets)["id"], change)
        self.nextcap.world.webhooks.pop(hook["id"])
        told = [one for one in deliveries.all() if one.about.get("webhook") == hook["id"]]
        return [(urlsplit(one.url).path, *deliveries.attempt_of(one)[::-1]) for one in told]

    def differs(self) -> int:
        """How many HubSpot tickets do not show what their Next Cap ticket shows."""
        records = {one["properties"].get("nextcap_ticket_id"): one["properties"] for one in self.records()}
        return sum(1 for ticket in self.tickets if not self._agrees(ticket["id"], records.get(ticket["id"])))

    def records(self) -> list[dict[str, Any]]:
        """HubSpot's tickets as they are."""
        with self.hubspot.lock:
            return list(self.hubspot.state()["tickets"])

    def _agrees(self, ticket_id: str, shown: Mapping[str, str] | None) -> bool:
        ticket = self.nextcap.ticket(ticket_id)
        priority = {"low": "LOW", "normal": "MEDIUM", "high": "HIGH", "urgent": "URGENT"}[ticket["priority"]]
        return shown is not None and (shown["subject"], shown["hs_ticket_priority"]) == (ticket["subject"], priority)


def _moment(post: tuple[str, Mapping[str, str], bytes]) -> str:
    return str(json.loads(post[2])["data"]["updated_at"])


def post(port: int, file: Path, *, connections: int = 16, rate: float = 0.0) -> dict[str, float]:
    """Post a recorded file from a process of its own."""
    command = [sys.executable, "-m", "bench.load", str(port), str(file), str(connections), str(rate)]
    return dict(json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout))
