"""A clock that jumps.

After a jump forward, leases end early, and fencing numbers keep that safe. After a jump back, everything would wait
until the clock has caught up with the stored moments; so these are brought back with it.
"""

from __future__ import annotations

from datetime import timedelta

from connector.engine.context import NEXTCAP, Engine
from connector.store import cursors, journal, moments

CURSOR = "clock"
SLACK = timedelta(seconds=60)
"""The clocks of an installation's machines may differ by this much."""


def watch(engine: Engine) -> bool:
    """Note the present moment. Where the last one noted is later, bring all stored moments back, and say so."""
    now = engine.now()
    with engine.db.read() as connection:
        seen = cursors.get(connection, NEXTCAP, CURSOR)
    back = seen[1] - now if seen else timedelta()
    with engine.db.write() as connection:
        if back > SLACK:
            moments.bring_back(connection, now, lease_until=now + timedelta(seconds=engine.timing.lease))
            told = f"the clock went back by {back.total_seconds():.0f} s; what waited for a moment ahead is due now"
            journal.record(connection, [journal.Line(NEXTCAP, None, "clock_went_back", told)], now)
        cursors.put(connection, NEXTCAP, CURSOR, "seen", now)
    return back > SLACK
