"""The adapter of Memo: every call of the protocol in as few lines as it takes."""

from __future__ import annotations

import hmac
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from connector.adapters.base import (
    Capabilities,
    Change,
    ChangeKind,
    Check,
    Commented,
    Delivery,
    Event,
    EventKind,
    NewComment,
    Step,
    Sweep,
    Written,
    taken,
)
from connector.adapters.transport import Request, Response, Transport, retry_after
from connector.domain.errors import (
    BadDelivery,
    ConnectorError,
    Gone,
    NotSupported,
    Refused,
    RetryLater,
    UnknownOutcome,
)
from connector.domain.schema import FieldSchema, Option, Schema
from connector.domain.ticket import Comment, CommentKind, Person, Record, Requester, normal

from .crm import FIELDS, SECRET, sign

BATCH = 100


def sort(request: Request, response: Response) -> ConnectorError | None:
    """What Memo's refusals mean; those of single changes too."""
    told = response.maybe_json if isinstance(response.maybe_json, dict) else {}
    return meant(told, response.status, retry_after(response))


def meant(told: Mapping[str, Any], status: int, wait: float | None = None) -> ConnectorError | None:
    """The error that a status and a body stand for."""
    code = str(told.get("error") or f"http_{status}")
    if status == 429:
        return RetryLater("memo: too many calls", code="rate_limited", after=wait, system="memo")
    if status >= 500:
        return None
    if status == 409 or code == "conflict":
        return RetryLater("memo: changed meanwhile", code="conflict", scope="record", system="memo")
    if status == 404 or code == "no_such_ticket":
        return Gone("memo has no such ticket")
    return Refused(f"memo refuses: {code}", code=code, field=told.get("field"), status=status)


