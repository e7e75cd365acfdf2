"""The loop breaker: when what we write to one field is undone again and again and no person can have done it.

A *trail* is the list of our writes to one field of one link, newest last, each within `MOMENTS` of the change before
it. A write is an *answer* where the change that it carries was itself made within `MOMENTS` of our own write on that
side: something there reacts to us. A value *returns* where we gave that side the same value earlier in the trail.

People are slower than that, or stop soon. So a longer gap begins a new trail, and for the status so does a customer's
reply. Only writes that are known to have been applied count; repeating one that failed does not.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.domain.ticket import Side, Value

MOMENTS = timedelta(seconds=60)
"""A change of the same field this soon after our write is a reaction to it, where an event told of the change."""
UNTOLD = timedelta(minutes=10)
"""The same where no event told of it: the regular look that found it may have come minutes later."""
ANSWERS = 4
"""This many answers, with values that return, are a loop."""
UNSETTLED = 8
"""This many answers with ever new values are a loop too: a form that never settles."""
RETURNS = 8
"""This many returning values from one side alone are one as well: something there flaps."""
LONGEST = 24
"""A trail that goes on without being a loop forgets its oldest writes."""


@dataclass(frozen=True, slots=True)
class Written:
    """One write of ours: where, a fingerprint of what, when, and whether it answers something that reacts to us."""

    side: Side
    value: str
    at: datetime
    is_answer: bool = False


Trail = tuple[Written, ...]


@dataclass(frozen=True, slots=True)
class Cause:
    """The change that a write would carry: when we first heard of it, and whether an event told of it."""

    seen_at: datetime
    was_told: bool = True


def follow(trail: Trail, side: Side, value: Value, *, cause: Cause, now: datetime) -> Trail:
    """The trail with one more write on this side; begun anew where the write is no consequence of those before."""
    mark = fingerprint(value)
    window = MOMENTS if cause.was_told else UNTOLD
    ours = _written_before(trail, side, mark)
    is_answer = ours is not None and _since(ours, cause, now) <= window
    if not is_answer and trail and _since(trail[-1], cause, now) > MOMENTS:
        trail = ()
    return (*trail, Written(side, mark, now, is_answer))[-LONGEST:]


def _written_before(trail: Trail, side: Side, mark: str) -> Written | None:
    """The write of ours that this one's cause came after: our last on the other side, or the very same one, undone."""
    if trail and (trail[-1].side, trail[-1].value) == (side, mark):
        return trail[-1]
    return next((one for one in reversed(trail) if one.side is side.other), None)


def _since(ours: Written, cause: Cause, now: datetime) -> timedelta:
    """How long after our write the change came. Where a link has been waiting since before it, by now at the latest."""
    return (cause.seen_at if cause.seen_at >= ours.at else now) - ours.at


def loop_in(trail: Trail) -> str:
    """What makes this trail a loop, in words; empty where it is none."""
    answers = sum(one.is_answer for one in trail)
    returns = sum(_returns(trail, place) for place in range(len(trail)))
    if answers >= ANSWERS and returns >= ANSWERS // 2:
        return f"our writes were undone {answers} times within moments, and the same values return"
    if answers >= UNSETTLED:
        return f"each of {answers} writes was changed within moments, and it never settles"
    if returns >= RETURNS:
        return f"the same values returned {returns} times within moments"
    return ""


def _returns(trail: Trail, place: int) -> bool:
    """Whether this write gives its side a value that we gave it before, and that it has not kept."""
    one = trail[place]
    return any((other.side, other.value) == (one.side, one.value) for other in trail[:place])


def fingerprint(value: Value) -> str:
    """What stands for a value where only sameness matters."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:12]
