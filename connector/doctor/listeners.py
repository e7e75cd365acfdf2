"""Who listens to outgoing events: whether they take them, and what waits. Nobody is called."""

from __future__ import annotations

from collections.abc import Iterator

from connector.doctor.finding import Finding, judged
from connector.engine.story import moment
from connector.events.figures import EndpointFigures
from connector.wiring import Runtime

OVERDUE = 60.0
"""Seconds after which an event that was not taken is worth a line: they are looked for every second or two."""


def examine(runtime: Runtime) -> Iterator[Finding]:
    """Two lines an endpoint: whether it takes events, and whether some were given up."""
    for one in runtime.listeners():
        yield _taking(one)
        told = f"{one.failed} event(s) were given up after three days" if one.failed else "none was given up"
        advice = f"`connector events list --endpoint {one.name} --state failed`, then `connector events retry-all`"
        yield judged(f"events.{one.name}", "failed", told, advice if one.failed else "")


def _taking(one: EndpointFigures) -> Finding:
    where = f"events.{one.name}"
    waiting = f"{one.waiting} wait, the oldest for {one.oldest_seconds:.0f} s" if one.waiting else "nothing waits"
    last = f"last taken {moment(one.answered_at)}" if one.answered_at else "nothing was taken yet"
    if one.off_at is not None:
        detail = f"off since {moment(one.off_at)}, {one.off_why}; {waiting}"
        return judged(where, one.host, detail, f"`connector events on {one.name}`, or take it out of the configuration")
    if one.failing_since is not None:
        until = f", not called until {moment(one.closed_until)}" if one.closed_until else ""
        detail = f"fails since {moment(one.failing_since)}{until}: {one.cause}; {waiting}; {last}"
        private = "PrivateAddress" in one.cause
        advice = "the address is private: allow_private = true lets it be called" if private else ""
        return judged(
            where, one.host, detail, advice or f"mend the listener; `connector events test {one.name}` asks it"
        )
    late = one.oldest_seconds > OVERDUE
    advice = "start `connector run`, or worker and beat; else the listener is slow" if late else ""
    return judged(where, one.host, f"takes events; {waiting}; {last}", advice)
