"""Capsule counts 4,000 calls an hour: never more, and what people say waits for no flood of changes."""

from __future__ import annotations

from connector.adapters.budget import Limit, Window
from connector.adapters.capsule import LIMITS
from connector.adapters.lanes import Lane
from connector.adapters.transport import Wait

HOUR, NOON = 3600, 1_800_000_000


def test_no_hour_holds_more_than_4000_calls_and_replies_go_first() -> None:
    """Two changes a second are more than it takes; a customer writes once a minute, and is never kept waiting."""
    limit = LIMITS["default"]
    window, late = Window(limit.calls, limit.seconds), 0
    made = [0] * (2 * HOUR)

    for second in range(2 * HOUR):
        if second % 60 == 0:
            late += isinstance(window.take(Lane.REPLIES, NOON + second), Wait)
        made[second] += sum(not isinstance(window.take(Lane.CHANGES, NOON + second), Wait) for _ in range(2))

    assert limit == Limit(4000, HOUR)
    assert max(sum(made[end - HOUR : end]) for end in range(HOUR, 2 * HOUR, 60)) <= 4000 - 60
    assert sum(made) > 0.8 * 2 * 4000
    assert late == 0
