"""A working imitation of Zendesk Support for one account, as strict as its documentation says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from flask import Flask

from .kernel import Deliveries, Imitation, action
from .zendesk_account import API_USER, Account, Ticket
from .zendesk_auth import Credentials, Tokens
from .zendesk_gate import Api, Limits
from .zendesk_hooks import RETRIES, Hooks
from .zendesk_jobs import Jobs
from .zendesk_routes import (
    Office,
    add_export_routes,
    add_job_routes,
    add_ticket_routes,
    add_timeline_routes,
    add_writing_routes,
)
from .zendesk_set_up_routes import add_oauth_routes, add_people_routes, add_set_up_routes
from .zendesk_settings import Settings
from .zendesk_stock import ADA
from .zendesk_views import seen

Raw = dict[str, Any]


class Zendesk(Imitation):
    """Zendesk on 127.0.0.1. `credentials` is what its administrator would paste into a connector's settings."""

    name: ClassVar[str] = "zendesk"

    def __init__(self, port: int = 0, *, credentials: Credentials | None = None) -> None:
        self.credentials = credentials or Credentials()
        self.settings = Settings()
        super().__init__(port)
        self.forget()

    def routes(self, app: Flask) -> None:
        """All routes; each asks for the present account, since a reset makes a new one."""
        api = Api(app, lambda: self.tokens, lambda: self.office.limits)
        for add in (add_ticket_routes, add_writing_routes, add_job_routes, add_timeline_routes, add_export_routes):
            add(api, lambda: self.office)
        add_people_routes(api, lambda: self.office)
        add_set_up_routes(api, lambda: self.office, lambda: self.hooks)
        add_oauth_routes(app, lambda: self.tokens, self.now)
        app.before_request(lambda: self.office.jobs.work())

    def make_deliveries(self) -> Deliveries:
        """Signed anew for each attempt."""
        return Deliveries(
            self.clock,
            lambda delivery: self.hooks.headers(delivery),
            schedule=RETRIES,
            timeout=10.0,
            retry_factor=self.settings.retry_factor,
        )

    def forget(self) -> None:
        """A new account, which nobody has set up for the connector yet."""
        self.settings = Settings()
        self.deliveries.retry_factor = self.settings.retry_factor
        self.tokens = Tokens(self.credentials, self.settings)
        self.hooks = Hooks(self.settings, self.clock, self.deliveries)
        self.account = Account(self.clock.now, self.settings, self.hooks.announce)
        jobs = Jobs(lambda: self.account, API_USER)
        self.office = Office(self.account, Limits(self.clock, self.settings), jobs, lambda: self.url)

    def settings_view(self) -> Mapping[str, Any]:
        return self.settings.view()

    def configure(self, **changes: Any) -> None:
        with self.lock:
            replace(self.settings).change(changes)
            self.settings.change(changes)
            self.deliveries.retry_factor = self.settings.retry_factor

    def state(self) -> Raw:
        """The account, the tokens' use and the webhooks."""
        self.office.jobs.work()
        hooks = [one.view() for one in self.hooks.all.values()]
        tickets = [seen(self.account, one) for one in self.account.live()]
        return {"tickets": tickets, "mails": self.account.mails, "webhooks": hooks, "grants": self.tokens.grants}

    def introduce(self, connector: str) -> dict[str, str | list[str]]:
        """What an administrator copies: `connector setup zendesk` makes the webhook itself."""
        _ = connector
        one = self.credentials
        return {"api_url": self.url, "client_id": one.client_id, "client_secret": one.client_secret}

    def ticket(self, ticket_id: str) -> Raw:
        """One ticket as `state` shows it; 404 if there is none."""
        with self.lock:
            return seen(self.account, self.account.ticket(ticket_id))

    def tickets_of(self, our_id: str) -> list[Raw]:
        """The tickets that carry that id of the other side: more than one is a double."""
        with self.lock:
            found = [one for one in self.account.live() if one.values["external_id"] == our_id]
            return [seen(self.account, one) for one in found]

    # -- what people do

    @action
    def create_ticket(self, subject: str, description: str = "At all", email: str = "", more: Raw | None = None) -> str:
        """An agent makes a ticket for a customer; its id."""
        requester = {"requester": {"email": email, "name": "Jo Customer"}} if email else {}
        told = {"subject": subject, "comment": {"body": description}, **requester, **(more or {})}
        return str(self.account.create(told, ADA, "web")[0].id)

    @action
    def change(self, ticket_id: str, values: Raw) -> None:
        """An agent changes fields of a ticket, in the agent workspace."""
        self.account.update(self._ticket(ticket_id), values, ADA, "web")

    @action
    def reply(self, ticket_id: str, text: str, agent: int = ADA) -> str:
        """An agent answers the customer; the comment's id."""
        return self._say(ticket_id, {"body": text, "public": True}, agent)

    @action
    def note(self, ticket_id: str, text: str, agent: int = ADA) -> str:
        """An agent writes an internal note; the comment's id."""
        return self._say(ticket_id, {"body": text, "public": False}, agent)

    @action
    def customer_replies(self, ticket_id: str, text: str) -> str:
        """The customer answers, by e-mail; the comment's id."""
        requester = int(self._ticket(ticket_id).values["requester_id"])
        return self._say(ticket_id, {"body": text, "public": True}, requester)

    @action
    def delete_ticket(self, ticket_id: str) -> None:
        self.account.delete(self._ticket(ticket_id), ADA)

    @action
    def restore_ticket(self, ticket_id: str) -> None:
        self.account.restore(self.account.tickets[int(ticket_id)], ADA)

    @action
    def merge_tickets(self, source: str, target: str) -> None:
        self.account.merge(self._ticket(source), self._ticket(target), ADA)

    @action
    def close_ticket(self, ticket_id: str) -> None:
        """The account's automation closes a solved ticket, for good."""
        self.account.update(self._ticket(ticket_id), {"status": "closed"}, -1, "rule")

    @action
    def revoke(self) -> None:
        """An administrator takes the access back."""
        self.tokens.granted = False

    @action
    def expire_tokens(self) -> None:
        self.tokens.expire()

    def _ticket(self, ticket_id: str) -> Ticket:
        return self.account.ticket(ticket_id)

    def _say(self, ticket_id: str, comment: Raw, author: int) -> str:
        ticket = self._ticket(ticket_id)
        channel = "web" if self.account.users[author]["role"] != "end-user" else "email"
        self.account.update(ticket, {"comment": {**comment, "author_id": author}}, author, channel)
        return str(ticket.comments[-1].id)
