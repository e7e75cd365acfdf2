"""The customers of tickets as contacts: found by address, filled where empty, made where missing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from connector.adapters.base import Json
from connector.adapters.hubspot.api import Api
from connector.domain.errors import ConnectorError, Refused, RetryLater, UnknownOutcome
from connector.domain.ticket import Requester

UPSERT: Final = "/crm/objects/{objects}/contacts/batch/upsert"
UPDATE: Final = "/crm/objects/{objects}/contacts/batch/update"
PROPERTIES: Final = ("email", "firstname", "lastname", "phone", "hs_additional_emails")
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
HOLDER = re.compile(r"Existing ID:\s*(\d+)")
REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Found:
    """Contact ids by address, and why there is none, in words."""

    ids: Mapping[str, str]
    warnings: Mapping[str, str] = field(default_factory=dict)

    def of(self, requester: Requester) -> str | None:
        """This customer's contact id."""
        return self.ids.get(_address(requester))

    def warning(self, requester: Requester) -> tuple[str, ...]:
        """Why this customer has no contact; nothing where there is one, or no address to find one by."""
        told = self.warnings.get(_address(requester))
        return (f"no contact was joined: {told}",) if told else ()


class Contacts:
    """Finds and makes contacts; their ids are remembered by the process. What a contact holds is never overwritten."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._ids: dict[str, str] = {}

    def forget(self, contact_id: str) -> None:
        """Look this contact up again next time: it is not there any more."""
        self._ids = {address: one for address, one in self._ids.items() if one != contact_id}

    def resolve(self, requesters: Sequence[Requester]) -> Found:
        """The contacts of these customers. Raises RetryLater where the same may succeed later."""
        wanted = {address: one for one in requesters if (address := _address(one))}
        warnings = dict.fromkeys((one for one in wanted if not ADDRESS.fullmatch(one)), "that is no e-mail address")
        known = {address: self._ids[address] for address in wanted if address in self._ids}
        fresh = {one: wanted[one] for one in wanted if one not in known and one not in warnings}
        try:
            known |= self._find(fresh)
            made = self._make({address: one for address, one in fresh.items() if address not in known})
        except Refused as error:
            return Found(known, warnings | {one: str(error) for one in fresh if one not in known})
        except UnknownOutcome as error:
            raise RetryLater(str(error), code=error.code, system=error.system) from error
        known |= {address: one for address, one in made.items() if isinstance(one, str)}
        warnings |= {address: str(one) for address, one in made.items() if not isinstance(one, str)}
        self._ids = known if len(self._ids) > REMEMBERED else self._ids | known
        return Found(known, warnings)

    def _find(self, wanted: Mapping[str, Requester]) -> dict[str, str]:
        """The contacts that hold these addresses, as their first or a further one; fills empty names and phones."""
        found: dict[str, str] = {}
        fills: dict[str, Json] = {}
        for item in self._api.batch_read("contacts", wanted, PROPERTIES, by="email") if wanted else ():
            contact_id, shown = str(item["id"]), item.get("properties") or {}
            held = f"{shown.get('email') or ''};{shown.get('hs_additional_emails') or ''}".lower().split(";")
            for address in wanted.keys() & set(held):
                found[address] = contact_id
                if lacking := _lacking(shown, wanted[address]):
                    fills[contact_id] = {"id": contact_id, "properties": lacking}
        if fills:
            self._api.batch_write(UPDATE, fills, lambda item: str(item.get("id")))
        return found

    def _make(self, missing: Mapping[str, Requester]) -> dict[str, str | ConnectorError]:
        """The new contacts' ids, or why one was refused. An address that HubSpot finds taken has its holder named."""
        if not missing:
            return {}
        inputs: dict[str, Json] = {
            address: {"id": address, "idProperty": "email", "properties": {"email": address, **_lacking({}, one)}}
            for address, one in missing.items()
        }
        outcomes = self._api.batch_write(
            UPSERT, inputs, lambda item: str((item.get("properties") or {}).get("email") or "").lower()
        )
        made: dict[str, str | ConnectorError] = {}
        for address, outcome in outcomes.items():
            if isinstance(outcome, RetryLater | UnknownOutcome):
                raise outcome
            if isinstance(outcome, ConnectorError):
                holder = HOLDER.search(str(outcome))
                made[address] = holder[1] if holder else outcome
            else:
                made[address] = str(outcome["id"])
        return made


def _address(requester: Requester) -> str:
    return (requester.email or "").strip().lower()


def _lacking(shown: Mapping[str, object], requester: Requester) -> dict[str, str]:
    """What we know and the contact does not."""
    first, _, last = (requester.name or "").strip().partition(" ")
    lacking = {} if shown.get("firstname") or shown.get("lastname") else {"firstname": first, "lastname": last.strip()}
    if not shown.get("phone"):
        lacking["phone"] = (requester.phone or "").strip()
    return {name: value for name, value in lacking.items() if value}
