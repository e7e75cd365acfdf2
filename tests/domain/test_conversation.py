"""Comments cross once, in order, as what they are; and an internal note has no way to a customer's eyes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.conversation import Crossing, after_marker, plan_comments
from connector.domain.rules import Arrival, CommentPolicy
from connector.domain.ticket import Comment, CommentKind, Side
from tests.domain.helpers import NOON, comment, seconds

NOTE, REPLY, CUSTOMER = CommentKind.NOTE, CommentKind.REPLY, CommentKind.CUSTOMER_REPLY
ALL = CommentPolicy(to_nextcap=frozenset(CommentKind), reply_markers=("#reply",))

texts = st.text("#replyREPLY: \n\u00a0İx", max_size=14) | st.text(max_size=20)
identifiers = st.sampled_from("abcdefgh")
policies = st.builds(
    CommentPolicy,
    to_crm=st.frozensets(st.sampled_from(CommentKind)),
    to_nextcap=st.frozensets(st.sampled_from(CommentKind)),
    reply_markers=st.lists(st.sampled_from(["#reply", "", " ", "To customer:", "/r", "İ"]), max_size=3).map(tuple),
    history=st.none() | st.timedeltas(timedelta(0), timedelta(days=2)),
    forms=st.dictionaries(st.sampled_from(["email", "post"]), st.sampled_from(Arrival)),
)
comments = st.builds(
    comment,
    texts,
    kind=st.sampled_from(CommentKind),
    identifier=identifiers,
    at=st.integers(-172_800, 172_800).map(seconds),
)


def crossing_texts(policy: CommentPolicy, *found: Comment, source: Side = Side.CRM) -> list[tuple[CommentKind, str]]:
    crossings, _ = plan_comments(policy, source, found, known=())
    return [(one.kind, one.text) for one in crossings]


def test_comments_cross_oldest_first_whatever_order_they_come_in() -> None:
    """Each crosses once, in the order in which they were made."""
    timeline = [comment(identifier=name, at=seconds(at)) for name, at in (("c", 3), ("a", 1), ("b", 2))]

    crossings, _ = plan_comments(ALL, Side.CRM, timeline, known=())

    assert [one.comment.id for one in crossings] == ["a", "b", "c"]


def test_two_of_the_same_moment_keep_the_vendors_order() -> None:
    timeline = [comment(identifier=name) for name in "zab"]

    crossings, _ = plan_comments(ALL, Side.CRM, timeline, known=())

    assert [one.comment.id for one in crossings] == ["z", "a", "b"]


@given(policy=policies, source=st.sampled_from(Side), found=st.lists(comments, max_size=8), known=st.sets(identifiers))
def test_what_crossed_before_is_not_mentioned_again(
    policy: CommentPolicy, source: Side, found: list[Comment], known: set[str]
) -> None:
    """An entry that crossed, or that an effect of ours made, neither crosses nor is judged anew."""
    crossings, stays = plan_comments(policy, source, found, known=known, linked_at=NOON)

    assert sorted([one.comment.id for one in crossings] + [one.comment_id for one in stays]) == sorted(
        one.id for one in found if one.id not in known
    )


@given(policy=policies, source=st.sampled_from(Side), found=st.lists(comments, max_size=8))
def test_what_crosses_is_carried_that_way_by_the_mapping(
    policy: CommentPolicy, source: Side, found: list[Comment]
) -> None:
    allowed = policy.to_crm if source is Side.NEXTCAP else policy.to_nextcap

    crossings, stays = plan_comments(policy, source, found, known=())

    assert {one.kind for one in crossings} <= allowed
    assert all(one.reason for one in stays)


@given(policy=policies, source=st.sampled_from(Side), found=st.lists(comments, max_size=8))
def test_a_note_never_becomes_public_unless_an_agent_of_the_crm_marked_it(
    policy: CommentPolicy, source: Side, found: list[Comment]
) -> None:
    """Under any policy and any text: only a declared marker that stands alone at the very beginning publishes."""
    for one in plan_comments(policy, source, found, known=())[0]:
        if one.comment.kind is NOTE and one.kind is not NOTE:
            (marker,) = {marker for marker in policy.reply_markers if marker == one.marker}
            start = one.comment.text.lstrip()
            assert source is Side.CRM
            assert one.kind is REPLY
            assert marker.strip()
            assert start[: len(marker)].casefold() == marker.casefold()
            assert start.endswith(one.text)
        else:
            assert (one.kind, one.text) == (one.comment.kind, one.comment.text)


@given(
    source=st.sampled_from(Side),
    kind=st.sampled_from([REPLY, CUSTOMER]),
    said=texts,
    text=texts,
    marker=texts,
)
def test_a_public_crossing_of_a_note_cannot_be_built(
    source: Side, kind: CommentKind, said: str, text: str, marker: str
) -> None:
    """Not by another text, not by another kind, not by an empty marker: the value itself refuses to exist."""
    note = comment(said)
    is_marked = source is Side.CRM and kind is REPLY and bool(marker.strip()) and after_marker(said, marker) == text

    if is_marked:
        assert Crossing(source, note, kind, text, marker).kind is REPLY
    else:
        with pytest.raises(ValueError, match="never become public"):
            Crossing(source, note, kind, text, marker)


@pytest.mark.parametrize("kind", CommentKind)
@pytest.mark.parametrize("source", Side)
def test_everything_crosses_as_what_it_is(source: Side, kind: CommentKind) -> None:
    crossings, _ = plan_comments(ALL, source, [comment("Hello", kind=kind)], known=())

    assert [(one.kind, one.text) for one in crossings] == [(kind, "Hello")]


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("#reply We are on it", "We are on it"),
        ("#reply: We are on it", "We are on it"),
        ("#reply\nWe are\non it", "We are\non it"),
        ("#reply\u00a0We", "We"),
        ("  #REPLY : We", "We"),
    ],
)
def test_a_marked_note_is_sent_to_the_customer_without_its_marker(said: str, sent: str) -> None:
    assert crossing_texts(ALL, comment(said)) == [(REPLY, sent)]


@pytest.mark.parametrize(
    "said",
    [
        "#replying to the vendor, do not tell the customer",
        "#replies are slow today",
        "#reply-all was a mistake of theirs",
        "We should #reply soon",
        "> #reply quoted",
        "#reply",
        "#reply : \n",
        "# reply with care",
        "reply We",
    ],
)
def test_a_note_that_only_looks_marked_stays_a_note(said: str) -> None:
    """Fail closed: the marker is a word of its own at the beginning, with something to say after it."""
    assert crossing_texts(ALL, comment(said)) == [(NOTE, said)]


def test_a_marker_that_ends_in_a_sign_needs_no_space() -> None:
    policy = CommentPolicy(reply_markers=(">>", "To customer:"))

    assert crossing_texts(policy, comment(">>We"), comment("to customer:We")) == [(REPLY, "We")] * 2


def test_next_caps_own_notes_know_no_marker() -> None:
    assert crossing_texts(ALL, comment("#reply We"), source=Side.NEXTCAP) == [(NOTE, "#reply We")]


def test_a_marked_note_stays_where_replies_are_not_carried() -> None:
    """It does not cross as a note instead: its author meant it for the customer."""
    policy = CommentPolicy(to_nextcap=frozenset({NOTE}), reply_markers=("#reply",))

    crossings, stays = plan_comments(policy, Side.CRM, [comment("#reply We")], known=())

    assert crossings == []
    assert [one.code for one in stays] == ["not_carried"]


@pytest.mark.parametrize(
    ("history", "crossing"),
    [
        (None, ["old", "edge", "new"]),
        (timedelta(0), ["new"]),
        (timedelta(days=1), ["edge", "new"]),
    ],
)
def test_a_new_link_mirrors_as_much_history_as_the_mapping_says(history: timedelta | None, crossing: list[str]) -> None:
    policy = CommentPolicy(history=history)
    moments = {"old": NOON - timedelta(days=1, seconds=1), "edge": NOON - timedelta(days=1), "new": NOON}
    timeline = [comment(identifier=name, at=at) for name, at in moments.items()]

    crossings, stays = plan_comments(policy, Side.CRM, timeline, known=(), linked_at=NOON)

    assert [one.comment.id for one in crossings] == crossing
    assert {one.code for one in stays} <= {"history"}


def test_a_form_that_the_mapping_does_not_read_stays_where_it_is() -> None:
    post = replace(comment("Lunch?", kind=NOTE, identifier="p"), form="post")

    crossings, stays = plan_comments(ALL, Side.CRM, [post], known=())

    assert crossings == []
    assert [(one.comment_id, one.code) for one in stays] == [("p", "not_carried")]


@pytest.mark.parametrize("kind", [REPLY, CUSTOMER, NOTE])
def test_a_form_that_arrives_as_a_note_is_internal_and_says_who_wrote(kind: CommentKind) -> None:
    """An e-mail that the CRM sent is not sent again, and one of the customer's is not lost."""
    policy = replace(ALL, to_nextcap=frozenset({NOTE}), forms={"email": Arrival.NOTE})
    email = replace(comment("#reply It burns", kind=kind), form="email", author_name="jo@home.example")

    assert crossing_texts(policy, email) == [(NOTE, "Email from jo@home.example:\n\n#reply It burns")]


def test_a_form_that_arrives_as_it_is_keeps_its_kind() -> None:
    policy = replace(ALL, forms={"post": Arrival.AS_IS})
    posts = [replace(comment("x", kind=kind, identifier=kind), form="post") for kind in (NOTE, REPLY, CUSTOMER)]

    assert crossing_texts(policy, *posts) == [(NOTE, "x"), (REPLY, "x"), (CUSTOMER, "x")]
