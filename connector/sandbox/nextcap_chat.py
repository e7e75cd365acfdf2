"""Next Cap's conversations, leads and call requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .kernel import Clock, iso
from .nextcap_hooks import Hooks
from .nextcap_records import Conversation, Message, Ticket, new_id
from .nextcap_world import World

Listener = Callable[[str, Mapping[str, Any]], None]
"""Told what the live-chat socket emits: event name and camelCase payload."""


class Chats:
    """What happens in conversations; every emission of the socket goes to `listeners`."""

    def __init__(self, world: World, clock: Clock, hooks: Hooks, listeners: list[Listener]) -> None:
        self._world = world
        self._clock = clock
        self._hooks = hooks
        self._listeners = listeners

    def start(self, widget_id: str, visitor: Mapping[str, Any], content: str | None) -> Conversation:
        """A visitor opens a chat."""
        now = self._clock.now()
        chat = Conversation(new_id(), widget_id, new_id(), dict(visitor), now, now)
        self._world.conversations[chat.id] = chat
        self._hooks.publish("conversation.created", chat.view())
        if content is not None:
            self.say(chat, "user", content)
        return chat

    def say(self, chat: Conversation, role: str, content: str, *, agent_user_id: str | None = None) -> Message:
        """Add a message of role `user`, `agent`, `assistant` or `system`."""
        chat.updated_at = self._clock.now()
        visitor_id = chat.visitor_id if role == "user" else None
        message = Message(new_id(), chat.id, role, content, chat.updated_at, visitor_id, agent_user_id)
        self._world.messages[chat.id].append(message)
        payload = {
            "id": message.id,
            "conversationId": chat.id,
            "role": role,
            "content": content,
            "createdAt": iso(message.created_at),
            "attachments": None,
            **({"visitorId": visitor_id} if visitor_id else {}),
        }
        self._emit("message:new", payload)
        return message

    def hand_off(self, chat: Conversation) -> None:
        """The AI gives the chat to people; it waits in the queue."""
        self._become(chat, "handed_off")
        chat.handed_off_at = chat.updated_at
        self._hooks.publish("conversation.handed_off", chat.view())

    def complete(self, chat: Conversation) -> None:
        """The AI finishes the chat."""
        self._become(chat, "resolved")
        chat.resolved_at = chat.updated_at
        self._hooks.publish("conversation.completed", chat.view())

    def assign(self, chat: Conversation, member_id: str) -> None:
        """Give the chat to a person."""
        chat.assigned_agent_id = member_id
        chat.updated_at = self._clock.now()
        self._emit_about(chat, "agent:assigned", agentUserId=member_id)

    def resolve(self, chat: Conversation) -> None:
        """End the chat; no webhook tells of it."""
        self._become(chat, "resolved")
        chat.resolved_at = chat.updated_at
        self._emit_about(chat, "conversation:resolved")

    def ticketed(self, chat: Conversation, ticket: Ticket) -> None:
        """A ticket was made of the chat."""
        self._become(chat, "ticketed")
        chat.ticket_id = ticket.id
        self._emit_about(chat, "ticket:created", ticketNumber=ticket.ticket_number, subject=ticket.subject)

    def queue(self) -> list[Conversation]:
        """The chats that wait for a person, longest first."""
        waiting = [
            one
            for one in self._world.conversations.values()
            if one.status == "handed_off" and one.assigned_agent_id is None
        ]
        return sorted(waiting, key=lambda one: one.updated_at)

    def _become(self, chat: Conversation, status: str) -> None:
        chat.status = status
        chat.updated_at = self._clock.now()

    def _emit_about(self, chat: Conversation, event: str, **facts: Any) -> None:
        self._emit(event, {"conversationId": chat.id, **facts, "timestamp": iso(self._clock.now())})

    def _emit(self, event: str, payload: Mapping[str, Any]) -> None:
        for listener in self._listeners:
            listener(event, payload)


class Contacts:
    """Leads and call requests; both are seen through the Data API only."""

    def __init__(self, world: World, clock: Clock, hooks: Hooks) -> None:
        self._world = world
        self._clock = clock
        self._hooks = hooks

    def capture_lead(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """A new lead."""
        known = ("email", "name", "company", "phone", "source", "conversation_id", "visitor_id")
        lead: dict[str, Any] = {"id": new_id(), **{name: facts.get(name) for name in known}}
        lead["source"] = lead["source"] or "pre_chat_form"
        lead["created_at"] = iso(self._clock.now())
        self._world.leads[lead["id"]] = lead
        self._hooks.publish("lead.created", lead)
        return lead

    def request_call(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """A new call request, pending."""
        now = iso(self._clock.now())
        known = ("name", "phone", "email", "preferred_time", "notes")
        call: dict[str, Any] = {"id": new_id(), **{name: facts.get(name) for name in known}}
        call.update(status="pending", custom_fields=facts.get("custom_fields") or {}, created_at=now, updated_at=now)
        self._world.call_requests[call["id"]] = call
        self._hooks.publish("call_request.created", call)
        return call

    def set_call_status(self, call: dict[str, Any], status: str) -> None:
        """Change the status of a call request."""
        if call["status"] != status:
            call.update(status=status, updated_at=iso(self._clock.now()))
            self._hooks.publish("call_request.updated", dict(call))
