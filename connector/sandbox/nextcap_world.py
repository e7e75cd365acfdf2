"""The state of the Next Cap imitation: everything an organisation has, with its seeds."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .nextcap_errors import refuse
from .nextcap_records import (
    Actor,
    Attachment,
    Conversation,
    Department,
    Email,
    IllegalMove,
    Member,
    Message,
    Ticket,
    TimelineEvent,
    Webhook,
    json_ready,
    seeded_id,
)

DEPARTMENTS = ("Support", "Sales", "Billing")
FIRST_NUMBER = 1001


def seeded_members(now: datetime) -> list[Member]:
    """An owner, two agents, the API-only seat behind the CRM key, and a disabled agent."""
    return [
        Member(seeded_id("ada"), "Ada Owner", "ada@acme.example", "owner", now),
        Member(seeded_id("ben"), "Ben Agent", "ben@acme.example", "agent", now),
        Member(seeded_id("cleo"), "Cleo Agent", "cleo@acme.example", "agent", now),
        Member(seeded_id("seat"), "CRM connector", None, "admin", now, seat_type="api_only"),
        Member(seeded_id("dan"), "Dan Gone", "dan@acme.example", "agent", now, disabled_at=now),
    ]


class World:
    """All objects of one organisation. Lookups refuse with 404, or return None where they say so."""

    def __init__(self, now: datetime) -> None:
        self.departments = {seeded_id(name): Department(seeded_id(name), name) for name in DEPARTMENTS}
        self.members = {member.id: member for member in seeded_members(now)}
        self.seat = self.members[seeded_id("seat")]
        self.tickets: dict[str, Ticket] = {}
        self.timelines: dict[str, list[TimelineEvent]] = defaultdict(list)
        self.attachments: dict[str, Attachment] = {}
        self.conversations: dict[str, Conversation] = {}
        self.messages: dict[str, list[Message]] = defaultdict(list)
        self.leads: dict[str, dict[str, Any]] = {}
        self.call_requests: dict[str, dict[str, Any]] = {}
        self.webhooks: dict[str, Webhook] = {}
        self.emails: list[Email] = []
        self.illegal_moves: list[IllegalMove] = []
        self.numbers = itertools.count(FIRST_NUMBER)

    def ticket(self, reference: str | int) -> Ticket:
        """The ticket with this id, or, as people name it, with this number."""
        found = self.tickets.get(str(reference))
        if found is None:
            found = next((one for one in self.tickets.values() if str(one.ticket_number) == str(reference)), None)
        if found is None:
            raise refuse(404, "Ticket not found")
        return found

    def department(self, reference: str) -> Department | None:
        """The department with this id or name."""
        return next((one for one in self.departments.values() if reference in (one.id, one.name)), None)

    def member(self, reference: str) -> Member | None:
        """The member with this id or e-mail."""
        return next(
            (
                one
                for one in self.members.values()
                if reference == one.id or (one.email and one.email.lower() == reference.lower())
            ),
            None,
        )

    def agent(self, reference: str | None) -> Actor:
        """The named member as an actor, the first agent where none is named."""
        member = self.member(reference or seeded_id("ben"))
        if member is None:
            raise refuse(404, f"No member {reference}")
        return member.actor()

    def timeline_view(self, event: TimelineEvent) -> dict[str, Any]:
        """A timeline entry with its attachments, without their addresses."""
        files = [self.attachments[one] for one in event.attachment_ids]
        return {**event.view(), "attachments": [file_facts(one) for one in files]}

    def view(self) -> Mapping[str, Any]:
        """Everything, as JSON."""
        return {
            "departments": [json_ready(one) for one in self.departments.values()],
            "members": [one.view() for one in self.members.values()],
            "seat": self.seat.id,
            "tickets": [one.view() for one in self.tickets.values()],
            "timelines": {key: [self.timeline_view(one) for one in events] for key, events in self.timelines.items()},
            "attachments": [file_facts(one) for one in self.attachments.values()],
            "conversations": [one.view() for one in self.conversations.values()],
            "messages": {key: [one.view() for one in kept] for key, kept in self.messages.items()},
            "leads": list(self.leads.values()),
            "call_requests": list(self.call_requests.values()),
            "webhooks": [one.view() for one in self.webhooks.values()],
            "emails": [json_ready(one) for one in self.emails],
            "illegal_moves": [json_ready(one) for one in self.illegal_moves],
        }


def file_facts(attachment: Attachment) -> dict[str, Any]:
    """An attachment as JSON, without its content and address."""
    facts = json_ready(attachment)
    del facts["content"]
    return {"status": facts.pop("state"), **facts}
