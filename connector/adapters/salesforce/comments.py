"""A case's conversation, and comments of Next Cap written into it as comments or feed posts.

Neither has an external id, and the text of a comment can never be changed, so a repeated create looks first:
`recognise`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from simple_salesforce.format import format_soql

from connector.adapters.base import Json, NewComment, Written
from connector.adapters.calls import chunks
from connector.adapters.entries import files_named, heading, in_order, recognise_words
from connector.adapters.salesforce.api import BATCH, COLLECTION, Api, is_id, long_id
from connector.adapters.salesforce.forms import POST, VISIBILITY, in_force
from connector.adapters.splitting import put_together, split
from connector.adapters.turns import add_in_order, written_of
from connector.domain.errors import ConnectorError, NotSupported
from connector.domain.ticket import Comment, CommentKind

LONGEST: Final = 4_000
"""Bytes of a comment, in UTF-8; a post could be longer."""

EARLIER: Final = timedelta(minutes=10)
"""How far Salesforce's clock may be behind ours."""

UNSEEN: Final = ("PendingReview", "Isolated")


class Comments:
    """`forms` gives those of `forms.FORMS` that the mapping in force reads or writes."""

    def __init__(self, api: Api, forms: Callable[[], frozenset[str]]) -> None:
        self._api, self._forms = api, forms

    def comments(self, ids: Sequence[str], *, since: datetime | None = None) -> dict[str, list[Comment]]:  # noqa: ARG002
        """All entries of these cases, oldest first. `since` would save nothing: one call serves two hundred cases."""
        found: dict[str, list[Comment]] = {one: [] for one in ids}
        asked = {long_id(one): one for one in ids if is_id(one)}
        forms = self._forms()
        shapes, lacking = in_force(forms), "" if POST not in forms or self._has_visibility else VISIBILITY
        for part in chunks(list(asked), BATCH):
            queries = [format_soql(one.timeline(without=lacking), ids=list(part)) for one in shapes]
            for shape, rows in zip(shapes, self._api.rows_together(queries), strict=True):
                for row in rows:
                    if row.get("Status") not in UNSEEN:
                        found[asked[long_id(row["ParentId"])]].append(shape.comment(row))
        return {one: put_together(in_order(each)) for one, each in found.items()}

    @cached_property
    def _has_visibility(self) -> bool:
        """Whether posts of this org tell outsiders from colleagues: there may be no outsiders."""
        told = self._api.found("/sobjects/FeedItem/describe", ids={}) or {"fields": []}
        return any(one["name"] == VISIBILITY for one in told["fields"])

    def tickets_of(self, comment_ids: Sequence[str]) -> dict[str, list[str]]:
        """The case of each entry, of those forms that are read."""
        rows: list[Json] = []
        for shape in in_force(self._forms()):
            named = [one for one in comment_ids if is_id(one) and one.startswith(shape.prefix)]
            rows += self._api.rows_of(f"SELECT Id, ParentId FROM {shape.name} WHERE Id IN {{ids}}", named)  # noqa: S608 - our words
        return {long_id(row["Id"]): [long_id(row["ParentId"])] for row in rows}

    def add_comments(self, comments: Sequence[NewComment]) -> list[Written]:
        """One entry for each, one a case and call; after one that failed, no later one of its case is tried."""
        return add_in_order(comments, self._make, size=BATCH)

    def _make(self, comments: Sequence[NewComment]) -> list[Written]:
        """Comments before posts, so that a call holds each kind once; those in parts have a call each."""
        never = NotSupported("salesforce takes comments and posts of ours", code="not_supported")
        mine = sorted((one for one in comments if one.form in ("", POST)), key=lambda one: one.form)
        try:
            inputs = {one.key: [self._input(one, text) for text in split(_body(one), LONGEST)] for one in mine}
        except ConnectorError as error:
            return [Written(one.key, error=error) for one in comments]
        outcomes = self._api.write("POST", COLLECTION, {key: of[0] for key, of in inputs.items() if len(of) == 1})
        for key, parts in inputs.items():
            if len(parts) > 1:
                numbered = {str(place): part for place, part in enumerate(parts)}
                outcomes[key] = self._api.write("POST", COLLECTION, numbered, whole=True)["0"]
        return [written_of(one.key, outcomes.get(one.key, never)) for one in comments]

    def recognise(
        self, comment: NewComment, timeline: Sequence[Comment], *, sent_at: datetime, taken: frozenset[str]
    ) -> str | None:
        """The first entry that says what we sent, in its form and to whom we sent it, and is none of `taken`."""
        of_form = [one for one in timeline if one.form == comment.form]
        is_note = comment.kind is CommentKind.NOTE
        return recognise_words(_body(comment), of_form, is_note=is_note, earliest=sent_at - EARLIER, taken=taken)

    def _input(self, comment: NewComment, text: str) -> Json:
        is_note = comment.kind is CommentKind.NOTE
        told: Json = {"attributes": {"type": "CaseComment"}, "CommentBody": text, "IsPublished": not is_note}
        if comment.form == POST:
            told = {"attributes": {"type": "FeedItem"}, "Type": "TextPost", "Body": text}
            seen_by = {VISIBILITY: "InternalUsers" if is_note else "AllUsers"}
            told |= {} if is_note and not self._has_visibility else seen_by
        return {**told, "ParentId": comment.ticket_id}


def _body(comment: NewComment) -> str:
    return f"{heading(comment)}:\n\n{comment.text.strip()}\n\n{files_named(comment)}".strip()
