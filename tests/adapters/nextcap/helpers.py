"""Shorthand for what the writing tests do over and over."""

from __future__ import annotations

from typing import Any

from connector.adapters.base import Change, ChangeKind, Written
from connector.domain.ticket import Value

from .arena import NextCapArena


def ticket_of(arena: NextCapArena, **fields: Any) -> str:
    return str(arena.imitation.create_ticket(subject="Hilfe", **fields)["id"])


def shown(arena: NextCapArena, ticket: str) -> dict[str, Any]:
    return arena.imitation.ticket(ticket)


def change(arena: NextCapArena, kind: ChangeKind, ticket: str, values: dict[str, Value]) -> Written:
    return arena.write(Change(kind, "key-1", values, ticket))["key-1"]


def requests(arena: NextCapArena, method: str) -> list[tuple[str, bytes]]:
    """The writes that arrived: the last part of the path, and the body."""
    kept = [call for call in arena.imitation.calls.kept() if call.method == method]
    return [(call.path.rsplit("/", 1)[1], call.body) for call in kept]
