"""Writing cases: upserts by our id with their contact, and changes by Salesforce's id, two hundred a call."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from connector.adapters.base import Change, ChangeKind, Json, Written
from connector.adapters.salesforce.api import BATCH, Api, chunks, long_id
from connector.adapters.salesforce.records import Records
from connector.adapters.salesforce.schema import OUR_ID, Catalogue
from connector.domain.errors import ConnectorError, NotSupported, Refused, RetryLater, UnknownOutcome
from connector.domain.ticket import Record, Requester

UPSERT: Final = f"/composite/sobjects/Case/{OUR_ID}"
COLLECTION: Final = "/composite/sobjects"
CONTACTS: Final = "SELECT Id, Email FROM Contact WHERE Email IN {ids}"
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


class Cases:
    """Writes. Assignment rules of the org do not touch what we write, unless `auto_assign` lets them."""

    def __init__(self, api: Api, records: Records, catalogue: Catalogue, *, auto_assign: bool) -> None:
        self._api = api
        self._records = records
        self._catalogue = catalogue
        self._headers = {"Sforce-Auto-Assign": "TRUE" if auto_assign else "FALSE"}

    def write(self, changes: Sequence[Change]) -> list[Written]:
        """One outcome for each. Changes of one case go in order, each in a call of its own.

        After one that may still be repeated or is unknown, the later ones of that case are held back.
        """
        if not changes:
            return []
        try:
            self._catalogue.expect([name for change in changes for name in change.values])
        except ConnectorError as error:
            return [Written(change.key, error=error) for change in changes]
        outcomes: list[Written] = []
        open_ends: set[str] = set()
        for batch in _turns(changes):
            ready = [one for one in batch if _target(one) not in open_ends]
            held = RetryLater("an earlier change of this case is open", code="held_back", scope="record")
            outcomes += [Written(one.key, error=held) for one in batch if one not in ready]
            sent = self._send(ready)
            outcomes += sent
            failed = {one.key for one in sent if isinstance(one.error, RetryLater | UnknownOutcome)}
            open_ends |= {_target(one) for one in ready if one.key in failed}
        return outcomes

    def probe(self, change: Change) -> Record | None:
        """The case that a CREATE left behind, found by our id."""
        return self._records.by_our_id(str(change.external_id), tuple(change.values))

    def _send(self, changes: Sequence[Change]) -> list[Written]:
        creates = [one for one in changes if one.kind is ChangeKind.CREATE and one.external_id]
        updates = [one for one in changes if one.kind is ChangeKind.UPDATE and one.record_id]
        others = [one for one in changes if one not in creates and one not in updates]
        told = "salesforce takes a CREATE with our id and an UPDATE with its own, nothing else"
        written = [Written(one.key, error=NotSupported(told, code="not_supported")) for one in others]
        return written + self._create(creates) + self._update(updates)

    def _create(self, changes: Sequence[Change]) -> list[Written]:
        """Upsert on our id. Repeating it is harmless."""
        if not changes:
            return []
        try:
            contacts, warnings = self._contacts([one.requester for one in changes])
        except RetryLater as error:
            return [Written(one.key, error=error) for one in changes]
        inputs = {}
        for one in changes:
            address = _address(one.requester)
            known = {"ContactId": contacts[address]} if address in contacts else {}
            fields = {**_supplied(one.requester), **known, **self._raw(one), OUR_ID: one.external_id}
            inputs[one.key] = _case(fields)
        outcomes = self._api.write("PATCH", UPSERT, inputs, headers=self._headers)
        return [self._written(one, outcomes[one.key], warnings.get(_address(one.requester), ())) for one in changes]

    def _update(self, changes: Sequence[Change]) -> list[Written]:
        if not changes:
            return []
        inputs = {one.key: _case({"id": one.record_id, **self._raw(one)}) for one in changes}
        outcomes = self._api.write("PATCH", COLLECTION, inputs, headers=self._headers)
        return [self._written(one, outcomes[one.key]) for one in changes]

    def _raw(self, change: Change) -> dict[str, Json]:
        return {name: self._catalogue.raw(name, value) for name, value in change.values.items()}

    def _written(self, change: Change, outcome: Json | ConnectorError, warnings: tuple[str, ...] = ()) -> Written:
        """The answer names no values: what we sent, in Salesforce's form, is what it shows."""
        if isinstance(outcome, Refused) and outcome.code == "duplicate_value" and outcome.field == OUR_ID:
            outcome = RetryLater(f"{outcome}; upserted again", code="conflict", scope="record", system="salesforce")
        if isinstance(outcome, ConnectorError):
            return Written(change.key, id=change.record_id or "", error=outcome)
        record_id = long_id(str(outcome.get("id") or change.record_id))
        shown = {name: self._catalogue.native(name, raw) for name, raw in self._raw(change).items()}
        created = bool(outcome.get("created", False))
        return Written(change.key, record_id, Record(record_id, shown), created=created, warnings=warnings)

    def _contacts(self, requesters: Sequence[Requester]) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
        """Contact ids by address: the one that is there, or a new one; several are nobody's to choose from."""
        wanted = {address: one for one in requesters if ADDRESS.fullmatch(address := _address(one))}
        found: dict[str, list[str]] = defaultdict(list)
        if not wanted:
            return {}, {}
        try:
            for row in self._api.rows_of(CONTACTS, wanted):
                found[str(row.get("Email") or "").lower()].append(long_id(str(row["Id"])))
        except Refused as error:
            return {}, dict.fromkeys(wanted, (f"no contact was joined: {error}",))
        ids = {address: one[0] for address, one in found.items() if len(one) == 1}
        several = "no contact was joined: several have this address; join the right one in Salesforce"
        warnings: dict[str, tuple[str, ...]] = {address: (several,) for address, one in found.items() if len(one) > 1}
        fresh = {address: _contact(address, one) for address, one in wanted.items() if address not in found}
        outcomes: dict[str, Json | ConnectorError] = {}
        for part in chunks(list(fresh), BATCH):
            outcomes |= self._api.write("POST", COLLECTION, {address: fresh[address] for address in part})
        for address, outcome in outcomes.items():
            if isinstance(outcome, RetryLater | UnknownOutcome):
                raise RetryLater(str(outcome), code=outcome.code, scope="record", system="salesforce") from outcome
            if isinstance(outcome, ConnectorError):
                warnings[address] = (f"no contact was joined: {outcome}",)
            else:
                ids[address] = long_id(str(outcome["id"]))
        return ids, warnings


