"""Why a link is not at rest, as its row keeps it: `cause_code` is one of these codes, or the ticket's own failure's."""

from __future__ import annotations

import sqlalchemy as sa

from connector.domain.rules import Direction
from connector.store.tables import links

_WAITS, _FAILS, _PAUSED = "waits:", "fails:", "paused:"


def waits(system: str) -> str:
    """This system's own trouble is waited out; no ticket is to blame."""
    return f"{_WAITS}{system}"


def fails(system: str, code: str) -> str:
    """This ticket fails with a system, which may be the system's trouble after all."""
    return f"{_FAILS}{system}:{code}"


def paused(direction: Direction) -> str:
    """Something is to be written in a direction that is closed, or in both."""
    return f"{_PAUSED}{direction}"


def is_wait(code: str | None) -> bool:
    """Whether a system is waited for."""
    return (code or "").startswith(_WAITS)


def is_pause(code: str | None) -> bool:
    """Whether a direction is waited for, until it is opened."""
    return (code or "").startswith(_PAUSED)


def direction_of(code: str) -> Direction:
    """The direction that such a link waits for."""
    return Direction(code.removeprefix(_PAUSED))


def failure_of(code: str | None) -> str:
    """The code of the failure itself."""
    return (code or "").rpartition(":")[2]


def of_system(system: str) -> sa.ColumnElement[bool]:
    """The links that wait for a system or fail with it."""
    return sa.or_(
        links.c.cause_code == waits(system), links.c.cause_code.startswith(fails(system, ""), autoescape=True)
    )


def of_pauses(*directions: Direction) -> sa.ColumnElement[bool]:
    """The links that wait for one of these directions."""
    return links.c.cause_code.in_([paused(one) for one in directions])
