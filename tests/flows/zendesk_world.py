"""A world whose CRM is Zendesk, set up as `connector setup` does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connector import config
from connector.sandbox.nextcap import CRM_KEY, DATA_KEY
from connector.sandbox.server import Sandbox
from connector.store import connections, tables

from .world import EVENTS, NEXTCAP_SECRET, World

MAPPING = Path(__file__).parents[2] / "mappings" / "zendesk.yaml"


class ZendeskWorld(World):
    """Next Cap, Zendesk and the connector between them."""

    def __init__(self, folder: Path, *, after_final: str = "follow_up") -> None:
        text = MAPPING.read_text().replace("after_final: follow_up      #", f"after_final: {after_final} #")
        mapping = folder / "zendesk.yaml"
        mapping.write_text(text[: text.index("examples:")])
        super().__init__(folder, mapping=mapping)
        self.sandbox = Sandbox(("nextcap", "zendesk"))

    @property
    def zendesk(self) -> Any:
        return self.sandbox.imitations["zendesk"]

    def start(self) -> None:
        self.sandbox.start()
        self.nextcap.configure(rate_limit=6000)
        self.zendesk.configure(rate_limit=2500)
        self.start_connector()
        self.nextcap.create_webhook(f"{self.url}/webhooks/nextcap", EVENTS, NEXTCAP_SECRET)
        adapter = self.runtime.engine.crms["zendesk"]
        steps = adapter.subscribe(f"{self.url}/webhooks/zendesk", dry_run=False)
        assert [one.state for one in steps] == ["done"]

    def settings(self) -> config.Settings:
        path = self.folder / "config.toml"
        credentials = self.zendesk.credentials
        path.write_text(
            f"""
public_url = "{self.url}"
[store]
url = "{self.database}"
[nextcap]
api_url = "{self.nextcap.api_url}"
api_key = "{CRM_KEY}"
data_key = "{DATA_KEY}"
webhook_secrets = ["{NEXTCAP_SECRET}"]
poll_seconds = {self.poll}
[connections.zendesk]
crm = "zendesk"
mapping = "{self.mapping}"
api_url = "{self.zendesk.url}"
client_id = "{credentials.client_id}"
client_secret = "{credentials.client_secret}"
calls_per_minute = 2500
"""
        )
        return config.load(path)

    def is_waiting(self) -> bool:
        with self.runtime.db.read() as connection:
            return bool(connections.state(connection, "zendesk").failures)

    def record(self, ticket: Any) -> dict[str, Any]:
        """The one Zendesk ticket that carries this Next Cap ticket's id."""
        found = self.zendesk.tickets_of(self.nextcap.ticket(ticket)["id"])
        assert len(found) == 1, f"{len(found)} Zendesk tickets for one Next Cap ticket"
        return dict(found[0])

    def lines(self) -> list[str]:
        """The codes of all lines in the journal."""
        with self.runtime.db.read() as connection:
            rows = connection.execute(sa.select(tables.journal.c.details)).scalars()
            return [line["code"] for one in rows for line in (one or {}).get("lines", ())]

    def parked(self) -> list[tuple[str, str]]:
        """Field and code of what waits for a person."""
        with self.runtime.db.read() as connection:
            rows = connection.execute(sa.select(tables.parked.c.field, tables.parked.c.code))
            return [(row.field, row.code) for row in rows]
