"""A ticket's timeline: HubSpot's notes read as comments, and comments of Next Cap written as notes."""

from __future__ import annotations

import hashlib
import html
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from connector.adapters.base import Json, NewComment, Written
from connector.adapters.hubspot.api import BATCH, Api, chunks
from connector.adapters.hubspot.records import moment
from connector.domain.errors import ConnectorError, Gone, Refused, RetryLater, UnknownOutcome
from connector.domain.text import html_to_text, text_to_html
from connector.domain.ticket import Attachment, Comment, CommentKind, Person

NOTES: Final = "/crm/objects/{objects}/notes"
NOTE_TO_TICKET: Final = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 228}
AUTHORS: Final = ("hubspot_owner_id", "hs_created_by_user_id", "hs_created_by")
PROPERTIES: Final = ("hs_note_body", "hs_timestamp", "hs_createdate", "hs_attachment_ids", *AUTHORS)
LONGEST_BODY: Final = 65_536
MARKER = re.compile(r"ncref-[0-9a-f]{16}")
CUT_REMARK: Final = "<p><em>The rest of this text is too long for HubSpot: read it in Next Cap.</em></p>"
NO_ROUTE: Final = frozenset({404, 405})


def marker(key: str) -> str:
    """The word that a note of ours carries, made from its effect's key: it stays in `Comment.text` when read back."""
    return f"ncref-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


class Notes:
    """Notes of tickets. `author` finds a person by owner or user id; `clock` dates a comment that has no time."""

    def __init__(self, api: Api, author: Callable[[str], Person | None], clock: Callable[[], datetime]) -> None:
        self._api = api
        self._author = author
        self._clock = clock

    def comments(
        self,
        ids: Sequence[str],
        *,
        since: datetime | None = None,  # noqa: ARG002 - people may set a note's time to the past
    ) -> dict[str, list[Comment]]:
        """All notes of these tickets, oldest first."""
        linked = self._api.linked("tickets", "notes", ids)
        shown = self._read([one for notes in linked.values() for one in notes])
        read = {str(item["id"]): self._comment(item) for item in shown}
        timelines = {ticket: [read[one] for one in notes if one in read] for ticket, notes in linked.items()}
        return {one: sorted(each, key=lambda note: (note.created_at, note.id)) for one, each in timelines.items()}

    def tickets_of(self, comment_ids: Sequence[str]) -> dict[str, list[str]]:
        """The tickets that each note is on; none while HubSpot has not linked a new note yet."""
        return self._api.linked("notes", "tickets", comment_ids)

    def add(self, comments: Sequence[NewComment]) -> list[Written]:
        """One note for each; HubSpot shows them in the order of their own times.

        After one that failed, the later ones of its ticket are held back, unless they were in the same call.
        """
        outcomes: list[Written] = []
        stopped: set[str] = set()
        for chunk in chunks(comments, BATCH):
            made = self._make([one for one in chunk if one.ticket_id not in stopped])
            for one in chunk:
                outcomes.append(made.get(one.key) or Written(one.key, error=_held_back()))
                if outcomes[-1].error is not None:
                    stopped.add(one.ticket_id)
        return outcomes

    def _make(self, comments: Sequence[NewComment]) -> dict[str, Written]:
        inputs = {one.key: self._input(one) for one in comments}
        keys = {marker(one): one for one in inputs}
        if len(inputs) < 2:
            return {key: self._make_one(key, note) for key, note in inputs.items()}
        outcomes = self._api.batch_write(
            f"{NOTES}/batch/create",
            inputs,
            lambda item: next((keys.get(one) for one in MARKER.findall(_body(item))), None),
        )
        return {
            key: self._make_one(key, inputs[key]) if _has_no_route(outcome) else _written(key, outcome)
            for key, outcome in outcomes.items()
        }

    def _make_one(self, key: str, note: Json) -> Written:
        try:
            return _written(key, self._api.send("POST", NOTES, json=note).json)
        except (RetryLater, Refused, UnknownOutcome) as error:
            return _written(key, error)

    def _input(self, comment: NewComment) -> Json:
        at = (comment.created_at or self._clock()).astimezone(UTC)
        told = {"hs_timestamp": at.isoformat(timespec="milliseconds"), "hs_note_body": note_body(comment)}
        return {"properties": told, "associations": [{"to": {"id": comment.ticket_id}, "types": [NOTE_TO_TICKET]}]}

    def _read(self, ids: Sequence[str]) -> list[Json]:
        return self._api.batch_read("notes", ids, PROPERTIES) if ids else []

    def _comment(self, item: Json) -> Comment:
        shown: Mapping[str, str | None] = item.get("properties") or {}
        author = next((one for name in AUTHORS if (told := shown.get(name)) and (one := self._author(told))), None)
        times = (shown.get("hs_timestamp"), shown.get("hs_createdate"), item.get("createdAt"))
        files = filter(None, (shown.get("hs_attachment_ids") or "").split(";"))
        return Comment(
            id=str(item["id"]),
            kind=CommentKind.NOTE,
            text=html_to_text(_body(item)),
            created_at=next((at for told in times if told and (at := moment(told))), datetime.fromtimestamp(0, UTC)),
            author_id=author.id if author else shown.get("hubspot_owner_id"),
            author_name=(author.name or author.email or "") if author else "",
            html=_body(item) or None,
            attachments=tuple(Attachment(one, f"hubspot-file-{one}") for one in files),
        )


