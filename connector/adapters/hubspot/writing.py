"""Writing tickets: upserts by our id with their contact joined, and changes by HubSpot's id, a hundred a call."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from connector.adapters.base import Change, Json, Written
from connector.adapters.calls import Outcome
from connector.adapters.hubspot.api import BATCH, Api, by
from connector.adapters.hubspot.records import Records
from connector.adapters.hubspot.schema import OUR_ID, Catalogue, as_text
from connector.adapters.people import Contacts, Found, first_and_last
from connector.adapters.upserts import Upserts
from connector.domain.errors import ConnectorError, Gone, Refused, RetryLater, UnknownOutcome
from connector.domain.ticket import Requester, Value

UPSERT: Final = "/crm/objects/{objects}/tickets/batch/upsert"
UPDATE: Final = "/crm/objects/{objects}/tickets/batch/update"
JOIN: Final = "/crm/objects/{objects}/tickets/:ticket/associations/default/contacts/:contact"
JOIN_MANY: Final = "/crm/associations/{associations}/tickets/contacts/batch/associate/default"
CONFLICT: Final = 409
UPSERT_CONTACTS: Final = "/crm/objects/{objects}/contacts/batch/upsert"
UPDATE_CONTACTS: Final = "/crm/objects/{objects}/contacts/batch/update"
PROPERTIES: Final = ("email", "firstname", "lastname", "phone", "hs_additional_emails")
HOLDER = re.compile(r"Existing ID:\s*(\d+)")


class Customers(Contacts):
    """Tickets' customers as contacts: filled where empty, never overwritten."""

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
            self._api.batch_write(UPDATE_CONTACTS, fills)
        return found

    def make(self, missing: Mapping[str, Requester]) -> dict[str, str | ConnectorError]:
        """The new contacts' ids, or why one was refused. An address that HubSpot finds taken has its holder named."""
        inputs: dict[str, Json] = {
            address: {"id": address, "idProperty": "email", "properties": {"email": address, **_lacking({}, one)}}
            for address, one in missing.items()
        }
        outcomes = self._api.batch_write(UPSERT_CONTACTS, inputs, lambda made: str(by("email")(made)).lower())
        return {address: _made(outcome) for address, outcome in outcomes.items()}


class Writing(Upserts):
    """Creates and changes tickets."""

    system, our_id, size = "hubspot", OUR_ID, BATCH

    def __init__(self, api: Api, catalogue: Catalogue, records: Records, contacts: Contacts) -> None:
        super().__init__(catalogue, records, contacts)
        self._api, self._records = api, records

    def creation(self, change: Change, contact: str | None) -> Json:  # noqa: ARG002 - joined later
        """The input of a CREATE."""
        return {"id": change.external_id, "idProperty": OUR_ID, "properties": _texts(change.values)}

    def edit(self, change: Change) -> Json:
        """The input of an UPDATE."""
        return {"id": change.record_id, "properties": _texts(change.values)}

    def send(self, inputs: Mapping[str, Json], *, creates: bool) -> dict[str, Outcome]:
        """What became of each input, by key."""
        return self._api.batch_write(UPSERT, inputs, by(OUR_ID)) if creates else self._api.batch_write(UPDATE, inputs)

    def is_conflict(self, error: Refused) -> bool:
        """Whether somebody was faster."""
        return error.status == CONFLICT

    def shown(self, change: Change, told: Json) -> Written:
        """What was written, as the answer shows it; what was cleared is not in it."""
        shown = told.get("properties") or {}
        cleared = [name for name, value in change.values.items() if value is None]
        names = [name for name in change.values if name in shown or name in cleared]
        record = self._records.record({**told, "properties": dict.fromkeys(cleared) | shown}, names)
        return Written(change.key, id=record.id, record=record, created=bool(told.get("new")))

    def joined(self, changes: Sequence[Change], made: Mapping[str, Written], contacts: Found) -> list[Written]:
        """Join each new ticket to its contact: all in one call, or where that is refused in part each alone."""
        ready = {one.key: one for one in changes if made[one.key].error is None and contacts.of(one.requester)}
        pairs = [(made[key].id, contacts.of(one.requester)) for key, one in ready.items()]
        together = self._join_all(pairs) if len(pairs) > 1 else False
        return [
            self._joined(one, made[one.key], contacts, together)
            if one.key in ready
            else replace(made[one.key], warnings=contacts.warning(one.requester))
            for one in changes
        ]

    def _join_all(self, pairs: Sequence[tuple[str, str | None]]) -> bool | ConnectorError:
        """Whether one call did it; what stood in its way where nobody can tell."""
        inputs = [{"from": {"id": ticket}, "to": {"id": contact}} for ticket, contact in pairs]
        try:
            return not self._api.send("POST", JOIN_MANY, json={"inputs": inputs}).json.get("errors")
        except Refused:
            return False
        except (RetryLater, UnknownOutcome) as error:
            return error

    def _joined(self, change: Change, made: Written, contacts: Found, together: bool | ConnectorError) -> Written:
        """A refusal is a warning; a join of unknown outcome leaves the create open."""
        try:
            if isinstance(together, ConnectorError):
                raise together
            return made if together else replace(made, warnings=self._join_one(made.id, change.requester, contacts))
        except Refused as error:
            return replace(made, warnings=(f"no contact was joined: {error}",))
        except (RetryLater, UnknownOutcome) as error:
            told = f"the ticket is made, its contact may not be joined: {error}"
            return replace(made, error=UnknownOutcome(told, code="contact_open", answered=True, system="hubspot"))

    def _join_one(self, ticket: str, requester: Requester, contacts: Found, *, again: bool = True) -> tuple[str, ...]:
        """Make the plain association; the warning if there is no contact. One that is gone is looked up once more."""
        contact = contacts.of(requester)
        if contact is None:
            return contacts.warning(requester)
        try:
            self._api.send("PUT", JOIN, ids={"ticket": ticket, "contact": contact})
        except Gone:
            self._contacts.forget(contact)
            if not again:
                raise
            return self._join_one(ticket, requester, self._contacts.resolve([requester]), again=False)
        return ()


def _texts(values: Mapping[str, Value]) -> dict[str, str]:
    return {name: as_text(value) for name, value in values.items()}


def _made(outcome: Json | ConnectorError) -> str | ConnectorError:
    if not isinstance(outcome, ConnectorError):
        return str(outcome["id"])
    holder = HOLDER.search(str(outcome))
    return holder[1] if holder else outcome


def _lacking(shown: Mapping[str, object], requester: Requester) -> dict[str, str]:
    """What we know and the contact does not."""
    first, last = first_and_last(requester)
    lacking = {} if shown.get("firstname") or shown.get("lastname") else {"firstname": first, "lastname": last}
    if not shown.get("phone"):
        lacking["phone"] = (requester.phone or "").strip()
    return {name: value for name, value in lacking.items() if value}
