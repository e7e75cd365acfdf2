"""What waits, and for what: the switch, the circuit, the limit, the age of the oldest change, and people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from connector.doctor import limits, looking
from connector.doctor.finding import NOTE, Finding, judged
from connector.engine import heartbeat, status, story
from connector.engine.context import NEXTCAP
from connector.engine.poll import CURSOR
from connector.engine.status import ConnectionFigures
from connector.engine.story import moment
from connector.store import cursors
from connector.wiring import Runtime

OVERDUE = 60.0
"""Seconds after which a change that has not crossed is worth a line: a healthy connection takes one or two."""
SHOWN = 5
SILENT = timedelta(minutes=2)
LATE = timedelta(minutes=5)
"""So much longer than twice its period a round trip may take before it is late."""


def examine(runtime: Runtime) -> Iterator[Finding]:
    """Every connection's state, the limits in force, and whether anybody works at all."""
    everything = status.figures(runtime.engine)
    figures = {one.name: one for one in everything.connections}
    for name in (NEXTCAP, *runtime.engine.names):
        if name in figures:
            yield _circuit(runtime, figures[name])
            yield from _own(figures[name]) if name != NEXTCAP else ()
    yield from limits.examine(runtime)
    yield from looking.examine(runtime, everything)
    yield _failing(runtime)
    yield _somebody_works(runtime, figures[NEXTCAP])
    yield from _heartbeats(runtime, figures)


def _circuit(runtime: Runtime, one: ConnectionFigures) -> Finding:
    if not one.closed or one.closed_until is None:
        return judged(one.name, "calls", "not held up", "")
    label = runtime.engine.label(one.name)
    detail = f"waiting for {label} until {moment(one.closed_until)}: {one.cause}"
    return judged(one.name, "calls", detail, "mend the cause if it is on your side; it is tried again by itself")


def _own(one: ConnectionFigures) -> Iterator[Finding]:
    yield from _switch(one)
    late = one.due > 0 and one.oldest_seconds > OVERDUE
    detail = f"{one.due} due, the oldest for {one.oldest_seconds:.0f} s" if one.due else "nothing is due"
    yield judged(one.name, "age", detail, "the lines above may say why; else start more workers" if late else "")
    told = f"{one.parked} wait for a person" if one.parked else "nothing waits for a person"
    yield judged(one.name, "parked", told, f"`connector parked list --connection {one.name}`" if one.parked else "")
    loops = f"{one.quarantined} field(s) in quarantine: our writes to them were undone again and again"
    advice = f"`connector parked list --connection {one.name} --code loop`: look for an automation that sets the field"
    yield judged(one.name, "loops", loops if one.quarantined else "none", advice if one.quarantined else "")


def _switch(one: ConnectionFigures) -> Iterator[Finding]:
    """What a person or a fuse has paused, why, and the one command that goes on."""
    if not one.pauses:
        yield judged(one.name, "switch", "on", "")
    for pause in one.pauses:
        chosen = "" if pause.direction == "both" else f" --direction {pause.direction}"
        waiting = f"; {pause.waiting} ticket(s) wait for it" if pause.waiting else ""
        advice = f"`connector resume {one.name}{chosen}`"
        if pause.by_fuse:
            advice += f", once you have seen what it was (`connector parked list --connection {one.name}`)"
        yield judged(one.name, "switch", f"{pause.told}{waiting}", advice)


def _failing(runtime: Runtime) -> Finding:
    """Tickets that are tried again and again, for a reason of their own."""
    rows = story.failing(runtime.engine)
    if not rows:
        return judged("work", "tickets", "no ticket is failing", "")
    names = ", ".join(f"#{row['number']}" if row["number"] else str(row["record_id"]) for row in rows[:SHOWN])
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return judged("work", "tickets", f"{names}{more} fail and are tried again", "`connector status` says why")


def _somebody_works(runtime: Runtime, nextcap: ConnectionFigures) -> Finding:
    """Somebody looks at Next Cap every few seconds, unless it is paused or away."""
    what = "somebody works"
    with runtime.db.read() as connection:
        last = cursors.get(connection, NEXTCAP, CURSOR)
    if last is None:
        return Finding("work", what, NOTE, "not yet: start `connector run`, or worker and beat")
    ago = runtime.engine.now() - last[1]
    silent = ago > SILENT + timedelta(seconds=runtime.settings.nextcap.poll_seconds)
    excused = nextcap.closed or nextcap.paused
    advice = "" if excused or not silent else "start `connector run`, or worker and beat (see docs/runbook.md)"
    return judged("work", what, f"Next Cap was last looked at {ago.total_seconds():.0f} s ago", advice)


def _heartbeats(runtime: Runtime, figures: Mapping[str, ConnectionFigures]) -> Iterator[Finding]:
    """Whether the synthetic ticket of each connection still makes the round trip, where that is switched on."""
    every = runtime.settings.heartbeat.every
    if every is None:
        return
    known = heartbeat.beats(runtime.engine)
    for name in runtime.engine.names:
        yield _beat(runtime, figures[name], known.get(name, heartbeat.Beat()), every)


def _beat(runtime: Runtime, one: ConnectionFigures, beat: heartbeat.Beat, every: timedelta) -> Finding:
    age = beat.age(runtime.engine.now())
    told = "no round trip yet"
    if beat.finished_at:
        told = f"last round trip {age or 0:.0f} s ago, it took {beat.seconds:.0f} s"
    if beat.problem:
        return judged(one.name, "heartbeat", f"{told}; {beat.problem}", "mend that; it is tried again by itself")
    if one.paused or one.pauses or one.closed:
        return Finding(one.name, "heartbeat", NOTE, f"{told}; it rests while the connection is paused or not called")
    if age is None or age <= (2 * every + LATE).total_seconds():
        return judged(one.name, "heartbeat", told, "")
    where = {"to_crm": f"on its way to {runtime.engine.label(one.name)}", "to_nextcap": "on its way back to Next Cap"}
    advice = f"`connector tickets show {beat.ticket_id}` says why it does not cross"
    return judged(one.name, "heartbeat", f"late: {told}; it is {where.get(beat.leg, 'not begun')}", advice)
