"""What a new account has: its people, groups, ticket fields and statuses."""

from __future__ import annotations

from typing import Any

CATEGORIES = {"new": "New", "open": "Open", "pending": "Pending", "hold": "On-hold", "solved": "Solved"}
PRIORITIES = ("low", "normal", "high", "urgent")
TYPES = ("problem", "incident", "question", "task")

INTEGRATION, ADA, BOB, EVE = 9001, 9002, 9003, 9004
USERS: tuple[dict[str, Any], ...] = (
    {"id": INTEGRATION, "name": "Next Cap Connector", "email": "connector@acme.example", "role": "admin"},
    {"id": ADA, "name": "Ada Agent", "email": "Ada@acme.example", "role": "agent"},
    {"id": BOB, "name": "Bob Agent", "email": "bob@acme.example", "role": "agent"},
    {"id": EVE, "name": "Eve Gone", "email": "eve@acme.example", "role": "agent", "suspended": True},
)
SUPPORT, BILLING = 7001, 7002
GROUPS = {SUPPORT: "Support", BILLING: "Billing"}


def _options(values: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"name": one.capitalize(), "value": one} for one in values]


def system_fields(*, hold: bool, bare: bool) -> list[dict[str, Any]]:
    """The fields that every account has."""
    statuses = [
        {"name": name, "value": value}
        for value, name in {**CATEGORIES, "closed": "Closed"}.items()
        if (hold or value != "hold") and not (bare and value in ("new", "closed"))
    ]
    told: list[dict[str, Any]] = [
        {"type": "subject", "title": "Subject"},
        {"type": "description", "title": "Description"},
        {"type": "status", "title": "Status", "system_field_options": statuses},
        {"type": "tickettype", "title": "Type", "system_field_options": _options(TYPES)},
        {"type": "priority", "title": "Priority", "system_field_options": _options(PRIORITIES)},
        {"type": "group", "title": "Group"},
        {"type": "assignee", "title": "Assignee"},
    ]
    return [
        {"id": 100 + place, "active": True, "removable": False, "required": False, **one}
        for place, one in enumerate(told)
    ]


def statuses() -> list[dict[str, Any]]:
    """The default status of each category."""
    return [
        {"id": 500 + place, "status_category": category, "agent_label": label, "default": True, "active": True}
        for place, (category, label) in enumerate(CATEGORIES.items())
    ]
