"""A ticket's timeline: HubSpot's notes read as comments, and comments of Next Cap written as notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from connector.adapters.base import Json, NewComment, Written
from connector.adapters.entries import MARKER, files_named, heading, html_entry, in_order, marker, recognise, reference
from connector.adapters.hubspot.api import BATCH, Api
from connector.adapters.people import shown_name
from connector.adapters.times import first_of, iso
from connector.adapters.turns import add_in_order, one_by_one, written_of
from connector.domain.errors import Refused
from connector.domain.text import html_to_text
from connector.domain.ticket import Attachment, Comment, CommentKind, Person

NOTES: Final = "/crm/objects/{objects}/notes"
NOTE_TO_TICKET: Final = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 228}
AUTHORS: Final = {"hubspot_owner_id": "", "hs_created_by_user_id": "user ", "hs_created_by": "user "}
"""What holds an owner's id, and a user's."""

PROPERTIES: Final = ("hs_note_body", "hs_timestamp", "hs_createdate", "hs_attachment_ids", *AUTHORS)
LONGEST_BODY: Final = 65_536


class Comments:
    """Notes of tickets. `author` finds a person; `clock` dates a comment that has no time."""

    recognise = staticmethod(recognise)

    def __init__(self, api: Api, author: Callable[[str], Person | None], clock: Callable[[], datetime]) -> None:
        self._api, self._author, self._clock = api, author, clock

    def comments(self, ids: Sequence[str], *, since: datetime | None = None) -> dict[str, list[Comment]]:  # noqa: ARG002
        """All notes of these tickets, oldest first. `since` cannot serve: people may set a note's time to the past."""
        linked = self._api.linked("tickets", "notes", ids)
        shown = self._api.batch_read("notes", [one for notes in linked.values() for one in notes], PROPERTIES)
        read = {str(item["id"]): self._comment(item) for item in shown}
        timelines = {ticket: [read[one] for one in notes if one in read] for ticket, notes in linked.items()}
        return {one: in_order(each) for one, each in timelines.items()}

    def tickets_of(self, comment_ids: Sequence[str]) -> dict[str, list[str]]:
        """The tickets that each note is on; none while HubSpot has not linked a new note yet."""
        return self._api.linked("notes", "tickets", comment_ids)

    def add_comments(self, comments: Sequence[NewComment]) -> list[Written]:
        """One note for each; HubSpot shows them in the order of their own times, so a ticket's may share a call."""
        return add_in_order(comments, self._make, size=BATCH, together=True)

    def _make(self, comments: Sequence[NewComment]) -> list[Written]:
        """All in one call. Refused ones are sent alone: an account's API may have no batch of notes."""
        if len(comments) == 1:
            return one_by_one(self._make_one)(comments)
        inputs, keys = {one.key: self._input(one) for one in comments}, {marker(one.key): one.key for one in comments}
        outcomes = self._api.batch_write(
            f"{NOTES}/batch/create", inputs, lambda made: next(map(keys.get, MARKER.findall(_body(made))), None)
        )
        alone = [one for one in comments if isinstance(outcomes[one.key], Refused)]
        made = [written_of(one.key, outcomes[one.key]) for one in comments if one not in alone]
        return made + one_by_one(self._make_one)(alone)

    def _make_one(self, comment: NewComment) -> Written:
        return written_of(comment.key, self._api.send("POST", NOTES, json=self._input(comment)).json)

    def _input(self, comment: NewComment) -> Json:
        at = iso(comment.created_at or self._clock(), timespec="milliseconds")
        told = {"hs_timestamp": at, "hs_note_body": note_body(comment)}
        return {"properties": told, "associations": [{"to": {"id": comment.ticket_id}, "types": [NOTE_TO_TICKET]}]}

    def _comment(self, item: Json) -> Comment:
        shown: Mapping[str, str | None] = item.get("properties") or {}
        ids = [f"{kind}{told}" for name, kind in AUTHORS.items() if (told := shown.get(name))]
        author = next((one for told in ids if (one := self._author(told))), None)
        times = (shown.get("hs_timestamp"), shown.get("hs_createdate"), item.get("createdAt"))
        files = filter(None, (shown.get("hs_attachment_ids") or "").split(";"))
        return Comment(
            id=str(item["id"]),
            kind=CommentKind.NOTE,
            text=html_to_text(_body(item)),
            created_at=first_of(times),
            author_id=author.id if author else shown.get("hubspot_owner_id"),
            author_name=shown_name(author),
            html=_body(item) or None,
            attachments=tuple(Attachment(one, f"hubspot-file-{one}") for one in files),
        )


def note_body(comment: NewComment) -> str:
    """Who wrote it, the text as safe HTML, and the marker; cut where HubSpot's limit demands it."""
    tail = [files_named(comment), reference(comment)]
    return html_entry(comment, head=heading(comment), tail=tail, longest=LONGEST_BODY, system="HubSpot", size=_size)


def _size(markup: str) -> int:
    """Characters as HubSpot's servers count them: an emoji is two."""
    return len(markup.encode("utf-16-le", "surrogatepass")) // 2


def _body(item: Json) -> str:
    return str((item.get("properties") or {}).get("hs_note_body") or "")
