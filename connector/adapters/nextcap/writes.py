"""Writing to Next Cap: one call for each change, because it has no batches.

Nothing here is safe to repeat blindly but setting fields: Next Cap documents no idempotency key. After an unknown
outcome the engine looks (`Looks`) before it writes again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from connector.adapters.base import Change, ChangeKind, NewComment, Written
from connector.adapters.calls import lost
from connector.adapters.nextcap.answers import TICKET, TICKETS, Api, Raw, inner, pick, resource
from connector.adapters.nextcap.records import OBJECTS, actor_id, is_whole, record_of
from connector.adapters.times import moment
from connector.adapters.turns import add_in_order, one_by_one
from connector.domain.errors import Gone, NotSupported, Refused
from connector.domain.text import fingerprint
from connector.domain.ticket import Comment, CommentKind, Record, Value

LARGEST_METADATA: Final = 10 * 1024
ACTIONS: Final = {"closed": "close", "reopened": "reopen"}
"""The states that have an address of their own."""
TEXTS: Final = ("subject", "description")
CLOCK_SLACK: Final = timedelta(seconds=60)
PAGES_TO_PROBE: Final = 2
NEWEST_FIRST: Final = {"sort_by": "createdAt", "sort_order": "desc"}


class Writes:
    """Changes to tickets and new timeline entries."""

    def __init__(self, api: Api, *, web_url: str, widget_id: str | None, seat_id: str | None) -> None:
        self._api = api
        self._web_url = web_url
        self._widget_id = widget_id
        self.seat_id = seat_id
        """Who we are, learned from answers to our own entries where it was not configured."""
        self._by_kind: Mapping[ChangeKind, Callable[[Change], Written]] = {
            ChangeKind.CREATE: self._create,
            ChangeKind.UPDATE: self._update,
            ChangeKind.MOVE: self._move,
            ChangeKind.ASSIGN: self._assign,
            ChangeKind.TRANSFER: self._transfer,
        }

    def write(self, changes: Sequence[Change]) -> list[Written]:
        """One call each, in the given order, more where an object must be read first."""
        return one_by_one(self._write)(changes)

    def _write(self, change: Change) -> Written:
        return self._by_kind[change.kind](change)

    # -- fields

    def _update(self, change: Change) -> Written:
        ticket_id = _ticket_id(change)
        return self._patch(change, self._body(change.values, lambda: self._api.ticket(ticket_id)))

    def _patch(self, change: Change, body: Mapping[str, Any]) -> Written:
        return self._sent(change, "PATCH", TICKET, body)

    def _act(self, change: Change, action: str, body: Mapping[str, Any] | None = None) -> Written:
        return self._sent(change, "POST", f"{TICKET}/{action}", body)

    def _sent(self, change: Change, method: str, route: str, body: Mapping[str, Any] | None) -> Written:
        ticket_id = _ticket_id(change)
        try:
            raw = resource(self._api.write(method, route, ids={"id": ticket_id}, json=body), "ticket")
        except Refused as refusal:
            raise _in_our_names(refusal, change.values) from refusal
        return Written(change.key, ticket_id, record=self._record(raw) if str(pick(raw, "id")) == ticket_id else None)

    def _record(self, raw: Raw, *, whole: bool = False) -> Record:
        return record_of(raw, whole=whole or is_whole(raw), web_url=self._web_url)

    def _body(self, values: Mapping[str, Value], present: Callable[[], Raw]) -> dict[str, Any]:
        """Native values as JSON. Objects that are replaced whole are the present ones with our keys set."""
        body = {name: _as_json(name, value) for name, value in values.items() if "." not in name}
        for name in OBJECTS:
            if name in body:
                raise Refused(f"nextcap: {name} is written key by key", code="read_only", field=name)
        nested = {name: value for name, value in values.items() if "." in name}
        for name in nested:
            if name.partition(".")[0] not in OBJECTS:
                raise Refused(f"nextcap: {name} cannot be written", code="read_only", field=name)
        raw = present() if nested else {}
        for parent in OBJECTS:
            ours = {name.partition(".")[2]: value for name, value in nested.items() if name.startswith(f"{parent}.")}
            if ours:
                body[parent] = _merged(inner(raw, parent), ours, drops_empty=parent == "metadata")
        _check_size(body.get("metadata", {}))
        return body

    # -- status, assignee, department

    def _move(self, change: Change) -> Written:
        status = change.values["status"]
        action = ACTIONS.get(str(status))
        if action is None:
            return self._patch(change, {"status": status})
        try:
            return self._act(change, action)
        except Refused as refusal:
            if refusal.status == 403:
                return self._patch(change, {"status": status})
            if refusal.status not in (400, 415) or refusal.code == "illegal_move":
                raise
        return self._act(change, action, {})

    def _assign(self, change: Change) -> Written:
        assignee = change.values["assigned_agent_id"]
        if assignee is not None:
            return self._act(change, "assign", {"agent_id": assignee})
        try:
            return self._patch(change, {"assigned_agent_id": None})
        except Refused as refusal:
            if refusal.status != 400:
                raise
            told = f"Next Cap does not take an assignee away: {refusal}"
            raise Refused(told, code="unassign_refused", field="assigned_agent_id", status=400) from refusal

    def _transfer(self, change: Change) -> Written:
        department = change.values["department_id"]
        if department is None:
            return self._patch(change, {"department_id": None})
        return self._act(change, "transfer", {"department_id": department, "unassign": False})

    # -- new tickets

    def _create(self, change: Change) -> Written:
        body = self._body(change.values, dict)
        body["metadata"] = {**body.get("metadata", {}), **change.metadata}
        _check_size(body["metadata"])
        body |= {f"customer_{part}": value for part, value in _requester(change).items()}
        if self._widget_id:
            body["widget_id"] = self._widget_id
        try:
            answer = self._api.write("POST", TICKETS, json=body, effect=change.key)
        except Refused as refusal:
            if refusal.status in (404, 405):
                told = "Next Cap's CRM key cannot create tickets in this organisation"
                raise NotSupported(told, code="create_unsupported") from refusal
            raise _in_our_names(refusal, change.values) from refusal
        raw = resource(answer, "ticket")
        ticket_id = str(pick(raw, "id", "ticket_id") or "")
        if not ticket_id:
            raise lost("nextcap", f"the answer to POST {TICKETS} names no ticket")
        return Written(change.key, ticket_id, record=self._record(raw))

    def probe_create(self, change: Change, *, sent_at: datetime) -> Record | None:
        """The newest ticket that carries all of the change's metadata, among those made since shortly before."""
        if not change.metadata:
            raise NotSupported("without metadata a created ticket cannot be recognised", code="no_reference")
        for number, page in enumerate(self._api.pages(TICKETS, "tickets", query=NEWEST_FIRST), start=1):
            for item in page:
                created = moment(pick(item, "created_at"))
                if created is not None and created < sent_at - CLOCK_SLACK:
                    return None
                if record := self._if_ours(item, change.metadata):
                    return record
            if number == PAGES_TO_PROBE:
                return None
        return None

    def _if_ours(self, item: Raw, metadata: Mapping[str, str]) -> Record | None:
        raw = item if isinstance(pick(item, "metadata"), Mapping) else self._api.ticket(str(pick(item, "id")))
        found = inner(raw, "metadata")
        if any(str(found.get(name)) != value for name, value in metadata.items()):
            return None
        return self._record(raw, whole=raw is not item)

    # -- comments

    def add_comments(self, comments: Sequence[NewComment]) -> list[Written]:
        """One call each, in order; after one that did not succeed, its ticket's later ones are not tried."""
        return add_in_order(comments, one_by_one(self._add))

    def _add(self, comment: NewComment) -> Written:
        if comment.kind is CommentKind.CUSTOMER_REPLY:
            raise NotSupported("Next Cap takes no customer's reply from a CRM", code="customer_reply")
        is_note = comment.kind is CommentKind.NOTE
        action = "notes" if is_note else "reply"
        body: dict[str, Any] = {"content": comment.text, **({"is_internal": True} if is_note else {})}
        route, word = f"{TICKET}/{action}", action.rstrip("s")
        answer = self._api.write("POST", route, ids={"id": comment.ticket_id}, json=body, effect=comment.key)
        raw = resource(answer, "event", word)
        entry = pick(raw, "event_id", "id", f"{word}_id")
        self.seat_id = self.seat_id or (actor_id(raw) if entry else None)
        if not entry:
            raise lost("nextcap", f"the answer to POST {route} names no entry")
        return Written(comment.key, str(entry))

    def recognise(
        self, comment: NewComment, timeline: Sequence[Comment], *, sent_at: datetime, taken: frozenset[str]
    ) -> str | None:
        """The oldest entry with the same words, of the same kind, not made before it was sent.

        One by our own seat goes first. Another's is taken too: to say the same words again would help nobody.
        """
        wanted, earliest = fingerprint(comment.text), sent_at - CLOCK_SLACK
        candidates = [
            entry
            for entry in timeline
            if entry.id not in taken
            and entry.kind is comment.kind
            and entry.created_at >= earliest
            and wanted in (fingerprint(entry.text), fingerprint(entry.html or ""))
        ]
        candidates.sort(key=lambda entry: (entry.author_id != self.seat_id, entry.created_at, entry.id))
        return candidates[0].id if candidates else None


