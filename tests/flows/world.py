"""A whole world for flow tests: both imitations, the connector in one process, and what a person would compare."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connector import config
from connector.embedded import Embedded
from connector.sandbox.nextcap import CRM_KEY, DATA_KEY
from connector.sandbox.server import Sandbox
from connector.store import connections, tables
from connector.web.app import create_app
from connector.wiring import build, with_engine
from tests.engine.receiver import Receiver
from tests.serving import Served

NEXTCAP_SECRET = "nxc-flow-secret"
LISTENERS_SECRET = "whsec_" + "QUFB" * 11
MAPPING = Path(__file__).parents[2] / "mappings" / "hubspot.yaml"
EVENTS = (
    "ticket.created",
    "ticket.updated",
    "ticket.status_changed",
    "ticket.assigned",
    "ticket.department_changed",
    "ticket.reopened",
    "ticket.reply",
    "ticket.customer_reply",
)


class World:
    """Start it, act on either side through `nextcap` and `hubspot`, and wait for what should be so."""

    def __init__(
        self, folder: Path, *, database: str = "", mapping: Path = MAPPING, poll: float = 1.0, sweep: float = 120.0
    ) -> None:
        self.sandbox = Sandbox()
        self.folder = folder
        self.database = database or f"sqlite:///{folder / 'connector.db'}"
        self.mapping = mapping
        self.poll, self.sweep = poll, sweep
        self.port = 0
        self.receiver = Receiver()
        """Who listens to outgoing events."""

    @property
    def nextcap(self) -> Any:
        return self.sandbox.nextcap

    @property
    def hubspot(self) -> Any:
        return self.sandbox.hubspot

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start everything and register the webhooks of both sides."""
        self.sandbox.start()
        self.nextcap.configure(rate_limit=6000)
        self.start_connector()
        self.nextcap.create_webhook(f"{self.url}/webhooks/nextcap", EVENTS, NEXTCAP_SECRET)
        self.hubspot.configure(webhook_url=f"{self.url}/webhooks/hubspot")

    def settings(self) -> config.Settings:
        """The configuration as an operator would write it."""
        path = self.folder / "config.toml"
        path.write_text(
            f"""
public_url = "{self.url}"
[store]
url = "{self.database}"
[nextcap]
api_url = "{self.nextcap.api_url}"
api_key = "{CRM_KEY}"
data_key = "{DATA_KEY}"
webhook_secrets = ["{NEXTCAP_SECRET}"]
poll_seconds = {self.poll}
[connections.hubspot]
crm = "hubspot"
mapping = "{self.mapping}"
api_url = "{self.hubspot.url}"
access_token = "{self.hubspot.credentials.static_token}"
webhook_secrets = ["{self.hubspot.settings.client_secret}"]
sweep_seconds = {self.sweep}
[events.listener]
url = "{self.receiver.url}"
secrets = ["{LISTENERS_SECRET}"]
allow_private = true
"""
        )
        return config.load(path)

    def start_connector(self) -> None:
        """Start web and worker threads on the port of the last time, if there was one."""
        with socket.create_server(("127.0.0.1", self.port)) as placeholder:
            self.port = int(placeholder.getsockname()[1])
        self.runtime = build(self.settings(), upgrade=True)
        imported = self.runtime.import_mappings()
        assert all(one.state != "refused" for one in imported), imported
        self.embedded = Embedded(self.runtime)
        with_engine(self.runtime, bell=self.embedded.ring, pause=self.embedded.pause)
        self.server = Served(create_app(self.runtime), port=self.port, threads=8)
        self.embedded.start()

    def stop_connector(self) -> None:
        """End the connector cleanly; both sides go on without it."""
        self.server.stop()
        self.embedded.stop()
        self.runtime.close()

    def stop(self) -> None:
        self.stop_connector()
        self.sandbox.stop()
        self.receiver.close()

    def is_idle(self) -> bool:
        """Nothing is due, nothing is held and no record waits to be placed."""
        now = self.runtime.engine.now() + timedelta(seconds=2)
        with self.runtime.db.read() as connection:
            busy = connection.execute(sa.select(tables.links.c.id).where(tables.links.c.due_at <= now).limit(1)).first()
            waits = connection.execute(sa.select(tables.unplaced.c.id).limit(1)).first()
        return busy is None and waits is None

    def is_waiting(self) -> bool:
        """HubSpot is not called for a while, because it failed."""
        with self.runtime.db.read() as connection:
            return connections.state(connection, "hubspot").failures > 0

    def record(self, ticket: Any) -> dict[str, Any]:
        """The one HubSpot ticket that carries this Next Cap ticket's id."""
        found = self.hubspot.tickets_of(self.nextcap.ticket(ticket)["id"])
        assert len(found) == 1, f"{len(found)} HubSpot tickets for one Next Cap ticket"
        return dict(found[0])


def eventually(claim: Callable[[], bool], *, within: float = 30.0, what: str = "") -> None:
    """Wait until the claim holds; fail with its last state otherwise."""
    deadline = time.monotonic() + within
    last: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if claim():
                return
            last = None
        except (AssertionError, KeyError, IndexError, StopIteration) as problem:
            last = problem
        time.sleep(0.02)
    raise AssertionError(f"not within {within} s: {what or claim}") from last
