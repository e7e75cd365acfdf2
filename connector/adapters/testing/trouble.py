"""Promises about what happens when things go wrong, and what is never shown."""

from __future__ import annotations

from contextlib import suppress

import pytest

from connector.adapters.testing.arena import Arena
from connector.domain.errors import Refused, RetryLater, UnknownOutcome

WRITES = ("POST", "PATCH", "PUT")


class TroublePromises:
    """Every failure is told by what happens next."""

    def test_an_expired_token_is_renewed_once(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.fault("status", status=401, times=1, body={"message": "expired"})

        if arena.renews_credentials:
            assert arena.read(ticket).id == ticket
            return
        with pytest.raises(RetryLater) as caught:
            arena.read(ticket)
        assert (caught.value.code, caught.value.scope) == ("unauthorized", "connection")

    def test_credentials_that_stay_wrong_end_the_call(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.fault("status", status=401, times=None, body={"message": "expired"})

        with pytest.raises(RetryLater) as caught:
            arena.read(ticket)

        assert (caught.value.code, caught.value.scope) == ("unauthorized", "connection")
        assert len(arena.wire.urls) <= 2 + arena.renews_credentials

    def test_a_limit_is_everybodys_wait(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.fault("status", **arena.rate_limited)

        with pytest.raises(RetryLater) as caught:
            arena.read(ticket)
        with pytest.raises(RetryLater):
            arena.read(ticket)

        assert caught.value.scope == "connection"
        assert caught.value.after == pytest.approx(arena.limit_wait, abs=1.5)
        assert len(arena.wire.urls) == 1

    def test_a_limit_without_a_word_about_time_is_everybodys_too(self, arena: Arena) -> None:
        """Without a wait of its own it leaves the wait to the engine, which lets it grow."""
        ticket = arena.new_ticket()
        arena.fault("status", status=429)

        with pytest.raises(RetryLater) as caught:
            arena.read(ticket)

        assert caught.value.scope == "connection"
        assert caught.value.after is None or 0 < caught.value.after <= 300

    def test_a_limit_met_by_a_write_leaves_it_certainly_undone(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.fault("status", **{**arena.rate_limited, "times": None})

        error = arena.update(ticket, {arena.text_field: "late"}).error

        assert isinstance(error, RetryLater)
        assert error.scope == "connection"

    def test_a_broken_read_is_only_late(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.fault("status", status=502, times=None)

        with pytest.raises(RetryLater):
            arena.read(ticket)

    def test_a_dropped_read_is_repeated(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.fault("drop_before", times=2)

        assert arena.read(ticket).id == ticket

    @pytest.mark.parametrize("kind", ["error_after", "lost_answer", "drop_before"])
    def test_a_write_without_a_clear_answer_is_unknown(self, arena: Arena, kind: str) -> None:
        ticket = arena.new_ticket()
        for method in WRITES:
            arena.fault(kind, method=method, times=None)

        error = arena.update(ticket, {arena.text_field: "perhaps"}).error

        assert isinstance(error, UnknownOutcome)
        assert error.answered == (kind == "error_after")

    def test_an_outage_is_the_connections_trouble(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.imitation.stop()
        try:
            with pytest.raises(RetryLater) as caught:
                arena.read(ticket)
            error = arena.update(ticket, {arena.text_field: "late"}).error
        finally:
            arena.imitation.start()

        assert caught.value.scope == "connection"
        assert isinstance(error, RetryLater)

    def test_an_answer_that_is_a_page_is_not_believed(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.fault("status", status=200, times=None, body="<html>Maintenance</html>")

        with pytest.raises(RetryLater):
            arena.read(ticket)


class SecrecyPromises:
    """No secret is shown, and nobody else is called."""

    def test_nothing_secret_is_shown(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        told = [repr(arena.adapter), repr(arena.creation("key", "outside"))]
        for status in (400, 401, 403, 404, 429, 500):
            arena.fault("status", status=status, times=None, body={"message": "no"})
            for written in (
                arena.update(ticket, {arena.text_field: "customer's words"}),
                arena.add(arena.note(ticket, "key", "customer's words"))["key"],
            ):
                error = written.error
                told += [str(error), repr(error), repr(error.__cause__) if error else ""]
            arena.imitation.faults.clear()

        assert not [secret for secret in (*arena.secrets, "customer's words") if any(secret in one for one in told)]

    def test_only_the_configured_address_is_called(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.update(ticket, {arena.text_field: "x"})
        arena.add(arena.note(ticket, "key", "x"))
        arena.timeline(ticket)
        arena.adapter.check()

        assert arena.wire.urls
        assert all(url.startswith(arena.base_url) for url in arena.wire.urls)

    @pytest.mark.parametrize("hostile", ["../members", "..", "a/../../b", "//evil.test", "x?y=z", "a#b", "%2e%2e"])
    def test_an_id_cannot_lead_elsewhere(self, arena: Arena, hostile: str) -> None:
        """An id comes from outside: it names nothing, or the call is refused, but it never becomes a path."""
        with suppress(Refused):
            assert dict(arena.adapter.read([hostile], arena.fields)) == {}
