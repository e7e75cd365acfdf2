"""Promises about what happens when things go wrong, and what is never shown."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from connector.adapters.testing.arena import Arena
from connector.domain.errors import Gone, Refused, RetryLater, UnknownOutcome

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

    def test_credentials_that_are_wrong_leave_a_write_certainly_undone(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.fault("status", status=401, times=None, body={"message": "expired"})

        error = arena.update(ticket, {arena.text_field: "never"}).error

        assert isinstance(error, RetryLater)
        assert (error.code, error.scope) == ("unauthorized", "connection")

    def test_a_write_that_is_forbidden_is_refused(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        for method in WRITES:
            arena.fault("status", method=method, status=403, times=None, body={"message": "forbidden"})

        error = arena.update(ticket, {arena.text_field: "never"}).error

        assert isinstance(error, Refused)
        assert not isinstance(error, Gone)

    def test_a_slow_read_is_only_late(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.wire.is_slow = True

        with pytest.raises(RetryLater):
            arena.read(ticket)

    def test_a_write_whose_answer_is_too_late_is_unknown(self, arena: Arena) -> None:
        ticket = arena.new_ticket()
        arena.wire.is_slow = True

        error = arena.update(ticket, {arena.text_field: "perhaps"}).error
        arena.wire.is_slow = False

        assert isinstance(error, UnknownOutcome | RetryLater)
        assert isinstance(error, UnknownOutcome) or arena.read(ticket).fields[arena.text_field] != "perhaps"

    def test_an_answer_from_elsewhere_is_not_followed(self, arena: Arena) -> None:
        """The next host would be given our credentials."""
        ticket = arena.new_ticket()
        arena.fault("status", status=302, times=None, headers={"Location": "http://127.0.0.1:9/elsewhere"})

        with pytest.raises((RetryLater, Refused)):
            arena.read(ticket)

        assert all(url.startswith(arena.base_url) for url in arena.wire.urls)

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

    @pytest.mark.parametrize("body", [{}, [], "null", {"unexpected": True}])
    def test_an_answer_that_makes_no_sense_is_not_believed(self, arena: Arena, body: object) -> None:
        """Least of all is a record thought deleted because of it."""
        ticket = arena.new_ticket()
        arena.read(ticket)
        arena.fault("status", status=200, times=None, headers={"Content-Type": "application/json"}, body=body)

        with pytest.raises(RetryLater):
            arena.read(ticket)

    def test_a_sweep_and_a_timeline_that_break_are_only_late(self, arena: Arena) -> None:
        """Never a short list that looks like a whole one."""
        ticket = arena.new_ticket()
        arena.say(ticket, "A note")
        arena.fault("status", status=502, times=None)

        with pytest.raises(RetryLater):
            arena.swept(arena.now() - timedelta(minutes=5))
        with pytest.raises(RetryLater):
            arena.timeline(ticket)

    def test_a_create_that_is_sent_again_takes_nothing_back(self, arena: Arena) -> None:
        """Claimed by `idempotent_create`: what people have changed since the first is left as it is."""
        can = arena.adapter.capabilities
        if not (can.creates and can.idempotent_create):
            return
        change = arena.creation("key-1", "outside-1")
        first = arena.write(change)["key-1"]
        arena.update(first.id, {arena.text_field: "Changed since"})

        again = arena.write(replace(change, repeated=True))["key-1"]

        assert (again.id, again.created) == (first.id, False)
        assert arena.read(first.id).fields[arena.text_field] == "Changed since"

    def test_a_create_that_is_answered_with_an_error_of_theirs_is_unknown(self, arena: Arena) -> None:
        if not arena.adapter.capabilities.creates:
            return
        arena.fault("error_after", **arena.create_call, status=503)

        error = arena.create("key-1", "outside-1").error

        assert isinstance(error, UnknownOutcome)
        assert error.answered


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

    def test_no_address_and_no_log_line_holds_a_secret(
        self, arena: Arena, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ticket = arena.new_ticket()
        with caplog.at_level("DEBUG"):
            arena.update(ticket, {arena.text_field: "customer's words"})
            arena.add(arena.note(ticket, "key", "customer's words"))
            arena.adapter.check()
        told = [*arena.wire.urls, caplog.text, *capsys.readouterr()]

        assert not [secret for secret in (*arena.secrets, "customer's words") if any(secret in one for one in told)]

    @pytest.mark.parametrize("hostile", ["../members", "..", "a/../../b", "//evil.test", "x?y=z", "a#b", "%2e%2e"])
    def test_an_id_cannot_lead_elsewhere(self, arena: Arena, hostile: str) -> None:
        """An id comes from outside: it names nothing, or the call is refused, but it never becomes a path."""
        with suppress(Refused):
            assert dict(arena.adapter.read([hostile], arena.fields)) == {}
        with suppress(Refused):
            assert not any(arena.adapter.comments([hostile]).values())
        assert isinstance(arena.update(hostile, {arena.text_field: "x"}).error, Refused)
        assert isinstance(arena.add(arena.note(hostile, "key", "x"))["key"].error, Refused)