def _case(fields: Mapping[str, Json]) -> Json:
    return {"attributes": {"type": "Case"}, **fields}


def _contact(address: str, requester: Requester) -> Json:
    first, _, last = (requester.name or "").strip().rpartition(" ")
    names = {"FirstName": first[:40] or None, "LastName": (last or address)[:80]}
    return {"attributes": {"type": "Contact"}, "Email": address, **names, "Phone": (requester.phone or "")[:40] or None}


def _supplied(requester: Requester) -> dict[str, Json]:
    """Who asked, as a new case holds it whether or not there is a contact."""
    address = _address(requester)
    fits = len(address) <= 80 and ADDRESS.fullmatch(address)
    told = {"SuppliedEmail": address if fits else "", "SuppliedName": (requester.name or "").strip()[:80]}
    told["SuppliedPhone"] = (requester.phone or "").strip()[:40]
    return {name: value for name, value in told.items() if value}


def _address(requester: Requester) -> str:
    return (requester.email or "").strip().lower()


def _turns(changes: Sequence[Change]) -> list[Sequence[Change]]:
    """Calls in which each case comes once."""
    turns: defaultdict[int, list[Change]] = defaultdict(list)
    seen: defaultdict[str, int] = defaultdict(int)
    for change in changes:
        turns[seen[_target(change)]].append(change)
        seen[_target(change)] += 1
    return [chunk for turn in turns.values() for chunk in chunks(turn, BATCH)]


def _target(change: Change) -> str:
    return f"id {change.record_id}" if change.record_id else f"ours {change.external_id}"
