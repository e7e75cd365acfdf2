"""A world in which the CRM is Salesforce."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connector import config
from connector.sandbox.nextcap import CRM_KEY, DATA_KEY
from connector.sandbox.server import Sandbox

from .world import EVENTS, NEXTCAP_SECRET, World

MAPPING = Path(__file__).parents[2] / "mappings" / "salesforce.yaml"


class SalesforceWorld(World):
    """Act on the CRM through `salesforce`. With `by="soap"` it sends Outbound Messages, else a trigger's callouts."""

    def __init__(self, folder: Path, *, by: str = "trigger", mapping: Path = MAPPING) -> None:
        super().__init__(folder, mapping=mapping)
        self.sandbox = Sandbox(("nextcap", "salesforce"))
        self.by = by

    @property
    def salesforce(self) -> Any:
        return self.sandbox.imitations["salesforce"]

    def start(self) -> None:
        """Start everything; the administrators of both sides make them call us."""
        self.sandbox.start()
        self.nextcap.configure(rate_limit=6000)
        self.salesforce.install_fields()
        self.start_connector()
        self.nextcap.create_webhook(f"{self.url}/webhooks/nextcap", EVENTS, NEXTCAP_SECRET)
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

    def settings(self) -> config.Settings:
        path = self.folder / "config.toml"
        path.write_text(
            f"""
public_url = "{self.url}"
secret_key = ["flow-secret-key"]
[store]
url = "{self.database}"
[nextcap]
api_url = "{self.nextcap.api_url}"
api_key = "{CRM_KEY}"
data_key = "{DATA_KEY}"
webhook_secrets = ["{NEXTCAP_SECRET}"]
poll_seconds = {self.poll}
[connections.salesforce]
crm = "salesforce"
mapping = "{self.mapping}"
login_url = "{self.salesforce.url}"
client_id = "{self.salesforce.credentials.client_id}"
client_secret = "{self.salesforce.settings.client_secret}"
webhook_secrets = ["{self.salesforce.settings.trigger_secret}"]
"""
        )
        return config.load(path)

    def record(self, ticket: Any) -> dict[str, Any]:
        """The one case that carries this Next Cap ticket's id."""
        found = self.salesforce.cases_of(self.nextcap.ticket(ticket)["id"])
        assert len(found) == 1, f"{len(found)} cases for one Next Cap ticket"
        return dict(found[0])
