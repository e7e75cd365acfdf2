"""A call budget for one process: a token bucket per API family that takes the vendor's word."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

UNLIMITED: Final = 1e9


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `calls` at once, refilled evenly over `seconds`."""

    calls: int
    seconds: float


@dataclass(slots=True)
class _Bucket:
    size: float
    per_second: float
    tokens: float
    refilled_at: float
    paused_until: float = 0.0
    paused_for: str = ""


class MemoryBudget:
    """Implements `transport.Budget` for the threads of one process.

    `limits` names the buckets; a bucket without a limit is only paused. `reserve` gives the share of a bucket that
    a lane leaves untouched for the others (`{"backfill": 0.5}`): a lane without an entry may use all of it.
    """

    def __init__(
        self,
        limits: Mapping[str, Limit] | None = None,
        *,
        reserve: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = dict(limits or {})
        self._reserve = dict(reserve or {})
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def take(self, bucket: str, lane: str) -> float:
        """0 and the call is counted, or the seconds until a token will be free for this lane."""
        with self._lock:
            now, its = self._clock(), self._refilled(bucket)
            if its.paused_until > now:
                return its.paused_until - now
            missing = 1.0 + self._reserve.get(lane, 0.0) * (its.size - 1.0) - its.tokens
            if missing > 1e-9:
                return missing / its.per_second
            its.tokens -= 1.0
            return 0.0

    def learn(self, bucket: str, *, limit: int | None, remaining: int | None, reset_in: float | None) -> None:
        """Scale the bucket to the vendor's limit, drop to what it says remains, and stop where nothing does."""
        with self._lock:
            its = self._refilled(bucket)
            if limit and limit != its.size:
                if its.size != UNLIMITED:
                    its.per_second *= limit / its.size
                its.tokens = min(its.tokens, float(limit))
                its.size = float(limit)
            if remaining is not None:
                its.tokens = min(its.tokens, float(remaining))
            if remaining == 0 and reset_in:
                self._pause(its, reset_in, "used up")

    def pause(self, bucket: str, seconds: float, reason: str) -> None:
        """Let nobody call for this long; a longer pause in force stays."""
        with self._lock:
            self._pause(self._refilled(bucket), seconds, reason)

    def pauses(self) -> Mapping[str, str]:
        """The buckets that are paused now and why."""
        with self._lock:
            now = self._clock()
            return {name: its.paused_for for name, its in self._buckets.items() if its.paused_until > now}

    def _pause(self, its: _Bucket, seconds: float, reason: str) -> None:
        until = self._clock() + seconds
        if until > its.paused_until:
            its.paused_until, its.paused_for = until, reason

    def _refilled(self, name: str) -> _Bucket:
        now = self._clock()
        if name not in self._buckets:
            limit = self._limits.get(name)
            size, per_second = (limit.calls, limit.calls / limit.seconds) if limit else (UNLIMITED, UNLIMITED)
            self._buckets[name] = _Bucket(size, per_second, float(size), now)
        its = self._buckets[name]
        its.tokens = min(its.size, its.tokens + (now - its.refilled_at) * its.per_second)
        its.refilled_at = now
        return its
