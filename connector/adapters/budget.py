"""How many calls may be made: a rolling window per API family, in lanes, that takes the vendor's word.

A token bucket of the vendor's size lets through nearly twice its limit in some windows: all that was saved up, and all
that is refilled meanwhile. So calls are counted here as the vendor counts them, in slots of a window that rolls, and
there are never more in any window than the ceiling.

Who goes first: a lane that waits goes before less urgent ones, but each lane with work keeps a tenth of the ceiling.
For more urgent lanes a tenth is kept while they had work in the last minutes; for less urgent ones while they wait.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connector.adapters.lanes import Lane
from connector.adapters.transport import Rate, Wait

SLOTS: Final = 20
"""Into so many slots a window is divided; two more than these are counted, for calls at the edge of one."""
COUNTED: Final = SLOTS + 1
TENTH: Final = 0.1
LIVELY: Final = 600.0
"""A lane that had work within so many seconds keeps its tenth from less urgent ones."""
SLACK: Final = 1.0
"""Seconds for which a lane that was told to wait is waited for after its time."""
BACKGROUND: Final = frozenset({Lane.BACKFILL, Lane.RECONCILE})
USED_UP: Final = "the limit is used up"
TOLD_FOR: Final = 3600.0
"""What a vendor said of its day is believed for so many seconds."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `calls` in any `seconds`, as the vendor counts them."""

    calls: int
    seconds: float


@dataclass(slots=True)
class Day:
    """What a vendor says of a long window, a day as a rule, since it was seen to begin (or first seen at all)."""

    limit: int
    remaining: int
    at: float
    began_at: float
    began_remaining: int
    seen_to_begin: bool = False

    def told(self, limit: int, remaining: int, now: float) -> Day:
        """The same day with the vendor's newest word; another day where more remains than before."""
        if remaining > self.remaining + self.limit * TENTH:
            return Day(limit, remaining, now, now, remaining, seen_to_begin=True)
        return Day(limit, min(remaining, self.remaining), now, self.began_at, self.began_remaining, self.seen_to_begin)

    @property
    def empty_in(self) -> float | None:
        """Seconds until nothing remains at the pace since it began; None where that cannot be told yet."""
        seconds, used = self.at - self.began_at, self.began_remaining - self.remaining
        return self.remaining / (used / seconds) if seconds >= 60.0 and used > 0 else None

    @property
    def left(self) -> float:
        """Seconds until it ends: at most, where nobody saw it begin."""
        return max(0.0, 86_400.0 - (self.at - self.began_at))


@dataclass(frozen=True, slots=True)
class Usage:
    """How a window stands: calls counted in it by lane, its ceiling, and when it will be full at the present pace.

    The ceiling is of `limit`, which the vendor told with its answers, or, where not `is_told`, the configuration.
    """

    used: int
    ceiling: int
    limit: int
    is_told: bool
    seconds: float
    lanes: Mapping[str, int]
    waiting: tuple[str, ...]
    full_in: float | None
    day: Day | None


