"""The team directory of the CRM API, and the Data API: webhooks, leads, call requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from .nextcap_errors import refuse, text, texts
from .nextcap_lists import moment, page_of
from .nextcap_records import Member
from .nextcap_web import CRM, DATA, answer, answer_list, read_body

if TYPE_CHECKING:
    from .nextcap_core import Core

Answered = tuple[Response, int]


class MemberRoutes:
    """The team directory; needs `team:invite`."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def register(self, app: Flask) -> None:
        """Add all routes."""
        table: Mapping[str, Callable[..., Any]] = {
            f"{CRM}/members": self.list,
            f"{CRM}/members/<member_id>": self.show,
            f"{CRM}/members/by-email/<email>": self.by_email,
        }
        for path, view in table.items():
            app.add_url_rule(path, f"members.{view.__name__}", view, methods=["GET"])

    def list(self) -> Response:
        """All members, or those whose name or e-mail contains the search."""
        core = self._core
        core.access.need("team:invite")
        wanted = request.args.get(core.settings.members_search, "").lower()
        found = [
            one.view()
            for one in core.world.members.values()
            if wanted in one.name.lower() or wanted in (one.email or "").lower()
        ]
        return answer_list(core, page_of(found, request.args))

    def show(self, member_id: str) -> Answered:
        """One member by id."""
        self._core.access.need("team:invite")
        return self._answer(self._core.world.members.get(member_id))

    def by_email(self, email: str) -> Answered:
        """One member by e-mail, in any case of letters."""
        self._core.access.need("team:invite")
        members = self._core.world.members.values()
        return self._answer(next((one for one in members if one.email and one.email.lower() == email.lower()), None))

    def _answer(self, member: Member | None) -> Answered:
        if member is None:
            raise refuse(404, "Member not found")
        return answer(self._core, member.view())


class DataRoutes:
    """What the Data key reaches, organisation-wide."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def register(self, app: Flask) -> None:
        """Add all routes."""
        table: Mapping[tuple[str, str], Callable[..., Any]] = {
            ("POST", f"{DATA}/webhooks"): self.create_webhook,
            ("GET", f"{DATA}/webhooks"): self.list_webhooks,
            ("DELETE", f"{DATA}/webhooks/<webhook_id>"): self.delete_webhook,
            ("GET", f"{DATA}/leads"): self.leads,
            ("GET", f"{DATA}/call-requests"): self.call_requests,
            ("PATCH", f"{DATA}/call-requests/<call_id>"): self.change_call_request,
        }
        for (method, path), view in table.items():
            app.add_url_rule(path, f"data.{view.__name__}", view, methods=[method])

    def create_webhook(self) -> Answered:
        """Register; the only answer that shows the secret."""
        body = read_body({"url": text, "events": texts}, ("url", "events"))
        hook = self._core.hooks.register(body["url"], body["events"])
        return answer(self._core, {**hook.view(), "secret": hook.secret}, 201)

    def list_webhooks(self) -> Response:
        """All webhooks, without secrets."""
        self._need_webhook_routes()
        found = [one.view() for one in self._core.world.webhooks.values()]
        return answer_list(self._core, page_of(found, request.args))

    def delete_webhook(self, webhook_id: str) -> tuple[str, int]:
        """Remove a webhook."""
        self._need_webhook_routes()
        if self._core.world.webhooks.pop(webhook_id, None) is None:
            raise refuse(404, "Webhook not found")
        return "", 204

    def leads(self) -> Response:
        """Leads, newest first."""
        found = list(reversed(self._core.world.leads.values()))
        if "created_after" in request.args:
            after = moment(request.args, "created_after")
            found = [one for one in found if moment(one, "created_at") >= after]
        if "created_before" in request.args:
            before = moment(request.args, "created_before")
            found = [one for one in found if moment(one, "created_at") <= before]
        return answer_list(self._core, page_of(found, request.args))

    def call_requests(self) -> Response:
        """Call requests, newest first."""
        found = list(reversed(self._core.world.call_requests.values()))
        return answer_list(self._core, page_of(found, request.args))

    def change_call_request(self, call_id: str) -> Answered:
        """Set the status of a call request."""
        call = self._core.world.call_requests.get(call_id)
        if call is None:
            raise refuse(404, "Call request not found")
        body = read_body({"status": text}, ("status",))
        self._core.contacts.set_call_status(call, body["status"])
        return answer(self._core, call)

    def _need_webhook_routes(self) -> None:
        if not self._core.settings.webhook_routes:
            raise refuse(404, "Not found")
