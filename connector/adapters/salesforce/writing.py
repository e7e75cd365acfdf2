"""Writing cases: upserts by our id with their contact, and changes by Salesforce's id, two hundred a call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from connector.adapters.base import Change, Json, Written
from connector.adapters.calls import Outcome, conflict
from connector.adapters.people import Contacts, Found, address_of, first_and_last, is_address
from connector.adapters.salesforce.api import BATCH, COLLECTION, Api, long_id
from connector.adapters.salesforce.records import Records
from connector.adapters.salesforce.schema import Catalogue
from connector.adapters.salesforce.setup import OUR_ID
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
    """Writes. Assignment rules of the org do not touch what we write, unless `auto_assign` lets them."""

    system, our_id, size = "salesforce", OUR_ID, BATCH

    def __init__(self, api: Api, records: Records, catalogue: Catalogue, *, auto_assign: bool) -> None:
        super().__init__(catalogue, records, SalesforceContacts(api))
        self._api, self._values = api, catalogue
        self._headers = {"Sforce-Auto-Assign": "TRUE" if auto_assign else "FALSE"}

    def upsert(self, changes: Sequence[Change], contacts: Found) -> dict[str, Written]:
        """What became of each CREATE. One whose contact is gone is made again with another."""
        inputs: dict[str, Json] = {}
        for one in changes:
            asks = _supplied(one.requester, contacts.of(one.requester))
            inputs[one.key] = _case({**asks, **self._raw(one), OUR_ID: one.external_id})
        outcomes = self._api.write("PATCH", UPSERT, inputs, headers=self._headers)
        for one in changes:
            outcome = outcomes[one.key]
            if isinstance(outcome, Refused) and outcome.field == CONTACT:
                self._contacts.forget(contacts.of(one.requester) or "")
                outcomes[one.key] = conflict("salesforce", outcome)
        return {one.key: self._written(one, outcomes[one.key], contacts.warning(one.requester)) for one in changes}

    def update(self, changes: Sequence[Change]) -> list[Written]:
        """What became of each UPDATE."""
        inputs = {one.key: _case({"id": one.record_id, **self._raw(one)}) for one in changes}
        outcomes = self._api.write("PATCH", COLLECTION, inputs, headers=self._headers)
        return [self._written(one, outcomes[one.key]) for one in changes]

    def _raw(self, change: Change) -> dict[str, Json]:
        return {name: self._values.raw(name, value) for name, value in change.values.items()}

    def _written(self, change: Change, outcome: Outcome, warnings: tuple[str, ...] = ()) -> Written:
        """The answer names no values: what we sent, in Salesforce's form, is what it shows."""
        if isinstance(outcome, Refused) and outcome.code == "duplicate_value" and outcome.field == OUR_ID:
            outcome = conflict("salesforce", outcome)
        if isinstance(outcome, ConnectorError):
            return Written(change.key, id=change.record_id or "", error=outcome)
        record_id = long_id(outcome.get("id") or change.record_id)
        shown = {name: self._values.native(name, raw) for name, raw in self._raw(change).items()}
        created = bool(outcome.get("created", False))
        return Written(change.key, record_id, Record(record_id, shown), created=created, warnings=warnings)


def _case(fields: Mapping[str, Json]) -> Json:
    return {"attributes": {"type": "Case"}, **fields}


def _contact(address: str, requester: Requester) -> Json:
    first, last = first_and_last(requester)
    names = {"FirstName": first[:40] if last else None, "LastName": (last or first or address)[:80]}
    return {"attributes": {"type": "Contact"}, "Email": address, **names, "Phone": (requester.phone or "")[:40] or None}


def _supplied(requester: Requester, contact: str | None) -> dict[str, Json]:
    """Who asked, as a new case holds it whether or not there is a contact."""
    address = address_of(requester)
    told = {
        "SuppliedEmail": address if len(address) <= 80 and is_address(address) else "",
        "SuppliedName": (requester.name or "").strip()[:80],
        "SuppliedPhone": (requester.phone or "").strip()[:40],
        CONTACT: contact,
    }
    return {name: value for name, value in told.items() if value}
