"""One running connector: the real adapters, store, engine and web routes, joined without threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from connector import config
from connector.adapters.base import Adapter
from connector.adapters.budget import Limit
from connector.adapters.building import Parts
from connector.adapters.hubspot import HubSpot
from connector.adapters.hubspot import rate as hubspot_rate
from connector.adapters.hubspot import sort as hubspot_sort
from connector.adapters.nextcap import NextCap
from connector.adapters.nextcap import rate as nextcap_rate
from connector.adapters.nextcap import sort as nextcap_sort
from connector.adapters.oauth import StaticCredentials
from connector.adapters.transport import Call, HeaderCredentials, Transport
from connector.adapters.wires import HttpxWire
from connector.engine import drain as draining
from connector.engine import poll, reconcile
from connector.engine.budget import SqlBudget
from connector.engine.context import NEXTCAP, Engine, Health
from connector.engine.drain import Alone, Drained
from connector.engine.mappings import Mappings
from connector.sandbox.hubspot import HubSpot as HubSpotImitation
from connector.sandbox.nextcap import CRM_KEY
from connector.sandbox.nextcap import NextCap as NextCapImitation
from connector.secretbox import LiveSecrets, SecretBox, StoredToken
from connector.store import claims, connections
from connector.store.database import Database
from connector.web.app import create_app
from connector.wiring import Runtime

from .parts import Act, Clock, Killed, Life, MortalDatabase, Tap, Wires, shared

everywhere = pytest.mark.parametrize("db_url", ["sqlite", "postgresql"], indirect=True)
"""Marks what asks the store for something in a way of its own, for a test or a whole file."""
HUBSPOT, SECOND = "hubspot", "second"
PUBLIC_URL = "https://connector.example.test"
SECRET = "nxc-engine-tests"
PLENTY = Limit(100_000, 1.0)


@dataclass(slots=True)
class Process:
    """One running connector, web and worker in one, without threads. Several may share one database."""

    life: Life
    runtime: Runtime
    taps: Mapping[str, Tap]
    bells: list[str]
    client: FlaskClient

    @property
    def engine(self) -> Engine:
        return self.runtime.engine

    def drain(self, name: str = HUBSPOT) -> Drained:
        """What the `drain` task does."""
        return draining.drain(self.engine, name)

    def poll(self) -> int:
        """What the `poll_nextcap` task does."""
        return poll.poll_nextcap(self.engine)

    def reconcile(self, *, sweep: float = 120.0, rotation: float = 6 * 3600.0) -> int:
        """What the `reconcile` task does, with these seconds between two looks."""
        pace = reconcile.Pace(timedelta(seconds=sweep), timedelta(seconds=rotation))
        return reconcile.run(self.engine, dict.fromkeys((NEXTCAP, *self.engine.names), pace))

    def work_alone(self) -> list[Alone]:
        """What the `sync_ticket` tasks do that the sweep rings."""
        with self.engine.db.read() as connection:
            due = claims.due_alone(connection, self.engine.now())
        return [ended for link_id, _ in due if (ended := draining.work_alone(self.engine, link_id)) is not None]

    def die(self, act: Act) -> None:
        """Run something that is expected to kill this process."""
        with suppress(Killed):
            act()
        assert self.life.is_over, "the process was expected to die"

    def close(self) -> None:
        for wire in self.runtime.wires:
            wire.close()
        self.runtime.db.close()


@dataclass(frozen=True, slots=True)
class Site:
    """Where processes run: what they all talk to, and the files and the database that they share."""

    nextcap: NextCapImitation
    crms: Mapping[str, Any]
    """Imitations by the names of their connections: accounts of HubSpot, unless `kinds` says otherwise."""
    wires: Wires
    clock: Clock
    folder: Path
    url: str
    limits: dict[str, Limit] = field(default_factory=dict)
    """Vendors' limits by system, where a test wants to meet them."""
    kinds: Mapping[str, Callable[[Parts], Adapter]] = field(default_factory=dict)
    """How adapters of other CRMs than HubSpot are built, by the names of their connections."""

    @property
    def mapping_file(self) -> Path:
        return self.folder / "mapping.yaml"

    def start(self, *, steps: int | None = None, **changes: Any) -> Process:
        """A new process that lives for so many steps; `changes` replace parts of its engine."""
        life = Life()
        counting = shared(self.url)
        db = MortalDatabase(counting, life)
        names = [NEXTCAP, *self.crms]
        taps = {name: Tap(self.wires.of(name), life, self.clock) for name in names}
        health, bells = Health(), list[str]()
        mappings = Mappings(db, dict.fromkeys(self.crms, self.mapping_file))
        secrets = SecretBox(db, ["a-key-for-tests"])
        wired = _Wiring(self, counting, taps, health, life, mappings, secrets)
        parts: dict[str, Any] = {"bell": bells.extend, "now": self.clock.now, "pause": self.clock.pause, **changes}
        engine = Engine(
            db=db,
            nextcap=wired.nextcap(),
            crms={name: wired.crm(name) for name in self.crms},
            mappings=mappings,
            labels={HUBSPOT: "HubSpot"},
            health=health,
            **parts,
        )
        settings = config.Settings(folder=self.folder, public_url=PUBLIC_URL)
        runtime = Runtime(settings, db, engine, mappings, secrets, wired.wires)
        with db.write() as connection:
            connections.ensure(connection, names)
        runtime.import_mappings()
        life.begin(steps)
        return Process(life, runtime, taps, bells, create_app(runtime).test_client())


