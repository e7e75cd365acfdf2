"""Reading tickets: by id, by value, what changed, and what became of one that is no longer shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from connector.adapters.base import Commented, Json, Sweep
from connector.adapters.calls import bad_place, still_there
from connector.adapters.people import requester_of
from connector.adapters.times import moment
from connector.adapters.zendesk.api import Api, items_of
from connector.adapters.zendesk.schema import CLOSED, CUSTOM, OUR_ID, Catalogue
from connector.domain.errors import Gone, NotSupported
from connector.domain.ticket import Record, Requester

SHOW: Final = "/tickets/show_many"
EXPORT: Final = "/incremental/tickets/cursor"
EVENTS: Final = "/incremental/ticket_events"
YOUNGEST: Final = 61
"""Seconds: an export refuses to begin later than a minute ago."""
REMEMBERED: Final = 20_000
MERGED: Final = "closed_by_merge"
"""The tag that Zendesk gives a ticket when it merges it into another. People can copy it, and follow-ups inherit it."""
NUMBER: Final = re.compile(r"#(\d+)")
QUOTES: Final = re.compile(r"[\s\"\\]+")
WORDS: Final = {"type": "ticket_type", "group_id": "group", "assignee_id": "assignee"}
SEARCHED: Final = frozenset({"subject", "status", "priority", *WORDS})
"""The fields that a search can name, beside custom ones."""


class Records:
    """Tickets as records. Who asked for a ticket, and what one was merged into, is remembered."""

    def __init__(self, api: Api, catalogue: Catalogue, clock: Callable[[], datetime]) -> None:
        self._api = api
        self._clock = clock
        self._catalogue = catalogue
        self._requesters: dict[str, str] = {}
        self._survivors: dict[str, str] = {}

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """The tickets by id; deleted, merged and unknown ones are left out."""
        wanted = [one for one in dict.fromkeys(ids) if one.isdecimal() and one.isascii()]
        shown = [one for one in self._api.shown(SHOW, "tickets", wanted) if str(one["id"]) in wanted]
        return {str(one["id"]): self.record(one, fields) for one in shown if not self._is_gone(one)}

    def find(self, field: str, values: Sequence[str], fields: Sequence[str]) -> dict[str, list[Record]]:
        """The tickets whose field has one of the values: by external id from a list that is never late, else searched.

        A search is late, so what it finds is read; what was made just now it does not find.
        """
        return {value: list(self._found(field, value, {*fields, field})) for value in values}

    def _found(self, field: str, value: str, fields: set[str]) -> Iterator[Record]:
        names = sorted(fields)
        if field == OUR_ID:
            listed = self._api.listed("/tickets", "tickets", query={OUR_ID: value})
            found = [self.record(one, names) for one in listed if not self._is_gone(one)]
        elif field in SEARCHED or field.startswith(CUSTOM):
            word = WORDS.get(field, field.replace(CUSTOM, "custom_field_"))
            query = f'type:ticket {word}:"{QUOTES.sub(" ", value)}"'
            hits = items_of(self._api.send("GET", "/search", query={"query": query}).json, "results")
            found = list(self.read([str(one["id"]) for one in hits], names).values())
        else:
            raise NotSupported(f"zendesk finds no ticket by {field}", code="not_supported")
        yield from (one for one in found if one.get(field) == self._catalogue.native(field, value))

    def follow_ups(self, record_id: str, fields: Sequence[str]) -> list[Record]:
        """The tickets that follow this closed one. Raises Gone where it is not there."""
        source = self._api.send("GET", "/tickets/:ticket", ids={"ticket": record_id}).json["ticket"]
        ids = [str(one) for one in source.get("followup_ids") or ()]
        return list(self.read(ids, fields).values())

    def fate(self, record_id: str) -> Gone:
        """What became of a ticket that `read` left out. Raises RetryLater where it is there after all."""
        found = self._api.found("/tickets/:ticket", ids={"ticket": record_id})
        if found is None:
            return Gone(f"zendesk ticket {record_id} is deleted or out of the user's sight")
        if not self._is_gone(found["ticket"]):
            raise still_there("zendesk", f"ticket {record_id}")
        survivor = self._survivors.get(record_id)
        return Gone(f"zendesk ticket {record_id} is over: {survivor or 'deleted'}", survivor=survivor)

    def requesters(self, ids: Sequence[str]) -> dict[str, Requester]:
        """The users who asked for these tickets."""
        if missing := [one for one in ids if one not in self._requesters]:
            self.read(missing, ())
        asked = {one: self._requesters[one] for one in ids if one in self._requesters}
        users = self._api.shown("/users/show_many", "users", sorted(set(asked.values())))
        people = {str(one["id"]): requester_of(one.get("email"), one.get("name"), one.get("phone")) for one in users}
        return {ticket: people[user] for ticket, user in asked.items() if user in people}

    def requester_id(self, ticket_id: str) -> str:
        """The user who asked for this ticket; empty where it is not there."""
        if ticket_id not in self._requesters:
            self.read([ticket_id], ())
        return self._requesters.get(ticket_id, "")

    def changes(self, since: datetime, fields: Sequence[str], after: str = "") -> Sweep:
        """One page of changed tickets, by cursor; then one of the comments made since, by their ticket.

        Deleted tickets are among them. The newest minute is left out.
        """
        kind, _, place = (after or "tickets ").partition(" ")
        start = min(int(since.timestamp()), int(self._clock().timestamp()) - YOUNGEST)
        if kind == "comments":
            return self._commented(int(place) if place.isdecimal() else start)
        if kind != "tickets":
            raise bad_place("zendesk", after)
        query = {"cursor": place} if place else {"start_time": str(start)}
        answer = self._api.send("GET", EXPORT, query=query, bucket="exports").json
        items = items_of(answer, "tickets")
        gone = [str(one["id"]) for one in items if self._is_gone(one)]
        ends = bool(answer.get("end_of_stream")) or not answer.get("after_cursor")
        going_on = f"comments {start}" if ends else f"tickets {answer['after_cursor']}"
        here = [self.record(one, fields) for one in items if str(one["id"]) not in gone]
        return Sweep(here, gone=gone, after=going_on)

    def _commented(self, start: int) -> Sweep:
        query = {"start_time": str(start), "include": "comment_events"}
        answer = self._api.send("GET", EVENTS, query=query, bucket="exports").json
        pairs = [
            Commented(str(one["ticket_id"]), str(child["id"]))
            for one in items_of(answer, "ticket_events")
            for child in _added(one.get("child_events") or ())
        ]
        end = int(answer.get("end_time") or 0)
        goes_on = not answer.get("end_of_stream", True) and end > start
        return Sweep(commented=pairs, after=f"comments {end}" if goes_on else "")

    def record(self, item: Json, fields: Sequence[str]) -> Record:
        """A ticket as Zendesk shows it; a field that it does not show is left out. Makes no call."""
        custom = {f"{CUSTOM}{one['id']}": one.get("value") for one in item.get("custom_fields") or ()}
        over = {"custom_status_id": CLOSED.value} if item.get("status") == CLOSED.value else {}
        ticket_id, shown = str(item["id"]), {**item, **custom, **over}
        told = [name for name in fields if name in shown or name.startswith(CUSTOM)]
        values = {name: self._catalogue.native(name, shown.get(name)) for name in told}
        if item.get("requester_id"):
            if len(self._requesters) > REMEMBERED:
                self._requesters.clear()
            self._requesters[ticket_id] = str(item["requester_id"])
        return Record(ticket_id, values, version=moment(item.get("updated_at")), number=ticket_id)

    def _is_gone(self, item: Json) -> bool:
        """Whether a ticket that is shown is over: deleted, or merged into another, as far as that can be found out."""
        if item.get("status") == "deleted":
            return True
        ticket_id = str(item["id"])
        if MERGED in (item.get("tags") or ()) and item.get("status") == "closed":
            if ticket_id not in self._survivors:
                pages = self._api.pages("/tickets/:ticket/audits", "audits", ids={"ticket": ticket_id})
                told = [_merged_into(one) for page in pages for one in page["audits"]]
                self._survivors[ticket_id] = next((one for one in reversed(told) if one not in ("", ticket_id)), "")
            return bool(self._survivors[ticket_id])
        return False


def _added(children: Sequence[Json]) -> list[Json]:
    """The comments among the parts of one event; the comment that comes with a new ticket is its description."""
    kinds = [str(one.get("event_type") or one.get("type")) for one in children]
    return [] if "Create" in kinds else [one for one, kind in zip(children, kinds, strict=True) if kind == "Comment"]


def _merged_into(audit: Json) -> str:
    """The ticket that an audit tells this one was merged into: by its `via`, else by the number in its comment."""
    source = (audit.get("via") or {}).get("source") or {}
    if source.get("rel") == "merge" and (told := (source.get("to") or {}).get("ticket_id")):
        return str(told)
    events = audit.get("events") or ()
    tagged = any(one.get("field_name") == "tags" and MERGED in str(one.get("value")) for one in events)
    words = " ".join(str(one.get("body")) for one in events if one.get("type") == "Comment")
    named = NUMBER.search(words) if tagged or source.get("rel") == "merge" or "merged into" in words else None
    return named[1] if named else ""
