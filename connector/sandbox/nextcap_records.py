"""What the Next Cap imitation keeps: its objects, and how each looks as JSON."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from .kernel import iso

NAMESPACE = uuid.UUID("6f1c3a52-0f0b-4a63-9c5e-2b0d3f6f7a10")
METADATA_LIMIT = 10 * 1024


def seeded_id(name: str) -> str:
    """The same UUID for the same name, so that seeded objects keep their ids over a reset."""
    return str(uuid.uuid5(NAMESPACE, name))


def new_id() -> str:
    """A fresh UUID."""
    return str(uuid.uuid4())


def byte_size(value: Any) -> int:
    """How long a value is as compact JSON in UTF-8."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def json_ready(record: Any) -> dict[str, Any]:
    """A dataclass as JSON, its moments as ISO times; lists and objects in it are replaced, never edited."""
    values = {one.name: getattr(record, one.name) for one in fields(record)}
    return {name: iso(value) if isinstance(value, datetime) else value for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: type `agent`, `customer` or `system`."""

    type: str
    id: str | None = None
    name: str | None = None

    def view(self) -> dict[str, Any]:
        """As timelines and webhooks name it."""
        return {"actor_id": self.id, "actor_type": self.type, "actor_name": self.name}


SYSTEM = Actor("system", None, "Automation")


@dataclass(frozen=True, slots=True)
class Department:
    """A department that tickets belong to."""

    id: str
    name: str


@dataclass(slots=True)
class Member:
    """A seat: a person, or an API-only seat, which has no e-mail."""

    id: str
    name: str
    email: str | None
    role: str
    created_at: datetime
    seat_type: str = "full"
    disabled_at: datetime | None = None

    def view(self) -> dict[str, Any]:
        """The employee object; every member endpoint returns this."""
        return {
            "id": self.id,
            "email": self.email,
            "name": self.name,
            "chat_display_name": self.name.split()[0],
            "phone": None,
            "avatar_url": None,
            "role": self.role,
            "role_id": seeded_id(f"role {self.role}"),
            "role_name": self.role.title(),
            "role_slug": self.role,
            "role_color": "#3b82f6",
            "role_is_system": True,
            "seat_type": self.seat_type,
            "email_verified": self.email is not None,
            "availability_status": "offline" if self.disabled_at else "online",
            "current_activity": "idle",
            "spoken_languages": ["en"],
            "last_active_at": iso(self.created_at),
            "last_login_at": iso(self.created_at),
            "created_at": iso(self.created_at),
            "updated_at": iso(self.created_at),
            "disabled_at": iso(self.disabled_at) if self.disabled_at else None,
        }

    def actor(self) -> Actor:
        """The member as the one who acts."""
        return Actor("agent", self.id, self.name)


@dataclass(slots=True)
class Ticket:
    """A ticket; its field names are those of the API."""

    id: str
    ticket_number: int
    subject: str
    description: str
    created_at: datetime
    updated_at: datetime
    status: str = "new"
    priority: str = "normal"
    category: str | None = None
    tags: list[str] = field(default_factory=list)
    source: str = "widget"
    department_id: str | None = None
    assigned_agent_id: str | None = None
    custom_fields: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    customer_email: str | None = None
    customer_name: str | None = None
    customer_phone: str | None = None
    external_user_id: str | None = None
    visitor_id: str | None = None
    conversation_id: str | None = None
    widget_id: str | None = None
    created_by: str | None = None
    first_response_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    attachment_ids: list[str] = field(default_factory=list)

    def view(self) -> dict[str, Any]:
        """The ticket as lists show it."""
        shown = json_ready(self)
        attachments = shown.pop("attachment_ids")
        return {**shown, "has_attachments": bool(attachments), "attachment_count": len(attachments)}


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """An entry of a ticket's timeline: a reply, a note, or a change from `old_value` to `new_value`."""

    id: str
    ticket_id: str
    type: str
    actor: Actor
    created_at: datetime
    content: str | None = None
    is_internal: bool = False
    field: str | None = None
    old_value: Any = None
    new_value: Any = None
    attachment_ids: tuple[str, ...] = ()

    def view(self) -> dict[str, Any]:
        """The entry as JSON, without its attachments."""
        return {
            "id": self.id,
            "ticket_id": self.ticket_id,
            "type": self.type,
            "content": self.content,
            "is_internal": self.is_internal,
            **self.actor.view(),
            "field": self.field,
            "old_value": self.old_value,
            "new_value": self.new_value,
            "created_at": iso(self.created_at),
        }


@dataclass(frozen=True, slots=True)
class Email:
    """An e-mail that a customer was sent."""

    to: str
    ticket_id: str
    reply_id: str
    content: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class IllegalMove:
    """A status change that the machine refused."""

    ticket_id: str
    before: str
    after: str
    by: str | None
    at: datetime


@dataclass(slots=True)
class Attachment:
    """A file. State `pending` (presigned, not completed), `staged` (24 h), `linked` (to a ticket)."""

    id: str
    filename: str
    content_type: str
    size: int
    created_at: datetime
    content: bytes | None = None
    state: str = "pending"
    ticket_id: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a conversation; role `user`, `agent`, `assistant` or `system`."""

    id: str
    conversation_id: str
    role: str
    content: str
    created_at: datetime
    visitor_id: str | None = None
    agent_user_id: str | None = None

    def view(self) -> dict[str, Any]:
        """The message as REST shows it."""
        return {**json_ready(self), "attachments": None}


@dataclass(slots=True)
class Conversation:
    """A chat; `agent_id` is the widget, `assigned_agent_id` a person."""

    id: str
    agent_id: str
    visitor_id: str
    visitor: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    status: str = "active"
    assigned_agent_id: str | None = None
    ticket_id: str | None = None
    resolved_at: datetime | None = None
    handed_off_at: datetime | None = None

    def view(self) -> dict[str, Any]:
        """The conversation as lists show it."""
        return json_ready(self)


@dataclass(slots=True)
class Webhook:
    """A registered target."""

    id: str
    url: str
    secret: str
    events: tuple[str, ...]
    created_at: datetime
    is_active: bool = True

    def view(self) -> dict[str, Any]:
        """The webhook without its secret."""
        shown = {**json_ready(self), "events": list(self.events)}
        del shown["secret"]
        return shown
