"""The window of calls: never more than the vendor counts, and every lane keeps its share."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Mapping

import pytest

from connector.adapters.budget import SLOTS, Limit, MemoryBudget, Window
from connector.adapters.lanes import Lane, current, lane
from connector.adapters.transport import Rate, Wait

NOON = 1_800_000_000.0


def busiest(times: list[float], seconds: float) -> int:
    """The most calls in any window of this length."""
    inside: deque[float] = deque()
    most = 0
    for moment in sorted(times):
        inside.append(moment)
        while inside[0] <= moment - seconds:
            inside.popleft()
        most = max(most, len(inside))
    return most


def rush(window: Window, *, per_second: Mapping[Lane, float], seconds: int, seed: int = 1) -> dict[Lane, list[float]]:
    """Let callers ask at these rates, each again after the wait it was told; when each lane's calls were made."""
    chance = random.Random(seed)
    made: dict[Lane, list[float]] = {one: [] for one in per_second}
    backlog = Counter(dict.fromkeys(per_second, 0.0))
    ready = dict.fromkeys(per_second, 0.0)
    for tick in range(seconds * 20):
        now = NOON + tick / 20
        for one in chance.sample(list(per_second), len(per_second)):
            backlog[one] += per_second[one] / 20
            while backlog[one] >= 1 and ready[one] <= now:
                answer = window.take(one, now)
                if isinstance(answer, Wait):
                    ready[one] = now + answer.seconds
                    break
                backlog[one] -= 1
                made[one].append(now)
    return made


@pytest.mark.parametrize(("calls", "seconds"), [(100, 10.0), (60, 60.0), (5, 1.0), (1, 1.0), (3, 10.0)])
@pytest.mark.parametrize("seed", range(5))
def test_no_window_holds_more_than_the_limit(calls: int, seconds: float, seed: int) -> None:
    """A bucket of tokens would let nearly twice the limit through after a rest."""
    chance = random.Random(seed)
    window, now, times = Window(calls, seconds), NOON, []
    for _ in range(3000):
        now += chance.choice([0.0, 0.0, 0.001, seconds / 100, seconds / 3, seconds * 1.5])
        answer = window.take(Lane.CHANGES, now, want=chance.choice([1, 1, 4]))
        if not isinstance(answer, Wait):
            # Calls that were taken together may be made within one slot.
            times += [now + chance.random() * seconds / SLOTS for _ in range(answer)]

    assert len(times) > calls
    assert busiest(times, seconds) <= calls


def test_a_busy_lane_alone_gets_nearly_all_of_the_limit() -> None:
    made = rush(Window(100, 10.0), per_second={Lane.CHANGES: 50}, seconds=120)

    assert len(made[Lane.CHANGES]) > 0.88 * 100 * 12


def test_a_wait_that_was_told_is_enough() -> None:
    window = Window(20, 10.0)
    now = NOON
    while not isinstance(answer := window.take(Lane.CHAT, now), Wait):
        now += 0.01

    assert answer.for_everybody
    assert isinstance(window.take(Lane.CHAT, now + answer.seconds - 0.05), Wait)
    assert window.take(Lane.CHAT, now + answer.seconds) == 1


def test_the_share_is_the_ceiling_and_the_rest_is_left_to_others() -> None:
    window = Window(100, 10.0, share=0.8)

    made = rush(window, per_second={Lane.CHANGES: 100}, seconds=60)

    assert busiest(made[Lane.CHANGES], 10.0) == 80


def test_what_others_use_is_left_out_of_ours() -> None:
    window = Window(100, 10.0, share=0.8)
    window.take(Lane.CHANGES, NOON)

    window.learn(Rate(limit=100, remaining=40), NOON)

    assert window.ceiling(NOON + 1) == 41  # 59 of the 60 that are used up are not ours.
    assert window.ceiling(NOON + 11) == 80


def test_a_window_grows_and_shrinks_with_the_vendors_limit() -> None:
    window = Window(100, 10.0)

    window.learn(Rate(limit=190), NOON)
    grown = window.ceiling(NOON)
    window.learn(Rate(limit=50), NOON)

    assert (grown, window.ceiling(NOON)) == (190, 50)


# -- lanes


@pytest.mark.parametrize("calls", [100, 60, 10])
def test_every_lane_with_work_keeps_a_tenth_however_busy_the_others_are(calls: int) -> None:
    seconds = 600
    made = rush(Window(calls, 10.0), per_second=dict.fromkeys(Lane, calls / 5), seconds=seconds)

    fair = 0.1 * calls * seconds / 10
    assert {one.name: len(times) >= 0.85 * fair for one, times in made.items()} == {one.name: True for one in Lane}


@pytest.mark.parametrize("calls", [1, 3, 5])
def test_no_lane_starves_where_calls_are_very_few(calls: int) -> None:
    seconds = 1200
    made = rush(Window(calls, 10.0), per_second=dict.fromkeys(Lane, 1.0), seconds=seconds)

    total = sum(len(times) for times in made.values())
    assert all(len(times) >= 0.07 * total for times in made.values()), {one: len(times) for one, times in made.items()}


