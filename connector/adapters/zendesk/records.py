"""Reading tickets: by id, by value, what changed, and what became of one that is no longer shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from connector.adapters.base import Commented, Json, Sweep
from connector.adapters.zendesk.api import BATCH, Api, chunks
from connector.adapters.zendesk.schema import CUSTOM, OUR_ID, Catalogue
from connector.domain.errors import Gone, NotSupported, Refused, RetryLater
from connector.domain.ticket import Record, Requester, Value

EXPORT: Final = "/incremental/tickets/cursor"
EVENTS: Final = "/incremental/ticket_events"
YOUNGEST: Final = 61
"""Seconds: an export refuses to begin later than a minute ago."""
REMEMBERED: Final = 20_000


class Records:
    """Tickets as records. Who asked for a ticket is remembered from every reading."""

    def __init__(self, api: Api, catalogue: Catalogue, clock: Callable[[], datetime]) -> None:
        self._api = api
        self._clock = clock
        self._catalogue = catalogue
        self._requesters: dict[str, str] = {}

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """The tickets by id; deleted and unknown ones are left out."""
        wanted = [one for one in dict.fromkeys(ids) if one.isdecimal() and one.isascii()]
        found: dict[str, Record] = {}
        for chunk in chunks(wanted, BATCH):
            answer = self._api.send("GET", "/tickets/show_many", query={"ids": ",".join(chunk)}).json
            for item in _listed(answer, "tickets"):
                if str(item["id"]) in chunk and item.get("status") != "deleted":
                    found[str(item["id"])] = self.record(item, fields)
        return found

    def find(self, field: str, values: Sequence[str], fields: Sequence[str]) -> dict[str, list[Record]]:
        """The tickets whose external id is one of the values: the one field that Zendesk lists without delay."""
        if field != OUR_ID:
            told = f"zendesk lists tickets by {OUR_ID} only; its search is late, so it cannot tell that there is none"
            raise NotSupported(told, code="not_supported")
        found: dict[str, list[Record]] = {}
        for value in values:
            items = self._api.listed("/tickets", "tickets", query={OUR_ID: value})
            found[value] = [self.record(one, fields) for one in items if one.get(OUR_ID) == value]
        return found

    def follow_ups(self, record_id: str, fields: Sequence[str]) -> list[Record]:
        """The tickets that follow this closed one. Raises Gone where it is not there."""
        source = self._api.send("GET", "/tickets/:ticket", ids={"ticket": record_id}).json["ticket"]
        ids = [str(one) for one in source.get("followup_ids") or ()]
        return list(self.read(ids, fields).values()) if ids else []

    def fate(self, record_id: str) -> Gone:
        """What became of a ticket that `read` left out. Raises RetryLater where it is there after all."""
        try:
            self._api.send("GET", "/tickets/:ticket", ids={"ticket": record_id})
        except Gone:
            return Gone(f"zendesk ticket {record_id} is deleted or out of the user's sight")
        told = f"zendesk ticket {record_id} is there, although a read left it out"
        raise RetryLater(told, code="read_incomplete", scope="record", system="zendesk")

    def requesters(self, ids: Sequence[str]) -> dict[str, Requester]:
        """The users who asked for these tickets."""
        asked = {one: self._requesters[one] for one in ids if one in self._requesters}
        if missing := [one for one in ids if one not in asked]:
            self.read(missing, ())
            asked |= {one: self._requesters[one] for one in missing if one in self._requesters}
        people: dict[str, Requester] = {}
        for chunk in chunks(sorted(set(asked.values())), BATCH):
            answer = self._api.send("GET", "/users/show_many", query={"ids": ",".join(chunk)}).json
            people |= {str(one["id"]): _requester(one) for one in _listed(answer, "users")}
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
            raise Refused(f"zendesk: {after!r} is no place in a sweep", code="bad_place")
        query = {"cursor": place} if place else {"start_time": str(start)}
        answer = self._api.send("GET", EXPORT, query=query, bucket="exports").json
        items = _listed(answer, "tickets")
        gone = [str(one["id"]) for one in items if one.get("status") == "deleted"]
        ends = bool(answer.get("end_of_stream")) or not answer.get("after_cursor")
        going_on = f"comments {start}" if ends else f"tickets {answer['after_cursor']}"
        here = [self.record(one, fields) for one in items if str(one["id"]) not in gone]
        return Sweep(here, gone=gone, after=going_on)

    def _commented(self, start: int) -> Sweep:
        query = {"start_time": str(start), "include": "comment_events"}
        answer = self._api.send("GET", EVENTS, query=query, bucket="exports").json
        pairs = [
            Commented(str(one["ticket_id"]), str(child["id"]))
            for one in _listed(answer, "ticket_events")
            for child in one.get("child_events") or ()
            if str(child.get("event_type") or child.get("type")) == "Comment"
        ]
        end = int(answer.get("end_time") or 0)
        goes_on = not answer.get("end_of_stream", True) and end > start
        return Sweep(commented=pairs, after=f"comments {end}" if goes_on else "")

    def record(self, item: Json, fields: Sequence[str]) -> Record:
        """A ticket as Zendesk shows it; a field that it does not show is left out. Makes no call."""
        custom = {f"{CUSTOM}{one['id']}": one.get("value") for one in item.get("custom_fields") or ()}
        ticket_id, values = str(item["id"]), dict[str, Value]()
        for name in fields:
            if name in item or name in custom or name.startswith(CUSTOM):
                values[name] = self._catalogue.native(name, custom.get(name) if name.startswith(CUSTOM) else item[name])
        if item.get("requester_id"):
            if len(self._requesters) > REMEMBERED:
                self._requesters.clear()
            self._requesters[ticket_id] = str(item["requester_id"])
        return Record(ticket_id, values, version=moment(item.get("updated_at")), number=ticket_id)


def moment(told: object) -> datetime | None:
    """A time as Zendesk writes it; None where it cannot be read."""
    try:
        read = datetime.fromisoformat(str(told))
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _listed(answer: Json, name: str) -> list[Json]:
    if not isinstance(answer, dict) or not isinstance(answer.get(name), list):
        raise RetryLater(f"zendesk: the answer has no {name}", code="unreadable_answer", scope="record")
    return list(answer[name])


def _requester(told: Json) -> Requester:
    email = str(told.get("email") or "").strip().lower()
    return Requester(email=email or None, name=told.get("name") or None, phone=told.get("phone") or None)
