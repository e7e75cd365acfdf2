"""Time as an imitation sees it: the machine's time plus what tests have added."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


class Clock:
    """The machine's clock, which can be moved forward."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> datetime:
        """The present moment, aware UTC, cut to milliseconds."""
        moment = datetime.now(UTC) + self._ahead
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def advance(self, seconds: float) -> None:
        """Move forward and wake all who wait for a moment; time never goes back."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self._ahead += timedelta(seconds=seconds)
        self._tell()

    def reset(self) -> None:
        """Return to the machine's time."""
        self._ahead = timedelta()
        self._tell()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the clock was moved."""
        self._listeners.append(listener)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch_ms(moment: datetime) -> int:
    """Milliseconds since 1970."""
    return round(moment.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a limit says to one call; `reset_at` is in epoch seconds."""

    allowed: bool
    limit: int
    remaining: int
    reset_at: float
    retry_after: float


class RateLimit:
    """Counts calls per key: in fixed windows that start at whole multiples of `seconds`, or in a rolling one.

    A refused call is not counted. `limit` may be changed at any time.
    """

    def __init__(self, clock: Clock, *, limit: int, seconds: float, rolling: bool = False) -> None:
        self.limit = limit
        self.seconds = seconds
        self._clock = clock
        self._rolling = rolling
        self._taken: dict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def take(self, key: str, cost: int = 1) -> Verdict:
        """Count `cost` calls for `key` unless that would exceed the limit."""
        now = self._clock.now().timestamp()
        with self._lock:
            taken = self._taken[key]
            start = self._window_start(now)
            while taken and taken[0] < start:
                taken.popleft()
            allowed = len(taken) + cost <= self.limit
            if allowed:
                taken.extend([now] * cost)
            reset_at = (taken[0] if taken else now) + self.seconds if self._rolling else start + self.seconds
            remaining = max(0, self.limit - len(taken))
        return Verdict(allowed, self.limit, remaining, reset_at, 0.0 if allowed else max(0.0, reset_at - now))

    def reset(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._taken.clear()

    def _window_start(self, now: float) -> float:
        return now - self.seconds if self._rolling else now - now % self.seconds
