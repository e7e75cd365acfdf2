"""Looking for what webhooks dropped: whether somebody does, how long a round through all takes, and what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from connector.doctor.finding import NOTE, OK, Finding, judged
from connector.engine.context import NEXTCAP
from connector.engine.reconcile import Pace
from connector.engine.status import DriftFigures, Figures, RoundFigures
from connector.wiring import Runtime

MANY: Final = 20
"""So many changes of one day that no webhook told of are more than an accident."""
GRACE: Final = timedelta(minutes=2)


def examine(runtime: Runtime, figures: Figures) -> Iterator[Finding]:
    """Per system: when it was last asked what changed, how far the rotation is, and the drift by day."""
    held = {one.name for one in figures.connections if one.closed or one.paused}
    for one in figures.rounds:
        pace = runtime.paces[one.side]
        if one.side != NEXTCAP:  # Next Cap's own look is the heartbeat of the whole.
            yield _looked_at(runtime, one, pace, is_held=one.side in held)
        yield _round(one, pace)
        yield _drift(one.side, [found for found in figures.drift if found.connection == one.side])


def _looked_at(runtime: Runtime, one: RoundFigures, pace: Pace, *, is_held: bool) -> Finding:
    what = "asked what changed"
    if one.trouble:
        return judged(one.side, what, one.trouble, "give the connector's access the permission that it lacks")
    if one.looked_at is None:
        return Finding(one.side, what, NOTE, "not yet")
    ago = runtime.engine.now() - one.looked_at
    late = ago > pace.sweep * 2 + GRACE and not is_held
    advice = "start `connector run`, or worker and beat" if late else ""
    return judged(one.side, what, f"{ago.total_seconds():.0f} s ago", advice)


def _round(one: RoundFigures, pace: Pace) -> Finding:
    hours = pace.rotation.total_seconds() / 3600
    detail = f"each of {one.total} record(s) is compared every {hours:g} h, as far as calls allow"
    if one.never:
        return Finding(one.side, "rotation", OK, f"{detail}; {one.never} not compared yet")
    if one.oldest_hours is None:
        return Finding(one.side, "rotation", OK, "nothing is linked yet")
    detail += f"; the oldest comparison is {one.oldest_hours:.1f} h old"
    return Finding(one.side, "rotation", OK if one.oldest_hours <= hours * 2 else NOTE, detail)


def _drift(side: str, found: Sequence[DriftFigures]) -> Finding:
    """Changes that no webhook told of: one now and then is what looking is for, many are webhooks that are lost."""
    days = Counter[str]()
    for one in found:
        days[one.day] += one.count
    if not days:
        return Finding(side, "drift", OK, "every change of the last week was told by a webhook")
    by_day = ", ".join(f"{day}: {count}" for day, count in sorted(days.items(), reverse=True))
    detail = f"changes found that no webhook told of: {by_day}"
    if max(days.values()) < MANY:
        return Finding(side, "drift", NOTE, detail)
    return judged(side, "drift", detail, "webhooks are lost: see `Webhooks do not arrive` in docs/runbook.md")
