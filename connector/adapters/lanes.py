"""Lanes: how urgent the calls are that are being made now, known from what the engine does.

The engine says `with lane(Lane.REPLIES): …`; whatever is called inside takes its turn in that lane, however deep.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from typing import Final

MINUTE: Final = 60.0


class Lane(IntEnum):
    """Priority classes of calls, the most urgent first."""

    CHAT = 0
    REPLIES = 1
    CHANGES = 2
    BACKFILL = 3
    RECONCILE = 4


_lane: ContextVar[Lane] = ContextVar("lane", default=Lane.CHANGES)
_raised: ContextVar[int] = ContextVar("raised", default=0)


@contextmanager
def lane(one: Lane, *, waited: float | None = None) -> Iterator[None]:
    """Calls made inside belong to this lane.

    `waited` is for how many seconds the work has been due: it moves up a lane a minute, and so does what is done
    inside it under another lane's name.
    """
    inside = _lane.set(one)
    raised = _raised.set(_raised.get() if waited is None else int(max(0.0, waited) // MINUTE))
    try:
        yield
    finally:
        _raised.reset(raised)
        _lane.reset(inside)


def current() -> Lane:
    """The lane of a call that is made now."""
    return Lane(max(Lane.CHAT, _lane.get() - _raised.get()))
