"""An internal note never becomes public, whatever it looks like and wherever it comes from."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.adapters.base import NewComment
from connector.adapters.nextcap.answers import Api
from connector.adapters.nextcap.records import comment_of
from connector.adapters.nextcap.writes import Writes
from connector.adapters.transport import Request, Response
from connector.domain.conversation import Crossing, plan_comments
from connector.domain.rules import CommentPolicy
from connector.domain.ticket import Comment, CommentKind, Side
from connector.store.effects import comment_key

NOON = datetime(2026, 4, 7, 12, tzinfo=UTC)
NAMES = ("is_internal", "isInternal", "internal", "is_private", "isPrivate", "private", "visibility")
PUBLIC_NAMES = ("is_public", "isPublic", "public")
SAID = st.sampled_from([True, False, None, "true", "false", 0, 1, "public", "internal", "external", [], {}])
TYPES = st.sampled_from(
    [
        *("note", "note_added", "ticket.note", "comment", "reply", "ticket.reply", "message", "internal_message"),
        *("private_reply", "agent_replied", "whisper_message", "customer_reply"),
    ]
)
FLAGS = st.dictionaries(st.sampled_from([*NAMES, *PUBLIC_NAMES]), SAID, max_size=3)
EVERYTHING = frozenset(CommentKind)


def is_marked_internal(flags: dict[str, Any]) -> bool:
    """Whether any part says in so many words that it is not for the customer."""
    return any(
        value is False if name in PUBLIC_NAMES else value is True or (name == "visibility" and value == "internal")
        for name, value in flags.items()
    )


@settings(max_examples=400, derandomize=True, database=None, deadline=None)
@given(TYPES, FLAGS, FLAGS, st.sampled_from(["data", "payload"]))
def test_whatever_says_that_it_is_internal_is_a_note(
    kind: str, outer: dict[str, Any], inside: dict[str, Any], place: str
) -> None:
    """One sign is enough, in either casing, on the entry or inside it, against any other that says public."""
    entry = {"id": "1", "type": kind, "content": "between us", "created_at": "2026-04-07T12:00:00Z", **outer}

    read = comment_of({**entry, place: inside})

    assert read is not None
    says_so = is_marked_internal(outer) or is_marked_internal(inside)
    if says_so or any(word in kind for word in ("internal", "private", "whisper")):
        assert read.kind is CommentKind.NOTE


class Post:
    """Stands where the transport stands, and remembers what would have been posted."""

    def __init__(self) -> None:
        self.sent: list[Request] = []

    def send(self, request: Request) -> Response:
        self.sent.append(request)
        return Response(201, {}, json.dumps({"data": {"id": f"e{len(self.sent)}"}}).encode())


MARKERS = ("#reply", "#public", "@customer:")
TEXTS = st.one_of(st.text(max_size=40), st.sampled_from(MARKERS).flatmap(lambda one: st.just(f"{one} hello")))


@settings(max_examples=400, derandomize=True, database=None, deadline=None)
@given(
    st.sampled_from(Side),
    st.lists(st.tuples(st.sampled_from(CommentKind), TEXTS), max_size=6),
    st.lists(st.sampled_from([*MARKERS, "", " "]), max_size=3, unique=True),
    st.sets(st.sampled_from(CommentKind)),
)
def test_a_note_reaches_next_cap_as_a_note_only(
    source: Side, said: list[tuple[CommentKind, str]], markers: list[str], carried: set[CommentKind]
) -> None:
    """From the timeline to the bytes that would be sent: the one exception is an agent's own declared marker."""
    timeline = [Comment(str(place), kind, text, NOON) for place, (kind, text) in enumerate(said)]
    policy = CommentPolicy(frozenset(carried), frozenset(carried), tuple(markers))
    crossings, _ = plan_comments(policy, source, timeline, known=())
    post = Post()
    writes = Writes(Api(post), web_url="", widget_id=None, seat_id=None)  # type: ignore[arg-type]  # not a transport

    for one in crossings:
        writes.add_comments([NewComment(comment_key(source, one.comment.id), "7", one.kind, one.text, "Ben", NOON)])

    origin = {one.comment.id: one for one in crossings}
    posted = [one for one in crossings if one.kind is not CommentKind.CUSTOMER_REPLY]
    for crossing, request in zip(posted, post.sent, strict=True):
        was = origin[crossing.comment.id].comment
        if request.path.endswith("/reply"):
            marked = any(was.text.lstrip().startswith(one) for one in markers if one.strip())
            assert was.kind is CommentKind.REPLY or (source is Side.CRM and marked)
        else:
            assert request.json["is_internal"] is True
            assert request.path.endswith("/notes")


@pytest.mark.parametrize("kind", [CommentKind.REPLY, CommentKind.CUSTOMER_REPLY])
@pytest.mark.parametrize("source", list(Side))
@pytest.mark.parametrize("marker", ["", " ", "#reply"])
def test_no_other_crossing_of_a_note_can_even_be_built(kind: CommentKind, source: Side, marker: str) -> None:
    note = Comment("1", CommentKind.NOTE, "between us", NOON)

    with pytest.raises(ValueError, match="never become public"):
        Crossing(source, note, kind, note.text, marker)
