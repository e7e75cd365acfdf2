"""A whole world with Capsule in the place of HubSpot: set up as `connector setup` does it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from connector import config
from connector.doctor.parts import hook_url
from connector.engine import prepare
from connector.sandbox.nextcap import CRM_KEY, DATA_KEY
from connector.sandbox.server import Sandbox
from connector.store import connections

from .world import EVENTS, NEXTCAP_SECRET, World

MAPPING = Path(__file__).parents[2] / "mappings" / "capsule.yaml"
KINDS = {"projects": "kases", "opportunities": "opportunities"}


class CapsuleWorld(World):
    """`target` is what stands for a ticket; `mapping` a variant of the shipped file."""

    def __init__(
        self, folder: Path, *, target: str = "projects", mapping: Path = MAPPING, personal: bool = False
    ) -> None:
        super().__init__(folder, mapping=mapping)
        self.sandbox = Sandbox(["nextcap", "capsule"])
        self.kind = KINDS[target]
        self.personal = personal

    @property
    def capsule(self) -> Any:
        return self.sandbox.imitations["capsule"]

    def start(self) -> None:
        """Start everything, make our fields, and register the webhooks of both sides."""
        self.sandbox.start()
        self.nextcap.configure(rate_limit=6000)
        self.capsule.configure(search_lag=0.2)
        self.start_connector()
        self.nextcap.create_webhook(f"{self.url}/webhooks/nextcap", EVENTS, NEXTCAP_SECRET)
        self.set_up()

    def stop(self) -> None:
        """Let nobody call a server that is being closed."""
        for side in (self.nextcap, self.capsule):
            side.deliveries.wait_idle(5)
            side.deliveries.pause()
        super().stop()

    def set_up(self) -> None:
        adapter = self.runtime.engine.crms["capsule"]
        steps = [*adapter.ensure_schema(dry_run=False)]
        steps += adapter.subscribe(hook_url(self.runtime.settings, "capsule"), dry_run=False)
        problems = [one for one in steps if one.state == "problem"]
        assert problems == []
        prepare.prepare(self.runtime.engine, "capsule", force=True)

    def settings(self) -> config.Settings:
        """The configuration as an operator would write it."""
        known = self.capsule.credentials
        access = {"client_id": known.client_id, "client_secret": known.client_secret}
        access |= {"refresh_token": self.capsule.tokens.refresh_token}
        if self.personal:
            access = {"access_token": known.personal_token}
        path = self.folder / "config.toml"
        if path.exists():
            access = {}
        lines = [f"{key} = {json.dumps(value)}" for key, value in access.items()]
        text = f"""
public_url = "{self.url}"
[store]
url = "{self.database}"
[nextcap]
api_url = "{self.nextcap.api_url}"
api_key = "{CRM_KEY}"
data_key = "{DATA_KEY}"
webhook_secrets = ["{NEXTCAP_SECRET}"]
poll_seconds = {self.poll}
[connections.capsule]
crm = "capsule"
mapping = "{self.mapping}"
api_url = "{self.capsule.url}"
sweep_seconds = 10
"""
        if lines:
            path.write_text(text + "\n".join(lines) + "\n")
        return config.load(path)

    def is_waiting(self) -> bool:
        """Capsule is not called for a while, because it failed."""
        with self.runtime.db.read() as connection:
            return connections.state(connection, "capsule").failures > 0

    def record(self, ticket: Any) -> dict[str, Any]:
        """The one record that carries this Next Cap ticket's id."""
        found = self.capsule.records_of(self.nextcap.ticket(ticket)["id"], self.kind)
        assert len(found) == 1, f"{len(found)} Capsule records for one Next Cap ticket"
        return dict(found[0])
