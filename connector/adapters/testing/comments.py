"""Promises about comments."""

from __future__ import annotations

from datetime import timedelta

from connector.adapters.testing.arena import GREETING, Arena
from connector.domain.errors import UnknownOutcome
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
        arena.fault("status", **arena.comment_call, status=500, times=None)

        written = arena.add(*comments)
        arena.imitation.faults.clear()

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
