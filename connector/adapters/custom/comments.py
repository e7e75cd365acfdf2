"""Conversations: read, added to, and our own entries recognised by a word that they carry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from connector.adapters.base import NewComment, Written
from connector.adapters.calls import lost
from connector.adapters.custom.client import Client
from connector.adapters.custom.shapes import at, is_true, text_at
from connector.adapters.entries import cut_remark, files_named, heading, in_order, reference
from connector.adapters.times import first_of
from connector.adapters.turns import add_in_order, one_by_one
from connector.domain.errors import Gone, NotSupported
from connector.domain.text import html_to_text, text_to_html
from connector.domain.ticket import Attachment, Comment, CommentKind
from connector.mapping.grammar import Comments as Block


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
            timelines[one] = in_order(read)
        return timelines

    def add(self, comments: Sequence[NewComment]) -> list[Written]:
        """One call for each, in order."""
        return add_in_order(comments, one_by_one(self._add))

    def _add(self, comment: NewComment) -> Written:
        block = self._client.grammar.comments
        if block is None or block.add is None:
            raise NotSupported("the adapter block declares no 'comments: add'", code="not_supported")
        told = self._client.send(block.add, _given(block, comment)).json
        if found := text_at(block.add.id, told):
            return Written(comment.key, id=found)
        raise lost(self._system, "the answer to a comment shows no id")


def _given(block: Block, comment: NewComment) -> dict[str, Any]:
    """What fills a new comment's placeholders. Only a reply is ever public, and only where the CRM can tell.

    A public entry is read by the customer: it has no heading. Where the CRM has no field for our key, the marker is the
    last line.
    """
    is_public = block.shows_customers and comment.kind is CommentKind.REPLY
    head = "" if is_public else f"{heading(comment)}\n\n"
    last = [files_named(comment), "" if block.reference else reference(comment)]
    tail = "".join(f"\n\n{one}" for one in last if one)
    room, remark = block.longest - len(head) - len(tail), f"\n\n[{cut_remark('the CRM')}]"
    words = comment.text if len(comment.text) <= room else comment.text[: max(0, room - len(remark))] + remark
    text = head + words + tail
    given = {"id": comment.ticket_id, "key": comment.key, "author": comment.author, "is_public": is_public}
    words_for = block.add.visibility if block.add else None
    told = (words_for.public if is_public else words_for.note) if words_for else None
    return {**given, "visibility": told, "text": text, "html": text_to_html(text)}


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
        created_at=first_of([at(block.created_at, item)]),
        author_id=text_at(block.author_id, item) or None,
        author_name=text_at(block.author_name, item),
        html=said if block.text_is == "html" else None,
        reference=text_at(block.reference, item),
        attachments=tuple(
            Attachment(text_at(block.file_id, one), text_at(block.file_name, one) or "file")
            for one in (files if isinstance(files, list) else ())
        ),
    )
