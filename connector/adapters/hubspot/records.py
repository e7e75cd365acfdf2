"""Reading tickets: by id, by value, what changed, and what became of one that is no longer shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from connector.adapters.base import Commented, Json, Sweep
from connector.adapters.calls import still_there
from connector.adapters.hubspot.api import BATCH, Api, next_page
from connector.adapters.hubspot.schema import OUR_ID, Catalogue
from connector.adapters.people import requester_of
from connector.adapters.reading import by_value, place_in, place_text
from connector.adapters.times import moment
from connector.domain.errors import Gone, Refused
from connector.domain.ticket import Record, Requester, Value

MERGED: Final = "hs_merged_object_ids"
MODIFIED: Final = "hs_lastmodifieddate"
TICKET: Final = "/crm/objects/{objects}/tickets/:ticket"
TICKETS: Final = "tickets"
NOTES: Final = "notes"
SEARCH: Final = "/crm/objects/{{objects}}/{kind}/search"
SEARCH_PAGE: Final = 200
SEARCH_END: Final = 9_800
SEARCH_BODY: Final = 2_500
"""Characters of values in one search: HubSpot takes 3,000 for the whole body."""

Linked = Mapping[str, Sequence[str]]


class Records:
    """Tickets as records. Values always come from a read by id: the search index is late.

    `tickets_of` tells which tickets each of some notes is on.
    """

    def __init__(self, api: Api, catalogue: Catalogue, tickets_of: Callable[[Sequence[str]], Linked]) -> None:
        self._api, self._catalogue, self._tickets_of = api, catalogue, tickets_of

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """The live tickets by id. Archived, merged away and unknown ones are left out: `fate` says which it is."""
        if ids:
            self._catalogue.expect(fields)
        items = self._api.batch_read("tickets", ids, [*fields, MODIFIED])
        return {str(item["id"]): self.record(item, fields) for item in items if str(item["id"]) in ids}

    def find(self, field: str, values: Sequence[str], fields: Sequence[str]) -> dict[str, list[Record]]:
        """The tickets whose field holds one of the values. Only our own id is looked up at once; others by search."""
        self._catalogue.expect([*fields, field])
        if field == OUR_ID:
            items = self._api.batch_read("tickets", values, [*fields, OUR_ID, MODIFIED], by=OUR_ID)
            found = [self.record(item, [*fields, OUR_ID]) for item in items]
        else:
            words = values if self._catalogue.is_choice(field) else [value.lower() for value in values]
            ids = [one for part in _parts(words) for one in self._search(_filter(field, "IN", values=part))]
            found = list(self.read(ids, [*fields, field]).values())
        return by_value(found, field, values)

    def fate(self, record_id: str) -> Gone:
        """What became of a ticket that `read` left out: merged (with its survivor), archived, or gone.

        Raises RetryLater where it is there after all.
        """
        ids = {"ticket": record_id}
        found = self._api.found(TICKET, ids=ids, query={"properties": MERGED})
        shown = str(found["id"]) if found is not None else self._survivor(record_id)
        if shown == record_id:
            raise still_there("hubspot", f"ticket {record_id}")
        if shown:
            return Gone(f"hubspot ticket {record_id} was merged into {shown}", code="merged", survivor=shown)
        if self._api.found(TICKET, ids=ids, query={"archived": "true"}) is not None:
            return Gone(f"hubspot ticket {record_id} is archived", code="archived")
        return Gone(f"hubspot has no ticket {record_id}")

    def requesters(self, ids: Sequence[str]) -> dict[str, Requester]:
        """Each ticket's oldest contact: HubSpot marks none of a ticket's contacts as the one who asked."""
        linked = self._api.linked("tickets", "contacts", ids)
        firsts = {ticket: contacts[0] for ticket, contacts in linked.items() if contacts}
        items = self._api.batch_read("contacts", firsts.values(), ["email", "firstname", "lastname", "phone"])
        people = {str(item["id"]): item.get("properties") or {} for item in items}
        return {ticket: _requester(people[one]) for ticket, one in firsts.items() if one in people}

    def changes(self, since: datetime, fields: Sequence[str], after: str = "") -> Sweep:
        """One page of changed tickets as the index knows them, or the tickets of one page of changed notes.

        Tickets of every pipeline come first, as one that left ours must be seen too. Archived records are in no index.
        """
        begin = int(since.timestamp() * 1000)
        start = after or place_text(TICKETS, begin, 0)
        kind, (oldest, passed) = place_in(start, parts=(TICKETS, NOTES), numbers=2, system="hubspot")
        if kind == NOTES:
            notes, going_on = self._page(kind, oldest, passed, ())
            owners = self._tickets_of([str(one["id"]) for one in notes]) if notes else {}
            pairs = [Commented(ticket, note) for note, tickets in owners.items() for ticket in tickets]
            return Sweep(commented=pairs, after=going_on)
        self._catalogue.expect(fields)
        fits = len(json.dumps(list(fields))) <= SEARCH_BODY
        items, going_on = self._page(kind, oldest, passed, fields if fits else ())
        if not fits:
            items = self._api.batch_read("tickets", [str(one["id"]) for one in items], [*fields, MODIFIED])
        return Sweep([self.record(one, fields) for one in items], after=going_on or place_text(NOTES, begin, 0))

    def _page(self, kind: str, oldest: int, passed: int, fields: Sequence[str]) -> tuple[list[Json], str]:
        """One page of hits behind the first `passed` of those changed since `oldest` (ms), and where the next begins.

        It begins at the last hit's own time, so that records which move to the end while we look shift none past us;
        only where a whole page has one time are its hits counted off. Empty text: that was the last.
        """
        changed = _filter(MODIFIED, "GTE", value=str(oldest))
        oldest_first = [{"propertyName": MODIFIED, "direction": "ASCENDING"}]
        answer = self._hits(kind, changed, fields, after=str(passed), sorts=oldest_first)
        items = list(answer["results"])
        if not items or next_page(answer) is None:
            return items, ""
        times = [moment((item.get("properties") or {}).get(MODIFIED)) for item in items]
        newest = max([oldest, *(int(one.timestamp() * 1000) for one in times if one)])
        passed = 0 if newest > oldest else passed + len(items)
        return items, place_text(kind, newest, passed) if passed < SEARCH_END else place_text(kind, oldest + 1, 0)

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

    def _search(self, condition: Json) -> list[str]:
        """The ids of all tickets that are hit."""
        ids: list[str] = []
        after = "0"
        while after and int(after) < SEARCH_END:
            answer = self._hits(TICKETS, condition, (), after=after)
            ids += [str(item["id"]) for item in answer["results"]]
            after = next_page(answer) or ""
        return ids

    def _hits(self, kind: str, condition: Json, fields: Sequence[str], **more: Json) -> Json:
        """One page of a search."""
        asked = {"filterGroups": [{"filters": [condition]}], "properties": [*fields, MODIFIED], "limit": SEARCH_PAGE}
        return self._api.send("POST", SEARCH.format(kind=kind), json={**asked, **more}, reads=True).json


def _requester(shown: Mapping[str, str | None]) -> Requester:
    return requester_of(shown.get("email"), (shown.get("firstname"), shown.get("lastname")), shown.get("phone"))


def _filter(field: str, operator: str, **operand: object) -> dict[str, Json]:
    return {"propertyName": field, "operator": operator, **operand}


def _parts(values: Sequence[str]) -> list[list[str]]:
    """The values in parts that fit the body of a search."""
    parts: list[list[str]] = [[]]
    for value in dict.fromkeys(values):
        if parts[-1] and (len(json.dumps([*parts[-1], value])) > SEARCH_BODY or len(parts[-1]) == BATCH):
            parts.append([])
        parts[-1].append(value)
    return [part for part in parts if part]
