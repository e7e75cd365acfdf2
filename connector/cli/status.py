"""`status`, `pause` and `resume`: how the connections fare, and their switch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from connector.cli import common, show

if TYPE_CHECKING:
    from connector.engine.budget import Bucket
    from connector.engine.status import ConnectionFigures
    from connector.wiring import Runtime


@click.command()
@common.as_json
def status(as_json: bool) -> None:
    """Show what is due, and what waits and why, by connection."""
    from connector.engine import status as engine_status
    from connector.engine import story

    with common.opened() as runtime:
        figures = engine_status.figures(runtime.engine)
        failing = story.failing(runtime.engine)
    if as_json:
        shown = {"connections": figures.connections, "limits": figures.limits, "failing": failing}
        show.as_json({**shown, "counters": figures.counters})
        return
    _connections(figures.connections)
    _limits(figures.limits)
    if failing:
        click.echo()
        names = ["connection", "number", "record_id", "attempts", "failing_since", "due_at", "cause"]
        columns = ["failing", "ticket", "record", "tries", "since", "next", "cause"]
        show.table(columns, [[one[name] for name in names] for one in failing])


def _connections(figures: Sequence[ConnectionFigures]) -> None:
    from connector.engine.story import moment

    rows = []
    for one in figures:
        until = f"until {moment(one.closed_until)}: {one.cause}" if one.closed and one.closed_until else ""
        state = "paused" if one.paused else "waits" if one.closed else "on"
        rows.append([one.name, state, one.due, round(one.oldest_seconds), one.parked, until])
    show.table(["connection", "state", "due", "oldest s", "parked", "waits"], rows)


def _limits(limits: Sequence[Bucket]) -> None:
    """What is used of each vendor's limit, and how long it lasts at the present pace."""
    from connector.engine.story import moment

    rows = []
    for one in limits:
        usage = one.usage
        if usage is None:
            continue
        day = usage.day
        lasts = "" if usage.full_in is None else f"used up in {usage.full_in:.0f} s at this pace"
        lasts = f"paused until {moment(one.paused_until)}: {one.reason}" if one.paused_until else lasts
        left = f"{day.remaining} of {day.limit}" if day else ""
        hours = f"{day.empty_in / 3600:.1f}" if day and day.empty_in is not None else ""
        calls = f"{usage.used} of {usage.ceiling} in {usage.seconds:g} s"
        rows.append([one.system, one.name, calls, lasts, left, hours])
    if rows:
        click.echo()
        show.table(["calls of", "kind", "used", "lasts", "day", "hours left"], rows)


@click.command()
@click.argument("name")
def pause(name: str) -> None:
    """Stop working a connection. What arrives meanwhile is kept, and done in order after `resume`."""
    with common.opened() as runtime:
        _switch(runtime, common.one_of_ours(runtime, name), paused=True)
    click.echo(f"{name} is paused")


@click.command()
@click.argument("name")
def resume(name: str) -> None:
    """Work a paused connection again."""
    with common.opened() as runtime:
        _switch(runtime, common.one_of_ours(runtime, name), paused=False)
        runtime.engine.bell([name])
    click.echo(f"{name} is on")


def _switch(runtime: Runtime, name: str, *, paused: bool) -> None:
    from connector.store import connections, journal

    text = f"{common.whoami()} {'paused' if paused else 'resumed'} the connection"
    code = "paused" if paused else "resumed"
    with runtime.db.write() as connection:
        connections.pause(connection, name, paused)
        journal.record(connection, name=name, link_id=None, code=code, text=text, now=runtime.engine.now())


COMMANDS = (status, pause, resume)