@dataclass(frozen=True, slots=True)
class _Wiring:
    """The real adapters over real HTTP. Calls are counted in the database, but not as steps of a life."""

    site: Site
    db: Database
    taps: dict[str, Tap]
    health: Health
    life: Life
    mappings: Mappings
    secrets: SecretBox
    wires: list[HttpxWire] = field(default_factory=list)

    def nextcap(self) -> Adapter:
        transport = self._transport(
            NEXTCAP,
            base_url=self.site.nextcap.api_url,
            credentials=HeaderCredentials("X-Api-Key", CRM_KEY),
            sort=nextcap_sort,
            rate=nextcap_rate,
        )
        return NextCap(transport, secrets=[SECRET], web_url="https://app.example.test/tickets/{id}")

    def crm(self, name: str) -> Adapter:
        """The adapter of one connection: HubSpot's, unless the site says otherwise."""
        if name not in self.site.kinds:
            return self.hubspot(name)
        return self.site.kinds[name](
            Parts(
                name=name,
                public_url=PUBLIC_URL,
                keep=partial(self._tapped, name),
                budget=lambda limits: self._budget(name, dict.fromkeys(limits, PLENTY)),
                observe=self._observe,
                token_store=StoredToken(self.mappings.db, self.secrets, [name]),
                webhook_secrets=LiveSecrets([], self.secrets, f"webhook:{name}"),
                keep_webhook_secret=partial(self.secrets.put, f"webhook:{name}"),
                path_tokens=partial(self.secrets.path_tokens, name),
                watched=partial(self._watched, name),
                mapping_text=partial(self.mappings.text, name),
                forms=partial(self._forms, name),
            )
        )

    def _tapped(self, name: str, wire: HttpxWire) -> Tap:
        self.wires.append(wire)
        self.taps[name] = Tap(wire, self.life, self.site.clock)
        return self.taps[name]

    def _watched(self, name: str) -> tuple[str, ...]:
        with self.mappings.db.read() as connection:
            return self.mappings.active(connection, name).crm_fields()

    def _forms(self, name: str) -> frozenset[str]:
        with self.mappings.db.read() as connection:
            return self.mappings.active(connection, name).comments.every_form()

    def _budget(self, system: str, limits: Mapping[str, Limit]) -> SqlBudget:
        return SqlBudget(self.db, system, limits, now=self.site.clock.now)

    def hubspot(self, name: str) -> Adapter:
        account: HubSpotImitation = self.site.crms[name]
        transport = self._transport(
            name,
            base_url=account.url,
            credentials=StaticCredentials(account.credentials.static_token),
            sort=hubspot_sort,
            rate=hubspot_rate,
        )
        return HubSpot(
            transport,
            webhook_secrets=[account.settings.client_secret],
            public_url=PUBLIC_URL,
            path=f"/webhooks/{name}",
            clock=self.site.clock.now,
        )

    def _transport(self, system: str, **options: Any) -> Transport:
        clock = self.site.clock
        return Transport(
            system=system,
            wire=self.taps[system],
            budget=self._budget(system, {"default": self.site.limits.get(system, PLENTY)}),
            observe=self._observe,
            sleep=clock.pause,
            clock=clock.monotonic,
            **options,
        )

    def _observe(self, call: Call) -> None:
        self.health.note(call.system, call.status or 0)
