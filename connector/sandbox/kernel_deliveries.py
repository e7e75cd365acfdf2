"""The webhook sender of an imitation: a queue, its threads, retries, and faults on request."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx

from .kernel_clock import Clock, iso

KEPT = 5000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver. `status` is None where no answer came; `error` then names why. `taken`: it was accepted."""

    at: datetime
    status: int | None
    error: str | None
    headers: Mapping[str, str]
    body: bytes
    taken: bool = False

    def view(self) -> dict[str, Any]:
        return {"at": iso(self.at), "status": self.status, "error": self.error, "headers": dict(self.headers)}


@dataclass(slots=True)
class Delivery:
    """One webhook request and what became of it.

    state  `queued`, `sending`, `held` (to be reordered), `dropped`, `delivered`, `failed` (tries used up)
    tries  how many there were since the last `redeliver`; a duplicated try counts once
    about  the vendor's own facts (a secret, a subscription id); never printed
    """

    id: str
    url: str
    body: bytes
    events: tuple[str, ...]
    created_at: datetime
    about: Mapping[str, Any]
    state: str = "queued"
    attempts: list[Attempt] = field(default_factory=list)
    copies: int = 1
    tries: int = 0

    def view(self) -> dict[str, Any]:
        """The delivery as JSON."""
        return {
            "id": self.id,
            "url": self.url,
            "events": list(self.events),
            "created_at": iso(self.created_at),
            "state": self.state,
            "body": self.body.decode("utf-8", "replace"),
            "attempts": [attempt.view() for attempt in self.attempts],
        }


Sign = Callable[[Delivery], Mapping[str, str]]
Render = Callable[[Delivery], bytes]
Accept = Callable[[Delivery, int, bytes], bool]


def _body_as_given(delivery: Delivery) -> bytes:
    return delivery.body


def _any_success(_delivery: Delivery, status: int, _body: bytes) -> bool:
    return 200 <= status < 300


