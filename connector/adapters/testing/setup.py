"""Promises about webhooks, set-up and diagnosis."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from connector.adapters.base import EventKind, Step
from connector.adapters.testing.arena import Arena
from connector.domain.errors import BadDelivery, ConnectorError, NotSupported


class WebhookPromises:
    """Only genuine deliveries are believed."""

    def test_a_genuine_delivery_is_believed_and_names_its_ticket(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        delivery = arena.delivery(ticket)

        arena.adapter.verify(delivery, now=arena.now())
        events = arena.adapter.parse(delivery)

        assert ticket in {event.ticket_id or event.subject for event in events}
        assert all(event.key for event in events)
        assert len({event.key for event in events}) == len(events)

    def test_the_same_bytes_have_the_same_keys(self, arena: Arena) -> None:
        delivery = arena.delivery(arena.new_ticket())

        first, again = arena.adapter.parse(delivery), arena.adapter.parse(delivery)

        assert [event.key for event in first] == [event.key for event in again]

    def test_an_event_tells_a_value_as_a_read_shows_it(self, arena: Arena) -> None:
        """By this the echo of our own write is known; else every write would come back as news."""
        ticket = arena.new_ticket()

        events = arena.adapter.parse(arena.delivery(ticket))
        shown = arena.read(ticket).fields
        told = [(event.field, event.value) for event in events if event.has_value and event.field]
        told += [(name, value) for event in events if event.record for name, value in event.record.fields.items()]

        assert [name for name, value in told if name in shown and shown[name] != value] == []

    def test_a_delivery_that_was_changed_is_refused(self, arena: Arena) -> None:
        delivery = arena.delivery(arena.new_ticket())

        with pytest.raises(BadDelivery):
            arena.adapter.verify(arena.forged(delivery), now=arena.now())

    def test_a_delivery_without_a_signature_is_refused(self, arena: Arena) -> None:
        delivery = arena.delivery(arena.new_ticket())

        with pytest.raises(BadDelivery):
            arena.adapter.verify(arena.bare(delivery), now=arena.now())

    def test_a_delivery_of_another_time_is_refused_where_times_are_signed(self, arena: Arena) -> None:
        """Else a delivery that somebody recorded could be posted for ever."""
        delivery = arena.delivery(arena.new_ticket())
        if not arena.adapter.capabilities.dated_webhooks:
            arena.adapter.verify(delivery, now=arena.now() + timedelta(days=1))
            return

        for away in (timedelta(hours=1), -timedelta(hours=1)):
            with pytest.raises(BadDelivery):
                arena.adapter.verify(delivery, now=arena.now() + away)

    def test_what_vouches_for_one_delivery_vouches_for_no_other(self, arena: Arena) -> None:
        """A forged one with a genuine one's headers, or at a wrong address, is nobody's."""
        ticket, other = arena.new_ticket(), arena.new_ticket()
        genuine, wanted = arena.delivery(ticket), arena.delivery(other)

        with pytest.raises(BadDelivery):
            arena.adapter.verify(arena.forged(replace(genuine, body=wanted.body)), now=arena.now())

    def test_a_genuine_delivery_is_answered_as_taken(self, arena: Arena) -> None:
        assert 200 <= arena.adapter.answer(arena.delivery(arena.new_ticket())).status < 300

    @pytest.mark.parametrize("body", [b"", b"not json", b"\xff\xfe", b"3", b"null", b'"text"', b"[" * 100_000])
    def test_bytes_that_say_nothing_are_a_bad_delivery(self, arena: Arena, body: bytes) -> None:
        with pytest.raises(BadDelivery):
            arena.adapter.parse(replace(arena.delivery(arena.new_ticket()), body=body))

    @pytest.mark.parametrize("body", [b"{}", b'{"event": "something.new", "data": {"id": "1"}}', b"[]"])
    def test_news_we_do_not_know_is_no_ticket(self, arena: Arena, body: bytes) -> None:
        """Vendors add events: an unknown one is put aside or is a bad delivery, never a crash or a guess."""
        try:
            events = arena.adapter.parse(replace(arena.delivery(arena.new_ticket()), body=body))
        except BadDelivery:
            return

        assert all(event.kind is EventKind.OTHER for event in events)


class CapabilityPromises:
    """What is claimed is so, and what is missing is missing at the vendor."""

    def test_whatever_is_missing_has_its_reason(self, arena: Arena) -> None:
        """`connector adapters list` tells it; where the vendor has it, it must not be missing."""
        can = arena.adapter.capabilities

        assert set(can.lacks) == set(can.missing)
        assert all(can.lacks.values())

    def test_its_sizes_are_sizes(self, arena: Arena) -> None:
        can = arena.adapter.capabilities

        assert 1 <= can.batch <= 1000
        assert 0 <= can.spacing <= 60
        assert 0 <= can.lag <= 3600
        assert arena.adapter.name == arena.adapter.name.strip() != ""


class SetupPromises:
    """Setting up is idempotent, and trouble is told."""

    def test_people_have_lower_case_addresses_or_the_list_is_not_supported(self, arena: Arena) -> None:
        try:
            people = arena.adapter.people()
        except NotSupported:
            return

        assert len({person.id for person in people}) == len(people)
        assert all(person.email is None or person.email == person.email.lower().strip() for person in people)
        assert any(person.active and person.email for person in people)

    def test_the_schema_knows_the_fields(self, arena: Arena) -> None:
        schema = arena.adapter.schema()
        option = schema.field(arena.option_field)

        assert schema.field(arena.text_field) is not None
        assert option is not None
        assert arena.option in {one.value for one in option.options}
        assert schema.field(arena.unknown_field) is None

    def test_a_dry_run_writes_nothing(self, arena: Arena) -> None:
        steps = [
            *arena.adapter.ensure_schema(dry_run=True),
            *arena.adapter.subscribe("https://connector.example.test/webhooks/acme", dry_run=True),
        ]

        assert all(step.state in ("ok", "would", "manual", "problem") for step in steps)
        assert all(arena.imitation.calls.count(method=method) == 0 for method in ("PATCH", "PUT", "DELETE"))

    def test_setting_up_twice_changes_nothing_the_second_time(self, arena: Arena) -> None:
        def set_up() -> list[str]:
            steps = [
                *arena.adapter.ensure_schema(dry_run=False),
                *arena.adapter.subscribe("https://connector.example.test/webhooks/acme", dry_run=False),
            ]
            return [step.state for step in steps]

        first, second = set_up(), set_up()

        assert set(first) <= {"ok", "done", "manual"}
        assert "done" not in second

    def test_a_healthy_account_passes_every_check(self, arena: Arena) -> None:
        arena.adapter.ensure_schema(dry_run=False)
        arena.adapter.subscribe("https://connector.example.test/webhooks/acme", dry_run=False)

        checks = arena.adapter.check()

        assert checks
        assert [check for check in checks if not check.ok] == []

    def test_setting_up_an_account_in_trouble_raises_or_tells_a_problem(self, arena: Arena) -> None:
        """Never a step that was done."""
        arena.fault("status", status=403, times=None, body={"message": "forbidden"})
        steps: list[Step] = []
        with suppress(ConnectorError):
            steps += arena.adapter.ensure_schema(dry_run=False)
        with suppress(ConnectorError):
            steps += arena.adapter.subscribe("https://connector.example.test/webhooks/other", dry_run=False)

        assert "done" not in {step.state for step in steps}
        assert all(step.advice for step in steps if step.state in ("manual", "problem"))

    @pytest.mark.parametrize("status", [401, 403, 500])
    def test_a_check_of_an_account_in_trouble_says_so_and_does_not_raise(self, arena: Arena, status: int) -> None:
        arena.fault("status", status=status, times=None)

        checks = arena.adapter.check()

        assert [check for check in checks if not check.ok]
        assert not [secret for secret in arena.secrets if secret in repr(checks)]

    def test_what_is_missing_is_said_plainly(self, arena: Arena) -> None:
        """`find` and `tickets_of` work or raise NotSupported; nothing answers as if it had looked."""
        arena.new_ticket()
        for ask in (
            lambda: arena.adapter.find(arena.text_field, ["nothing like this"], arena.fields),
            lambda: arena.adapter.tickets_of(["1"]),
        ):
            try:
                found = ask()
            except NotSupported:
                continue
            assert arena.wire.urls
            assert not any(found.values())
