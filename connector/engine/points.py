"""Moments between which a process may die, by name.

Every promise of "once" is a promise about what the next process finds when the last one ended at one of these. Nobody
listens to them in production; whoever wants to see or to end a process there connects to `passed`.
"""

from __future__ import annotations

from enum import StrEnum

from blinker import Signal

passed = Signal("A process passed a point: the point is the sender, `kind` tells what was on its way.")


class Point(StrEnum):
    """In the order in which a delivery, a write and a token pass them."""

    TAKING = "taking"
    """A delivery and its marks are stored, and not committed."""
    TAKEN = "taken"
    """They are committed; nobody was told, nor was the sender answered."""
    INTENDED = "intended"
    """A write has its name."""
    SENDING = "sending"
    """It is committed that the write may be under way; nothing was sent."""
    APPLIED = "applied"
    """The vendor has answered; nothing of it is stored."""
    KEEPING = "keeping"
    """The outcome is stored, and not committed."""
    HOP = "hop"
    """A step of a walk is committed, and another one is to come."""
    RENEWED = "renewed"
    """A vendor gave a new token; it is not kept yet."""


def at(point: Point, kind: str) -> None:
    """This process passes a point. `kind` is an effect's, a delivery's source or a token's connection."""
    passed.send(point, kind=kind)
