"""Next Cap's ticket state machine and the shortest legal way through it.

The table is the vendor's, from the CRM integration page of its documentation: any other move is answered
with 400. Nothing leads back to `new`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """The eight ticket statuses of Next Cap."""

    NEW = "new"
    OPEN = "open"
    IN_PROGRESS = "in_progress"
    WAITING_CUSTOMER = "waiting_customer"
    WAITING_INTERNAL = "waiting_internal"
    RESOLVED = "resolved"
    CLOSED = "closed"
    REOPENED = "reopened"


N, O, P, C, I, R, X, A = Status  # noqa: E741 - one letter a column keeps the table readable

# Targets stand in order of preference: where two paths are equally short, the one whose first differing
# hop a customer is least likely to notice is taken (an internal status before one that may send mail).
TRANSITIONS: Mapping[Status, tuple[Status, ...]] = {
    N: (O, P, X),
    O: (P, I, C, R, X),
    P: (I, C, R, X),
    C: (O, P, R, X),
    I: (O, P, R, X),
    R: (A, X),
    X: (A,),
    A: (O, P, I, C, R, X),
}

FINAL = frozenset({Status.RESOLVED, Status.CLOSED})


@dataclass(frozen=True, slots=True)
class PathPolicy:
    """What a walk may do: states it must not pass *through*, and how many moves it may make."""

    forbid: frozenset[Status] = frozenset()
    max_hops: int = 3


ANY_PATH = PathPolicy()


def is_legal(source: Status, target: Status) -> bool:
    """Whether Next Cap accepts this single move. Staying is not a move."""
    return target in TRANSITIONS[source]


def shortest_path(source: Status, target: Status, policy: PathPolicy = ANY_PATH) -> tuple[Status, ...] | None:
    """The moves that lead from `source` to `target`, without `source` itself; empty where they are equal.

    None where the table has no way, or none that the policy allows.
    """
    if source == target:
        return ()
    queue: deque[tuple[Status, ...]] = deque([(source,)])
    seen = {source}
    while queue:
        path = queue.popleft()
        if len(path) > policy.max_hops:
            return None
        for step in TRANSITIONS[path[-1]]:
            if step == target:
                return (*path[1:], step)
            if step not in seen and step not in policy.forbid:
                seen.add(step)
                queue.append((*path, step))
    return None
