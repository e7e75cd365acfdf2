"""The conversation routes of the CRM API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, jsonify, request

from .nextcap_access import SEES_CONVERSATIONS
from .nextcap_casing import cased
from .nextcap_errors import invalid, refuse, text
from .nextcap_lists import Page, conversations_of, page_of
from .nextcap_records import Conversation
from .nextcap_web import CRM, answer, answer_list, no_body, read_body

if TYPE_CHECKING:
    from .nextcap_core import Core

CHAT = f"{CRM}/conversations/<chat_id>"

Answered = tuple[Response, int]


class ChatRoutes:
    """One method a route; each begins with the permission it needs."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def register(self, app: Flask) -> None:
        """Add all routes."""
        table: Mapping[tuple[str, str], Callable[..., Any]] = {
            ("GET", f"{CRM}/conversations"): self.list,
            ("GET", f"{CRM}/conversations/queue"): self.queue,
            ("GET", CHAT): self.show,
            ("GET", f"{CHAT}/messages"): self.messages,
            ("POST", f"{CHAT}/assign"): self.assign,
            ("POST", f"{CHAT}/resolve"): self.resolve,
        }
        for (method, path), view in table.items():
            app.add_url_rule(path, f"conversations.{view.__name__}", view, methods=[method])

    def list(self) -> Response:
        """Conversations of the seat's widgets; only its own with `conversations:view-own` alone."""
        core = self._core
        core.access.need(*SEES_CONVERSATIONS)
        visible = [one for one in core.world.conversations.values() if self._sees(one)]
        page = page_of(conversations_of(visible, request.args), request.args)
        return answer_list(core, Page([one.view() for one in page.items], page.meta))

    def queue(self) -> Response:
        """Those that wait for a person, longest first, as a bare list."""
        core = self._core
        core.access.need("live-chat:join")
        waiting = [one for one in core.chats.queue() if core.access.sees(one.agent_id)]
        shown = [
            {**one.view(), "waiting_since": one.view()["handed_off_at"], "position": place}
            for place, one in enumerate(waiting, 1)
        ]
        return jsonify({"data": cased(shown, core.settings.casing)})

    def show(self, chat_id: str) -> Answered:
        """One conversation with all its messages."""
        chat = self._readable(chat_id)
        messages = [one.view() for one in self._core.world.messages[chat.id]]
        return answer(self._core, {**chat.view(), "messages": messages})

    def messages(self, chat_id: str) -> Response:
        """Its messages, oldest first, 50 a page."""
        chat = self._readable(chat_id)
        page = page_of(self._core.world.messages[chat.id], request.args, per_page=50)
        return answer_list(self._core, Page([one.view() for one in page.items], page.meta))

    def assign(self, chat_id: str) -> Answered:
        """Give it to a person."""
        chat = self._joinable(chat_id)
        body = read_body({"agent_id": text}, ("agent_id",))
        member = self._core.world.members.get(body["agent_id"])
        if member is None or member.disabled_at:
            raise invalid(agent_id="must be the id of an active member")
        self._core.chats.assign(chat, member.id)
        return answer(self._core, chat.view())

    def resolve(self, chat_id: str) -> Answered:
        """End it."""
        chat = self._joinable(chat_id)
        no_body()
        self._core.chats.resolve(chat)
        return answer(self._core, chat.view())

    def _sees(self, chat: Conversation) -> bool:
        access = self._core.access
        is_own = chat.assigned_agent_id == self._core.world.seat.id
        return access.sees(chat.agent_id) and (is_own or access.has("conversations:view"))

    def _readable(self, chat_id: str) -> Conversation:
        self._core.access.need(*SEES_CONVERSATIONS)
        chat = self._find(chat_id)
        if not self._sees(chat):
            raise refuse(403, "No access to this conversation")
        return chat

    def _joinable(self, chat_id: str) -> Conversation:
        self._core.access.need("live-chat:join")
        return self._find(chat_id)

    def _find(self, chat_id: str) -> Conversation:
        chat = self._core.world.conversations.get(chat_id)
        if chat is None:
            raise refuse(404, "Conversation not found")
        self._core.access.need_widget(chat.agent_id)
        return chat
