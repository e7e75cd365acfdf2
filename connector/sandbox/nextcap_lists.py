"""Next Cap's lists: filters, sorting and pages, from a query string."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from .nextcap_changes import PRIORITIES, SOURCES
from .nextcap_errors import invalid
from .nextcap_lifecycle import STATUSES
from .nextcap_records import Conversation, Ticket

Query = Mapping[str, str]
Item = TypeVar("Item")

MOST_PER_PAGE = 100
CONVERSATION_STATUSES = ("active", "handed_off", "ticketed", "resolved", "archived")

_TICKET_KEYS: Mapping[str, Callable[[Ticket], Any]] = {
    "createdAt": lambda one: one.created_at,
    "updatedAt": lambda one: one.updated_at,
    "priority": lambda one: PRIORITIES.index(one.priority),
    "ticketNumber": lambda one: one.ticket_number,
}
_CONVERSATION_KEYS: Mapping[str, Callable[[Conversation], Any]] = {
    "createdAt": lambda one: one.created_at,
    "updatedAt": lambda one: one.updated_at,
}


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list and its `meta`."""

    items: Sequence[Any]
    meta: Mapping[str, int]


def page_of(items: Sequence[Item], query: Query, *, per_page: int = 20) -> Page:
    """The page that the query asks for; per_page at most 100."""
    number = _whole(query, "page", 1, None)
    size = _whole(query, "per_page", per_page, MOST_PER_PAGE)
    start = (number - 1) * size
    total_pages = -(-len(items) // size)
    meta = {"page": number, "per_page": size, "total": len(items), "total_pages": total_pages}
    return Page(items[start : start + size], meta)


def _whole(query: Query, name: str, default: int, most: int | None) -> int:
    given = query.get(name, str(default))
    if not (given.isascii() and given.isdigit()) or int(given) < 1 or (most and int(given) > most):
        raise invalid(**{name: f"must be an integer from 1{f' to {most}' if most else ''}"})
    return int(given)


def tickets_of(tickets: Iterable[Ticket], query: Query) -> list[Ticket]:
    """The tickets that the query's filters leave, in its order; newest first by default."""
    kept = list(tickets)
    for name, allowed in (("status", STATUSES), ("priority", PRIORITIES), ("source", SOURCES)):
        kept = _any_of(kept, query, name, allowed)
    for name in ("department_id", "assigned_agent_id", "category"):
        if name in query:
            kept = [one for one in kept if getattr(one, name) == query[name]]
    if "tags" in query:
        wanted = set(query["tags"].split(","))
        kept = [one for one in kept if wanted & set(one.tags)]
    if query.get("search"):
        words = query["search"].lower().split()
        kept = [one for one in kept if _contains(one, words)]
    kept = _created_between(kept, query)
    return _ordered(kept, query, _TICKET_KEYS, lambda one: one.ticket_number)


def conversations_of(conversations: Iterable[Conversation], query: Query) -> list[Conversation]:
    """The conversations that the query's filters leave, in its order; newest first by default."""
    kept = _any_of(list(conversations), query, "status", CONVERSATION_STATUSES)
    for name in ("agent_id", "assigned_agent_id", "visitor_id"):
        if name in query:
            kept = [one for one in kept if getattr(one, name) == query[name]]
    kept = _created_between(kept, query)
    return _ordered(kept, query, _CONVERSATION_KEYS, lambda one: one.id)


def moment(query: Query, name: str) -> datetime:
    """A time or a bare date from the query, as aware UTC."""
    try:
        found = datetime.fromisoformat(query[name])
    except ValueError as wrong:
        raise invalid(**{name: "must be an ISO 8601 date"}) from wrong
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _any_of(items: list[Item], query: Query, name: str, allowed: Sequence[str]) -> list[Item]:
    if name not in query:
        return items
    wanted = query[name].split(",")
    if not set(wanted) <= set(allowed):
        raise invalid(**{name: f"must be a comma-separated list of: {', '.join(allowed)}"})
    return [one for one in items if getattr(one, name) in wanted]


def _contains(ticket: Ticket, words: Sequence[str]) -> bool:
    text = f"{ticket.subject}\n{ticket.description}".lower()
    return all(word in text for word in words)


def _created_between(items: list[Any], query: Query) -> list[Any]:
    if "created_after" in query:
        after = moment(query, "created_after")
        items = [one for one in items if one.created_at >= after]
    if "created_before" in query:
        before = moment(query, "created_before")
        items = [one for one in items if one.created_at <= before]
    return items


def _ordered(
    items: list[Item],
    query: Query,
    keys: Mapping[str, Callable[[Item], Any]],
    tie: Callable[[Item], Any],
) -> list[Item]:
    sort_by = query.get("sort_by", "createdAt")
    order = query.get("sort_order", "desc")
    if sort_by not in keys:
        raise invalid(sort_by=f"must be one of: {', '.join(keys)}")
    if order not in ("asc", "desc"):
        raise invalid(sort_order="must be asc or desc")
    key = keys[sort_by]
    return sorted(items, key=lambda one: (key(one), tie(one)), reverse=order == "desc")
