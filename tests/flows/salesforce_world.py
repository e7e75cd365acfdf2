"""A world in which the CRM is Salesforce."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from .world import CrmWorld

MAPPING = Path(__file__).parents[2] / "mappings" / "salesforce.yaml"


class SalesforceWorld(CrmWorld):
    """Act on the CRM through `salesforce`. With `by="soap"` it sends Outbound Messages, else a trigger's callouts.

    `org` are settings of the imitation that differ from a new org's.
    """

    crm = "salesforce"
    salesforce = CrmWorld.account

    def __init__(self, folder: Path, *, by: str = "trigger", mapping: Path = MAPPING, **org: Any) -> None:
        super().__init__(folder, mapping=mapping)
        self.by, self.org = by, org

    def prepare(self) -> None:
        self.salesforce.install_fields()
        self.salesforce.configure(**self.org)

    def listen(self) -> None:
        if self.by == "soap":
            token = self.runtime.secrets.path_tokens("salesforce")[0]
            self.runtime.engine.crms["salesforce"].people()
            self.salesforce.configure(outbound_url=f"{self.url}/webhooks/salesforce/{token}")
        else:
            self.salesforce.configure(trigger_url=f"{self.url}/webhooks/salesforce")

    def stop(self) -> None:
        """End the senders first, so that nobody calls while the connector goes."""
        self.salesforce.outbound.forget()
        for side in (self.salesforce, self.nextcap):
            side.deliveries.stop()
        super().stop()

    def access(self) -> dict[str, object]:
        known = self.salesforce.settings
        client = {"client_id": self.salesforce.credentials.client_id, "client_secret": known.client_secret}
        return {"login_url": self.salesforce.url, **client, "webhook_secrets": [known.trigger_secret]}

    def rows(self, table: sa.Table) -> Sequence[sa.Row[Any]]:
        """What the connector has stored there."""
        with self.runtime.db.read() as connection:
            return connection.execute(sa.select(table)).all()

    def records_of(self, ticket: str) -> Sequence[Mapping[str, Any]]:
        return self.salesforce.cases_of(ticket)