def recognise(
    comment: NewComment,
    timeline: Sequence[Comment],
    *,
    sent_at: datetime,  # noqa: ARG001 - the marker is of this very comment
    taken: frozenset[str],
) -> str | None:
    """The entry that carries this comment's marker and is none of `taken`."""
    wanted = marker(comment.key)
    return next((one.id for one in timeline if one.id not in taken and wanted in f"{one.html} {one.text}"), None)


def note_body(comment: NewComment) -> str:
    """Who wrote it, the text as safe HTML, and the marker; cut at a paragraph where HubSpot's limit demands it."""
    author, ticket = comment.author, f" ({comment.ticket_number})" if comment.ticket_number else ""
    headings = {
        CommentKind.REPLY: f"{author or 'An agent'} replied in Next Cap",
        CommentKind.CUSTOMER_REPLY: f"{f'Customer {author}' if author else 'The customer'} wrote in Next Cap",
        CommentKind.NOTE: f"Internal note{f' by {author}' if author else ''} in Next Cap",
    }
    names = ", ".join(one.name for one in comment.attachments)
    head = f"<p><strong>{html.escape(headings[comment.kind] + ticket)}</strong></p>"
    files = f"<p>Files in Next Cap: {html.escape(names)}</p>" if names else ""
    tail = f"{files}<p><small>Reference {marker(comment.key)}</small></p>"
    text = text_to_html(comment.text)
    if _size(head + text + tail) > LONGEST_BODY:
        text = _cut(comment.text, LONGEST_BODY - _size(head + CUT_REMARK + tail)) + CUT_REMARK
    return head + text + tail


def _cut(text: str, room: int) -> str:
    """The HTML of as much of a text as fits, ended at a paragraph, a line or a word."""
    longest = bisect_right(range(len(text)), room, key=lambda length: _size(text_to_html(text[:length]))) - 1
    for boundary in ("\n\n", "\n", " "):
        if (end := text.rfind(boundary, longest // 2, longest)) > 0:
            return text_to_html(text[:end])
    return text_to_html(text[:longest])


def _size(markup: str) -> int:
    """Characters as HubSpot's servers count them: an emoji is two."""
    return len(markup.encode("utf-16-le", "surrogatepass")) // 2


def _body(item: Json) -> str:
    return str((item.get("properties") or {}).get("hs_note_body") or "")


def _written(key: str, outcome: Json | ConnectorError) -> Written:
    if isinstance(outcome, ConnectorError):
        return Written(key, error=outcome)
    return Written(key, id=str(outcome["id"]))


def _has_no_route(outcome: Json | ConnectorError) -> bool:
    """Whether the account's API version has no batch of notes, as opposed to no such ticket."""
    return isinstance(outcome, Refused) and not isinstance(outcome, Gone) and outcome.status in NO_ROUTE


def _held_back() -> RetryLater:
    return RetryLater("an earlier comment of this ticket is open", code="held_back", scope="record", system="hubspot")
