"""Reading projects or opportunities: by id, by value, by time, and what became of one that is no longer shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from connector.adapters.base import Commented, Json, Sweep
from connector.adapters.calls import still_there
from connector.adapters.capsule.api import WITH_LISTS, Api
from connector.adapters.capsule.schema import CLOSED, CUSTOM, Catalogue, native
from connector.adapters.people import requester_of
from connector.adapters.reading import place_in, place_text
from connector.adapters.times import iso, moment
from connector.domain.errors import Gone, NotSupported
from connector.domain.ticket import Record, Requester, Value, normal

BACK: Final = timedelta(seconds=1)
"""Times are told in whole seconds, and `since` means later than."""

BACK_DATED: Final = timedelta(hours=1)
LONG: Final = timedelta(days=30)


class Records:
    """The records that stand for tickets."""

    def __init__(self, api: Api, catalogue: Catalogue, clock: Callable[[], datetime]) -> None:
        self._api, self._catalogue, self._clock = api, catalogue, clock
        self.target = catalogue.target

    def raw(self, ids: Sequence[str], embed: Mapping[str, str] = WITH_LISTS) -> dict[str, Json]:
        """The records as Capsule shows them, ten a call; those that are not there are left out."""
        found = self._api.many(self.target.plural, self.target.singular, ids, embed)
        return {str(one["id"]): one for one in found}

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """The records by id. Deleted ones, and those out of the user's sight, are left out: `fate` says which it is."""
        if ids and "owner" in fields:
            self._catalogue.me()
        return {one: self.record(item, fields) for one, item in self.raw(ids).items()}

    def find(self, field: str, values: Sequence[str], fields: Sequence[str]) -> dict[str, list[Record]]:
        """Records whose name or custom field is one of the values, a call each, by an index that is a little late."""
        if field != "name" and not field.startswith(CUSTOM):
            raise NotSupported(f"capsule looks up records by name and custom fields, not by {field}", code="no_filter")
        name = field if field == "name" else f"{CUSTOM}{self._catalogue.custom(field, None)[0]}"
        found = {value: next(self._api.filtered(self.target.plural, name, value, WITH_LISTS)) for value in values}
        return {value: [self.record(one, fields) for one in items] for value, items in found.items()}

    def changes(self, since: datetime, fields: Sequence[str], after: str = "") -> Sweep:
        """What changed, page by page; then what was deleted; then whose timelines have new entries. No list is late.

        Pages are counted, so a record that is deleted meanwhile moves another one past us: then the sweep begins again.
        """
        singular, now = self.target.singular, int(self._clock().timestamp())
        start = after or place_text("records", 1, now)
        part, (page, began) = place_in(start, parts=("records", "deleted", "entries"), numbers=2, system="capsule")
        if part == "records":
            if "owner" in fields:
                self._catalogue.me()
            query, plural = {**WITH_LISTS, "since": iso(since - BACK)}, self.target.plural
            items, more = self._api.page(f"/{plural}", plural, query, page)
            going_on = place_text("records", page + 1, began) if more else place_text("deleted", page, began)
            return Sweep([self.record(one, fields) for one in items], after=going_on)
        if part == "deleted":
            gone = self._deleted(since)
            missed = page > 1 and any(at and at.timestamp() >= began for at in gone.values())
            # A deletion is told in whole seconds: the next count is of those after this one, or it would never end.
            going_on = place_text("records", 1, now + 1) if missed else place_text("entries", 1, began)
            return Sweep(gone=sorted(gone), after=going_on)
        # By their place on the timeline: there is no `since`, and no hook.
        items, more = self._api.page("/entries", "entries", {"embed": f"{singular},creator,activityType"}, page)
        news = [Commented(str(one[singular]["id"]), str(one["id"])) for one in items if self._is_news(one, since)]
        oldest = min((at for one in items if (at := moment(one.get("entryAt")))), default=since - BACK_DATED)
        goes_on = more and oldest > since - BACK_DATED
        return Sweep(commented=news, after=place_text("entries", page + 1, began) if goes_on else "")

    def _deleted(self, since: datetime) -> dict[str, datetime | None]:
        """What is gone, or out of sight, by id, with its moment where it is told."""
        found: dict[str, datetime | None] = {}
        kept, hidden = self.target.plural, f"restricted{self.target.plural.capitalize()}"
        for answer in self._api.answers(f"/{kept}/deleted", {"since": iso(since - BACK)}):
            found |= {str(one["id"]): moment(one.get("deletedAt")) for one in answer.get(kept) or ()}
            found |= {str(one["id"]): None for one in answer.get(hidden) or ()}
        return found

    def _is_news(self, entry: Json, since: datetime) -> bool:
        """Whether it is on a record of our kind and was written or changed since then."""
        times = [at for told in ("createdAt", "updatedAt") if (at := moment(entry.get(told)))]
        return bool(entry.get(self.target.singular)) and any(at >= since - BACK for at in times)

    def fate(self, record_id: str) -> Gone:
        """What became of a record that `read` left out. Raises RetryLater where it is there after all."""
        if self.raw([record_id], {}):
            raise still_there("capsule", f"{self.target.singular} {record_id}")
        lately = self._deleted(self._clock() - LONG)
        if record_id in lately and lately[record_id] is None:
            return Gone(f"capsule {self.target.singular} {record_id} is out of our user's sight", code="restricted")
        return Gone(f"capsule {self.target.singular} {record_id} was deleted", code="deleted")

    def requesters(self, ids: Sequence[str]) -> dict[str, Requester]:
        """Each record's party."""
        return {one: _requester(item.get("party") or {}) for one, item in self.raw(ids, {"embed": "party"}).items()}

    def record(self, item: Json, fields: Sequence[str]) -> Record:
        """A record as Capsule shows it. What it does not mention is left out, not empty."""
        values: dict[str, Value] = {}
        for name in fields:
            if name.startswith(CUSTOM):
                if "fields" in item:
                    values[name] = _custom(item["fields"], name.removeprefix(CUSTOM))
            elif name == "tags":
                if "tags" in item:
                    values[name] = normal([one["name"] for one in item["tags"]])
            elif name == self.target.parent:
                step = item.get(self.target.step)
                values[name] = self._catalogue.parent_of(step) or None if step else None
            elif name in item:
                values[name] = self._member(name, item)
        return Record(str(item["id"]), values, version=moment(item.get("updatedAt")))

    def hinted(self, item: Json, fields: Sequence[str]) -> Record:
        """A record as a delivery tells it, without a call: what cannot be told so is left out."""
        unsure = {self.target.parent} | ({"owner"} if not self._catalogue.me_if_known else set())
        return self.record(item, [one for one in fields if one not in unsure])

    def _member(self, name: str, item: Json) -> Value:
        told = item[name]
        if name == self.target.step:
            return CLOSED if item.get("status") == CLOSED else normal(str(told["id"])) if told else None
        if name == "owner":
            return None if not told or str(told["id"]) == self._catalogue.me_if_known else str(told["id"])
        return normal(told["name"] if name == "team" and told else told if told is None else str(told))


def _custom(rows: Sequence[Json], name: str) -> Value:
    return next((native(one.get("value")) for one in rows if (one.get("definition") or {}).get("name") == name), None)


def _requester(party: Json) -> Requester:
    emails = [one.get("address") for one in party.get("emailAddresses") or () if one.get("address")]
    phones = [one.get("number") for one in party.get("phoneNumbers") or () if one.get("number")]
    name = (party.get("name"),) if party.get("name") else (party.get("firstName"), party.get("lastName"))
    return requester_of(next(iter(emails), None), name, next(iter(phones), None))
