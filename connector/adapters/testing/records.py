"""Promises about reading and writing records."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connector.adapters.base import Change, ChangeKind
from connector.adapters.testing.arena import GREETING, MOST_PARTS, Arena
from connector.domain.errors import Gone, NotSupported, Refused, RetryLater, UnknownOutcome
from connector.domain.ticket import normal


class ReadingPromises:
    """What is read is whole, and costs few calls."""

    def test_reading_gives_every_field_that_was_asked_for(self, arena: Arena) -> None:
        ticket = arena.new_ticket()

        record = arena.read(ticket)

        assert record.id == ticket
        assert set(arena.fields) <= set(record.fields)
        assert isinstance(record.fields[arena.text_field], str)
        assert record.version is not None
        assert record.version.utcoffset() == timedelta(0)

    def test_what_we_cannot_see_is_left_out(self, arena: Arena) -> None:
        ticket, gone = arena.new_ticket(), arena.gone_ticket()

        records = arena.adapter.read([ticket, gone], arena.fields)

        assert set(records) == {ticket}

    def test_reading_nothing_costs_nothing(self, arena: Arena) -> None:
        assert dict(arena.adapter.read([], arena.fields)) == {}
        assert arena.wire.urls == []

    def test_many_are_read_in_fewer_calls(self, arena: Arena) -> None:
        wanted = [arena.new_ticket() for _ in range(12)]

        records = arena.adapter.read([*wanted, wanted[0]], arena.fields)

        assert set(records) == set(wanted)
        assert len(arena.wire.urls) <= 2

    def test_more_than_one_batch_is_read_whole(self, arena: Arena) -> None:
        wanted = [arena.new_ticket() for _ in range(101)]

        assert set(arena.adapter.read(wanted, arena.fields)) == set(wanted)

    def test_what_changed_is_found_by_time(self, arena: Arena) -> None:
        old = arena.new_ticket()
        arena.imitation.clock.advance(3600)
        since = arena.now()
        wanted = {arena.new_ticket() for _ in range(3)}
        arena.imitation.clock.advance(arena.adapter.capabilities.lag)

        found = {record.id: record for part in arena.swept(since) for record in part.records}

        assert wanted <= set(found)
        assert old not in found
        assert all(arena.text_field in found[one].fields for one in wanted)

    def test_an_old_ticket_that_was_changed_is_found_by_time_too(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.imitation.clock.advance(3600)
        since = arena.now()
        quiet = arena.swept(since)
        arena.update(ticket, {arena.text_field: "Changed now"})
        arena.imitation.clock.advance(arena.adapter.capabilities.lag)

        found = {record.id for part in arena.swept(since) for record in part.records}

        assert [record.id for part in quiet for record in part.records] == []
        assert found == {ticket}

    def test_a_sweep_is_not_gone_on_with_from_a_place_that_never_was(self, arena: Arena) -> None:
        with pytest.raises(Refused):
            arena.adapter.changes(arena.now() - timedelta(minutes=5), arena.fields, "nowhere/..")

    def test_a_sweep_goes_on_later_and_passes_nothing_over(self, arena: Arena) -> None:
        """A ticket that moves meanwhile hides no other one; itself it may be left for the next sweep."""
        since = arena.now() - timedelta(seconds=1)
        wanted = [arena.new_ticket() for _ in range(230)]
        arena.imitation.clock.advance(arena.adapter.capabilities.lag)
        parts = [arena.adapter.changes(since, arena.fields)]
        arena.update(wanted[0], {arena.text_field: "Changed meanwhile"})
        arena.imitation.clock.advance(arena.adapter.capabilities.lag)

        while parts[-1].after:
            assert len(parts) < MOST_PARTS
            parts.append(arena.adapter.changes(since, arena.fields, parts[-1].after))

        assert set(wanted[1:]) <= {record.id for part in parts for record in part.records}

    def test_changed_comments_are_listed_where_that_is_claimed(self, arena: Arena) -> None:
        """And nowhere else, so that the engine knows whether it must look itself."""
        ticket = arena.new_ticket()
        arena.imitation.clock.advance(3600)
        since = arena.now()
        arena.say(ticket, "A note")
        arena.imitation.clock.advance(arena.adapter.capabilities.lag)

        listed = {one.ticket_id for part in arena.swept(since) for one in part.commented}

        assert listed == ({ticket} if arena.adapter.capabilities.lists_comments else set())

    def test_a_change_makes_a_later_version(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        before = arena.read(ticket).version
        arena.imitation.clock.advance(2)

        arena.update(ticket, {arena.text_field: "Changed"})
        after = arena.read(ticket).version

        assert before is not None
        assert after is not None
        assert after > before

    def test_the_customer_of_a_ticket_is_known(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        try:
            who = arena.adapter.requesters([ticket])[ticket]
        except NotSupported:
            who = arena.read(ticket).requester

        assert who.email is not None
        assert who.email == who.email.strip().lower()

    def test_hostile_words_find_nothing(self, arena: Arena) -> None:
        """A value that is looked for stays a value, whatever the vendor's query language makes of it."""
        arena.new_ticket()
        words = ["x' OR 'a' != 'b", 'x" OR "a" != "b', "*", "%", "x) OR (true", "\\' OR 1=1 --"]
        try:
            found = arena.adapter.find(arena.text_field, words, arena.fields)
        except (NotSupported, Refused):
            return

        assert not any(found.values())