class Deliveries:
    """Sends deliveries in the order of `send`, one thread unless told otherwise.

    sign      the vendor's headers for one attempt; `delivery.tries` counts those before, and `delivery.body`
              is what will be sent
    render    makes the body anew at each attempt; by default it is sent as given
    accept    whether an answer's status and body mean that the delivery was taken; by default any 2xx does
    schedule  seconds between tries; each is multiplied by `retry_factor`. No connection, no answer within
              `timeout` seconds, or an answer that is not accepted is a failed try
    """

    def __init__(
        self,
        clock: Clock,
        sign: Sign,
        *,
        schedule: Sequence[float],
        render: Render = _body_as_given,
        accept: Accept = _any_success,
        timeout: float = 5.0,
        retry_factor: float = 1.0,
        threads: int = 1,
    ) -> None:
        self.schedule = tuple(schedule)
        self.retry_factor = retry_factor
        self.timeout = timeout
        self._clock = clock
        self._sign = sign
        self._render = render
        self._accept = accept
        self._threads = threads
        self._changed = threading.Condition()
        self._order = itertools.count()
        self._queue: list[tuple[datetime, int, Delivery]] = []
        self._kept: deque[Delivery] = deque(maxlen=KEPT)
        self._held: list[Delivery] = []
        self._sending = 0
        self._running = False
        self._workers: list[threading.Thread] = []
        self._to_drop = self._to_duplicate = self._to_hold = 0
        self._paused = False
        self._delay = 0.0
        clock.listen(self._wake)

    # -- sending

    def send(
        self,
        url: str,
        body: bytes,
        events: Iterable[str],
        *,
        about: Mapping[str, Any] | None = None,
        after: float = 0.0,
        id: str | None = None,
    ) -> Delivery:
        """Queue one request, at the earliest `after` seconds from now; faults asked for apply to it."""
        now = self._clock.now()
        delivery = Delivery(id or str(uuid.uuid4()), url, body, tuple(events), now, dict(about or {}))
        with self._changed:
            self._kept.append(delivery)
            if self._to_drop:
                self._to_drop -= 1
                delivery.state = "dropped"
                return delivery
            if self._to_duplicate:
                self._to_duplicate -= 1
                delivery.copies = 2
            if self._to_hold:
                self._to_hold -= 1
                delivery.state = "held"
                self._held.append(delivery)
                if not self._to_hold:
                    self._let_go()
                return delivery
            self._enqueue(delivery, after + self._delay)
        return delivery

    def redeliver(self, ids: Iterable[str] | None = None) -> int:
        """Send the named deliveries once more, or all that were dropped or failed; returns how many."""
        with self._changed:
            wanted = None if ids is None else set(ids)
            chosen = [
                one
                for one in self._kept
                if (one.id in wanted if wanted is not None else one.state in ("dropped", "failed"))
            ]
            for delivery in chosen:
                delivery.tries = 0
                self._enqueue(delivery, 0.0)
        return len(chosen)

    # -- faults

    def drop(self, number: int = 1) -> None:
        """Never send the next `number` deliveries; `redeliver` may."""
        with self._changed:
            self._to_drop = number

    def duplicate(self, number: int = 1) -> None:
        """Send each of the next `number` deliveries twice, with the same bytes and id."""
        with self._changed:
            self._to_duplicate = number

    def reorder(self, number: int) -> None:
        """Hold the next `number` deliveries until all are there, then send them last first."""
        with self._changed:
            self._to_hold = number

    def release(self) -> None:
        """Send what `reorder` holds now, last first, and hold no more."""
        with self._changed:
            self._to_hold = 0
            self._let_go()

    def delay(self, seconds: float) -> None:
        """Send every further delivery this much later; 0 ends it."""
        with self._changed:
            self._delay = seconds

    def pause(self) -> None:
        """Keep everything queued."""
        with self._changed:
            self._paused = True

    def resume(self) -> None:
        """Send what was queued during a pause."""
        with self._changed:
            self._paused = False
            self._changed.notify_all()

    # -- looking

    def all(self) -> list[Delivery]:
        """The newest deliveries, oldest first."""
        with self._changed:
            return list(self._kept)

    def view(self) -> list[dict[str, Any]]:
        """The newest deliveries as JSON."""
        with self._changed:
            return [delivery.view() for delivery in self._kept]

    def wait_idle(self, timeout: float = 5.0) -> bool:
        """Wait until nothing is queued, in flight or due for a retry; false if that took too long.

        What is paused, held or dropped does not count.
        """
        with self._changed:
            return self._changed.wait_for(self._is_idle, timeout)

    def attempt_of(self, delivery: Delivery) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of one attempt now; whoever carries it there is the caller's affair."""
        delivery.body = self._render(delivery)
        return delivery.body, {"Content-Type": "application/json", **self._sign(delivery)}

    # -- life

    def start(self) -> None:
        """Start the sending threads; does nothing if they run."""
        with self._changed:
            if self._running:
                return
            self._running = True
        self._workers = [
            threading.Thread(target=self._work, name=f"deliveries-{number}", daemon=True)
            for number in range(self._threads)
        ]
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Stop sending after what is in flight; the queue is kept."""
        with self._changed:
            self._running = False
            self._changed.notify_all()
        for worker in self._workers:
            worker.join(self.timeout + 1)
        self._workers = []

    def reset(self) -> None:
        """Forget all deliveries and faults; waits for what is in flight."""
        with self._changed:
            self._queue.clear()
            self._held.clear()
            self._to_drop = self._to_duplicate = self._to_hold = 0
            self._paused, self._delay = False, 0.0
            self._changed.wait_for(lambda: not self._sending, self.timeout + 1)
            self._queue.clear()
            self._kept.clear()
            self._changed.notify_all()

    # -- the threads

    def _work(self) -> None:
        with httpx.Client(timeout=self.timeout, trust_env=False, follow_redirects=False) as client:
            while (delivery := self._next()) is not None:
                for _ in range(delivery.copies):
                    self._attempt(client, delivery)
                self._settle(delivery)

    def _next(self) -> Delivery | None:
        with self._changed:
            while self._running:
                wait = self._seconds_to_wait()
                if wait is not None and wait <= 0:
                    delivery = heapq.heappop(self._queue)[2]
                    delivery.state = "sending"
                    self._sending += 1
                    return delivery
                self._changed.wait(wait)
        return None

    def _seconds_to_wait(self) -> float | None:
        if self._paused or not self._queue:
            return None
        return (self._queue[0][0] - self._clock.now()).total_seconds()

    def _attempt(self, client: httpx.Client, delivery: Delivery) -> None:
        body, headers = self.attempt_of(delivery)
        status, error, taken = None, None, False
        deadline = time.monotonic() + self.timeout
        try:
            answer = client.post(delivery.url, content=body, headers=headers)
            status, taken = answer.status_code, self._accept(delivery, answer.status_code, answer.content)
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            error = type(failure).__name__
        if status is not None and time.monotonic() > deadline:
            status, error, taken = None, "Timeout", False
        delivery.attempts.append(Attempt(self._clock.now(), status, error, headers, body, taken))

    def _settle(self, delivery: Delivery) -> None:
        attempts = delivery.attempts[-delivery.copies :]
        with self._changed:
            self._sending -= 1
            delivery.tries += 1
            delivery.copies = 1
            if any(attempt.taken for attempt in attempts):
                delivery.state = "delivered"
            elif delivery.tries > len(self.schedule):
                delivery.state = "failed"
            else:
                self._enqueue(delivery, self.schedule[delivery.tries - 1] * self.retry_factor)
            self._changed.notify_all()

    # -- under the lock

    def _enqueue(self, delivery: Delivery, after: float) -> None:
        delivery.state = "queued"
        due = self._clock.now() + timedelta(seconds=after)
        heapq.heappush(self._queue, (due, next(self._order), delivery))
        self._changed.notify_all()

    def _let_go(self) -> None:
        while self._held:
            self._enqueue(self._held.pop(), 0.0)

    def _is_idle(self) -> bool:
        return not self._sending and (self._paused or not self._queue)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
