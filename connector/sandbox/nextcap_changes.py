"""Which fields a ticket's create and PATCH take, and what each may hold."""

from __future__ import annotations

from typing import Any

from .nextcap_errors import Check, an_object, any_text, one_of, text, text_or_null, texts
from .nextcap_lifecycle import STATUSES
from .nextcap_records import METADATA_LIMIT, byte_size
from .nextcap_settings import Settings
from .nextcap_world import World

PRIORITIES = ("low", "normal", "high", "urgent")
SOURCES = ("handoff", "widget", "dashboard", "email", "api", "import", "telegram")

Changes = dict[str, tuple[Any, Any]]
"""Field to its value before and after."""


def change_checks(world: World, settings: Settings) -> dict[str, Check]:
    """The fields that PATCH takes."""

    def department(value: Any) -> str | None:
        return None if isinstance(value, str) and value in world.departments else "must be the id of a department"

    def assignee(value: Any) -> str | None:
        if value is None:
            return None if settings.null_unassigns else "must be a string"
        member = world.members.get(value) if isinstance(value, str) else None
        return None if member and not member.disabled_at else "must be the id of an active member"

    def metadata(value: Any) -> str | None:
        if isinstance(value, dict) and byte_size(value) > METADATA_LIMIT:
            return "must not exceed 10 KB"
        return an_object(value)

    def custom_fields(value: Any) -> str | None:
        defined = settings.custom_field_names
        if isinstance(value, dict) and defined and not set(value) <= set(defined):
            return f"has fields that are not defined: {', '.join(sorted(set(value) - set(defined)))}"
        return an_object(value)

    return {
        "status": one_of(*STATUSES),
        "priority": one_of(*PRIORITIES),
        "category": text_or_null,
        "tags": texts,
        "department_id": department,
        "assigned_agent_id": assignee,
        "subject": text,
        "description": any_text,
        "custom_fields": custom_fields,
        "metadata": metadata,
    }


def create_checks(world: World, settings: Settings) -> dict[str, Check]:
    """The fields that ticket creation takes: no status, but the requester, the widget and files."""

    def widget(value: Any) -> str | None:
        return None if value in settings.widgets else "must be the id of a widget of this seat"

    checks = change_checks(world, settings)
    del checks["status"]
    return {
        **checks,
        "customer_email": text,
        "customer_name": text,
        "customer_phone": text,
        "external_user_id": text,
        "widget_id": widget,
        "attachment_ids": texts,
    }
