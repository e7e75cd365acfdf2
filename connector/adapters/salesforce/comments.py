"""A case's comments, each shown to the customer or not, and comments of Next Cap written as such.

A CaseComment has no external id and its text can never be changed, so a repeated create looks first: see `recognise`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from connector.adapters.base import Json, NewComment, Written
from connector.adapters.salesforce.api import BATCH, Api, chunks, is_id, long_id, moment
from connector.adapters.salesforce.cases import COLLECTION
from connector.domain.errors import ConnectorError, RetryLater
from connector.domain.text import fingerprint
from connector.domain.ticket import Comment, CommentKind, Person

TIMELINE: Final = (
    "SELECT Id, ParentId, CommentBody, IsPublished, CreatedDate, CreatedById FROM CaseComment "
    "WHERE ParentId IN {ids} ORDER BY CreatedDate, Id"
)
PARENTS: Final = "SELECT Id, ParentId FROM CaseComment WHERE Id IN {ids}"
LONGEST: Final = 4_000
"""Bytes, in UTF-8."""

PART = re.compile(r"\n\((\d{1,2})/(\d{1,2})\)\Z")
EARLIER: Final = timedelta(minutes=10)
"""How far Salesforce's clock may be behind ours."""

Author = Callable[[Sequence[str]], Mapping[str, tuple[Person, str]]]


class Comments:
    """`authors` gives persons and their kind of user by id."""

    def __init__(self, api: Api, authors: Author) -> None:
        self._api = api
        self._authors = authors

    def comments(
        self,
        ids: Sequence[str],
        *,
        since: datetime | None = None,  # noqa: ARG002 - one query serves two hundred cases
    ) -> dict[str, list[Comment]]:
        """All comments of these cases, oldest first."""
        found: dict[str, list[Comment]] = {one: [] for one in ids}
        asked = {long_id(one): one for one in ids if is_id(one)}
        rows = self._api.rows_of(TIMELINE, asked) if asked else []
        authors = self._authors([str(row.get("CreatedById")) for row in rows]) if rows else {}
        for row in rows:
            found[asked[long_id(str(row["ParentId"]))]].append(_comment(row, authors))
        return {
            one: _whole(sorted(each, key=lambda entry: (entry.created_at, entry.id))) for one, each in found.items()
        }

    def tickets_of(self, comment_ids: Sequence[str]) -> dict[str, list[str]]:
        """The case of each comment."""
        rows = self._api.rows_of(PARENTS, [one for one in comment_ids if is_id(one)] or ["000000000000000AAA"])
        return {long_id(str(row["Id"])): [long_id(str(row["ParentId"]))] for row in rows}

    def add(self, comments: Sequence[NewComment]) -> list[Written]:
        """One comment for each, one a case and call; after one that failed, its case's later ones are held back."""
        outcomes: list[Written] = []
        stopped: set[str] = set()
        for turn in _turns(comments):
            ready = [one for one in turn if one.ticket_id not in stopped]
            held = RetryLater("an earlier comment of this case is open", code="held_back", scope="record")
            outcomes += [Written(one.key, error=held) for one in turn if one not in ready]
            for one in self._make(ready):
                outcomes.append(one)
                if one.error is not None:
                    stopped |= {comment.ticket_id for comment in ready if comment.key == one.key}
        return outcomes

    def _make(self, comments: Sequence[NewComment]) -> list[Written]:
        short = {one.key: _input(one, parts[0]) for one in comments if len(parts := parts_of(one)) == 1}
        outcomes: dict[str, Json | ConnectorError] = {}
        for part in chunks(list(short), BATCH):
            outcomes |= self._api.write("POST", COLLECTION, {key: short[key] for key in part})
        for one in comments:
            if one.key not in short:
                inputs = {str(place): _input(one, text) for place, text in enumerate(parts_of(one))}
                made = list(self._api.write("POST", COLLECTION, inputs, all_or_none=True).values())
                outcomes[one.key] = next((item for item in made if isinstance(item, ConnectorError)), made[0])
        return [_written(one.key, outcomes[one.key]) for one in comments]


