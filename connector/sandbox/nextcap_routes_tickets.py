"""The ticket routes of the CRM API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from .nextcap_errors import boolean, refuse, text, texts
from .nextcap_lists import Page, page_of, tickets_of
from .nextcap_people import customer_of
from .nextcap_records import Actor, Ticket
from .nextcap_web import CRM, answer, answer_list, no_body, read_body

if TYPE_CHECKING:
    from .nextcap_core import Core

TICKET = f"{CRM}/tickets/<ticket_id>"
REPLY = {"content": text, "attachment_ids": texts}

Answered = tuple[Response, int]


class TicketRoutes:
    """One method a route; each begins with the permission it needs."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def register(self, app: Flask) -> None:
        """Add all routes."""
        table: Mapping[tuple[str, str], Callable[..., Any]] = {
            ("GET", f"{CRM}/tickets"): self.list,
            ("POST", f"{CRM}/tickets"): self.create,
            ("GET", TICKET): self.show,
            ("PATCH", TICKET): self.change,
            ("GET", f"{TICKET}/events"): self.timeline,
            ("POST", f"{TICKET}/reply"): self.reply,
            ("POST", f"{TICKET}/customer-reply"): self.customer_reply,
            ("POST", f"{TICKET}/notes"): self.note,
            ("POST", f"{TICKET}/assign"): self.assign,
            ("POST", f"{TICKET}/transfer"): self.transfer,
            ("POST", f"{TICKET}/close"): self.close,
            ("POST", f"{TICKET}/reopen"): self.reopen,
        }
        for (method, path), view in table.items():
            app.add_url_rule(path, f"tickets.{view.__name__}", view, methods=[method])

    def list(self) -> Response:
        """Tickets of the seat's widgets."""
        core = self._core
        core.access.need("tickets:view")
        visible = [one for one in core.world.tickets.values() if core.access.sees(one.widget_id)]
        page = page_of(tickets_of(visible, request.args), request.args)
        return answer_list(core, Page([one.view() for one in page.items], page.meta))

    def show(self, ticket_id: str) -> Answered:
        """One ticket with its files."""
        ticket = self._ticket(ticket_id, "tickets:view")
        return answer(self._core, self._core.ticket_view(ticket))

    def timeline(self, ticket_id: str) -> Response:
        """The timeline; internal notes only for those who manage tickets."""
        core = self._core
        ticket = self._ticket(ticket_id, "tickets:view")
        events = core.timeline_view(ticket, with_internal=core.access.has("tickets:manage"))
        if core.settings.timeline_newest_first:
            events.reverse()
        if not core.settings.timeline_paged:
            return answer_list(core, page_of(events, {}, per_page=max(1, len(events))))
        return answer_list(core, page_of(events, request.args))

    def create(self) -> Answered:
        """A new ticket, written by the seat."""
        core = self._core
        if not core.settings.create_route:
            raise refuse(404, "Cannot POST /tickets")
        core.access.need("tickets:manage")
        ticket = core.desk.create(read_body(), self._seat, source="api", created_by=self._seat.id)
        return answer(core, core.ticket_view(ticket), 201)

    def change(self, ticket_id: str) -> Answered:
        """PATCH."""
        ticket = self._ticket(ticket_id, "tickets:manage")
        self._core.desk.change(ticket, read_body(), self._seat)
        return answer(self._core, self._core.ticket_view(ticket))

    def reply(self, ticket_id: str) -> Answered:
        """Answer the customer, by e-mail too."""
        ticket = self._ticket(ticket_id, "tickets:reply")
        body = read_body(REPLY, ("content",))
        event = self._core.desk.reply(ticket, body["content"], self._seat, body.get("attachment_ids", ()))
        return answer(self._core, self._core.event_view(event), 201)

    def customer_reply(self, ticket_id: str) -> Answered:
        """Write on the customer's behalf."""
        if not self._core.settings.customer_reply_route:
            raise refuse(404, "Cannot POST customer-reply")
        ticket = self._ticket(ticket_id, "tickets:reply")
        body = read_body(REPLY, ("content",))
        files = body.get("attachment_ids", ())
        event = self._core.desk.customer_reply(ticket, body["content"], customer_of(ticket), files)
        return answer(self._core, self._core.event_view(event), 201)

    def note(self, ticket_id: str) -> Answered:
        """Write a note, internal unless told otherwise."""
        ticket = self._ticket(ticket_id, "tickets:manage")
        body = read_body({"content": text, "is_internal": boolean}, ("content",))
        is_internal = body.get("is_internal", True)
        event = self._core.desk.note(ticket, body["content"], self._seat, is_internal=is_internal)
        return answer(self._core, self._core.event_view(event), 201)

    def assign(self, ticket_id: str) -> Answered:
        """Assign to a person."""
        ticket = self._ticket(ticket_id, "tickets:assign")
        body = read_body({"agent_id": text}, ("agent_id",))
        self._core.desk.assign(ticket, body["agent_id"], self._seat)
        return answer(self._core, self._core.ticket_view(ticket))

    def transfer(self, ticket_id: str) -> Answered:
        """Move to a department; drops the assignee unless told not to."""
        ticket = self._ticket(ticket_id, "tickets:manage")
        body = read_body({"department_id": text, "unassign": boolean}, ("department_id",))
        unassign = body.get("unassign", True)
        self._core.desk.transfer(ticket, body["department_id"], self._seat, unassign=unassign)
        return answer(self._core, self._core.ticket_view(ticket))

    def close(self, ticket_id: str) -> Answered:
        """Close."""
        return self._move(self._ticket(ticket_id, "tickets:close"), "closed")

    def reopen(self, ticket_id: str) -> Answered:
        """Reopen."""
        return self._move(self._ticket(ticket_id, "tickets:manage"), "reopened")

    def _move(self, ticket: Ticket, status: str) -> Answered:
        no_body()
        self._core.desk.move(ticket, status, self._seat)
        return answer(self._core, self._core.ticket_view(ticket))

    def _ticket(self, ticket_id: str, permission: str) -> Ticket:
        """The ticket with this id (a number does not name one here), if the seat may do this to it."""
        self._core.access.need(permission)
        ticket = self._core.world.tickets.get(ticket_id)
        if ticket is None:
            raise refuse(404, "Ticket not found")
        self._core.access.need_widget(ticket.widget_id)
        return ticket

    @property
    def _seat(self) -> Actor:
        return self._core.world.seat.actor()
