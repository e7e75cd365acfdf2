"""Work that several threads bring at the same time, done at once by one of them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

import sqlalchemy as sa

from connector.store.database import StoreAway

T = TypeVar("T")
R = TypeVar("R")

MOST = 64
GATHER = 0.004
"""Seconds for which a batch waits for as many as there were lately: no more than it costs to serve one alone."""


@dataclass(slots=True, eq=False)
class _Slot(Generic[T, R]):
    item: T
    result: R | None = None
    away: StoreAway | None = None
    is_taken: bool = False

    @property
    def is_done(self) -> bool:
        return self.result is not None or self.away is not None


class Together(Generic[T, R]):
    """Calls `work` with everything that has come since it was last called, one call at a time.

    A thread that comes alone waits for nobody; what comes while another works is served by one of those who wait. Where
    a batch fails for what one of its items holds, each is tried by itself, so that the others are not lost.
    """

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]]) -> None:
        self._work = work
        self._turn = threading.Lock()
        self._waiting: deque[_Slot[T, R]] = deque()
        self._usual = 1

    def __call__(self, item: T) -> R:
        """The result of this item; raises what its work raised."""
        slot: _Slot[T, R] = _Slot(item)
        self._waiting.append(slot)
        with self._turn:
            if not slot.is_taken:
                with suppress(sa.exc.StatementError):
                    self._serve(self._take())
            if not slot.is_done:
                self._serve([slot])
        if slot.result is None:
            raise slot.away or StoreAway
        return slot.result

    def _take(self) -> list[_Slot[T, R]]:
        batch: list[_Slot[T, R]] = []
        until = time.monotonic() + GATHER
        while len(self._waiting) < self._usual and time.monotonic() < until:
            time.sleep(GATHER / 8)
        while self._waiting and len(batch) < MOST:
            batch.append(self._waiting.popleft())
            batch[-1].is_taken = True
        self._usual = max(len(batch), self._usual - 1)
        return batch

    def _serve(self, batch: Sequence[_Slot[T, R]]) -> None:
        try:
            for slot, result in zip(batch, self._work([one.item for one in batch]), strict=True):
                slot.result = result
        except StoreAway as problem:
            for slot in batch:
                slot.away = problem
