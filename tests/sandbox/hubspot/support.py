"""Short ways to say what tests of the HubSpot imitation say often."""

from __future__ import annotations

from typing import Any

import httpx

from connector.sandbox.hubspot import HubSpot
from tests.sandbox import receiver

TICKETS = "/crm/objects/2026-09/tickets"
CONTACTS = "/crm/objects/2026-09/contacts"
NOTES = "/crm/objects/2026-09/notes"
PROPERTIES = "/crm/properties/2026-09/tickets"
SET_UP = (
    (f"{PROPERTIES}/groups", {"name": "nextcap", "label": "Next Cap"}),
    (
        PROPERTIES,
        {
            "groupName": "nextcap",
            "name": "nextcap_ticket_id",
            "label": "Next Cap ticket",
            "type": "string",
            "fieldType": "text",
            "hasUniqueValue": True,
        },
    ),
)
NEW = {"subject": "Printer on fire", "hs_pipeline": "0", "hs_pipeline_stage": "1"}


def made(api: httpx.Client, path: str = TICKETS, **properties: str) -> str:
    """The id of a new record: a ticket unless told otherwise."""
    given = {**NEW, **properties} if path == TICKETS else properties
    answer = api.post(path, json={"properties": given})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def linked_note(api: httpx.Client, ticket: str, body: str = "<p>Hello</p>") -> httpx.Response:
    """A note created together with its association."""
    link = {"to": {"id": ticket}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 228}]}
    properties = {"hs_timestamp": "2026-11-24T10:00:00Z", "hs_note_body": body}
    return api.post(NOTES, json={"properties": properties, "associations": [link]})


def read(api: httpx.Client, record: str, *names: str, path: str = TICKETS) -> dict[str, Any]:
    """The properties of a record."""
    answer = api.get(f"{path}/{record}", params={"properties": ",".join(names)})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["properties"]
    return found


def refused(answer: httpx.Response, status: int, category: str) -> dict[str, Any]:
    """The body of a refusal of that status and category."""
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body["category"] == category
    assert body["status"] == "error"
    assert body["correlationId"]
    return body


def codes(answer: httpx.Response) -> list[str]:
    """The codes of a refused write, one for each property at fault."""
    return [error["code"] for error in refused(answer, 400, "VALIDATION_ERROR")["errors"]]


class Receiver(receiver.Receiver):
    path = "/webhooks/hubspot"

    def events(self, hubspot: HubSpot) -> list[dict[str, Any]]:
        """All events received once nothing is under way any more."""
        return [event for body in self.bodies(hubspot) for event in body]
