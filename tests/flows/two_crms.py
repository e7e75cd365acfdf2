"""A world with HubSpot and the example CRM beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connector.sandbox.example import SECRET, TOKEN
from connector.sandbox.server import Sandbox

from .world import MAPPING as HUBSPOT
from .world import Sections, World, eventually

EXAMPLE = HUBSPOT.with_name("custom-example.yaml")


class TwoCrms(World):
    """Next Cap, HubSpot and the example CRM; every ticket is carried by both."""

    def __init__(self, folder: Path, *, mapping: Path = HUBSPOT, example_mapping: Path = EXAMPLE) -> None:
        super().__init__(folder, mapping=mapping)
        self.example_mapping = example_mapping
        self.sandbox = Sandbox(("nextcap", "hubspot", "example"))

    @property
    def example(self) -> Any:
        return self.sandbox.imitations["example"]

    def listen(self) -> None:
        super().listen()
        self.example.configure(webhook_url=f"{self.url}/webhooks/example")

    def sections(self) -> Sections:
        example = {"crm": "custom", "mapping": str(self.example_mapping), "api_url": f"{self.example.url}/api"}
        example |= {"access_token": TOKEN, "webhook_secrets": [SECRET], "allow_private": True}
        return {**super().sections(), "connections.example": example}

    def case(self, ticket: str) -> dict[str, Any]:
        """The one ticket of the example CRM that carries this Next Cap ticket's id."""
        (found,) = self.example.tickets_of(ticket)
        return dict(found)

    def both(self, **fields: Any) -> tuple[str, str, str]:
        """A new ticket, its HubSpot record and its example record."""
        ticket = str(
            self.nextcap.create_ticket(**{"subject": "S", "customer_email": "jo@home.example", **fields})["id"]
        )
        eventually(lambda: bool(self.hubspot.tickets_of(ticket) and self.example.tickets_of(ticket)))
        eventually(self.is_idle)
        return ticket, str(self.record(ticket)["id"]), str(self.case(ticket)["id"])

    def notes(self, ticket: str) -> list[str]:
        return [str(one["text"]) for one in self.case(ticket)["notes"]]

    def hubspot_notes(self, ticket: str) -> list[str]:
        return [str(one["body"]) for one in self.record(ticket)["notes"]]
