"""A record's timeline: Capsule's entries read as comments, and comments of Next Cap written as notes.

Capsule has no public entries, so all that is read is internal. Content is Markdown.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from connector.adapters.base import Json, NewComment, Written
from connector.adapters.capsule.api import ID, Api, Target
from connector.adapters.capsule.refusals import UNPROCESSABLE
from connector.adapters.entries import files_named, heading, recognise, reference
from connector.adapters.times import first_of, iso
from connector.adapters.turns import add_in_order, one_by_one
from connector.domain.errors import Gone, Refused
from connector.domain.text import plain, text_to_markdown, tidy, without_escapes
from connector.domain.ticket import Attachment, Comment, CommentKind

PER_PAGE: Final = "50"
PLAIN_NOTE: Final = -1


class Comments:
    """Entries of the target's records."""

    recognise = staticmethod(recognise)

    def __init__(self, api: Api, target: Target) -> None:
        self._api, self._target, self._link = api, target, target.singular

    def comments(self, ids: Sequence[str], *, since: datetime | None = None) -> dict[str, list[Comment]]:  # noqa: ARG002
        """All notes and e-mails of these records, oldest first; tasks are nobody's words.

        `since` cannot serve: people may set an entry's time to the past.
        """
        return {one: self._timeline(one) for one in ids}

    def tickets_of(self, comment_ids: Sequence[str]) -> dict[str, list[str]]:
        """The record of each entry, a call each."""
        return {one: self._owner(one) for one in comment_ids}

    def add_comments(self, comments: Sequence[NewComment]) -> list[Written]:
        """One note for each, in order."""
        return add_in_order(comments, one_by_one(self._add))

    def _add(self, comment: NewComment) -> Written:
        entry: Json = {"type": "note", "content": note_content(comment)}
        if comment.created_at is not None:
            entry["entryAt"] = iso(comment.created_at)
        return Written(comment.key, id=self._post(entry, comment.ticket_id))

    def _post(self, entry: Json, ticket: str) -> str:
        """Make the note. Accounts differ in what the reference to a project is called; a refusal tells."""
        try:
            if not ID.fullmatch(ticket):
                raise Gone(f"capsule POST /entries: that is no {self._target.singular}")
            body = {"entry": {**entry, self._link: {"id": int(ticket)}}}
            return str(self._api.send("POST", "/entries", json=body).json["entry"]["id"])
        except Refused as error:
            if error.status != UNPROCESSABLE or "linked" not in str(error) or self._link != "kase":
                raise
            self._link = "project"
            return self._post(entry, ticket)

    def _timeline(self, record: str) -> list[Comment]:
        route, query = f"/{self._target.plural}/:id/entries", {"embed": "creator,activityType", "perPage": PER_PAGE}
        try:
            listed = self._api.pages(route, "entries", query, {"id": record})
        except Gone:
            return []
        entries = {int(one["id"]): one for one in listed if one.get("type") in ("note", "email")}
        return sorted((_comment(one) for one in entries.values()), key=lambda one: (one.created_at, int(one.id)))

    def _owner(self, entry: str) -> list[str]:
        told = self._api.found("/entries/:id", ids={"id": entry}, query={"embed": self._target.singular})
        held = told and told["entry"].get(self._target.singular)
        return [str(held["id"])] if held else []


def _comment(entry: Json) -> Comment:
    creator = entry.get("creator") or {}
    return Comment(
        id=str(entry["id"]),
        kind=CommentKind.NOTE,
        text=_words(entry),
        created_at=first_of(entry.get(told) for told in ("entryAt", "createdAt")),
        author_id=str(creator["id"]) if creator.get("id") else None,
        author_name=str(creator.get("name") or creator.get("username") or ""),
        attachments=tuple(
            Attachment(str(one["id"]), str(one.get("filename") or f"capsule-file-{one['id']}"))
            for one in entry.get("attachments") or ()
        ),
    )


def _words(entry: Json) -> str:
    """The plain text. An e-mail, and a note of a kind of activity, begin with what they are.

    So a mapping can make a kind of activity the marker of replies, and an e-mail, which the customer has, is never one.
    """
    content = str(entry.get("content") or "")
    if entry.get("type") == "email":
        return f"[E-mail in Capsule] {tidy(str(entry.get('subject') or ''))}\n\n{tidy(plain(content))}".strip()
    words, activity = tidy(without_escapes(content)), entry.get("activityType") or {}
    return f"[{activity['name']}] {words}" if activity.get("id", PLAIN_NOTE) != PLAIN_NOTE else words


def note_content(comment: NewComment) -> str:
    """Who wrote it, the text as Markdown that shows it as it is, and the marker."""
    parts = [text_to_markdown(comment.text), text_to_markdown(files_named(comment)), reference(comment)]
    return "\n\n".join([f"**{text_to_markdown(heading(comment))}**", *(one for one in parts if one)])
