"""Promises about reading and writing records."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.adapters.base import Change, ChangeKind
from connector.adapters.testing.arena import GREETING, MOST_PARTS, Arena
from connector.domain.errors import Gone, Refused, UnknownOutcome


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

        records = arena.adapter.read(wanted, arena.fields)

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

    def test_a_created_record_is_there(self, arena: Arena) -> None:
        if not arena.adapter.capabilities.creates:
            pytest.skip("the vendor cannot create")

        written = arena.create("key-1", "outside-1")

        assert written.error is None
        assert written.created
        assert arena.read(written.id).id == written.id

    def test_creating_again_makes_no_second_record(self, arena: Arena) -> None:
        """Claimed by `idempotent_create`; elsewhere the probe finds the first."""
        if not arena.adapter.capabilities.creates:
            pytest.skip("the vendor cannot create")
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
            pytest.skip("the vendor cannot create")
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
