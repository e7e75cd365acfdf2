"""A clock that jumps. Forward: leases are over, and fences hold. Back: what lies ahead would be waited for."""

from __future__ import annotations

from datetime import timedelta

from connector.engine.context import NEXTCAP, Engine
from connector.store import journal, moments, small

CURSOR = "clock"
SLACK = timedelta(seconds=60)
"""So far the clocks of an installation's machines may differ."""


def watch(engine: Engine) -> bool:
    """Note the present moment. Where an earlier look was later, bring all moments back with the clock, and say so."""
    now = engine.now()
    with engine.db.read() as connection:
        seen = small.get_cursor(connection, NEXTCAP, CURSOR)
    back = seen[1] - now if seen else timedelta()
    with engine.db.write() as connection:
        if back > SLACK:
            moments.bring_back(connection, now, lease_until=now + timedelta(seconds=engine.timing.lease))
            told = f"the clock went back by {back.total_seconds():.0f} s; what waited for a moment ahead is due now"
            journal.record(connection, [journal.Line(NEXTCAP, None, "clock_went_back", told)], now)
        small.set_cursor(connection, NEXTCAP, CURSOR, "seen", now)
    return back > SLACK
