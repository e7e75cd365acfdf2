"""What people do in Next Cap: customers write, agents work in the dashboard, visitors chat.

Tickets are named by id or number, agents and members by id or e-mail, departments by id or name. Where no agent
is named, the first one acts. Rules hold for people as for the API: a refused action raises `Refusal`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from .kernel import action
from .nextcap_changes import SOURCES
from .nextcap_core import Core
from .nextcap_errors import check_fields, invalid, one_of, refuse
from .nextcap_records import Actor, Conversation, Ticket
from .nextcap_settings import WIDGETS

File = Mapping[str, str]
"""`filename`, `content_type`, and `text` or `base64`."""


def customer_of(ticket: Ticket) -> Actor:
    """The requester as an actor."""
    return Actor("customer", ticket.external_user_id or ticket.visitor_id, ticket.customer_name)


class People(Core):
    """The actions, as methods and as POST /_control/actions/<name>; each answers what it changed, as JSON."""

    @action
    def create_ticket(
        self,
        /,
        *,
        subject: str,
        description: str = "",
        source: str = "widget",
        widget: str | None = WIDGETS[0],
        department: str | None = None,
        assignee: str | None = None,
        conversation: str | None = None,
        files: Sequence[File] = (),
        agent: str | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        """A customer, or the named agent, opens a ticket; `fields` are further fields of the API."""
        check_fields({"source": source}, {"source": one_of(*SOURCES)})
        body = {"subject": subject, "description": description, **fields}
        if department is not None:
            body["department_id"] = self._department_id(department)
        if assignee is not None:
            body["assigned_agent_id"] = self._member_id(assignee)
        if files:
            body["attachment_ids"] = self._stage(files)
        chat = self._chat(conversation) if conversation else None
        customer = Actor("customer", fields.get("external_user_id"), fields.get("customer_name"))
        actor = self.world.agent(agent) if agent else customer
        about_chat = {"conversation_id": chat.id, "visitor_id": chat.visitor_id} if chat else {}
        fixed = {"source": source, "widget_id": widget, "created_by": actor.id, **about_chat}
        ticket = self.desk.create(body, actor, **fixed)
        if chat is not None:
            self.chats.ticketed(chat, ticket)
        return self.ticket_view(ticket)

    @action
    def customer_reply(self, ticket: str | int, content: str, files: Sequence[File] = ()) -> dict[str, Any]:
        """The customer answers by widget or e-mail."""
        found = self.world.ticket(ticket)
        event = self.desk.customer_reply(found, content, customer_of(found), self._stage(files))
        return self.world.timeline_view(event)

    @action
    def agent_reply(
        self, ticket: str | int, content: str, agent: str | None = None, files: Sequence[File] = ()
    ) -> dict[str, Any]:
        """An agent answers; the customer gets an e-mail."""
        found, actor = self.world.ticket(ticket), self.world.agent(agent)
        return self.world.timeline_view(self.desk.reply(found, content, actor, self._stage(files)))

    @action
    def agent_note(
        self, ticket: str | int, content: str, agent: str | None = None, *, internal: bool = True
    ) -> dict[str, Any]:
        """An agent writes a note."""
        found, actor = self.world.ticket(ticket), self.world.agent(agent)
        return self.world.timeline_view(self.desk.note(found, content, actor, is_internal=internal))

    @action
    def set_fields(self, ticket: str | int, fields: Mapping[str, Any], agent: str | None = None) -> dict[str, Any]:
        """An agent changes any field that PATCH takes."""
        found = self.world.ticket(ticket)
        self.desk.change(found, fields, self.world.agent(agent))
        return self.ticket_view(found)

    @action
    def move(self, ticket: str | int, status: str, agent: str | None = None) -> dict[str, Any]:
        """An agent sets the status."""
        found = self.world.ticket(ticket)
        self.desk.change(found, {"status": status}, self.world.agent(agent))
        return self.ticket_view(found)

    @action
    def close(self, ticket: str | int, agent: str | None = None) -> dict[str, Any]:
        """An agent closes the ticket."""
        found = self.world.ticket(ticket)
        self.desk.move(found, "closed", self.world.agent(agent))
        return self.ticket_view(found)

    @action
    def reopen(self, ticket: str | int, agent: str | None = None) -> dict[str, Any]:
        """An agent reopens the ticket."""
        found = self.world.ticket(ticket)
        self.desk.move(found, "reopened", self.world.agent(agent))
        return self.ticket_view(found)

    @action
    def assign(self, ticket: str | int, to: str, agent: str | None = None) -> dict[str, Any]:
        """An agent assigns the ticket."""
        found = self.world.ticket(ticket)
        self.desk.assign(found, self._member_id(to), self.world.agent(agent))
        return self.ticket_view(found)

    @action
    def transfer(
        self, ticket: str | int, department: str, agent: str | None = None, *, unassign: bool = True
    ) -> dict[str, Any]:
        """An agent moves the ticket to a department."""
        found = self.world.ticket(ticket)
        actor = self.world.agent(agent)
        self.desk.transfer(found, self._department_id(department), actor, unassign=unassign)
        return self.ticket_view(found)

    @action
    def ticket(self, ticket: str | int) -> dict[str, Any]:
        """Look at a ticket."""
        return self.ticket_view(self.world.ticket(ticket))

    @action
    def timeline(self, ticket: str | int) -> list[dict[str, Any]]:
        """Look at a ticket's timeline, internal notes included."""
        return self.timeline_view(self.world.ticket(ticket))

    @action
    def create_webhook(self, url: str, events: Sequence[str], secret: str | None = None) -> dict[str, Any]:
        """An administrator makes a webhook in the dashboard; the answer shows its secret."""
        hook = self.hooks.register(url, events, secret)
        return {**hook.view(), "secret": hook.secret}

    @action
    def disable_member(self, member: str) -> dict[str, Any]:
        """An administrator disables a seat."""
        found = self.world.members[self._member_id(member)]
        found.disabled_at = self.now()
        return found.view()

    @action
    def start_conversation(
        self, /, content: str | None = None, widget: str = WIDGETS[0], **visitor: Any
    ) -> dict[str, Any]:
        """A visitor opens a chat; `visitor` is what is known of them: name, email, phone."""
        return self.chats.start(widget, visitor, content).view()

    @action
    def visitor_message(self, conversation: str, content: str) -> dict[str, Any]:
        """The visitor writes."""
        return self.chats.say(self._chat(conversation), "user", content).view()

    @action
    def agent_message(self, conversation: str, content: str, agent: str | None = None) -> dict[str, Any]:
        """An agent writes in the dashboard."""
        actor = self.world.agent(agent)
        chat = self._chat(conversation)
        return self.chats.say(chat, "agent", content, agent_user_id=actor.id).view()

    @action
    def assistant_message(self, conversation: str, content: str) -> dict[str, Any]:
        """The AI writes."""
        return self.chats.say(self._chat(conversation), "assistant", content).view()

    @action
    def hand_off(self, conversation: str) -> dict[str, Any]:
        """The AI hands the chat to people."""
        chat = self._chat(conversation)
        self.chats.hand_off(chat)
        return chat.view()

    @action
    def complete_conversation(self, conversation: str) -> dict[str, Any]:
        """The AI finishes the chat."""
        chat = self._chat(conversation)
        self.chats.complete(chat)
        return chat.view()

    @action
    def capture_lead(self, /, **facts: Any) -> dict[str, Any]:
        """A visitor leaves contact facts: email, name, company, phone, source."""
        return self.contacts.capture_lead(facts)

    @action
    def request_call(self, /, **facts: Any) -> dict[str, Any]:
        """A visitor asks to be called: name, phone, email, preferred_time, notes, custom_fields."""
        return self.contacts.request_call(facts)

    def _chat(self, conversation: str) -> Conversation:
        found = self.world.conversations.get(conversation)
        if found is None:
            raise refuse(404, "Conversation not found")
        return found

    def _department_id(self, reference: str) -> str:
        department = self.world.department(reference)
        if department is None:
            raise invalid(department_id="must be a department")
        return department.id

    def _member_id(self, reference: str) -> str:
        member = self.world.member(reference)
        if member is None:
            raise invalid(agent_id="must be a member")
        return member.id

    def _stage(self, files: Sequence[File]) -> list[str]:
        return [
            self.files.put(
                one.get("filename", "file"),
                one.get("content_type", "application/octet-stream"),
                base64.b64decode(one["base64"]) if "base64" in one else one.get("text", "").encode(),
            ).id
            for one in files
        ]
