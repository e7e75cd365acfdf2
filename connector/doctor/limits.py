"""The vendors' limits: what is used of them, whether they are closed, and when they will be used up at this pace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connector.adapters.budget import Day, Usage
from connector.doctor.finding import NOTE, OK, Finding, judged
from connector.engine import budget
from connector.engine.budget import Bucket
from connector.engine.story import moment
from connector.wiring import Runtime, counted_as

HOUR: Final = 3600.0
SETTINGS: Final = {60.0: "calls_per_minute", 10.0: "calls_per_10_seconds"}
"""What a limit is configured as, by the seconds of its window."""
NOTHING_LOST: Final = "nothing is lost; raise share_of_limit, ask the vendor for more calls, or use fewer elsewhere"


def examine(runtime: Runtime) -> Iterator[Finding]:
    """One line a limit that is in use: problems where calls wait, or where a day will not last."""
    with runtime.db.read() as connection:
        found = budget.buckets(connection, runtime.engine.now())
    for one in found:
        label = runtime.engine.label(one.system)
        if one.paused_until:
            detail = f"waiting for {label}'s limit until {moment(one.paused_until)} ({one.name}: {one.reason})"
            yield judged(one.system, _what(one), detail, NOTHING_LOST)
        elif one.usage is not None:
            yield _window(one, one.usage, label)
    yield from _shared(runtime)
    days = sorted(
        ((one.system, one.usage.day) for one in found if one.usage and one.usage.day), key=lambda of: of[1].at
    )
    for system, told in dict(days).items():  # Every kind of call counts in the same day: the newest word holds.
        yield day(system, told)


def _shared(runtime: Runtime) -> Iterator[Finding]:
    """Which connections have no limit of their own, as the vendor counts their calls with another's."""
    for name in runtime.settings.connections:
        if (counted := counted_as(runtime.settings, name)) != name:
            yield Finding(name, "limit", OK, f"its calls are counted with those of {counted}: one account, one limit")


def _what(one: Bucket) -> str:
    return "limit" if one.name == "default" else f"limit of {one.name}"


def _window(one: Bucket, usage: Usage, label: str) -> Finding:
    detail = f"{usage.used} of {usage.ceiling} calls in {usage.seconds:g} s"
    if usage.lanes:
        detail += f" ({', '.join(f'{name} {count}' for name, count in usage.lanes.items())})"
    if usage.waiting:
        detail += f"; {', '.join(usage.waiting)} wait for their turn"
    if usage.full_in is not None:
        detail += f"; at this pace it is used up in {usage.full_in:.0f} s"
    if usage.waiting or usage.full_in is not None:
        detail += f". {_reason(usage, label)}"
    return Finding(one.system, _what(one), OK if usage.full_in is None else NOTE, detail)


def _reason(usage: Usage, label: str) -> str:
    """Why there are no more calls than these."""
    if usage.is_told:
        whose = f"{label} allows {usage.limit}, as its answers tell"
    else:
        setting = SETTINGS.get(usage.seconds, "the configuration")
        whose = f"{label}'s answers do not tell its limit, so {setting} counts ({usage.limit})"
    return f"{whose}; {usage.ceiling} of them may be ours (share_of_limit, and what other programs use)"


def day(system: str, told: Day) -> Finding:
    """Whether the vendor's day lasts at the pace that it went so far."""
    detail = f"{told.remaining:,} of {told.limit:,} calls of the day remain"
    if told.empty_in is None or told.empty_in >= told.left:
        return Finding(system, "calls a day", OK, detail)
    detail += f"; at this pace they are used up in {told.empty_in / HOUR:.1f} h"
    return judged(system, "calls a day", detail, NOTHING_LOST)
