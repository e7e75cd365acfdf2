"""A ticket's timeline: public replies and internal notes, read and written.

Zendesk has no idempotency key for comments: one of unknown outcome is looked for by its words, its visibility and its
time, among those that no other effect has taken.
"""

from __future__ import annotations

import html
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connector.adapters.base import Json, NewComment, Written
from connector.adapters.zendesk.api import Api
from connector.adapters.zendesk.records import Records, moment
from connector.domain.errors import Gone, NotSupported, Refused, RetryLater, UnknownOutcome
from connector.domain.text import fingerprint, html_to_text, text_to_html
from connector.domain.ticket import Attachment, Comment, CommentKind

SLACK: Final = timedelta(minutes=2)
LONGEST: Final = 65_000
CUT: Final = "<p><em>The rest of this text is too long for Zendesk: read it in Next Cap.</em></p>"
STAFF: Final = frozenset({"agent", "admin"})
REFUSED: Final = frozenset({"malware_found"})


class Comments:
    """Comments of tickets; the first one of a ticket is its description and belongs to no timeline."""

    def __init__(self, api: Api, records: Records) -> None:
        self._api = api
        self._records = records

    def comments(
        self,
        ids: Sequence[str],
        *,
        since: datetime | None = None,  # noqa: ARG002 - the first comment must be told from the others
    ) -> dict[str, list[Comment]]:
        """All comments of these tickets but the first, oldest first; none of a ticket that is not there."""
        return {ticket: self._timeline(ticket) for ticket in ids}

    def add(self, comments: Sequence[NewComment]) -> list[Written]:
        """One update for each, in their order; after one that failed, the later ones of its ticket are held back."""
        outcomes: list[Written] = []
        stopped: set[str] = set()
        for one in comments:
            if one.ticket_id in stopped:
                held = RetryLater("an earlier comment of this ticket is open", code="held_back", scope="record")
                outcomes.append(Written(one.key, error=held))
                continue
            outcomes.append(self._add(one))
            if outcomes[-1].error is not None:
                stopped.add(one.ticket_id)
        return outcomes

    def tickets_of(self, comment_ids: Sequence[str]) -> dict[str, list[str]]:  # noqa: ARG002 - none can be found
        """Not possible: Zendesk shows comments by their ticket only, and its events name the ticket."""
        raise NotSupported("zendesk finds no ticket by a comment's id", code="not_supported")

    def _add(self, comment: NewComment) -> Written:
        try:
            body: dict[str, Any] = {"html_body": body_of(comment), "public": is_public(comment)}
            requester = (
                self._records.requester_id(comment.ticket_id) if comment.kind is CommentKind.CUSTOMER_REPLY else ""
            )
            if requester:
                body["author_id"] = int(requester)
            told = {"comment": body, "metadata": {"nextcap_event": comment.key}}
            answer = self._api.send(
                "PUT", "/tickets/:ticket", ids={"ticket": comment.ticket_id}, json={"ticket": told}, bucket="updates"
            ).json
        except (RetryLater, Refused, UnknownOutcome) as error:
            return Written(comment.key, error=error)
        events = (answer.get("audit") or {}).get("events") or ()
        made = [str(one["id"]) for one in events if one.get("type") == "Comment"]
        if not made:
            told_text = "zendesk: the answer does not name the comment"
            lost = UnknownOutcome(told_text, code="no_outcome", answered=True, system="zendesk")
            return Written(comment.key, error=lost)
        return Written(comment.key, id=made[0])

    def _timeline(self, ticket: str) -> list[Comment]:
        if not ticket.isdecimal():
            return []
        items: list[Json] = []
        users: dict[str, Json] = {}
        try:
            for page in self._api.pages(
                "/tickets/:ticket/comments",
                "comments",
                ids={"ticket": ticket},
                query={"include": "users", "sort": "created_at"},
            ):
                items += page["comments"]
                users |= {str(one["id"]): one for one in page.get("users") or ()}
        except Gone:
            return []
        return [_comment(one, users) for one in items[1:]]


def is_public(comment: NewComment) -> bool:
    """A note stays internal, always."""
    return comment.kind in (CommentKind.REPLY, CommentKind.CUSTOMER_REPLY)


def recognise(
    comment: NewComment, timeline: Sequence[Comment], *, sent_at: datetime, taken: frozenset[str]
) -> str | None:
    """The oldest entry with the same words and visibility, not made before it was sent and none of `taken`."""
    wanted, earliest = fingerprint(html_to_text(body_of(comment))), sent_at - SLACK
    found = [
        one
        for one in timeline
        if one.id not in taken
        and (one.kind is not CommentKind.NOTE) == is_public(comment)
        and one.created_at >= earliest
        and fingerprint(one.text) == wanted
    ]
    return min(found, key=lambda one: (one.created_at, one.id)).id if found else None


def body_of(comment: NewComment) -> str:
    """The text as safe HTML, cut where Zendesk's limit demands it. A note tells its author in its first line."""
    author = f" by {comment.author}" if comment.author else ""
    head = f"<p><strong>{html.escape(f'Internal note{author} in Next Cap')}</strong></p>"
    names = ", ".join(one.name for one in comment.attachments)
    tail = f"<p>Files in Next Cap: {html.escape(names)}</p>" if names else ""
    head = "" if is_public(comment) else head
    text = text_to_html(comment.text)
    if len(head + text + tail) > LONGEST:
        room = LONGEST - len(head + CUT + tail)
        most = bisect_right(range(len(comment.text)), room, key=lambda length: len(text_to_html(comment.text[:length])))
        text = text_to_html(comment.text[: most - 1]) + CUT
    return head + text + tail


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
        created_at=moment(item.get("created_at")) or datetime.fromtimestamp(0, UTC),
        author_id=str(item["author_id"]) if item.get("author_id") else None,
        author_name=str(author.get("name") or ""),
        html=markup or None,
        attachments=tuple(
            Attachment(str(one["id"]), str(one.get("file_name") or one["id"]))
            for one in item.get("attachments") or ()
            if one.get("malware_scan_result") not in REFUSED
        ),
    )