@dataclass(slots=True)
class Window:
    """The calls of one bucket. Times are in seconds of any clock; all processes must use the same.

    `limit` is the vendor's word where it `is_told`, else what is configured.
    `slots` holds, by the number of a slot, how many calls each lane made in it.
    """

    limit: int
    seconds: float
    share: float = 1.0
    slots: dict[int, list[int]] = field(default_factory=dict)
    asked: list[float] = field(default_factory=lambda: [-LIVELY] * len(Lane))
    waits: list[float] = field(default_factory=lambda: [-LIVELY] * len(Lane))
    foreign: int = 0
    foreign_until: float = 0.0
    day: Day | None = None
    is_told: bool = False

    # -- taking

    def take(self, lane: Lane, now: float, *, want: int = 1) -> int | Wait:
        """How many calls (at least one, at most `want`) are counted and may be made now; or for how long to wait."""
        self._forget(now)
        if lane in BACKGROUND and self._day_is_short(now):
            return Wait(60.0, for_everybody=False)
        self.asked[lane] = now
        free = self._free(lane, now)
        if free < 1:
            wait = self._wait(now)
            self.waits[lane] = now + wait.seconds + SLACK
            return wait
        granted = min(want, free)
        self.slots.setdefault(self._slot(now), [0] * len(Lane))[lane] += granted
        self.waits[lane] = now
        return granted

    def give_back(self, lane: Lane, taken_at: float, count: int) -> None:
        """So many calls that were taken then have not been made."""
        slot = self.slots.get(self._slot(taken_at))
        if slot is not None:
            slot[lane] = max(0, slot[lane] - count)

    # -- learning

    def learn(self, rate: Rate, now: float) -> None:
        """Take the vendor's word about its limit, about what others use of it, and about its day."""
        self._forget(now)
        if rate.limit:
            self.limit, self.is_told = rate.limit, True
        if rate.remaining is not None and rate.limit:
            self.foreign = max(0, rate.limit - rate.remaining - self.used(now))
            self.foreign_until = now + self.seconds
        if rate.day_limit and rate.day_remaining is not None:
            if self.day is None or self.day.limit != rate.day_limit:
                self.day = Day(rate.day_limit, rate.day_remaining, now, now, rate.day_remaining)
            else:
                self.day = self.day.told(rate.day_limit, rate.day_remaining, now)

    # -- telling

    def used(self, now: float, lane: Lane | None = None) -> int:
        """The calls that may count in the vendor's present window."""
        return self._count(self._slot(now) - COUNTED, lane)

    def ceiling(self, now: float) -> int:
        """How many calls may be ours: our share, and never what others have used up already."""
        foreign = self.foreign if now < self.foreign_until else 0
        return max(1, min(math.floor(self.limit * self.share + 1e-9), self.limit - foreign))

    def usage(self, now: float) -> Usage:
        """How it stands, for whoever watches."""
        self._forget(now)
        quarter = self._count(self._slot(now) - SLOTS // 4)
        used, ceiling = self.used(now), self.ceiling(now)
        pace = quarter / (self.seconds / 4)
        return Usage(
            used=used,
            ceiling=ceiling,
            limit=self.limit,
            is_told=self.is_told,
            seconds=self.seconds,
            lanes={one.name.lower(): count for one in Lane if (count := self.used(now, one))},
            waiting=tuple(one.name.lower() for one in Lane if self.waits[one] > now),
            full_in=max(0, ceiling - used) / pace if pace * self.seconds > ceiling else None,
            day=self.day,
        )

    # -- who may go

    def _free(self, lane: Lane, now: float) -> int:
        """How many calls this lane may make now; none or less where it must wait."""
        ceiling = self.ceiling(now)
        free = ceiling - self.used(now)
        due = self._due(lane, now)
        if due > 0:
            ahead = any(self.waits[one] > now and self._due(one, now) > 0 for one in Lane if one < lane)
            return 0 if ahead else min(free, due)
        if any(self.waits[one] > now for one in Lane if one < lane):
            return 0
        waiting = sum(self._due(one, now) for one in Lane if one > lane and self.waits[one] > now)
        lively = sum(self._due(one, now) for one in Lane if one < lane and self.asked[one] > now - LIVELY)
        return min(free - waiting - min(lively, ceiling // 2), self._paced(lane, ceiling, now))

    def _paced(self, lane: Lane, ceiling: int, now: float) -> int:
        """Past half of the window, what is not urgent goes at an even pace, so that urgent calls find room soon."""
        if lane < Lane.CHANGES or self.used(now) < ceiling / 2:
            return ceiling
        return math.ceil(ceiling / SLOTS) - self._count(self._slot(now))

    def _due(self, lane: Lane, now: float) -> int:
        """How many calls of its tenth a lane has not made yet.

        A ceiling of less than ten is looked at over several windows, so that a tenth of it is at least one call.
        """
        ceiling = self.ceiling(now)
        windows = math.ceil(1 / (TENTH * ceiling)) if ceiling * TENTH < 1 else 1
        made = self._count(self._slot(now) - SLOTS * windows - 1, lane)
        return max(0, math.floor(ceiling * windows * TENTH + 1e-9) - made)

    def _day_is_short(self, now: float) -> bool:
        """Whether the vendor's day has less left than others should find: then only live work goes on."""
        day = self.day
        spare = max(1.0 - self.share, TENTH / 2)
        return day is not None and now - day.at < TOLD_FOR and day.remaining < day.limit * spare

    def _wait(self, now: float) -> Wait:
        """When to ask again: once enough of the counted calls are too old; in the next slot where others go first."""
        missing = 1 + self.used(now) - self.ceiling(now)
        if missing <= 0:
            return Wait((self._slot(now) + 1) * self.length - now + 0.001, for_everybody=False)
        for number in sorted(self.slots):
            missing -= sum(self.slots[number]) if number >= self._slot(now) - COUNTED else 0
            if missing <= 0:
                break
        seconds = (number + COUNTED + 1) * self.length - now + 0.001
        return Wait(seconds, for_everybody=True, limit=f" ({self.ceiling(now)} calls in {self.seconds:g} s)")

    # -- slots

    @property
    def length(self) -> float:
        """Seconds of one slot."""
        return self.seconds / SLOTS

    def _slot(self, now: float) -> int:
        return math.floor(now / self.length + 1e-9)

    def _count(self, oldest: int, lane: Lane | None = None) -> int:
        return sum(sum(made) if lane is None else made[lane] for number, made in self.slots.items() if number >= oldest)

    def _forget(self, now: float) -> None:
        """Drop slots that count for nothing any more; a clock that went back makes all calls present ones."""
        present = self._slot(now)
        ahead = [number for number in self.slots if number > present + 1]
        for number in ahead:
            made, here = self.slots.pop(number), self.slots.setdefault(present, [0] * len(Lane))
            self.slots[present] = [one + two for one, two in zip(made, here, strict=True)]
        if ahead:
            self.waits = [min(one, now) for one in self.waits]
            self.asked = [min(one, now) for one in self.asked]
        kept = SLOTS * 10 if self.ceiling(now) < 1 / TENTH else COUNTED
        for number in [number for number in self.slots if number < present - kept]:
            del self.slots[number]

    # -- keeping

    def to_json(self) -> dict[str, Any]:
        """As the store keeps it."""
        day = self.day
        return {
            "limit": self.limit,
            "is_told": self.is_told,
            "slots": {str(number): made for number, made in self.slots.items()},
            "asked": self.asked,
            "waits": self.waits,
            "foreign": [self.foreign, self.foreign_until],
            "day": None
            if day is None
            else [day.limit, day.remaining, day.at, day.began_at, day.began_remaining, day.seen_to_begin],
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any], *, seconds: float, share: float) -> Window:
        """What `to_json` kept."""
        return cls(
            limit=kept["limit"],
            seconds=seconds,
            share=share,
            slots={int(number): list(made) for number, made in kept["slots"].items()},
            asked=list(kept["asked"]),
            waits=list(kept["waits"]),
            foreign=kept["foreign"][0],
            foreign_until=kept["foreign"][1],
            day=Day(*kept["day"]) if kept["day"] else None,
            is_told=kept.get("is_told", False),
        )


class MemoryBudget:
    """Implements `transport.Budget` for the threads of one process.

    `limits` names the buckets; one without a limit is only paused. `share` is the part of each that may be used.
    """

    def __init__(
        self,
        limits: Mapping[str, Limit] | None = None,
        *,
        share: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._windows = {
            name: Window(limit.calls, limit.seconds, share=share) for name, limit in (limits or {}).items()
        }
        self._clock = clock
        self._lock = threading.Lock()
        self._pauses: dict[str, tuple[float, str]] = {}

    def take(self, bucket: str, lane: Lane) -> Wait | None:
        """None and the call is counted, or for how long to wait."""
        with self._lock:
            now = self._clock()
            until, _ = self._pauses.get(bucket, (now, ""))
            if until > now:
                return Wait(until - now, for_everybody=True)
            window = self._windows.get(bucket)
            answer = window.take(lane, now) if window else 1
            return answer if isinstance(answer, Wait) else None

    def learn(self, bucket: str, rate: Rate) -> None:
        """Take the vendor's word; where it says that nothing remains, nobody calls until it does."""
        with self._lock:
            if bucket in self._windows:
                self._windows[bucket].learn(rate, self._clock())
        if rate.is_used_up:
            self.pause(bucket, rate.reset_in or 0.0, USED_UP)

    def pause(self, bucket: str, seconds: float, reason: str) -> None:
        """Let nobody call for this long; a longer pause in force stays."""
        with self._lock:
            now = self._clock()
            if now + seconds > self._pauses.get(bucket, (now, ""))[0]:
                self._pauses[bucket] = (now + seconds, reason)

    def pauses(self) -> Mapping[str, str]:
        """The buckets that are paused now and why."""
        with self._lock:
            now = self._clock()
            return {name: reason for name, (until, reason) in self._pauses.items() if until > now}
