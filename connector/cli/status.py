"""`status`, `pause` and `resume`: how the connections fare, and their switch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from connector.cli import common, show

if TYPE_CHECKING:
    from connector.engine.budget import Bucket
    from connector.engine.status import ConnectionFigures, Figures
    from connector.events.figures import EndpointFigures


@click.command()
@common.as_json
def status(as_json: bool) -> None:
    """Show, for each connection, what is due, what waits and why."""
    from connector.engine import status as engine_status
    from connector.engine import story

    with common.opened() as runtime:
        figures = engine_status.figures(runtime.engine)
        failing = story.failing(runtime.engine)
        listeners = runtime.listeners()
    if as_json:
        shown = {"connections": figures.connections, "limits": figures.limits, "rounds": figures.rounds}
        show.as_json(
            {**shown, "drift": figures.drift, "failing": failing, "counters": figures.counters, "events": listeners}
        )
        return
    _connections(figures.connections)
    _limits(figures.limits)
    _looking(figures)
    _listeners(listeners)
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
        state = "paused" if one.paused else "waits" if one.closed else "partly paused" if one.pauses else "on"
        told = "; ".join([*([until] if until else []), *(pause.told for pause in one.pauses)])
        waiting = sum(pause.waiting for pause in one.pauses)
        rows.append([one.name, state, one.due, round(one.oldest_seconds), waiting, one.parked, told])
    show.table(["connection", "state", "due", "oldest s", "held back", "parked", "waits"], rows)


DIRECTIONS = click.Choice(["to_crm", "to_nextcap", "both"])


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


def _looking(figures: Figures) -> None:
    """How far the rotations are, and what was found that no webhook had told of."""
    found: dict[str, int] = {}
    for drift in figures.drift:
        found[drift.connection] = found.get(drift.connection, 0) + drift.count
    rows = []
    for one in figures.rounds:
        longest = "" if one.oldest_hours is None else f"{one.oldest_hours:.1f}"
        rows.append([one.side, one.looked_at, one.total, one.never, longest, found.get(one.side, 0)])
    click.echo()
    show.table(["looks at", "last asked", "linked", "never compared", "longest ago h", "drift in 7 days"], rows)


def _listeners(listeners: Sequence[EndpointFigures]) -> None:
    """Who listens to outgoing events, and what waits for them."""
    from connector.engine.story import moment

    rows = []
    for one in listeners:
        until = f"until {moment(one.closed_until)}: " if one.closed_until else ""
        told = one.off_why if one.state == "off" else f"{until}{one.cause}"
        rows.append([one.name, one.state, one.waiting, round(one.oldest_seconds), one.failed, one.answered_at, told])
    if rows:
        click.echo()
        show.table(["events to", "state", "waiting", "oldest s", "failed", "last taken", "why"], rows)


@click.command()
@click.argument("name")
@click.option("--direction", type=DIRECTIONS, default="both", show_default=True, help="Only what goes this way.")
@click.option("--reason", default="", help="Why; shown to whoever asks.")
def pause(name: str, direction: str, reason: str) -> None:
    """Stop working on a connection, or stop writing in one direction.

    Webhooks that arrive meanwhile are kept; their work is done in order after `resume`.
    """
    from connector.domain.rules import Direction
    from connector.engine import switches

    with common.opened() as runtime:
        chosen = Direction(direction)
        switches.pause(runtime.engine, common.one_of_ours(runtime, name), chosen, by=common.whoami(), reason=reason)
        told = switches.in_words(runtime.engine, name, chosen)
    click.echo(f"{name}: {told} is paused")


@click.command()
@click.argument("name")
@click.option("--direction", type=DIRECTIONS, default="both", show_default=True, help="Only what goes this way.")
@click.option("--discard", is_flag=True, help="Do not write the changes that waited: both sides keep their values.")
def resume(name: str, direction: str, discard: bool) -> None:
    """Work on a paused connection, or write in a paused direction, again.

    Without --direction, every pause of the connection ends.
    """
    from connector.domain.rules import Direction
    from connector.engine import switches

    with common.opened() as runtime:
        chosen = Direction(direction)
        ours, by = common.one_of_ours(runtime, name), common.whoami()
        woken = switches.resume(runtime.engine, ours, chosen, by=by, discard=discard)
        told = switches.in_words(runtime.engine, name, chosen)
    click.echo(f"{name}: {told} is on{f'; {woken} ticket(s) that waited are due now' if woken else ''}")


COMMANDS = (status, pause, resume)
