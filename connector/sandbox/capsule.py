"""A working imitation of Capsule CRM's API v2 for one account, as strict as its documentation and its testers say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from flask import Flask

from .capsule_account import Account
from .capsule_api import Api, Limit
from .capsule_auth import Credentials, Tokens
from .capsule_entry_routes import add_entry_routes
from .capsule_hooks import RETRIES, Hooks
from .capsule_oauth_routes import add_oauth_routes
from .capsule_people import People
from .capsule_record_routes import add_record_routes
from .capsule_set_up_routes import add_set_up_routes
from .capsule_settings import Settings
from .capsule_state import account_view, record_view
from .capsule_troubles import trouble
from .kernel import Deliveries, action

OUR_ID = "Next Cap ticket ID"


class Capsule(People):
    """Capsule on 127.0.0.1. `credentials` is what its operator would paste into a connector's settings."""

    name: ClassVar[str] = "capsule"

    def __init__(self, port: int = 0, *, credentials: Credentials | None = None) -> None:
        self.credentials = credentials or Credentials()
        self.settings = Settings()
        super().__init__(port)
        self.forget()

    def routes(self, app: Flask) -> None:
        """All routes; each asks for the present account, since a reset makes a new one."""
        api = Api(app, parts=lambda: (self.account, self.hooks, self.tokens, self.limit))
        add_record_routes(api)
        add_entry_routes(api)
        add_set_up_routes(api)
        add_oauth_routes(app, tokens=lambda: self.tokens, now=self.now)

    def make_deliveries(self) -> Deliveries:
        """Nobody signs: a delivery has no header beyond its type."""
        return Deliveries(
            self.clock,
            lambda _: {"User-Agent": "Capsule"},
            schedule=RETRIES,
            retry_factor=self.settings.retry_factor,
            threads=2,
        )

    def forget(self) -> None:
        """A new account with a support board, which nobody has set up for the connector yet."""
        self.settings = Settings()
        self.deliveries.retry_factor = self.settings.retry_factor
        self.tokens = Tokens(self.credentials, self.settings)
        self.limit = Limit(self.clock, self.settings)
        self.hooks = Hooks(self.settings, self.deliveries, lambda: self.account)
        self.account = Account(self.clock.now, self.settings, self.hooks.announce)

    def settings_view(self) -> Mapping[str, Any]:
        return self.settings.view()

    def configure(self, **changes: Any) -> None:
        with self.lock:
            replace(self.settings).change(changes)
            self.settings.change(changes)
            self.deliveries.retry_factor = self.settings.retry_factor

    def introduce(self, connector: str) -> dict[str, str | list[str]]:  # noqa: ARG002 - the connector makes its own hooks
        """The registered application of an administrator."""
        return {
            "api_url": self.url,
            "client_id": self.credentials.client_id,
            "client_secret": self.credentials.client_secret,
            "refresh_token": self.tokens.refresh_token,
        }

    def state(self) -> dict[str, Any]:
        """The account, the tokens' use and the hooks."""
        hooks = [{"id": one.id, "event": one.event, "target": one.target} for one in self.hooks.all.values()]
        return {**account_view(self.account), "refreshes": self.tokens.refreshes, "hooks": hooks}

    def record(self, record_id: str, kind: str = "kases") -> dict[str, Any]:
        """One project or opportunity as `state` shows it; KeyError if there is none."""
        with self.lock:
            return record_view(self.account, self.account.tables[kind].records[int(record_id)])

    def records_of(self, our_id: str, kind: str = "kases") -> list[dict[str, Any]]:
        """The records that carry that id of the other side: more than one is a double."""
        with self.lock:
            views = [record_view(self.account, one) for one in self.account.tables[kind].records.values()]
        return [one for one in views if one["fields"].get(OUR_ID) == our_id]

    @action
    def fail(self, name: str, method: str = "*", path: str = "", times: int | None = 1, seconds: float = 60.0) -> int:
        """Answer the next matching calls as a Capsule in trouble; returns the id of the fault."""
        rule = trouble(name, now=self.now(), seconds=seconds)
        return self.faults.add("status", method=method, path=path, times=times, **rule).id

    @action
    def revoke(self) -> None:
        """The user takes the grant back: the application's tokens are refused from now on."""
        self.tokens.granted = False

    @action
    def expire_tokens(self) -> None:
        """Every access token of the application has run out; its refresh token has not."""
        self.tokens.expire()
