"""What can happen to tickets, whoever does it: the API's seat, an agent, a customer or an automation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .kernel import Clock
from .nextcap_changes import Changes, change_checks, create_checks
from .nextcap_errors import check_fields, invalid, refuse
from .nextcap_lifecycle import may_move
from .nextcap_records import SYSTEM, Actor, Attachment, Email, IllegalMove, Ticket, TimelineEvent, new_id
from .nextcap_settings import Settings
from .nextcap_world import World

MOST_ATTACHMENTS = 20

Publish = Callable[[str, Ticket, Actor, Mapping[str, Any]], None]
"""Sends a webhook event about a ticket, with facts of the event."""


class Desk:
    """Changes tickets by Next Cap's rules, writes their timeline and publishes what happened."""

    def __init__(self, world: World, settings: Settings, clock: Clock, publish: Publish) -> None:
        self._world = world
        self._settings = settings
        self._clock = clock
        self._publish = publish

    def create(self, body: Mapping[str, Any], actor: Actor, **fixed: Any) -> Ticket:
        """A new ticket; `fixed` are fields that the body cannot choose."""
        wanted = check_fields(body, create_checks(self._world, self._settings), ("subject",))
        files = self._files(wanted.pop("attachment_ids", []), None)
        now = self._clock.now()
        values = {"description": "", **wanted, **fixed}
        ticket = Ticket(id=new_id(), ticket_number=next(self._world.numbers), created_at=now, updated_at=now, **values)
        self._world.tickets[ticket.id] = ticket
        self._link(files, ticket)
        self._write(ticket, "created", actor, content=ticket.description, files=files)
        self._publish("ticket.created", ticket, actor, {})
        return ticket

    def change(self, ticket: Ticket, body: Mapping[str, Any], actor: Actor) -> None:
        """PATCH: all of it or, with a refusal, nothing."""
        if not body:
            raise refuse(400, "No fields to update")
        wanted = check_fields(body, change_checks(self._world, self._settings))
        if "status" in wanted:
            self._check_status(ticket, wanted["status"], actor)
        if self._settings.custom_fields_merge and "custom_fields" in wanted:
            wanted["custom_fields"] = {**ticket.custom_fields, **wanted["custom_fields"]}
        moves_away = wanted.get("department_id", ticket.department_id) != ticket.department_id
        if self._settings.department_unassigns and moves_away:
            wanted.setdefault("assigned_agent_id", None)
        self._apply(ticket, wanted, actor)

    def move(self, ticket: Ticket, status: str, actor: Actor) -> None:
        """/close and /reopen: a step of the machine, never to the present status."""
        if not may_move(ticket.status, status):
            raise self._illegal(ticket, status, actor)
        self._apply(ticket, {"status": status}, actor)

    def assign(self, ticket: Ticket, member_id: str, actor: Actor) -> None:
        """Assign or reassign to an active member, named by id."""
        wanted = change_checks(self._world, self._settings)["assigned_agent_id"](member_id)
        if wanted is not None or not member_id:
            raise invalid(agent_id=wanted or "is required")
        self._apply(ticket, {"assigned_agent_id": member_id}, actor)

    def transfer(self, ticket: Ticket, department_id: str, actor: Actor, *, unassign: bool = True) -> None:
        """Move to a department; drops the assignee unless told not to."""
        wanted: dict[str, Any] = {"department_id": department_id}
        check_fields(wanted, change_checks(self._world, self._settings))
        if unassign:
            wanted["assigned_agent_id"] = None
        self._apply(ticket, wanted, actor)

    def reply(self, ticket: Ticket, content: str, actor: Actor, attachment_ids: Sequence[str] = ()) -> TimelineEvent:
        """An agent's reply: e-mails the customer and publishes ticket.reply."""
        event = self._say(ticket, "reply", content, actor, attachment_ids)
        ticket.first_response_at = ticket.first_response_at or event.created_at
        if ticket.customer_email:
            self._world.emails.append(Email(ticket.customer_email, ticket.id, event.id, content, event.created_at))
        self._publish_reply("ticket.reply", ticket, event)
        if self._settings.agent_reply_waits and may_move(ticket.status, "waiting_customer"):
            self._apply(ticket, {"status": "waiting_customer"}, SYSTEM)
        return event

    def customer_reply(
        self, ticket: Ticket, content: str, actor: Actor, attachment_ids: Sequence[str] = ()
    ) -> TimelineEvent:
        """The customer's reply: publishes ticket.customer_reply, and may open or reopen the ticket."""
        event = self._say(ticket, "customer_reply", content, actor, attachment_ids)
        self._publish_reply("ticket.customer_reply", ticket, event)
        after = {"waiting_customer": "open", "resolved": "reopened", "closed": "reopened"}.get(ticket.status)
        if self._settings.customer_reply_opens and after is not None:
            self._apply(ticket, {"status": after}, SYSTEM)
        return event

    def note(self, ticket: Ticket, content: str, actor: Actor, *, is_internal: bool = True) -> TimelineEvent:
        """A note; publishes nothing."""
        self._check_length(content)
        if self._settings.note_bumps:
            ticket.updated_at = self._clock.now()
        return self._write(ticket, "note", actor, content=content, is_internal=is_internal)

    # -- changing

    def _check_status(self, ticket: Ticket, status: str, actor: Actor) -> None:
        is_same = status == ticket.status
        if is_same and not self._settings.same_status_refused:
            return
        if not may_move(ticket.status, status):
            raise self._illegal(ticket, status, actor)

    def _illegal(self, ticket: Ticket, status: str, actor: Actor) -> Exception:
        """Remember the attempt; the refusal that answers it."""
        self._world.illegal_moves.append(IllegalMove(ticket.id, ticket.status, status, actor.id, self._clock.now()))
        return invalid(status=f"Invalid status transition from {ticket.status} to {status}")

    def _apply(self, ticket: Ticket, wanted: Mapping[str, Any], actor: Actor) -> None:
        changes: Changes = {
            name: (getattr(ticket, name), value) for name, value in wanted.items() if getattr(ticket, name) != value
        }
        if not changes:
            return
        ticket.updated_at = self._clock.now()
        for name, (_, value) in changes.items():
            setattr(ticket, name, value)
        if "status" in changes:
            self._stamp(ticket)
        self._write_changes(ticket, changes, actor)
        self._publish_changes(ticket, changes, actor)

    def _stamp(self, ticket: Ticket) -> None:
        if ticket.status == "resolved":
            ticket.resolved_at = ticket.updated_at
        elif ticket.status == "closed":
            ticket.closed_at = ticket.updated_at
        elif ticket.status == "reopened":
            ticket.resolved_at = ticket.closed_at = None

    def _write_changes(self, ticket: Ticket, changes: Changes, actor: Actor) -> None:
        types = {
            "status": "status_changed",
            "assigned_agent_id": "assigned",
            "department_id": "department_changed",
        }
        for name, (before, after) in changes.items():
            self._write(ticket, types.get(name, "updated"), actor, field=name, old_value=before, new_value=after)
        if changes.get("status", ("", ""))[1] == "reopened":
            self._write(ticket, "reopened", actor)

    def _publish_changes(self, ticket: Ticket, changes: Changes, actor: Actor) -> None:
        """The special events first, then ticket.updated with all of them."""
        if "status" in changes:
            before, after = changes["status"]
            facts = {"old_status": before, "new_status": after}
            if after == "reopened":
                self._publish("ticket.reopened", ticket, actor, facts)
            self._publish("ticket.status_changed", ticket, actor, facts)
        if "department_id" in changes:
            facts = {"previous_department_id": changes["department_id"][0]}
            self._publish("ticket.department_changed", ticket, actor, facts)
        if changes.get("assigned_agent_id", (None, None))[1] is not None:
            facts = {"previous_agent_id": changes["assigned_agent_id"][0]}
            self._publish("ticket.assigned", ticket, actor, facts)
        described = {name: {"from": before, "to": after} for name, (before, after) in changes.items()}
        updated = {"changes": described, "changed_fields": list(changes)}
        self._publish("ticket.updated", ticket, actor, updated)

    # -- saying

    def _say(
        self, ticket: Ticket, kind: str, content: str, actor: Actor, attachment_ids: Sequence[str]
    ) -> TimelineEvent:
        self._check_length(content)
        files = self._files(attachment_ids, ticket)
        self._link(files, ticket)
        if self._settings.reply_bumps:
            ticket.updated_at = self._clock.now()
        return self._write(ticket, kind, actor, content=content, files=files)

    def _publish_reply(self, name: str, ticket: Ticket, event: TimelineEvent) -> None:
        facts = {
            "reply_id": event.id,
            "content": event.content,
            "attachments": self._world.timeline_view(event)["attachments"],
        }
        self._publish(name, ticket, event.actor, facts)

    def _check_length(self, content: str) -> None:
        limit = self._settings.content_limit
        if limit and len(content) > limit:
            raise invalid(content=f"must be at most {limit} characters")

    def _files(self, attachment_ids: Sequence[str], ticket: Ticket | None) -> list[Attachment]:
        """The named files; a refusal where one cannot be linked to this ticket."""
        if len(attachment_ids) > MOST_ATTACHMENTS:
            raise invalid(attachment_ids=f"must name at most {MOST_ATTACHMENTS} attachments")
        found = [self._world.attachments.get(one) for one in attachment_ids]
        for one in found:
            is_here = one is not None and ticket is not None and one.ticket_id == ticket.id
            if one is None or not (one.state == "staged" or is_here):
                raise invalid(attachment_ids="names an attachment that is unknown, incomplete or linked elsewhere")
        return [one for one in found if one is not None]

    def _link(self, files: Sequence[Attachment], ticket: Ticket) -> None:
        for one in files:
            one.state, one.ticket_id = "linked", ticket.id
            if one.id not in ticket.attachment_ids:
                ticket.attachment_ids = [*ticket.attachment_ids, one.id]

    def _write(
        self, ticket: Ticket, kind: str, actor: Actor, *, files: Sequence[Attachment] = (), **facts: Any
    ) -> TimelineEvent:
        event = TimelineEvent(
            id=new_id(),
            ticket_id=ticket.id,
            type=kind,
            actor=actor,
            created_at=self._clock.now(),
            attachment_ids=tuple(one.id for one in files),
            **facts,
        )
        self._world.timelines[ticket.id].append(event)
        return event
