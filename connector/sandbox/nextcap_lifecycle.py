"""Next Cap's ticket statuses and which may follow which."""

from __future__ import annotations

from collections.abc import Mapping

_ACTIVE = frozenset({"open", "in_progress", "waiting_customer", "waiting_internal", "resolved", "closed"})

MOVES: Mapping[str, frozenset[str]] = {
    "new": frozenset({"open", "in_progress", "closed"}),
    "open": _ACTIVE - {"open"},
    "in_progress": _ACTIVE - {"open", "in_progress"},
    "waiting_customer": _ACTIVE - {"waiting_customer", "waiting_internal"},
    "waiting_internal": _ACTIVE - {"waiting_customer", "waiting_internal"},
    "resolved": frozenset({"closed", "reopened"}),
    "closed": frozenset({"reopened"}),
    "reopened": _ACTIVE,
}
"""From a status to those that may follow; nothing leads to `new`."""

STATUSES = tuple(MOVES)


def may_move(before: str, after: str) -> bool:
    """Whether the machine allows this step; staying is not a step."""
    return after in MOVES[before]
