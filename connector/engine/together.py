"""Work that several threads bring at the same time, done at once by one of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import sqlalchemy as sa

from connector.store.database import StoreAway

T = TypeVar("T")
R = TypeVar("R")

MOST = 64
GATHER = 0.01
"""Seconds for which a batch waits for as many as there were lately: about as long as two transactions take."""


def _closed_gate() -> threading.Lock:
    gate = threading.Lock()
    gate.acquire()
    return gate


@dataclass(slots=True, eq=False)
class _Slot(Generic[T, R]):
    item: T
    gate: threading.Lock = field(default_factory=_closed_gate)
    """Closed until somebody has tried to serve this one, or it is its turn to serve everybody."""
    result: R | None = None
    away: StoreAway | None = None
    is_tried: bool = False

    @property
    def is_done(self) -> bool:
        return self.result is not None or self.away is not None


class Together(Generic[T, R]):
    """Calls `work` with everything that has come since it was last called, one call at a time.

    A thread that comes alone waits for nobody. One that comes while another works waits; the first of those who wait is
    the next to serve them all. Where a batch fails for what one of its items holds, each of its threads tries
    its own by itself, so that the others are not lost.
    """

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._waiting: deque[_Slot[T, R]] = deque()
        self._is_served = False
        self._usual = 1
        self._enough = threading.Event()

    def __call__(self, item: T) -> R:
        """The result of this item; raises what its work raised."""
        slot: _Slot[T, R] = _Slot(item)
        if not self._join(slot):
            slot.gate.acquire()
        if not slot.is_tried:
            self._serve_all()
        if not slot.is_done:
            self._serve([slot])
        if slot.result is None:
            raise slot.away or StoreAway
        return slot.result

    def _join(self, slot: _Slot[T, R]) -> bool:
        """Wait with the others. True for one who finds nobody at work: it serves."""
        with self._lock:
            self._waiting.append(slot)
            if len(self._waiting) >= self._usual:
                self._enough.set()
            is_first, self._is_served = not self._is_served, True
            return is_first

    def _serve_all(self) -> None:
        batch = self._take()
        try:
            with suppress(sa.exc.StatementError):
                self._serve(batch)
        finally:
            self._pass_on()
            for slot in batch:
                slot.gate.release()

    def _take(self) -> list[_Slot[T, R]]:
        self._enough.wait(GATHER)
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
            self._usual = max(len(batch), self._usual - 1)
            if len(self._waiting) < self._usual:
                self._enough.clear()
        for slot in batch:
            slot.is_tried = True
        return batch

    def _pass_on(self) -> None:
        """The first of those who came meanwhile serves them."""
        with self._lock:
            self._is_served = bool(self._waiting)
            if self._waiting:
                self._waiting[0].gate.release()

    def _serve(self, batch: Sequence[_Slot[T, R]]) -> None:
        try:
            for slot, result in zip(batch, self._work([one.item for one in batch]), strict=True):
                slot.result = result
        except StoreAway as problem:
            for slot in batch:
                slot.away = problem
