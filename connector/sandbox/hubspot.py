"""A working imitation of HubSpot's CRM for one portal and one app, as strict as its documentation."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from flask import Flask

from .hubspot_api import Api
from .hubspot_auth import Credentials, Tokens
from .hubspot_batch import add_batch_routes
from .hubspot_events import RETRIES, Announcer, subscriptions_of
from .hubspot_file_routes import add_file_routes
from .hubspot_gate import Gate
from .hubspot_link_routes import add_link_routes
from .hubspot_oauth_routes import add_oauth_routes
from .hubspot_objects import add_object_routes
from .hubspot_people import People
from .hubspot_portal import OUR_ID, Portal
from .hubspot_records import Source
from .hubspot_set_up_routes import Account, add_set_up_routes
from .hubspot_settings import Settings
from .hubspot_state import portal_view, ticket_view
from .hubspot_stock import TICKETS
from .hubspot_troubles import trouble
from .kernel import Deliveries, action


class HubSpot(People):
    """HubSpot on 127.0.0.1. `credentials` is what its operator would paste into a connector's settings."""

    name: ClassVar[str] = "hubspot"

    def __init__(self, port: int = 0, *, credentials: Credentials | None = None) -> None:
        self.credentials = credentials or Credentials()
        self.settings = Settings()
        self.timers: list[threading.Timer] = []
        super().__init__(port)
        self.forget()

    def routes(self, app: Flask) -> None:
        """All routes; each asks for the present portal, since a reset makes a new one."""
        source = Source("INTEGRATION", str(self.credentials.app_id), "Next Cap connector")
        api = Api(app, portal=lambda: self.portal, gate=lambda: self.limits, source=source)
        add_object_routes(api)
        add_batch_routes(api)
        add_link_routes(api)
        add_set_up_routes(api, Account(lambda: self.limits))
        add_file_routes(api, app, lambda: self.portal)
        add_oauth_routes(app, tokens=lambda: self.tokens, now=self.now)

    def make_deliveries(self) -> Deliveries:
        return Deliveries(
            self.clock,
            lambda delivery: self.announcer.sign(delivery),
            render=lambda delivery: self.announcer.render(delivery),
            schedule=RETRIES,
            retry_factor=self.settings.retry_factor,
            threads=3,
        )

    def forget(self) -> None:
        """A new portal with stock settings, which nobody has set up for the connector yet."""
        self._cancel_timers()
        self.settings = Settings()
        self.deliveries.retry_factor = self.settings.retry_factor
        self.tokens = Tokens(self.credentials, self.settings)
        self.limits = Gate(self.clock, self.settings, self.tokens)
        self.announcer = Announcer(self.settings, self.credentials, self.deliveries)
        self.portal = Portal(self.clock.now, self.settings, self.announcer.announce, self.credentials.portal_id)

    def stop(self) -> None:
        self._cancel_timers()
        super().stop()

    def settings_view(self) -> Mapping[str, Any]:
        return self.settings.view()

    def configure(self, **changes: Any) -> None:
        """Change settings; those of subscriptions and retries take effect at once."""
        with self.lock:
            trial = replace(self.settings)
            trial.change(changes)
            self.announcer.subscriptions = subscriptions_of(trial)
            self.settings.change(changes)
            self.deliveries.retry_factor = self.settings.retry_factor

    def introduce(self, connector: str) -> dict[str, str | list[str]]:
        """Send the app's webhooks there; its static token and its client secret."""
        self.configure(webhook_url=f"{connector}/webhooks/hubspot")
        return {
            "api_url": self.url,
            "access_token": self.credentials.static_token,
            "webhook_secrets": [self.settings.client_secret],
        }

    def state(self) -> dict[str, Any]:
        """The portal, the tokens' use and the subscriptions in force."""
        subscriptions = [
            {"id": one.id, "type": one.type_name, "objectType": one.kind.name, "propertyName": one.only}
            for one in self.announcer.subscriptions
        ]
        return {
            **portal_view(self.portal),
            "refreshes": self.tokens.refreshes,
            "calls_today": self.limits.used_today,
            "subscriptions": subscriptions,
        }

    def ticket(self, ticket_id: str) -> dict[str, Any]:
        """One ticket as `state` shows it, archived and merged ones too; KeyError if it never was."""
        with self.lock:
            return ticket_view(self.portal, self.portal.tables[TICKETS.name].records[ticket_id])

    def tickets_of(self, our_id: str) -> list[dict[str, Any]]:
        """The live tickets that carry that id of the other side: more than one is a double."""
        with self.lock:
            live = self.portal.tables[TICKETS.name].live()
            return [ticket_view(self.portal, one) for one in live if one.properties.get(OUR_ID) == our_id]

    @action
    def fail(
        self,
        name: str,
        method: str = "*",
        path: str = "",
        times: int | None = 1,
        retry_after: float | None = None,
    ) -> int:
        """Answer the next matching calls as a HubSpot in trouble; returns the id of the fault."""
        rule = trouble(name, retry_after=retry_after)
        return self.faults.add("status", method=method, path=path, times=times, **rule).id

    @action
    def uninstall(self) -> None:
        """Remove the app from the portal: every token is refused from now on."""
        self.tokens.installed = False

    def _cancel_timers(self) -> None:
        with self.lock:
            for timer in self.timers:
                timer.cancel()
            self.timers.clear()