def recognise(
    comment: NewComment, timeline: Sequence[Comment], *, sent_at: datetime, taken: frozenset[str]
) -> str | None:
    """The first entry that says what we sent, to whom we sent it, since then, and is none of `taken`."""
    wanted, is_note = fingerprint(_body(comment)), comment.kind is CommentKind.NOTE
    return next(
        (
            one.id
            for one in timeline
            if one.id not in taken
            and one.created_at >= sent_at - EARLIER
            and (one.kind is CommentKind.NOTE) == is_note
            and fingerprint(one.text) == wanted
        ),
        None,
    )


def parts_of(comment: NewComment) -> list[str]:
    """The text in parts of at most 4,000 bytes, cut between words where that can be, each saying which it is."""
    body = _body(comment)
    if len(body.encode()) <= LONGEST:
        return [body]
    room, parts = LONGEST - 10, []
    while body:
        piece = body.encode()[:room].decode("utf-8", "ignore")
        if len(piece) < len(body) and (end := max(piece.rfind("\n"), piece.rfind(" "))) > len(piece) // 2:
            piece = piece[:end]
        parts.append(piece.strip())
        body = body[len(piece) :].strip()
    return [f"{text}\n({place}/{len(parts)})" for place, text in enumerate(parts, start=1)]


def _body(comment: NewComment) -> str:
    ticket = f" ({comment.ticket_number})" if comment.ticket_number else ""
    author = comment.author
    headings = {
        CommentKind.REPLY: f"{author or 'An agent'} replied in Next Cap",
        CommentKind.CUSTOMER_REPLY: f"{f'Customer {author}' if author else 'The customer'} wrote in Next Cap",
        CommentKind.NOTE: f"Internal note{f' by {author}' if author else ''} in Next Cap",
    }
    files = ", ".join(one.name for one in comment.attachments)
    tail = f"\n\nFiles in Next Cap: {files}" if files else ""
    return f"{headings[comment.kind]}{ticket}:\n\n{comment.text.strip()}{tail}".strip()


def _input(comment: NewComment, text: str) -> Json:
    published = comment.kind is not CommentKind.NOTE
    return {
        "attributes": {"type": "CaseComment"},
        "ParentId": comment.ticket_id,
        "CommentBody": text,
        "IsPublished": published,
    }


def _comment(row: Mapping[str, Json], authors: Mapping[str, tuple[Person, str]]) -> Comment:
    """What is not certainly for the customer is a note; what a colleague published is a reply."""
    author_id = long_id(str(row.get("CreatedById") or ""))
    person, kind_of_user = authors.get(author_id, (None, ""))
    kind = CommentKind.NOTE
    if row.get("IsPublished") is True and kind_of_user:
        kind = CommentKind.REPLY if kind_of_user == "Standard" else CommentKind.CUSTOMER_REPLY
    return Comment(
        id=long_id(str(row["Id"])),
        kind=kind,
        text=str(row.get("CommentBody") or "").strip(),
        created_at=moment(row.get("CreatedDate")) or datetime.fromtimestamp(0, UTC),
        author_id=author_id or None,
        author_name=(person.name or person.email or "") if person else "",
    )


def _whole(entries: Sequence[Comment]) -> list[Comment]:
    """The entries, with those that we wrote in parts put together under the id of their first part."""
    whole: list[Comment] = []
    open_part: tuple[int, int] | None = None
    for entry in entries:
        found = PART.search(entry.text)
        place = (int(found[1]), int(found[2])) if found else None
        same = whole and (whole[-1].author_id, whole[-1].kind) == (entry.author_id, entry.kind)
        text = PART.sub("", entry.text)
        if place and open_part and same and place == (open_part[0] + 1, open_part[1]):
            whole[-1] = replace(whole[-1], text=f"{whole[-1].text}\n{text}")
        else:
            starts = place is not None and place[0] == 1
            whole.append(replace(entry, text=text) if starts else entry)
            place = place if starts else None
        open_part = place if place and place[0] < place[1] else None
    return whole


def _written(key: str, outcome: Json | ConnectorError) -> Written:
    if isinstance(outcome, ConnectorError):
        return Written(key, error=outcome)
    return Written(key, id=long_id(str(outcome["id"])))


def _turns(comments: Sequence[NewComment]) -> list[list[NewComment]]:
    turns: defaultdict[int, list[NewComment]] = defaultdict(list)
    seen: defaultdict[str, int] = defaultdict(int)
    for one in comments:
        turns[seen[one.ticket_id]].append(one)
        seen[one.ticket_id] += 1
    return list(turns.values())
