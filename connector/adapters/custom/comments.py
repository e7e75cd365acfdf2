"""Conversations: read, added to, and our own entries recognised by a word that they carry."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from connector.adapters.base import NewComment, Written
from connector.adapters.custom.client import Client
from connector.adapters.custom.shapes import at, is_true, moment, text_at
from connector.domain.errors import Gone, NotSupported, Refused, RetryLater, UnknownOutcome
from connector.domain.text import html_to_text, text_to_html
from connector.domain.ticket import Attachment, Comment, CommentKind
from connector.mapping.grammar import Comments as Block

HEADINGS = {
    CommentKind.REPLY: "{author} replied in Next Cap",
    CommentKind.CUSTOMER_REPLY: "Customer {author} wrote in Next Cap",
    CommentKind.NOTE: "Internal note by {author} in Next Cap",
}
CUT = "\n\n[The rest of this text is too long for the CRM: read it in Next Cap.]"


def marker(key: str) -> str:
    """The word that an entry of ours carries, made from its effect's key."""
    return f"ncref-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


class Conversations:
    """The comments of tickets."""

    def __init__(self, client: Client, system: str) -> None:
        self._client = client
        self._system = system

    def comments(self, ids: Sequence[str], *, since: datetime | None = None) -> dict[str, list[Comment]]:  # noqa: ARG002 - whole lists are the truth
        """Each ticket's comments, oldest first; of a ticket that is gone, none."""
        block = self._client.grammar.comments
        timelines: dict[str, list[Comment]] = {}
        for one in ids:
            try:
                items = list(self._client.all(block.list, {"id": one})) if block else []
            except Gone:
                items = []
            read = [comment for item in items if block and (comment := _comment(block, item))]
            timelines[one] = sorted(read, key=lambda comment: (comment.created_at, comment.id))
        return timelines

    def add(self, comments: Sequence[NewComment]) -> list[Written]:
        """One call for each, in order; after one that failed, its ticket's later ones are held back."""
        outcomes: list[Written] = []
        stopped: set[str] = set()
        for one in comments:
            if one.ticket_id in stopped:
                told = "an earlier comment of this ticket is open"
                outcomes.append(Written(one.key, error=RetryLater(told, code="held_back", scope="record")))
                continue
            outcomes.append(self._add(one))
            if outcomes[-1].error is not None:
                stopped.add(one.ticket_id)
        return outcomes

    def _add(self, comment: NewComment) -> Written:
        block = self._client.grammar.comments
        try:
            if block is None or block.add is None:
                raise NotSupported("the adapter block declares no 'comments: add'", code="not_supported")
            told = self._client.send(block.add, _given(block, comment)).json
            if found := text_at(block.add.id, told):
                return Written(comment.key, id=found)
            message = f"{self._system}: the answer to a comment shows no id"
            raise UnknownOutcome(message, code="unreadable_answer", answered=True, system=self._system)
        except (RetryLater, Refused, UnknownOutcome, NotSupported) as error:
            return Written(comment.key, error=error)


def _given(block: Block, comment: NewComment) -> dict[str, Any]:
    """What fills a new comment's placeholders. Only a reply is ever public, and only where the CRM can tell.

    A public entry is read by the customer: it has no heading, and its marker is the last, small line.
    """
    is_public = block.shows_customers and comment.kind is CommentKind.REPLY
    heading = HEADINGS[comment.kind].format(author=comment.author or "somebody")
    head = "" if is_public else f"{heading}{f' ({comment.ticket_number})' if comment.ticket_number else ''}\n\n"
    names = ", ".join(one.name for one in comment.attachments)
    tail = f"{f'{chr(10) * 2}Files in Next Cap: {names}' if names else ''}\n\nReference {marker(comment.key)}"
    room = block.longest - len(head) - len(tail)
    words = comment.text if len(comment.text) <= room else comment.text[: max(0, room - len(CUT))] + CUT
    text = head + words + tail
    given = {"id": comment.ticket_id, "key": comment.key, "author": comment.author, "is_public": is_public}
    return {**given, "text": text, "html": text_to_html(text)}


def _comment(block: Block, item: Any) -> Comment | None:
    """An entry as the CRM shows it; None for one without an id. Whatever is not certainly public is a note."""
    found = text_at(block.id, item)
    if not found:
        return None
    said = text_at(block.text, item)
    kind = CommentKind.NOTE
    if is_true(block.is_public, item):
        kind = CommentKind.CUSTOMER_REPLY if is_true(block.is_from_customer, item) else CommentKind.REPLY
    files = at(block.files, item)
    return Comment(
        id=found,
        kind=kind,
        text=html_to_text(said) if block.text_is == "html" else said,
        created_at=moment(at(block.created_at, item)) or datetime.fromtimestamp(0, UTC),
        author_id=text_at(block.author_id, item) or None,
        author_name=text_at(block.author_name, item),
        html=said if block.text_is == "html" else None,
        attachments=tuple(
            Attachment(text_at(block.file_id, one), text_at(block.file_name, one) or "file")
            for one in (files if isinstance(files, list) else ())
        ),
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
