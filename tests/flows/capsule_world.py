"""A whole world with Capsule as the CRM: set up as `connector setup` does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from connector import config
from connector.doctor.parts import hook_url
from connector.engine import prepare

from .world import CrmWorld

MAPPING = Path(__file__).parents[2] / "mappings" / "capsule.yaml"
KINDS = {"projects": "kases", "opportunities": "opportunities"}


class CapsuleWorld(CrmWorld):
    """`target` is what stands for a ticket; `mapping` a variant of the shipped file."""

    crm = "capsule"
    capsule = CrmWorld.account

    def __init__(
        self, folder: Path, *, target: str = "projects", mapping: Path = MAPPING, personal: bool = False
    ) -> None:
        super().__init__(folder, mapping=mapping)
        self.kind = KINDS[target]
        self.personal = personal

    def prepare(self) -> None:
        self.capsule.configure(search_lag=0.2)

    def listen(self) -> None:
        """Make our fields too."""
        adapter = self.runtime.engine.crms["capsule"]
        steps = [*adapter.ensure_schema(dry_run=False)]
        steps += adapter.subscribe(hook_url(self.runtime.settings, "capsule"), dry_run=False)
        problems = [one for one in steps if one.state == "problem"]
        assert problems == []
        prepare.prepare(self.runtime.engine, "capsule", force=True)

    def stop(self) -> None:
        """Let nobody call a server that is being closed."""
        for side in (self.nextcap, self.capsule):
            side.deliveries.wait_idle(5)
            side.deliveries.pause()
        super().stop()

    def access(self) -> dict[str, object]:
        known = self.capsule.credentials
        oauth = {"client_id": known.client_id, "client_secret": known.client_secret}
        oauth |= {"refresh_token": self.capsule.tokens.refresh_token}
        told = {"access_token": known.personal_token} if self.personal else oauth
        return {"api_url": self.capsule.url, "sweep_seconds": 10, **told}

    def settings(self) -> config.Settings:
        """It is written once: the refresh token in it is not the one in force for long."""
        path = self.folder / "config.toml"
        return config.load(path) if path.exists() else super().settings()

    def records_of(self, ticket: str) -> Sequence[Mapping[str, Any]]:
        return self.capsule.records_of(ticket, self.kind)
