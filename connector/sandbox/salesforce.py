"""A working imitation of Salesforce's REST API for one org and one external client app, as strict as its documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from flask import Flask, Response, jsonify, request

from .kernel import Deliveries, action
from .kernel_gate import Refusal
from .salesforce_api import Account, Api
from .salesforce_auth import Credentials, Tokens
from .salesforce_composite import add_composite_routes
from .salesforce_ids import long_id
from .salesforce_org import Org
from .salesforce_outbound import RETRIES, Outbound, is_acknowledged
from .salesforce_people import People
from .salesforce_query import Queries
from .salesforce_record_routes import add_record_routes
from .salesforce_settings import Settings
from .salesforce_state import case_view, org_view
from .salesforce_stock import RIGHTS
from .salesforce_tooling import add_tooling_routes
from .salesforce_troubles import trouble

OUR_ID = "NextCap_Ticket_Id__c"


class Salesforce(People):
    """Salesforce on 127.0.0.1. `credentials` is what its operator would paste into a connector's settings."""

    name: ClassVar[str] = "salesforce"

    def __init__(self, port: int = 0, *, credentials: Credentials | None = None) -> None:
        self.credentials = credentials or Credentials()
        self.settings = Settings()
        super().__init__(port)
        self.outbound = Outbound(self.settings, self.deliveries, lambda: self.org, lambda: self.url, lock=self.lock)
        self.forget()

    def routes(self, app: Flask) -> None:
        """All routes; each asks for the present account, since a reset makes a new one."""
        api = Api(app, lambda: self.account, self.now)
        add_record_routes(api, app, lambda: self.account)
        add_composite_routes(api)
        add_tooling_routes(api)

        @app.post("/services/oauth2/token")
        def token() -> Response:
            if request.mimetype != "application/x-www-form-urlencoded":
                raise Refusal(400, {"error": "invalid_request", "error_description": "send a form"})
            basic = request.headers.get("Authorization", "")
            return jsonify(self.tokens.grant(request.form.to_dict(), basic, url=self.url, now=self.now()))

    def make_deliveries(self) -> Deliveries:
        return Deliveries(
            self.clock,
            lambda delivery: self.outbound.sign(delivery),
            render=lambda delivery: self.outbound.render(delivery),
            accept=is_acknowledged,
            schedule=RETRIES,
            retry_factor=self.settings.retry_factor,
            threads=2,
        )

    def forget(self) -> None:
        """A new org with stock settings, which nobody has set up for the connector yet."""
        self.outbound.forget()
        self.settings = self.outbound.settings = Settings()
        self.deliveries.retry_factor = self.settings.retry_factor
        self.org = Org(self.clock.now, self.settings, self.outbound.hear)
        self.tokens = Tokens(self.credentials, self.settings, (self.org.org_id, self.org.user_id))
        self.account = Account(self.org, self.tokens, Queries(self.org))

    def stop(self) -> None:
        self.outbound.forget()
        super().stop()

    def settings_view(self) -> Mapping[str, Any]:
        return self.settings.view()

    def configure(self, **changes: Any) -> None:
        """Change settings; they take effect at once."""
        with self.lock:
            trial = replace(self.settings)
            trial.change(changes)
            self.settings.change(changes)
            self.deliveries.retry_factor = self.settings.retry_factor
            self.org.schema.refresh()
            for record in self.org.records.values():
                record.values |= {name: None for name in record.kind.fields if name not in record.values}
            self.org.furnish()

    def introduce(self, connector: str) -> dict[str, str | list[str]]:
        """Deploy the Apex triggers, and let the app's user change the org; what the configuration needs to know."""
        objects = ["Case", "CaseComment", "EmailMessage", "FeedItem"]
        self.configure(trigger_url=f"{connector}/webhooks/salesforce", trigger_objects=objects)
        self.configure(rights=list(RIGHTS), tells_ours=False)
        return {
            "login_url": self.url,
            "client_id": self.credentials.client_id,
            "client_secret": self.settings.client_secret,
            "webhook_secrets": [self.settings.trigger_secret],
        }

    def state(self) -> dict[str, Any]:
        """The org, the sessions that were granted and the calls of the day."""
        used = self.account.usage.used(self.now())
        return {**org_view(self.org), "grants": self.tokens.grants, "calls_today": used}

    def case(self, case_id: str) -> dict[str, Any]:
        """One case as `state` shows it, deleted and merged ones too; KeyError if it never was."""
        with self.lock:
            return case_view(self.org, self.org.records[case_id])

    def cases_of(self, our_id: str) -> list[dict[str, Any]]:
        """The live cases that carry that id of the other side: more than one is a double."""
        with self.lock:
            return [case_view(self.org, one) for one in self.org.live("Case") if one.values.get(OUR_ID) == our_id]

    @action
    def fail(self, name: str, method: str = "*", path: str = "", times: int | None = 1) -> int:
        """Answer the next matching calls as a Salesforce in trouble; returns the id of the fault."""
        return self.faults.add("status", method=method, path=path, times=times, **trouble(name)).id

    @action
    def expire_sessions(self) -> None:
        """End every session: the next call with one is answered 401."""
        self.tokens.expire()

    @action
    def block_app(self) -> None:
        """The administrator blocks the app: no session is granted any more, and all end."""
        self.tokens.blocked = True
        self.tokens.expire()

    @action
    def refresh_sandbox(self, org_id: str = "00DHs0000000Bcn") -> None:
        """The org is copied anew: its id changes, its records and external ids stay."""
        self.org.org_id = long_id(org_id[:15])
        self.tokens.identity = (self.org.org_id, self.org.user_id)
        self.tokens.expire()