class FatePromises:
    """What became of a record is known, and a record that is away is never taken for another."""

    def test_what_was_deleted_is_gone(self, arena: Arena) -> None:
        fate = arena.adapter.fate(arena.gone_ticket())

        assert isinstance(fate, Gone)
        assert fate.survivor is None

    def test_what_was_restored_is_read_again(self, arena: Arena) -> None:
        ticket = arena.gone_ticket()
        before = arena.has(ticket)

        arena.restore(ticket)

        assert (before, arena.has(ticket)) == (False, True)

    def test_what_was_merged_names_its_survivor_where_that_is_claimed(self, arena: Arena) -> None:
        if not arena.adapter.capabilities.merges:
            assert arena.adapter.capabilities.lacks["merges"]
            return
        ticket, other = arena.new_ticket(), arena.new_ticket()

        survivor = arena.merge(ticket, other)

        assert not arena.has(ticket)
        assert arena.adapter.fate(ticket).survivor == survivor
        assert arena.read(survivor).id == survivor

    def test_what_is_closed_for_good_can_be_followed_where_that_is_claimed(self, arena: Arena) -> None:
        if not arena.adapter.capabilities.follow_ups:
            assert arena.adapter.capabilities.lacks["follow_ups"]
            return
        closed = arena.new_ticket()
        arena.close_for_good(closed)
        change = replace(arena.creation("key-1", "outside-1"), follows=closed)

        written = arena.write(change)["key-1"]

        assert written.error is None
        assert arena.read(written.id).id not in ("", closed)

    def test_a_write_to_what_is_gone_makes_no_record(self, arena: Arena) -> None:
        gone = arena.gone_ticket()
        before = arena.tickets()

        error = arena.update(gone, {arena.text_field: "Anybody there?"}).error

        assert isinstance(error, Gone | Refused)
        assert arena.tickets() == before
        assert not arena.has(gone)


