"""Reading tickets: by id, by value, and what became of one that is no longer shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from connector.adapters.base import Json
from connector.adapters.calls import still_there
from connector.adapters.hubspot.api import BATCH, Api, next_page
from connector.adapters.hubspot.schema import OUR_ID, Catalogue
from connector.adapters.people import requester_of
from connector.adapters.times import moment
from connector.domain.errors import Gone, Refused
from connector.domain.ticket import Record, Requester, Value

MERGED: Final = "hs_merged_object_ids"
MODIFIED: Final = "hs_lastmodifieddate"
SEARCH: Final = "/crm/objects/{objects}/tickets/search"
SEARCH_PAGE: Final = 200
SEARCH_END: Final = 9_800
SEARCH_BODY: Final = 2_500
"""Characters of values in one search: HubSpot takes 3,000 for the whole body."""


class Records:
    """Tickets as records. Values always come from a read by id: the search index is late."""

    def __init__(self, api: Api, catalogue: Catalogue) -> None:
        self._api = api
        self._catalogue = catalogue

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """The live tickets by id. Archived, merged away and unknown ones are left out: `fate` says which it is."""
        if ids:
            self.expect(fields)
        items = self._api.batch_read("tickets", ids, [*fields, MODIFIED])
        return {str(item["id"]): self.record(item, fields) for item in items if str(item["id"]) in ids}

    def find(self, field: str, values: Sequence[str], fields: Sequence[str]) -> dict[str, list[Record]]:
        """The tickets whose field holds one of the values. Only our own id is looked up at once; others by search."""
        self.expect([*fields, field])
        if field == OUR_ID:
            items = self._api.batch_read("tickets", values, [*fields, OUR_ID, MODIFIED], by=OUR_ID)
            found = [self.record(item, [*fields, OUR_ID]) for item in items]
        else:
            words = values if self._catalogue.is_choice(field) else [value.lower() for value in values]
            ids = [one for part in _parts(words) for one in self._search(_filter(field, "IN", values=part))]
            found = list(self.read(ids, [*fields, field]).values())
        by_value: dict[str, list[Record]] = {value: [] for value in values}
        for record in found:
            held = record.fields.get(field)
            for value in values:
                if value.casefold() in _folded(held):
                    by_value[value].append(record)
        return by_value

    def fate(self, record_id: str) -> Gone:
        """What became of a ticket that `read` left out: merged (with its survivor), archived, or gone.

        Raises RetryLater where it is there after all.
        """
        route, ids = "/crm/objects/{objects}/tickets/:ticket", {"ticket": record_id}
        try:
            shown = str(self._api.send("GET", route, ids=ids, query={"properties": MERGED}).json["id"])
        except Gone:
            shown = self._survivor(record_id)
        if shown == record_id:
            raise still_there("hubspot", f"ticket {record_id}")
        if shown:
            return Gone(f"hubspot ticket {record_id} was merged into {shown}", code="merged", survivor=shown)
        try:
            self._api.send("GET", route, ids=ids, query={"archived": "true"})
        except Gone:
            return Gone(f"hubspot has no ticket {record_id}")
        return Gone(f"hubspot ticket {record_id} is archived", code="archived")

    def requesters(self, ids: Sequence[str]) -> dict[str, Requester]:
        """Each ticket's oldest contact: HubSpot marks none of a ticket's contacts as the one who asked."""
        linked = self._api.linked("tickets", "contacts", ids)
        firsts = {ticket: contacts[0] for ticket, contacts in linked.items() if contacts}
        items = self._api.batch_read("contacts", firsts.values(), ["email", "firstname", "lastname", "phone"])
        people = {str(item["id"]): _requester(item.get("properties") or {}) for item in items}
        return {ticket: people[contact] for ticket, contact in firsts.items() if contact in people}

    def expect(self, fields: Iterable[str]) -> None:
        """Know how these properties are written before their values come: a set and a text look the same."""
        self._catalogue.expect(fields)

    def record(self, item: Json, fields: Sequence[str]) -> Record:
        """A ticket as HubSpot shows it. What is not among its properties is left out, not empty. Makes no call."""
        shown: Mapping[str, object] = item.get("properties") or {}
        values: dict[str, Value] = {
            name: self._catalogue.native(name, shown.get(name))
            for name in fields
            if shown.get(name) or self._catalogue.field(name)
        }
        return Record(str(item["id"]), values, version=moment(item.get("updatedAt") or shown.get(MODIFIED)))

    def _survivor(self, record_id: str) -> str:
        """The ticket that lists this id among those merged into it, or nothing. Search proposes, the list decides."""
        ids: list[str] = []
        with suppress(Refused):
            ids = self._search(_filter(MERGED, "CONTAINS_TOKEN", value=record_id))
        for item in self._api.batch_read("tickets", ids, [MERGED]):
            if record_id in str((item.get("properties") or {}).get(MERGED) or "").split(";"):
                return str(item["id"])
        return ""

    def _search(self, asked: Json) -> list[str]:
        """The ids of all hits."""
        ids: list[str] = []
        after = "0"
        while after and int(after) < SEARCH_END:
            body = {**asked, "properties": [MODIFIED], "limit": SEARCH_PAGE, "after": after}
            answer = self._api.send("POST", SEARCH, json=body, reads=True).json
            ids += [str(item["id"]) for item in answer["results"]]
            after = next_page(answer) or ""
        return ids


def _requester(shown: Mapping[str, str | None]) -> Requester:
    name = " ".join(part for part in (shown.get("firstname"), shown.get("lastname")) if part)
    return requester_of(shown.get("email"), name, shown.get("phone"))


def _filter(field: str, operator: str, **operand: object) -> dict[str, Json]:
    return {"filterGroups": [{"filters": [{"propertyName": field, "operator": operator, **operand}]}]}


def _folded(held: Value) -> set[str]:
    return {str(one).casefold() for one in (held if isinstance(held, tuple) else (held,)) if one is not None}


def _parts(values: Sequence[str]) -> list[list[str]]:
    """The values in parts that fit the body of a search."""
    parts: list[list[str]] = [[]]
    for value in dict.fromkeys(values):
        if parts[-1] and (len(json.dumps([*parts[-1], value])) > SEARCH_BODY or len(parts[-1]) == BATCH):
            parts.append([])
        parts[-1].append(value)
    return [part for part in parts if part]
