"""A ticket's timeline: public replies and internal notes, read and written.

Zendesk has no idempotency key for comments: one of unknown outcome is looked for by its words, its visibility and its
time, among those that no other effect has taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from connector.adapters.base import Json, NewComment, Written
from connector.adapters.calls import lost
from connector.adapters.entries import files_named, heading, html_entry, recognise_words
from connector.adapters.times import EPOCH, moment
from connector.adapters.turns import add_in_order, one_by_one
from connector.adapters.zendesk.api import Api
from connector.adapters.zendesk.records import Records
from connector.domain.errors import Gone, NotSupported
from connector.domain.text import html_to_text
from connector.domain.ticket import Attachment, Comment, CommentKind

SLACK: Final = timedelta(minutes=2)
LONGEST: Final = 65_000
STAFF: Final = frozenset({"agent", "admin"})
REFUSED: Final = frozenset({"malware_found"})


class Comments:
    """Comments of tickets; the first one of a ticket is its description and belongs to no timeline."""

    def __init__(self, api: Api, records: Records) -> None:
        self._api = api
        self._records = records

    def comments(self, ids: Sequence[str], *, since: datetime | None = None) -> dict[str, list[Comment]]:  # noqa: ARG002
        """All comments of these tickets but the first, oldest first; none of a ticket that is not there.

        `since` cannot serve: the first comment must be told from the others.
        """
        return {ticket: self._timeline(ticket) for ticket in ids}

    def add(self, comments: Sequence[NewComment]) -> list[Written]:
        """One update for each, in their order; after one that failed, no later one of its ticket is tried."""
        return add_in_order(comments, one_by_one(self._add))

    def tickets_of(self, comment_ids: Sequence[str]) -> dict[str, list[str]]:  # noqa: ARG002 - none can be found
        """Not possible: Zendesk shows comments by their ticket only, and its events name the ticket."""
        raise NotSupported("zendesk finds no ticket by a comment's id", code="not_supported")

    def _add(self, comment: NewComment) -> Written:
        body: dict[str, Any] = {"html_body": body_of(comment), "public": _is_public(comment)}
        is_theirs = comment.kind is CommentKind.CUSTOMER_REPLY
        if requester := self._records.requester_id(comment.ticket_id) if is_theirs else "":
            body["author_id"] = int(requester)
        told = {"ticket": {"comment": body, "metadata": {"nextcap_event": comment.key}}}
        ids = {"ticket": comment.ticket_id}
        answer = self._api.send("PUT", "/tickets/:ticket", ids=ids, json=told, bucket="updates").json
        events = (answer.get("audit") or {}).get("events") or ()
        made = [str(one["id"]) for one in events if one.get("type") == "Comment"]
        if not made:
            return Written(comment.key, error=lost("zendesk", "the answer does not name the comment"))
        return Written(comment.key, id=made[0])

    def _timeline(self, ticket: str) -> list[Comment]:
        if not ticket.isdecimal():
            return []
        items: list[Json] = []
        users: dict[str, Json] = {}
        route, query = "/tickets/:ticket/comments", {"include": "users", "sort": "created_at"}
        try:
            for page in self._api.pages(route, "comments", ids={"ticket": ticket}, query=query):
                items += page["comments"]
                users |= {str(one["id"]): one for one in page.get("users") or ()}
        except Gone:
            return []
        return [_comment(one, users) for one in items[1:]]


def _is_public(comment: NewComment) -> bool:
    """A note stays internal, always."""
    return comment.kind in (CommentKind.REPLY, CommentKind.CUSTOMER_REPLY)


def recognise(
    comment: NewComment, timeline: Sequence[Comment], *, sent_at: datetime, taken: frozenset[str]
) -> str | None:
    """The oldest entry with the same words and visibility, not made before it was sent and none of `taken`."""
    words, is_note = html_to_text(body_of(comment)), not _is_public(comment)
    return recognise_words(words, timeline, is_note=is_note, earliest=sent_at - SLACK, taken=taken)


def body_of(comment: NewComment) -> str:
    """The text as safe HTML, cut where Zendesk's limit demands it. A note tells its author in its first line."""
    head = "" if _is_public(comment) else heading(comment)
    return html_entry(comment, head=head, tail=[files_named(comment)], longest=LONGEST, system="Zendesk")


def _comment(item: Json, users: Mapping[str, Json]) -> Comment:
    author = users.get(str(item.get("author_id")), {})
    is_staff = author.get("role", "agent") in STAFF
    markup = str(item.get("html_body") or "")
    text = html_to_text(markup) if markup else str(item.get("plain_body") or item.get("body") or "")
    kind = CommentKind.REPLY if is_staff else CommentKind.CUSTOMER_REPLY
    return Comment(
        id=str(item["id"]),
        kind=kind if item.get("public") is True else CommentKind.NOTE,
        text=text,
        created_at=moment(item.get("created_at")) or EPOCH,
        author_id=str(item["author_id"]) if item.get("author_id") else None,
        author_name=str(author.get("name") or ""),
        html=markup or None,
        attachments=tuple(
            Attachment(str(one["id"]), str(one.get("file_name") or one["id"]))
            for one in item.get("attachments") or ()
            if one.get("malware_scan_result") not in REFUSED
        ),
    )
