"""The customers of tickets as contacts: found by address, filled where empty, made where missing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from connector.adapters.base import Json
from connector.adapters.hubspot.api import Api
from connector.adapters.people import Contacts
from connector.domain.errors import ConnectorError
from connector.domain.ticket import Requester

UPSERT: Final = "/crm/objects/{objects}/contacts/batch/upsert"
UPDATE: Final = "/crm/objects/{objects}/contacts/batch/update"
PROPERTIES: Final = ("email", "firstname", "lastname", "phone", "hs_additional_emails")
HOLDER = re.compile(r"Existing ID:\s*(\d+)")


class HubSpotContacts(Contacts):
    """What a contact holds is never overwritten."""

    def __init__(self, api: Api) -> None:
        super().__init__()
        self._api = api

    def find(self, wanted: Mapping[str, Requester]) -> dict[str, str | ConnectorError]:
        """The contacts that hold these addresses, as their first or a further one; fills empty names and phones."""
        found: dict[str, str | ConnectorError] = {}
        fills: dict[str, Json] = {}
        for item in self._api.batch_read("contacts", wanted, PROPERTIES, by="email"):
            contact_id, shown = str(item["id"]), item.get("properties") or {}
            held = f"{shown.get('email') or ''};{shown.get('hs_additional_emails') or ''}".lower().split(";")
            for address in wanted.keys() & set(held):
                found[address] = contact_id
                if lacking := _lacking(shown, wanted[address]):
                    fills[contact_id] = {"id": contact_id, "properties": lacking}
        if fills:
            self._api.batch_write(UPDATE, fills, lambda item: str(item.get("id")))
        return found

    def make(self, missing: Mapping[str, Requester]) -> dict[str, str | ConnectorError]:
        """The new contacts' ids, or why one was refused. An address that HubSpot finds taken has its holder named."""
        inputs: dict[str, Json] = {
            address: {"id": address, "idProperty": "email", "properties": {"email": address, **_lacking({}, one)}}
            for address, one in missing.items()
        }
        outcomes = self._api.batch_write(
            UPSERT, inputs, lambda item: str((item.get("properties") or {}).get("email") or "").lower()
        )
        return {address: _made(outcome) for address, outcome in outcomes.items()}


def _made(outcome: Json | ConnectorError) -> str | ConnectorError:
    if not isinstance(outcome, ConnectorError):
        return str(outcome["id"])
    holder = HOLDER.search(str(outcome))
    return holder[1] if holder else outcome


def _lacking(shown: Mapping[str, object], requester: Requester) -> dict[str, str]:
    """What we know and the contact does not."""
    first, _, last = (requester.name or "").strip().partition(" ")
    lacking = {} if shown.get("firstname") or shown.get("lastname") else {"firstname": first, "lastname": last.strip()}
    if not shown.get("phone"):
        lacking["phone"] = (requester.phone or "").strip()
    return {name: value for name, value in lacking.items() if value}
