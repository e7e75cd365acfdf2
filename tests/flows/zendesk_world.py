"""A world whose CRM is Zendesk, set up as `connector setup` does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connector.store import tables

from .world import CrmWorld

MAPPING = Path(__file__).parents[2] / "mappings" / "zendesk.yaml"


class ZendeskWorld(CrmWorld):
    """`after_final` is the mapping's answer to a ticket that was closed for good."""

    crm = "zendesk"
    zendesk = CrmWorld.account

    def __init__(self, folder: Path, *, after_final: str = "follow_up") -> None:
        text = MAPPING.read_text().replace("after_final: follow_up      #", f"after_final: {after_final} #")
        mapping = folder / "zendesk.yaml"
        mapping.write_text(text[: text.index("examples:")])
        super().__init__(folder, mapping=mapping)

    def prepare(self) -> None:
        self.zendesk.configure(rate_limit=2500)

    def listen(self) -> None:
        steps = self.runtime.engine.crms["zendesk"].subscribe(f"{self.url}/webhooks/zendesk", dry_run=False)
        assert [one.state for one in steps] == ["done"]

    def access(self) -> dict[str, object]:
        known = self.zendesk.credentials
        client = {"client_id": known.client_id, "client_secret": known.client_secret}
        return {"api_url": self.zendesk.url, **client, "calls_per_minute": 2500}

    def records_of(self, ticket: str) -> Sequence[Mapping[str, Any]]:
        return self.zendesk.tickets_of(ticket)

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
