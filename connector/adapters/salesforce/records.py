"""Reading cases: by id, by value, by time, their customers, and what became of one that is no longer shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from simple_salesforce.format import format_soql

from connector.adapters.base import Commented, Json, Sweep
from connector.adapters.calls import still_there
from connector.adapters.people import requester_of
from connector.adapters.reading import by_value, places_in, places_text
from connector.adapters.salesforce.api import Api, is_id, long_id
from connector.adapters.salesforce.forms import COMMENTS, PREFIX, SHAPES, in_force
from connector.adapters.salesforce.schema import STAMP, Catalogue
from connector.adapters.times import iso, moment
from connector.domain.errors import ConnectorError, Gone, Refused
from connector.domain.ticket import Record, Requester

CASE, GONE = "Case", "gone"
FATE: Final = "SELECT Id, IsDeleted, MasterRecordId FROM Case WHERE Id = {id}"
CUSTOMERS: Final = (
    "SELECT Id, Contact.Email, Contact.Name, Contact.Phone, SuppliedEmail, SuppliedName, SuppliedPhone "
    "FROM Case WHERE Id IN {ids}"
)


class Records:
    """Cases as records, ids in eighteen characters."""

    def __init__(self, api: Api, catalogue: Catalogue, forms: Callable[[], frozenset[str]] = frozenset) -> None:
        """`forms` gives those of `forms.FORMS` that sweeps look at beside the comments."""
        self._api, self._catalogue, self._forms = api, catalogue, forms

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """The live cases by id, two hundred a call. Deleted, merged away and unknown ones are left out."""
        found = {one.id: one for one in self._held("Id", list(filter(is_id, ids)), fields)}
        return {one: found[long_id(one)] for one in ids if long_id(one) in found}

    def find(self, field: str, values: Sequence[str], fields: Sequence[str]) -> dict[str, list[Record]]:
        """The live cases whose field holds one of the values."""
        return by_value(self._held(field, values, [field, *fields]), field, values)

    def _held(self, field: str, values: Sequence[str], fields: Sequence[str], *, anew: bool = False) -> list[Record]:
        """The live cases whose field holds one of the values; fields that were hidden meanwhile are left out."""
        if not values:
            return []
        columns = self._catalogue.columns([field, *fields], anew=anew)
        if field not in columns:
            raise Refused(f"salesforce: Case has no field {field}", code="invalid_field", field=field)
        soql = f"SELECT {', '.join(columns)} FROM Case WHERE {field} IN {{ids}}"  # noqa: S608 - names of the schema
        try:
            return [self.record(row, fields) for row in self._api.rows_of(soql, values)]
        except Refused as error:
            if error.code != "invalid_field" or anew:
                raise
            return self._held(field, values, fields, anew=True)

    def changes(self, since: datetime, fields: Sequence[str], after: str = "") -> Sweep:
        """One page each of changed cases, changed entries of every form and deleted cases, in one call.

        A further form that our user may not read is left out: reading the timeline of a case tells of it.
        """
        lists = {CASE, GONE, *(one.name for one in SHAPES)}
        places = places_in(after, lists=lists, system="salesforce") if after else self._places(since, fields)
        rows, going_on = defaultdict[str, list[Json]](list), dict[str, str]()
        for name, page in zip(places, self._api.together(list(places.values())), strict=True):
            if isinstance(page, ConnectorError):
                if name in (CASE, COMMENTS.name) or after or not isinstance(page, Refused):
                    raise page
                page = {"records": self._api.rows(_deleted(since), deleted=True) if name == GONE else [], "done": True}
            rows[name] = page["records"]
            going_on |= {} if page["done"] else {name: page["nextRecordsUrl"]}
        entries = [(str(row["ParentId"]), str(row["Id"])) for one in SHAPES for row in rows[one.name]]
        return Sweep(
            [self.record(one, fields) for one in rows[CASE]],
            [Commented(long_id(case), long_id(entry)) for case, entry in entries if case.startswith(PREFIX)],
            [long_id(one["Id"]) for one in rows[GONE]],
            places_text(going_on),
        )

    def _places(self, since: datetime, fields: Sequence[str]) -> dict[str, str]:
        columns, url = ", ".join(self._catalogue.columns(fields)), self._api.query_url
        cases = f"SELECT {columns} FROM Case WHERE {STAMP} >= {iso(since)} ORDER BY {STAMP}, Id"  # noqa: S608 - names of the schema
        entries = {one.name: url(one.since(iso(since))) for one in in_force(self._forms())}
        return {CASE: url(cases), **entries, GONE: url(_deleted(since), deleted=True)}

    def fate(self, record_id: str) -> Gone:
        """What became of a case that `read` left out: merged (with its survivor), deleted, or gone.

        Raises RetryLater where it is there after all.
        """
        rows = self._api.rows(format_soql(FATE, id=record_id), deleted=True) if is_id(record_id) else []
        if not rows:
            return Gone(f"salesforce has no case {record_id}, or hides it from our user")
        if rows[0].get("MasterRecordId"):
            survivor = long_id(rows[0]["MasterRecordId"])
            return Gone(f"salesforce case {record_id} was merged into {survivor}", code="merged", survivor=survivor)
        if rows[0].get("IsDeleted"):
            return Gone(f"salesforce case {record_id} is in the recycle bin", code="archived")
        raise still_there("salesforce", f"case {record_id}")

    def requesters(self, ids: Sequence[str]) -> dict[str, Requester]:
        """Each case's contact; where it has none, who was given when it was made."""
        return {long_id(row["Id"]): _requester(row) for row in self._api.rows_of(CUSTOMERS, filter(is_id, ids))}

    def record(self, row: Mapping[str, Json], fields: Sequence[str]) -> Record:
        """A case as Salesforce shows it. What is not in the row is left out, not empty. Makes no call."""
        values = {name: self._catalogue.native(name, row[name]) for name in fields if name in row}
        return Record(long_id(row["Id"]), values, version=moment(row.get(STAMP)))


def _deleted(since: datetime) -> str:
    return f"SELECT Id FROM Case WHERE IsDeleted = true AND {STAMP} >= {iso(since)}"  # noqa: S608 - a moment


def _requester(row: Mapping[str, Json]) -> Requester:
    contact = row.get("Contact") or {}
    return requester_of(*(contact.get(one) or row.get(f"Supplied{one}") for one in ("Email", "Name", "Phone")))
