"""What changed since a moment: tickets and notes, by searches sorted by their time of change."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from connector.adapters.base import Commented, Json, Sweep
from connector.adapters.calls import bad_place
from connector.adapters.hubspot.api import Api, next_page
from connector.adapters.hubspot.records import MODIFIED, SEARCH_BODY, SEARCH_END, SEARCH_PAGE, Records
from connector.adapters.times import moment

TICKETS: Final = "tickets"
NOTES: Final = "notes"
ROUTE: Final = "/crm/objects/{{objects}}/{kind}/search"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a sweep goes on: the kind of record, the oldest change to look at (ms), and how many hits to pass over.

    The next page begins at the last hit's own time, so that records which move to the end while we look shift none
    past us; only where a whole page has one time are its hits counted off.
    """

    kind: str
    since: int
    passed: int = 0

    @classmethod
    def read(cls, text: str) -> Self:
        try:
            kind, since, passed = text.split(" ")
            return cls(kind, int(since), int(passed))
        except ValueError as error:
            raise bad_place("hubspot", text) from error

    def __str__(self) -> str:
        return f"{self.kind} {self.since} {self.passed}"

    def after(self, newest: int, hits: int) -> _Place:
        """The place behind a full page of so many hits whose newest change is this."""
        if newest > self.since:
            return _Place(self.kind, newest)
        passed = self.passed + hits
        return _Place(self.kind, self.since, passed) if passed < SEARCH_END else _Place(self.kind, self.since + 1)


class Sweeps:
    """Tickets of every pipeline first, as one that left ours must be seen too; then notes, by their tickets."""

    def __init__(self, api: Api, records: Records, tickets_of: Callable[[Sequence[str]], dict[str, list[str]]]) -> None:
        self._api = api
        self._records = records
        self._tickets_of = tickets_of

    def changes(self, since: datetime, fields: Sequence[str], after: str = "") -> Sweep:
        """One page of changed tickets as the index knows them, or the tickets of one page of changed notes.

        Archived records are in no index.
        """
        begin = int(since.timestamp() * 1000)
        place = _Place.read(after) if after else _Place(TICKETS, begin)
        if place.kind == NOTES:
            items, going_on = self._page(place, ())
            owners = self._tickets_of([str(item["id"]) for item in items]) if items else {}
            pairs = [Commented(ticket, note) for note, tickets in owners.items() for ticket in tickets]
            return Sweep(commented=pairs, after=going_on)
        self._records.expect(fields)
        fits = len(json.dumps(list(fields))) <= SEARCH_BODY
        items, going_on = self._page(place, fields if fits else ())
        if fits:
            found = [self._records.record(one, fields) for one in items]
        else:
            found = list(self._records.read([str(one["id"]) for one in items], fields).values())
        return Sweep(found, after=going_on or str(_Place(NOTES, begin)))

    def _page(self, place: _Place, fields: Sequence[str]) -> tuple[list[Json], str]:
        """One page of hits, and where the next one begins; empty text: that was the last."""
        changed = {"propertyName": MODIFIED, "operator": "GTE", "value": str(place.since)}
        body = {"filterGroups": [{"filters": [changed]}], "properties": [*fields, MODIFIED], "limit": SEARCH_PAGE}
        body |= {"sorts": [{"propertyName": MODIFIED, "direction": "ASCENDING"}], "after": str(place.passed)}
        answer = self._api.send("POST", ROUTE.format(kind=place.kind), json=body, reads=True).json
        items = list(answer["results"])
        if not items or next_page(answer) is None:
            return items, ""
        times = [moment((item.get("properties") or {}).get(MODIFIED)) for item in items]
        newest = max((int(one.timestamp() * 1000) for one in times if one), default=place.since)
        return items, str(place.after(newest, len(items)))