def _ticket_id(change: Change) -> str:
    if change.record_id is None:
        raise Refused(f"nextcap: a {change.kind} without a ticket", code="no_record_id")
    return change.record_id


def _as_json(name: str, value: Value) -> Any:
    if name == "tags":
        return [] if value is None else list(value) if isinstance(value, tuple) else [str(value)]
    if value is None and name in TEXTS:
        return ""
    return list(value) if isinstance(value, tuple) else value


def _merged(present: Raw, ours: Mapping[str, Value], *, drops_empty: bool) -> dict[str, Any]:
    merged = {**present, **{key: _as_json(key, value) for key, value in ours.items()}}
    return {key: value for key, value in merged.items() if not (drops_empty and key in ours and value is None)}


def _check_size(metadata: Mapping[str, Any]) -> None:
    size = len(json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode())
    if size > LARGEST_METADATA:
        told = f"nextcap: the ticket's metadata would have {size} bytes, more than {LARGEST_METADATA}"
        raise Refused(told, code="metadata_too_large", field="metadata")


def _requester(change: Change) -> dict[str, str]:
    """The documented ways to name the customer; a phone number only where it is the one way to reach them."""
    who = change.requester
    parts = {"email": who.email, "name": who.name, "phone": None if who.email else who.phone}
    return {part: value for part, value in parts.items() if value}


def _in_our_names(refusal: Refused, values: Mapping[str, Value]) -> Refused:
    """A refusal of an object, or of an address's own field name, told as the field that we wanted to write."""
    named = [name for name in values if name.partition(".")[0] == refusal.field]
    if isinstance(refusal, Gone) or refusal.field in values or not (named or refusal.field == "agent_id"):
        return refusal
    field = named[0] if len(named) == 1 else refusal.field if named else "assigned_agent_id"
    return Refused(str(refusal), code=refusal.code, field=field, status=refusal.status)