class WritingPromises:
    """Every change has its outcome, and none happens twice."""

    def test_an_update_shows_in_its_outcome_and_in_the_next_read(self, arena: Arena) -> None:
        ticket = arena.new_ticket()

        written = arena.update(ticket, {arena.text_field: GREETING, arena.option_field: arena.option})
        record = arena.read(ticket)

        assert written.error is None
        assert written.id == ticket
        assert record.fields[arena.text_field] == GREETING
        assert record.fields[arena.option_field] == arena.option
        assert written.record is None or written.record.fields[arena.text_field] == GREETING

    def test_every_change_has_its_own_outcome(self, arena: Arena) -> None:
        first, gone, last = arena.new_ticket(), arena.gone_ticket(), arena.new_ticket()

        written = arena.write(
            *(
                Change(ChangeKind.UPDATE, f"key-{number}", {arena.text_field: f"Subject {number}"}, ticket)
                for number, ticket in enumerate((first, gone, last))
            )
        )

        assert set(written) == {"key-0", "key-1", "key-2"}
        assert isinstance(written["key-1"].error, Gone | Refused)
        assert [arena.read(ticket).fields[arena.text_field] for ticket in (first, last)] == ["Subject 0", "Subject 2"]

    def test_two_changes_of_one_record_are_made_in_order(self, arena: Arena) -> None:
        ticket = arena.new_ticket()

        arena.write(
            *(Change(ChangeKind.UPDATE, f"key-{text}", {arena.text_field: text}, ticket) for text in ("one", "two"))
        )

        assert arena.read(ticket).fields[arena.text_field] == "two"

    def test_an_unknown_field_is_refused(self, arena: Arena) -> None:
        written = arena.update(arena.new_ticket(), {arena.unknown_field: "value"})

        assert isinstance(written.error, Refused)
        assert written.error.field in (arena.unknown_field, None)

    def test_a_refused_option_names_its_field(self, arena: Arena) -> None:
        written = arena.update(arena.new_ticket(), {arena.option_field: arena.bad_option})

        assert isinstance(written.error, Refused)
        assert written.error.field == arena.option_field

    def test_a_refused_change_holds_up_no_other(self, arena: Arena) -> None:
        first, bad, last = (arena.new_ticket() for _ in range(3))

        written = arena.write(
            Change(ChangeKind.UPDATE, "key-0", {arena.text_field: "First"}, first),
            Change(ChangeKind.UPDATE, "key-1", {arena.option_field: arena.bad_option}, bad),
            Change(ChangeKind.UPDATE, "key-2", {arena.text_field: "Last"}, last),
        )

        assert [written[f"key-{number}"].error is None for number in range(3)] == [True, False, True]
        assert [arena.read(one).fields[arena.text_field] for one in (first, last)] == ["First", "Last"]

    def test_writing_nothing_costs_nothing(self, arena: Arena) -> None:
        assert list(arena.adapter.write([])) == []
        assert list(arena.adapter.add_comments([])) == []
        assert arena.wire.urls == []

    def test_what_is_read_can_be_written_back_and_is_the_same(self, arena: Arena) -> None:
        """Else our own write coming back would be a change, and a loop."""
        ticket = arena.new_ticket()
        arena.update(ticket, {arena.text_field: "  Two  words & <i>more</i> – “so” 👋 "})
        first = arena.read(ticket).fields[arena.text_field]

        written = arena.update(ticket, {arena.text_field: first}, "again")
        second = arena.read(ticket).fields[arena.text_field]

        assert written.error is None
        assert first == second
        assert normal(first) == first

    def test_a_text_that_is_too_long_is_never_cut_without_a_word(self, arena: Arena) -> None:
        """It is refused, arrives whole, or shows by an ellipsis that it was cut."""
        ticket, text = arena.new_ticket(), ("A long subject – " * 8_000).strip()

        error = arena.update(ticket, {arena.text_field: text}).error
        read = arena.read(ticket).fields[arena.text_field]

        assert isinstance(read, str)
        if error is None:
            assert read == text or (read.endswith("…") and text.startswith(read[:-1].rstrip()))
        else:
            assert isinstance(error, Refused)
            assert error.field in (arena.text_field, None)
            assert text[:1000] not in str(error)
            assert len(read) < 1000

    def test_a_change_that_was_decided_on_an_old_reading_is_turned_down_where_that_is_claimed(
        self, arena: Arena
    ) -> None:
        """And where it is not claimed, a version is no reason to fail."""
        ticket = arena.new_ticket()
        old = arena.read(ticket).version
        arena.imitation.clock.advance(5)
        arena.update(ticket, {arena.text_field: "Somebody was faster"})

        error = arena.write(Change(ChangeKind.UPDATE, "key-2", {arena.text_field: "Late"}, ticket, version=old))[
            "key-2"
        ].error
        told = arena.read(ticket).fields[arena.text_field]

        if arena.adapter.capabilities.checks_versions:
            assert isinstance(error, RetryLater)
            assert (error.code, error.scope, told) == ("conflict", "record", "Somebody was faster")
        else:
            assert (error, told) == (None, "Late")

    def test_a_created_record_is_there(self, arena: Arena) -> None:
        written = arena.create("key-1", "outside-1")

        if not arena.adapter.capabilities.creates:
            assert isinstance(written.error, NotSupported)
            return
        assert written.error is None
        assert written.created
        assert arena.read(written.id).id == written.id

    def test_a_created_record_has_our_id_and_our_customer(self, arena: Arena) -> None:
        if not arena.adapter.capabilities.creates:
            return
        change = arena.creation("key-1", "outside-1")

        record = arena.read(arena.write(change)["key-1"].id)
        try:
            who = arena.adapter.requesters([record.id])[record.id]
        except NotSupported:
            who = record.requester

        assert arena.text_field in change.values
        assert record.fields[arena.text_field] == change.values[arena.text_field]
        assert who.email == change.requester.email
        if arena.adapter.external_id:
            ours = arena.adapter.external_id
            assert arena.adapter.read([record.id], [ours])[record.id].fields[ours] == "outside-1"

    def test_several_are_created_with_an_outcome_for_each(self, arena: Arena) -> None:
        if not arena.adapter.capabilities.creates:
            return
        bad = arena.creation("key-2", "outside-2")
        bad = replace(bad, values={**bad.values, arena.option_field: arena.bad_option})
        before = arena.tickets()

        written = arena.write(arena.creation("key-1", "outside-1"), bad, arena.creation("key-3", "outside-3"))

        assert (written["key-1"].error, written["key-3"].error) == (None, None)
        assert isinstance(written["key-2"].error, Refused)
        assert written["key-2"].error.field == arena.option_field
        assert len({written["key-1"].id, written["key-3"].id} - {""}) == 2
        assert arena.tickets() == before + 2

    def test_creating_again_makes_no_second_record(self, arena: Arena) -> None:
        """Claimed by `idempotent_create`; elsewhere the probe finds the first."""
        if not arena.adapter.capabilities.creates:
            return
        sent_at, first = arena.now(), arena.create("key-1", "outside-1")
        before = arena.tickets()

        if arena.adapter.capabilities.idempotent_create:
            again = arena.create("key-2", "outside-1")
            found = again.id
        else:
            record = arena.adapter.probe_create(arena.creation("key-1", "outside-1"), sent_at=sent_at)
            found = record.id if record else ""

        assert found == first.id
        assert arena.tickets() == before

    def test_a_create_of_unknown_outcome_is_found(self, arena: Arena) -> None:
        if not arena.adapter.capabilities.creates:
            return
        sent_at, change = arena.now(), arena.creation("key-1", "outside-1")
        before = arena.adapter.probe_create(change, sent_at=sent_at)
        tickets = arena.tickets()
        arena.fault("lost_answer", **arena.create_call)

        written = arena.write(change)["key-1"]
        found = arena.adapter.probe_create(change, sent_at=sent_at)

        assert before is None
        assert isinstance(written.error, UnknownOutcome)
        assert arena.tickets() == tickets + 1
        assert found is not None

    def test_a_create_that_was_never_made_is_not_found(self, arena: Arena) -> None:
        if not arena.adapter.capabilities.creates:
            return
        sent_at, change, tickets = arena.now(), arena.creation("key-1", "outside-1"), arena.tickets()
        arena.fault("drop_before", **arena.create_call)

        error = arena.write(change)["key-1"].error

        assert isinstance(error, UnknownOutcome)
        assert arena.adapter.probe_create(change, sent_at=sent_at) is None
        assert arena.tickets() == tickets