def test_the_more_urgent_lane_gets_what_is_left_over() -> None:
    made = rush(Window(100, 10.0), per_second={Lane.REPLIES: 20, Lane.CHANGES: 20, Lane.RECONCILE: 20}, seconds=300)

    replies, changes, reconcile = (len(made[one]) for one in (Lane.REPLIES, Lane.CHANGES, Lane.RECONCILE))
    assert replies > 4 * changes
    assert changes >= 0.8 * reconcile


def test_a_reply_finds_room_in_a_flood_of_changes() -> None:
    """Where replies were made lately, their tenth is kept; and what is not urgent goes at an even pace."""
    window = Window(60, 60.0, share=0.8)
    window.take(Lane.REPLIES, NOON - 300)
    rush(window, per_second={Lane.CHANGES: 10}, seconds=45)

    answers = [window.take(Lane.REPLIES, NOON + 45) for _ in range(4)]

    assert answers == [1, 1, 1, 1]


def test_a_lane_without_work_lends_its_share() -> None:
    window = Window(100, 10.0)

    made = rush(window, per_second={Lane.RECONCILE: 50}, seconds=60)

    assert busiest(made[Lane.RECONCILE], 10.0) == 100


def test_only_live_work_goes_on_when_the_day_runs_short() -> None:
    window = Window(100, 10.0, share=0.8)

    window.learn(Rate(limit=100, remaining=90, day_limit=250_000, day_remaining=40_000), NOON)

    assert isinstance(window.take(Lane.RECONCILE, NOON), Wait)
    assert isinstance(window.take(Lane.BACKFILL, NOON), Wait)
    assert window.take(Lane.CHANGES, NOON) == 1
    assert window.take(Lane.RECONCILE, NOON + 3601) == 1  # What was said so long ago may be over.


def test_work_moves_up_a_lane_a_minute_with_all_that_is_done_in_it() -> None:
    found = []
    for waited in (0, 59, 60, 130, 100_000):
        with lane(Lane.RECONCILE, waited=waited):
            found.append(current())
    with lane(Lane.CHANGES, waited=61), lane(Lane.REPLIES):
        found.append(current())

    reconcile, backfill, changes, chat = Lane.RECONCILE, Lane.BACKFILL, Lane.CHANGES, Lane.CHAT
    assert found == [reconcile, reconcile, backfill, changes, chat, chat]
    assert current() is Lane.CHANGES


# -- forecasts


def test_a_pace_that_will_fill_the_window_is_told_before_it_does() -> None:
    window = Window(100, 10.0)
    slow = window.usage(NOON).full_in
    for step in range(40):
        window.take(Lane.CHANGES, NOON + step * 0.05)

    soon = window.usage(NOON + 2)

    assert slow is None
    assert soon.full_in == pytest.approx(60 / (40 / 2.5), rel=0.1)
    assert (soon.used, soon.ceiling, soon.lanes) == (40, 100, {"changes": 40})


def test_the_end_of_a_day_is_forecast_from_its_pace() -> None:
    window = Window(100, 10.0)

    window.learn(Rate(limit=100, remaining=99, day_limit=1000, day_remaining=1000), NOON)
    window.learn(Rate(limit=100, remaining=99, day_limit=1000, day_remaining=900), NOON + 3600)

    day = window.usage(NOON + 3600).day
    assert day is not None
    assert day.empty_in == pytest.approx(9 * 3600)


def test_a_new_day_begins_where_more_remains_than_before() -> None:
    window = Window(100, 10.0)
    for moment, left in ((0, 500), (3600, 20), (7200, 1000), (10_800, 990)):
        window.learn(Rate(limit=100, remaining=99, day_limit=1000, day_remaining=left), NOON + moment)

    day = window.day

    assert day is not None
    assert (day.began_at, day.seen_to_begin) == (NOON + 7200, True)
    assert day.empty_in == pytest.approx(99 * 3600)


def test_a_clock_that_went_back_stops_nobody_for_longer_than_a_window() -> None:
    window = Window(10, 10.0)
    for _ in range(10):
        window.take(Lane.CHANGES, NOON + 7200)

    at_once = window.take(Lane.CHANGES, NOON)

    assert isinstance(at_once, Wait)
    assert at_once.seconds < 12
    assert window.take(Lane.CHANGES, NOON + 12) == 1


def test_what_is_kept_is_what_was() -> None:
    window = Window(100, 10.0, share=0.5)
    window.take(Lane.REPLIES, NOON, want=3)
    window.learn(Rate(limit=90, remaining=10, day_limit=1000, day_remaining=500), NOON)

    again = Window.from_json(window.to_json(), seconds=10.0, share=0.5)

    assert again == window


def test_a_bucket_without_a_limit_is_only_paused() -> None:
    budget = MemoryBudget({"default": Limit(1, 10.0)}, clock=lambda: NOON)

    first = [budget.take("other", Lane.CHANGES) for _ in range(100)]
    budget.pause("other", 5.0, "asked")
    paused = budget.take("other", Lane.CHAT)

    assert set(first) == {None}
    assert paused == Wait(5.0, for_everybody=True)
