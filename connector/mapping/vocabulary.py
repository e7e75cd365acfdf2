"""Next Cap's own words: the fields of its ticket, which of them can be written, and the values that are fixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from connector.domain.lifecycle import Status

Kind = Literal["text", "list", "person", "department", "object"]


@dataclass(frozen=True, slots=True)
class NextcapField:
    """One field of the ticket. `values` are all it can hold, where they are fixed; empty means free words."""

    kind: Kind = "text"
    writable: bool = True
    values: tuple[str, ...] = ()
    may_grow: bool = False
    """Whether Next Cap may come to use words beyond `values`."""


READ_ONLY = NextcapField(writable=False)
FIELDS: Mapping[str, NextcapField] = {
    "subject": NextcapField(),
    "description": NextcapField(),
    "status": NextcapField(writable=False, values=tuple(status.value for status in Status)),
    "priority": NextcapField(values=("low", "normal", "high", "urgent")),
    "category": NextcapField(),
    "tags": NextcapField(kind="list"),
    "source": NextcapField(
        writable=False,
        values=("handoff", "widget", "dashboard", "email", "api", "import", "telegram"),
        may_grow=True,
    ),
    "department_id": NextcapField(kind="department"),
    "assigned_agent_id": NextcapField(kind="person"),
    "created_at": READ_ONLY,
    "id": READ_ONLY,
    "number": READ_ONLY,
    "url": READ_ONLY,
    "requester.email": READ_ONLY,
    "requester.name": READ_ONLY,
    "requester.phone": READ_ONLY,
}
OBJECTS: Mapping[str, NextcapField] = {
    "custom_fields": NextcapField(kind="object", writable=False),
    "metadata": NextcapField(kind="object", writable=False),
}
ROOTS = frozenset(name.partition(".")[0] for name in FIELDS) | OBJECTS.keys()
"""What an expression can begin with: objects are reached into with a dot."""
ALIASES: Mapping[str, str] = {
    "assignee": "assigned_agent_id",
    "agent": "assigned_agent_id",
    "department": "department_id",
    "ticket_number": "number",
    "ticket_id": "id",
    "title": "subject",
    "email": "requester.email",
    "name": "requester.name",
    "phone": "requester.phone",
}


def nextcap_field(name: str) -> NextcapField | None:
    """The field of that native name (`custom_fields.plan` for one custom field), or None."""
    parent, dot, child = name.partition(".")
    if parent in OBJECTS:
        return NextcapField() if child else None if dot else OBJECTS[parent]
    return FIELDS.get(name)
