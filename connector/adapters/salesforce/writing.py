"""Writing cases: upserts by our id with their contact, and changes by Salesforce's id, two hundred a call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from connector.adapters.base import Change, Json, Written
from connector.adapters.calls import Outcome
from connector.adapters.people import Contacts, address_of, first_and_last, is_address
from connector.adapters.salesforce.api import BATCH, COLLECTION, Api, long_id
from connector.adapters.salesforce.records import Records
from connector.adapters.salesforce.schema import OUR_ID, Catalogue
from connector.adapters.upserts import Upserts
from connector.domain.errors import ConnectorError, Refused
from connector.domain.ticket import Record, Requester

UPSERT: Final = f"{COLLECTION}/Case/{OUR_ID}"
CONTACT: Final = "ContactId"
CONTACTS: Final = "SELECT Id, Email FROM Contact WHERE Email IN {ids}"


class SalesforceContacts(Contacts):
    """What a contact holds is never changed; several with one address are nobody's to choose from."""

    def __init__(self, api: Api) -> None:
        super().__init__()
        self._api = api

    def find(self, wanted: Mapping[str, Requester]) -> dict[str, str | ConnectorError]:
        """The one contact that has the address."""
        found: dict[str, list[str]] = defaultdict(list)
        for row in self._api.rows_of(CONTACTS, wanted):
            found[str(row.get("Email") or "").lower()].append(long_id(row["Id"]))
        several = Refused("several have this address; join the right one in Salesforce", code="ambiguous")
        return {address: ids[0] if len(ids) == 1 else several for address, ids in found.items()}

    def make(self, missing: Mapping[str, Requester]) -> dict[str, str | ConnectorError]:
        """The new contacts' ids, or why one was refused."""
        inputs = {address: _contact(address, requester) for address, requester in missing.items()}
        outcomes = self._api.write("POST", COLLECTION, inputs)
        return {key: one if isinstance(one, ConnectorError) else long_id(one["id"]) for key, one in outcomes.items()}


class Writing(Upserts):
    """Cases. The answer to a write names no values: what we sent, in Salesforce's form, is what it shows."""

    system, our_id, size = "salesforce", OUR_ID, BATCH

    def __init__(self, api: Api, catalogue: Catalogue, records: Records) -> None:
        super().__init__(catalogue, records, SalesforceContacts(api))
        self._api, self._catalogue = api, catalogue

    def creation(self, change: Change, contact: str | None) -> Json:
        """A new case with our id, and who asked for it."""
        return _case({**self._supplied(change.requester, contact), **self._raw(change), OUR_ID: change.external_id})

    def edit(self, change: Change) -> Json:
        """A case's new values."""
        return _case({"id": change.record_id, **self._raw(change)})

    def send(self, inputs: Mapping[str, Json], *, creates: bool) -> dict[str, Outcome]:
        """What became of each input, by key."""
        return self._api.write("PATCH", UPSERT if creates else COLLECTION, inputs)

    def is_conflict(self, error: Refused) -> bool:
        """Whether another has made a case with our id, or the contact is gone."""
        return error.field == CONTACT or (error.code, error.field) == ("duplicate_value", OUR_ID)

    def shown(self, change: Change, told: Json) -> Written:
        """The case with what was written."""
        record_id = long_id(told.get("id") or change.record_id)
        values = {name: self._catalogue.native(name, raw) for name, raw in self._raw(change).items()}
        return Written(change.key, record_id, Record(record_id, values), created=bool(told.get("created", False)))

    def _raw(self, change: Change) -> dict[str, Json]:
        return {name: self._catalogue.raw(name, value) for name, value in change.values.items()}

    def _supplied(self, requester: Requester, contact: str | None) -> dict[str, Json]:
        """Who asked, as a new case holds it whether or not there is a contact."""
        address = address_of(requester)
        told = {"SuppliedEmail": address if len(address) <= 80 and is_address(address) else None}
        told |= {"SuppliedName": requester.name, "SuppliedPhone": requester.phone, CONTACT: contact}
        return {name: self._catalogue.raw(name, value) for name, value in told.items() if value}


def _case(fields: Mapping[str, Json]) -> Json:
    return {"attributes": {"type": "Case"}, **fields}


def _contact(address: str, requester: Requester) -> Json:
    first, last = first_and_last(requester)
    names = {"FirstName": first[:40] if last else None, "LastName": (last or first or address)[:80]}
    return {"attributes": {"type": "Contact"}, "Email": address, **names, "Phone": (requester.phone or "")[:40] or None}