class MemoAdapter:
    """Memo as the engine sees it."""

    name, external_id = "memo", "external_id"
    capabilities = Capabilities(
        batch=BATCH,
        public_comments=True,
        dated_webhooks=True,
        batch_comments=True,
        lag=1.0,
        lists_comments=True,
        merges=True,
        checks_versions=True,
        lacks={"follow_ups": "needed by none: nothing is closed for good (docs)"},
    )

    def __init__(self, transport: Transport, *, clock: Callable[[], datetime]) -> None:
        self.transport = transport
        self.clock = clock
        self.answer = taken

    def ask(self, method: str, path: str, *, is_read: bool = False, **told: Any) -> Any:
        """One call; its JSON, which is an object with whatever it was asked for. A page is no answer."""
        wanted = told.pop("wanted", None)
        answer = self.transport.send(Request(method, path, path, repeatable=is_read, **told))
        if not isinstance(answer.json, dict) or (wanted and not isinstance(answer.json.get(wanted), list)):
            if answer.request is not None and answer.request.is_read:
                raise RetryLater("memo: not an answer", code="unreadable_answer", scope="record", system="memo")
            raise UnknownOutcome("memo: not an answer", code="unreadable_answer", answered=True, system="memo")
        return answer.json[wanted] if wanted else answer.json

    # -- webhooks

    def verify(self, delivery: Delivery, *, now: datetime) -> None:
        told, signature = delivery.headers.get("x-memo-time", ""), delivery.headers.get("x-memo-signature", "")
        moment = datetime.fromtimestamp(int(told), UTC) if told.isdecimal() and len(told) < 12 else None
        if moment is None or not hmac.compare_digest(sign(moment, delivery.body)["x-memo-signature"], signature):
            raise BadDelivery("memo: not signed by Memo", code="bad_signature")
        if abs((now - moment).total_seconds()) > 300:
            raise BadDelivery("memo: too old or too new", code="stale")

    def parse(self, delivery: Delivery) -> list[Event]:
        try:
            told = json.loads(delivery.body)
            if not isinstance(told, dict | list):
                raise TypeError
        except (ValueError, TypeError, RecursionError) as error:
            raise BadDelivery("memo: not JSON", code="unreadable") from error
        if not isinstance(told, dict) or told.get("event") != "ticket.changed":
            return [Event("unknown", EventKind.OTHER, "", "other")]
        return [Event("ticket.changed", EventKind.TICKET, str(told["ticket"]), f"{told['ticket']}@{told['at']}")]

    # -- records

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        found: dict[str, Record] = {}
        wanted = sorted({one for one in ids if one.isdecimal()})
        for start in range(0, len(wanted), BATCH):
            page = wanted[start : start + BATCH]
            told = self.ask("GET", "/tickets", query={"ids": ",".join(page)}, wanted="tickets")
            found |= {one["id"]: self.record(one) for one in told}
        return found

    def find(self, field: str, values: Sequence[str], fields: Sequence[str]) -> dict[str, list[Record]]:
        found = self.ask("GET", "/tickets", query={"field": field, "value": list(values)}, wanted="tickets")
        return {value: [self.record(one) for one in found if one["values"].get(field) == value] for value in values}

    def changes(self, since: datetime, fields: Sequence[str], after: str = "") -> Sweep:
        if after and "|" not in after:
            raise Refused("memo: no such page", code="bad_page")
        moment = since.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = self.ask("GET", "/tickets", query={"since": moment, "after": after})
        commented = [] if after else [Commented(one) for one in told["commented"]]
        return Sweep([self.record(one) for one in told["tickets"]], commented, after=told["after"])

    def fate(self, record_id: str) -> Gone:
        try:
            told = self.ask("GET", f"/tickets/{quote(record_id, safe='')}")
        except Gone as error:
            return error
        if not told["gone"]:
            raise RetryLater("memo: it is there", code="read_incomplete", scope="record", system="memo")
        return Gone("memo: gone", survivor=told["merged_into"] or None)

    def requesters(self, ids: Sequence[str]) -> dict[str, Requester]:
        told = self.ask("GET", "/tickets", query={"ids": ",".join(ids)}, wanted="tickets")
        return {one["id"]: Requester(one["email"] or None) for one in told}

    def record(self, told: Mapping[str, Any]) -> Record:
        values = {name: normal(value) for name, value in told["values"].items()}
        return Record(told["id"], values, datetime.fromisoformat(told["changed"]))

    # -- writing

    def write(self, changes: Sequence[Change]) -> list[Written]:
        outcomes = []
        for start in range(0, len(changes), BATCH):
            outcomes += self._write(changes[start : start + BATCH])
        return outcomes

    def _write(self, changes: Sequence[Change]) -> list[Written]:
        body = {"changes": [self.told(one) for one in changes]}
        try:
            told = {one["key"]: one for one in self.ask("POST", "/write", json=body, wanted="outcomes")}
        except ConnectorError as error:
            return [Written(one.key, error=error) for one in changes]
        return [self.outcome(one, told[one.key]) for one in changes]

    def told(self, change: Change) -> dict[str, Any]:
        version = change.version.isoformat(timespec="milliseconds").replace("+00:00", "Z") if change.version else None
        given = {"key": change.key, "id": change.record_id, "external_id": change.external_id, "version": version}
        return {**given, "values": dict(change.values), "email": change.requester.email or ""}

    def outcome(self, change: Change, told: Mapping[str, Any]) -> Written:
        if "error" in told:
            return Written(change.key, change.record_id or "", error=meant(told, 400))
        record = self.record(told["ticket"])
        return Written(change.key, record.id, record, created=told["created"])

    def probe_create(self, change: Change, *, sent_at: datetime) -> Record | None:
        found = self.find("external_id", [str(change.external_id)], ())[str(change.external_id)]
        return found[0] if found else None

    # -- comments

    def comments(self, ids: Sequence[str], *, since: datetime | None = None) -> dict[str, list[Comment]]:
        found: dict[str, list[Comment]] = defaultdict(list)
        for told in self.ask("GET", "/notes", query={"tickets": ",".join(ids)}, wanted="notes"):
            kind = CommentKind.REPLY if told["public"] else CommentKind.NOTE
            moment = datetime.fromisoformat(told["at"])
            found[told["ticket"]].append(Comment(told["id"], kind, told["text"], moment, author_id=told["key"]))
        return {one: found[one] for one in ids}

    def add_comments(self, comments: Sequence[NewComment]) -> list[Written]:
        outcomes, stopped = [], set()
        for one in comments:
            if one.ticket_id in stopped:
                held = RetryLater("an earlier comment is open", code="held_back", scope="record")
                outcomes.append(Written(one.key, error=held))
                continue
            outcomes.append(self._add(one))
            if outcomes[-1].error:
                stopped.add(one.ticket_id)
        return outcomes

    def _add(self, comment: NewComment) -> Written:
        is_public = comment.kind is not CommentKind.NOTE
        text = comment.text if is_public else f"{comment.author} wrote:\n{comment.text}"
        body = {"ticket": comment.ticket_id, "text": text, "public": is_public, "key": comment.key}
        try:
            return Written(comment.key, self.ask("POST", "/notes", json=body)["id"])
        except ConnectorError as error:
            return Written(comment.key, error=error)

    def recognise(
        self, comment: NewComment, timeline: Sequence[Comment], *, sent_at: datetime, taken: frozenset[str]
    ) -> str | None:
        """Memo keeps the effect's name, so nothing is guessed."""
        return next((one.id for one in timeline if one.author_id == comment.key and one.id not in taken), None)

    def tickets_of(self, comment_ids: Sequence[str]) -> dict[str, list[str]]:
        raise NotSupported("memo's events name the ticket", code="not_supported")

    # -- the account

    def people(self) -> list[Person]:
        told = self.ask("GET", "/people", wanted="people")
        return [Person(one["id"], one["email"].lower(), one["name"]) for one in told]

    def schema(self) -> Schema:
        self.ask("GET", "/set-up")
        options = {name: tuple(Option(one, one) for one in given) for name, given in FIELDS.items()}
        return Schema(tuple(FieldSchema(name, name, options=given) for name, given in options.items()))

    def ensure_schema(self, *, dry_run: bool) -> list[Step]:
        return [self._have("has_field", True, "our field", dry_run=dry_run)]

    def subscribe(self, url: str, *, dry_run: bool) -> list[Step]:
        return [self._have("hook", url, "the webhook", dry_run=dry_run)]

    def _have(self, key: str, wanted: Any, what: str, *, dry_run: bool) -> Step:
        told = self.ask("GET", "/set-up")
        if told[key] == wanted:
            return Step(what, "ok")
        if not dry_run:
            self.ask("PUT", "/set-up", json={**told, key: wanted})
        return Step(what, "would" if dry_run else "done")

    def check(self) -> list[Check]:
        try:
            told = self.ask("GET", "/set-up")
        except ConnectorError as error:
            return [Check("access", False, str(error), "look at the token")]
        return [Check("access", True), Check("our field", told["has_field"], advice="run connector setup")]


__all__ = ["SECRET", "ChangeKind", "MemoAdapter", "sort"]
