"""Promises about comments."""

from __future__ import annotations

from datetime import timedelta

from connector.adapters.testing.arena import GREETING, Arena
from connector.domain.errors import Gone, Refused, RetryLater, UnknownOutcome
from connector.domain.text import fingerprint
from connector.domain.ticket import CommentKind


class CommentPromises:
    """Each is added once, in its order, and seen only by those who may."""

    def test_a_note_is_added_once_and_nobody_outside_sees_it(self, arena: Arena) -> None:
        """Words that look like mark-up must not make our own entry a stranger's."""
        ticket, sent_at = arena.new_ticket(), arena.now()
        note = arena.note(ticket, "key-1", GREETING)

        written = arena.add(note)["key-1"]
        entry = next(one for one in arena.timeline(ticket) if one.id == written.id)

        assert written.error is None
        assert entry.kind is CommentKind.NOTE
        assert "Grüße aus 東京 👋" in entry.text
        assert arena.recognise(note, sent_at) == written.id
        assert arena.customer_sees(ticket) == []

    def test_a_reply_reaches_the_customer_only_where_the_vendor_can(self, arena: Arena) -> None:
        ticket = arena.new_ticket()

        arena.add(arena.note(ticket, "key-1", "We are on it", CommentKind.REPLY))
        seen = [fingerprint("We are on it") in fingerprint(text) for text in arena.customer_sees(ticket)]

        assert seen == ([True] if arena.adapter.capabilities.public_comments else [])
        assert arena.is_said(ticket, "We are on it") == 1

    def test_comments_are_added_in_their_order(self, arena: Arena) -> None:
        ticket, other = arena.new_ticket(), arena.new_ticket()
        texts = ["alpha word", "bravo word", "charlie word"]

        arena.add(
            *(arena.note(one, f"key-{one}-{text}", text) for text in texts for one in (ticket, other)),
        )

        for one in (ticket, other):
            said = [fingerprint(entry.text) for entry in arena.timeline(one)]
            places = [next(at for at, told in enumerate(said) if fingerprint(text) in told) for text in texts]
            assert places == sorted(places)
            assert len(set(places)) == 3

    def test_a_later_comment_waits_for_an_earlier_one(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        comments = [arena.note(ticket, f"key-{text}", text) for text in ("first words", "second words")]
        arena.fault("status", **arena.comment_call, status=500)

        written = arena.add(*comments)

        assert written["key-first words"].error is not None
        assert "key-second words" not in written or written["key-second words"].error is not None
        assert arena.is_said(ticket, "second words") == 0

    def test_long_texts_arrive_whole(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        text = ("Zeile mit Umlauten äöü und Zeichen 漢字. " * arena.longest_comment)[: arena.longest_comment].strip()

        written = arena.add(arena.note(ticket, "key-1", text))["key-1"]

        assert written.error is None
        assert arena.is_said(ticket, text) == 1

    def test_what_people_say_is_read(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.say(ticket, "A person's words")

        entry = next(one for one in arena.timeline(ticket) if "person" in one.text)

        assert entry.kind is CommentKind.NOTE
        assert entry.created_at.utcoffset() == timedelta(0)

    def test_a_comment_of_unknown_outcome_is_found_once(self, arena: Arena) -> None:
        ticket, sent_at = arena.new_ticket(), arena.now()
        note = arena.note(ticket, "key-1", "Only once, please")
        before = arena.recognise(note, sent_at)
        arena.fault("lost_answer", **arena.comment_call)

        written = arena.add(note)["key-1"]
        found = arena.recognise(note, sent_at)

        assert before is None
        assert isinstance(written.error, UnknownOutcome)
        assert found in {one.id for one in arena.timeline(ticket)}
        assert arena.recognise(note, sent_at, found or "") is None

    def test_a_comment_that_was_never_made_is_not_found(self, arena: Arena) -> None:
        ticket, sent_at = arena.new_ticket(), arena.now()
        note = arena.note(ticket, "key-1", "Never arrived")
        arena.fault("drop_before", **arena.comment_call)

        written = arena.add(note)["key-1"]

        assert isinstance(written.error, UnknownOutcome)
        assert arena.recognise(note, sent_at) is None

    def test_two_equal_comments_stay_two(self, arena: Arena) -> None:
        """People do say the same twice; an entry that is one effect's is no other's."""
        ticket, sent_at = arena.new_ticket(), arena.now()
        first, second = (arena.note(ticket, key, "Any news?") for key in ("key-1", "key-2"))

        written = arena.add(first, second)
        ids = {one.id for one in written.values()}

        assert len(ids) == 2
        assert arena.is_said(ticket, "Any news?") == 2
        assert arena.recognise(second, sent_at, written["key-1"].id) == written["key-2"].id
        assert arena.recognise(second, sent_at, *ids) is None

    def test_the_comments_of_many_are_kept_apart(self, arena: Arena) -> None:
        """And cost a few calls where that is claimed, not one a ticket."""
        tickets = [arena.new_ticket() for _ in range(6)]
        for number, ticket in enumerate(tickets):
            arena.say(ticket, f"Said of number {number}")
        arena.wire.urls.clear()

        found = arena.adapter.comments(tickets)
        calls = len(arena.wire.urls)

        for number, ticket in enumerate(tickets):
            assert [f"number {number}" in one.text for one in found[ticket]] == [True]
        assert not arena.adapter.capabilities.batch_comments or calls < len(tickets)

    def test_looking_at_what_is_new_only_passes_nothing_over(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.say(ticket, "Long ago")
        arena.imitation.clock.advance(3600)
        since = arena.now()
        arena.say(ticket, "Just now")

        found = [one.text for one in arena.adapter.comments([ticket], since=since)[ticket]]

        assert any("Just now" in text for text in found)

    def test_a_comment_on_what_is_gone_fails_alone(self, arena: Arena) -> None:
        ticket, gone = arena.new_ticket(), arena.gone_ticket()

        written = arena.add(arena.note(gone, "key-1", "Lost words"), arena.note(ticket, "key-2", "Kept words"))

        assert isinstance(written["key-1"].error, Gone | Refused)
        assert written["key-2"].error is None
        assert arena.is_said(ticket, "Kept words") == 1

    def test_a_comment_that_is_too_long_is_never_cut_without_a_word(self, arena: Arena) -> None:
        """It is refused, or arrives whole, or tells at its end that there is more."""
        ticket, text = arena.new_ticket(), ("Ein langer Satz, und dann noch einer. " * 6_000).strip()

        written = arena.add(arena.note(ticket, "key-1", text))["key-1"]

        if written.error is not None:
            assert isinstance(written.error, Refused)
            assert arena.is_said(ticket, text[:200]) == 0
            return
        said = fingerprint(next(one.text for one in arena.timeline(ticket) if one.id == written.id))
        assert fingerprint(text[:200]) in said
        assert fingerprint(text) in said or said[-20:] not in fingerprint(text)

    def test_lines_stay_lines(self, arena: Arena) -> None:
        ticket = arena.new_ticket()

        written = arena.add(arena.note(ticket, "key-1", "First line\nSecond line\n\n* third"))["key-1"]
        lines = next(one.text for one in arena.timeline(ticket) if one.id == written.id).splitlines()

        assert [one for one in lines if one.endswith("First line")]
        assert [one for one in lines if one.startswith("Second line")]

    def test_who_said_it_is_told(self, arena: Arena) -> None:
        """Our own account writes what others said."""
        ticket = arena.new_ticket()

        written = arena.add(arena.note(ticket, "key-1", "Called her"))["key-1"]
        entry = next(one for one in arena.timeline(ticket) if one.id == written.id)

        assert "Ana Agent" in entry.text + entry.author_name

    def test_what_people_said_before_is_never_taken_for_ours(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.say(ticket, "The very same words")
        arena.imitation.clock.advance(3600)
        note, sent_at = arena.note(ticket, "key-1", "The very same words"), arena.now()

        assert arena.recognise(note, sent_at) is None

    def test_a_limit_met_by_a_comment_leaves_it_certainly_unsaid(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.fault("status", **{**arena.rate_limited, "times": None})

        error = arena.add(arena.note(ticket, "key-1", "Later, perhaps"))["key-1"].error
        arena.imitation.faults.clear()

        assert isinstance(error, RetryLater)
        assert error.scope == "connection"
