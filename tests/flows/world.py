"""A whole world for flow tests: the imitations, the connector in one process, and what a person would compare."""

from __future__ import annotations

import json
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
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


Sections = dict[str, dict[str, object]]
"""A configuration by its sections; what belongs to none is under an empty name."""


def as_toml(sections: Sections) -> str:
    """The configuration as a file."""
    lines = []
    for name, keys in sections.items():
        lines += [f"[{name}]"] if name else []
        lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "\n".join([*lines, ""])


class CrmWorld(ABC):
    """Next Cap, one CRM and the connector. Start it, act on either side, and wait for what should be so."""

    crm: str
    """The imitation's name, and our connection's."""

    def __init__(self, folder: Path, *, database: str = "", mapping: Path, poll: float = 1.0) -> None:
        self.sandbox = Sandbox(("nextcap", self.crm))
        self.folder = folder
        self.database = database or f"sqlite:///{folder / 'connector.db'}"
        self.mapping = mapping
        self.poll = poll
        self.port = 0

    @property
    def nextcap(self) -> Any:
        return self.sandbox.nextcap

    @property
    def account(self) -> Any:
        """The imitation of the CRM."""
        return self.sandbox.imitations[self.crm]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start everything and register the webhooks of both sides."""
        self.sandbox.start()
        self.nextcap.configure(rate_limit=6000)
        self.prepare()
        self.start_connector()
        self.nextcap.create_webhook(f"{self.url}/webhooks/nextcap", EVENTS, NEXTCAP_SECRET)
        self.listen()

    def prepare(self) -> None:  # noqa: B027 - nothing, as a rule
        """What is done in the CRM before the connector starts."""

    @abstractmethod
    def listen(self) -> None:
        """Make the CRM call the connector, once it runs."""

    @abstractmethod
    def access(self) -> dict[str, object]:
        """The keys of the connection: what the CRM's administrator hands over, and how often we look."""

    def sections(self) -> Sections:
        """The configuration as an operator would write it."""
        nextcap = {"api_url": self.nextcap.api_url, "api_key": CRM_KEY, "data_key": DATA_KEY}
        return {
            "": {"public_url": self.url},
            "store": {"url": self.database},
            "nextcap": {**nextcap, "webhook_secrets": [NEXTCAP_SECRET], "poll_seconds": self.poll},
            f"connections.{self.crm}": {"crm": self.crm, "mapping": str(self.mapping), **self.access()},
        }

    def settings(self) -> config.Settings:
        """Write the configuration, and read it as the connector does."""
        path = self.folder / "config.toml"
        path.write_text(as_toml(self.sections()))
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

    def is_idle(self) -> bool:
        """Nothing is due, nothing is held and no record waits to be placed."""
        now = self.runtime.engine.now() + timedelta(seconds=2)
        with self.runtime.db.read() as connection:
            busy = connection.execute(sa.select(tables.links.c.id).where(tables.links.c.due_at <= now).limit(1)).first()
            waits = connection.execute(sa.select(tables.unplaced.c.id).limit(1)).first()
        return busy is None and waits is None

    def is_waiting(self) -> bool:
        """The CRM is not called for a while, because it failed."""
        with self.runtime.db.read() as connection:
            return connections.state(connection, self.crm).failures > 0

    @abstractmethod
    def records_of(self, ticket: str) -> Sequence[Mapping[str, Any]]:
        """The records that carry this Next Cap ticket's id."""

    def record(self, ticket: Any) -> dict[str, Any]:
        """The one record that carries this Next Cap ticket's id."""
        found = self.records_of(self.nextcap.ticket(ticket)["id"])
        assert len(found) == 1, f"{len(found)} records in {self.crm} for one Next Cap ticket"
        return dict(found[0])


class World(CrmWorld):
    """The CRM is HubSpot, and somebody listens to outgoing events."""

    crm = "hubspot"
    hubspot = CrmWorld.account

    def __init__(
        self, folder: Path, *, database: str = "", mapping: Path = MAPPING, poll: float = 1.0, sweep: float = 120.0
    ) -> None:
        super().__init__(folder, database=database, mapping=mapping, poll=poll)
        self.sweep = sweep
        self.receiver = Receiver()

    def listen(self) -> None:
        self.hubspot.configure(webhook_url=f"{self.url}/webhooks/hubspot")

    def access(self) -> dict[str, object]:
        token, secret = self.hubspot.credentials.static_token, self.hubspot.settings.client_secret
        known = {"api_url": self.hubspot.url, "access_token": token, "webhook_secrets": [secret]}
        return {**known, "sweep_seconds": self.sweep}

    def sections(self) -> Sections:
        listener = {"url": self.receiver.url, "secrets": [LISTENERS_SECRET], "allow_private": True}
        return {**super().sections(), "events.listener": listener}

    def stop(self) -> None:
        super().stop()
        self.receiver.close()

    def records_of(self, ticket: str) -> Sequence[Mapping[str, Any]]:
        return self.hubspot.tickets_of(ticket)


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
