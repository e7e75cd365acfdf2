"""The one module that builds and joins concrete things."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import Any

import redis as redis_client

from connector import config, log, secretbox
from connector.adapters.base import Adapter
from connector.adapters.budget import Limit
from connector.adapters.building import Parts
from connector.adapters.registry import kind
from connector.adapters.settings import ConnectionSettings, shown
from connector.adapters.transport import Call, HeaderCredentials, Transport
from connector.adapters.transport_network import PublicNetwork
from connector.adapters.wires import HttpxWire
from connector.domain.errors import ConfigError
from connector.engine.budget import SqlBudget
from connector.engine.context import NEXTCAP, Bell, Engine, Health, no_bell, utc_now
from connector.engine.mappings import Import, Mappings
from connector.engine.prepare import schema_from_json
from connector.engine.reconcile import Pace
from connector.events.announcer import Announcer
from connector.events.catalogue import Endpoint
from connector.events.courier import Courier
from connector.events.figures import EndpointFigures, figures
from connector.secretbox import LOOK_AGAIN, LiveSecrets, SecretBox, StoredToken
from connector.store import connections, counters, cursors, outbox
from connector.store.database import Database, StoreAway

logger = log.get(__name__)

LARGEST_ANSWER = 1024 * 1024
"""Bytes that a listener may answer with; nobody reads them."""
HANDED_OUT = "nextcap_webhook"


@dataclass(slots=True)
class Runtime:
    """Everything of one process, joined. Close it when the process ends."""

    settings: config.Settings
    db: Database
    engine: Engine
    mappings: Mappings
    secrets: SecretBox
    wires: Sequence[HttpxWire]
    couriers: Mapping[str, Courier] = field(default_factory=dict)
    """Who sends outgoing events, by the names of the endpoints."""
    _calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count_call(self, call: Call) -> None:
        """Note one vendor call, for the health of its system and the metrics."""
        self.engine.health.note(call.system, call.status or 0)
        status = f"{call.status // 100}xx" if call.status else "silent"
        with self._lock:
            self._calls["vendor_calls", f"{call.system}:{call.method} {call.route}:{status}"] += 1

    def listeners(self) -> tuple[EndpointFigures, ...]:
        """How those fare who listen to outgoing events."""
        return figures(self.db, {name: one.endpoint for name, one in self.couriers.items()}, self.engine.now())

    def flush_counters(self) -> None:
        """Add what was counted since the last time to the store; a database that is away loses nothing."""
        with self._lock:
            amounts, self._calls = self._calls, Counter()
        if not amounts:
            return
        try:
            with self.db.write() as connection:
                counters.add(connection, amounts)
        except StoreAway:
            with self._lock:
                self._calls.update(amounts)

    def import_mappings(self) -> list[Import]:
        """Take over mapping files that are new or changed, if they pass."""
        results = self.mappings.import_changed(by="file")
        for one in results:
            if one.state in ("refused", "unreadable"):
                logger.error("mapping_refused", connection=one.connection, problems=list(one.problems[:5]))
            elif one.state == "activated":
                logger.info("mapping_activated", connection=one.connection)
        return results

    @property
    def paces(self) -> dict[str, Pace]:
        """How often each system is looked at, as it is configured."""
        ours = self.settings.nextcap
        made = {NEXTCAP: Pace(timedelta(seconds=ours.poll_seconds), timedelta(hours=ours.rotation_hours))}
        for name, one in self.settings.connections.items():
            made[name] = Pace(timedelta(seconds=one.sweep_seconds), timedelta(hours=one.rotation_hours))
        return made

    def broker_answers(self) -> bool:
        """Whether the queue can be reached; always true where this process is the queue."""
        url = self.settings.queue.url
        if url.startswith("memory"):
            return True
        try:
            client = redis_client.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2, **tls(self.settings))
            return bool(client.ping())
        except redis_client.RedisError:
            return False

    def close(self) -> None:
        """Let go of every connection."""
        for wire in self.wires:
            wire.close()
        self.db.close()


@dataclass(frozen=True, slots=True)
class _Parts:
    """What adapters are built from."""

    settings: config.Settings
    db: Database
    mappings: Mappings
    box: SecretBox
    observe: Callable[[Call], None]
    wires: list[HttpxWire] = field(default_factory=list)

    def keep(self, wire: HttpxWire) -> HttpxWire:
        """Remember a wire, so that it is closed with the process."""
        self.wires.append(wire)
        return wire

    def budget(self, system: str, limits: Mapping[str, Limit], per_cent: int) -> SqlBudget:
        """The calls that a vendor counts together, of which so many per cent may be ours."""
        return SqlBudget(self.db, counted_as(self.settings, system), limits, now=utc_now, share=per_cent / 100)


def alike(
    connections: Mapping[str, ConnectionSettings], what: Callable[[ConnectionSettings], tuple[object, ...]]
) -> dict[str, tuple[str, ...]]:
    """For each connection all that are equal to it in this, itself among them, in the order of the configuration."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for name, one in connections.items():
        groups.setdefault(what(one), []).append(name)
    return {name: tuple(groups[what(one)]) for name, one in connections.items()}


def counted_as(settings: config.Settings, system: str) -> str:
    """Under whose name a system's calls are counted: that of the first connection with the same vendor's limit."""
    return alike(settings.connections, methodcaller("counted_by")).get(system, (system,))[0]


def tls(settings: config.Settings) -> dict[str, Any]:
    """What redis-py must be told about certificates, so that one setting means the same everywhere."""
    if not settings.queue.url.startswith("rediss://") or settings.queue.check_certificate:
        return {}
    return {"ssl_cert_reqs": None}


def build(settings: config.Settings | None = None, *, bell: Bell | None = None, upgrade: bool = False) -> Runtime:
    """Build one process's runtime. Opens no vendor connection. Raises ConfigError."""
    settings = settings or config.load()
    log.hide(config.secrets_of(settings))
    db = Database(config.store_url(settings))
    if upgrade:
        db.upgrade()
    files = {name: config.absolute(settings, one.mapping) for name, one in settings.connections.items()}
    mappings = Mappings(db, files)
    runtime: list[Runtime] = []
    parts = _Parts(settings, db, mappings, SecretBox(db, _keys(settings)), partial(_observe, runtime))
    couriers = {name: _courier(parts, name, one) for name, one in settings.events.items()}
    engine = Engine(
        db=db,
        nextcap=_nextcap(parts),
        crms={name: _crm(parts, name, one) for name, one in settings.connections.items()},
        mappings=mappings,
        labels={name: one.label or kind(one.crm).label for name, one in settings.connections.items()},
        neighbours=alike(settings.connections, methodcaller("place")),
        bell=bell or no_bell,
        mass_changes=settings.fuses.mass_changes_per_minute,
        health=Health(),
        announcer=Announcer([one.endpoint for one in couriers.values()]),
    )
    made = Runtime(settings, db, engine, mappings, parts.box, parts.wires, couriers)
    runtime.append(made)
    _ensure_rows(made)
    return made


def with_engine(runtime: Runtime, **changes: Any) -> Runtime:
    """The same runtime with parts of its engine replaced (the bell of an embedded process)."""
    runtime.engine = replace(runtime.engine, **changes)
    return runtime


def _observe(runtime: list[Runtime], call: Call) -> None:
    if runtime:
        runtime[0].count_call(call)


def _ensure_rows(runtime: Runtime) -> None:
    """Every configured connection has its row, where the schema is there to hold it."""
    try:
        if runtime.db.is_current():
            with runtime.db.write() as connection:
                connections.ensure(connection, [NEXTCAP, *runtime.engine.names])
                outbox.ensure(connection, list(runtime.couriers), utc_now())
                for name, adapter in runtime.engine.crms.items():
                    stored = connections.schema(connection, name)
                    learn = getattr(adapter, "learn", None)
                    if stored and learn is not None:
                        learn(schema_from_json(stored))
    except StoreAway:
        return


def _keys(settings: config.Settings) -> list[str]:
    if settings.secret_key:
        return [key.get_secret_value() for key in settings.secret_key]
    url = config.store_url(settings)
    if url.startswith("sqlite:///") and ":memory:" not in url:
        return [secretbox.local_key(Path(url.removeprefix("sqlite:///")).parent)]
    return []


def _nextcap(parts: _Parts) -> Adapter:
    from connector.adapters.nextcap import NextCap, rate, sort

    ours = parts.settings.nextcap
    wire = parts.keep(HttpxWire())

    def transport(key: str, bucket: str) -> Transport:
        return Transport(
            system=NEXTCAP,
            base_url=ours.api_url,
            wire=wire,
            credentials=HeaderCredentials("X-Api-Key", key),
            budget=parts.budget(bucket, {"default": Limit(ours.calls_per_minute, 60.0)}, ours.share_of_limit),
            sort=sort,
            rate=rate,
            observe=parts.observe,
        )

    configured = [shown(secret) for secret in ours.webhook_secrets]
    pin = _Pin(parts.db)
    return NextCap(
        transport(shown(ours.api_key), NEXTCAP),
        data_transport=transport(shown(ours.data_key), "nextcap-data") if ours.data_key else None,
        secrets=LiveSecrets(configured, parts.box, HANDED_OUT),
        signature=ours.signature,
        pinned=pin.get,
        pin=pin.set,
        on_secret=partial(parts.box.put, HANDED_OUT),
        web_url=ours.web_url,
    )


class _Pin:
    """The layout of Next Cap's signatures that is pinned in the store; looked up anew every few seconds."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: str | None = None
        self._read_at = -LOOK_AGAIN

    def get(self) -> str | None:
        """The pinned one; None before the first delivery."""
        if self._known is None or time.monotonic() - self._read_at >= LOOK_AGAIN:
            with self._db.read() as connection:
                found = cursors.get(connection, NEXTCAP, "signature")
            self._known, self._read_at = found[0] if found else None, time.monotonic()
        return self._known

    def set(self, profile: str) -> None:
        """Pin this one for every process."""
        with self._db.write() as connection:
            cursors.put(connection, NEXTCAP, "signature", profile, utc_now())


def _crm(parts: _Parts, name: str, one: ConnectionSettings) -> Adapter:
    """The adapter of one connection, built as its kind of CRM says."""
    configured = [shown(secret) for secret in one.webhook_secrets]
    sharers = alike(parts.settings.connections, methodcaller("credential"))[name]
    given = Parts(
        name=name,
        public_url=parts.settings.public_url,
        keep=parts.keep,
        budget=lambda limits: parts.budget(name, limits, one.share_of_limit),
        observe=parts.observe,
        token_store=StoredToken(parts.db, parts.box, sharers),
        webhook_secrets=LiveSecrets(configured, parts.box, f"webhook:{name}"),
        keep_webhook_secret=partial(parts.box.put, f"webhook:{name}"),
        path_tokens=partial(parts.box.path_tokens, name),
        watched=partial(_watched, parts.mappings, name),
        mapping_text=partial(parts.mappings.text, name),
        forms=partial(_forms, parts.mappings, name),
    )
    return kind(one.crm).build(given, one)


def _forms(mappings: Mappings, name: str) -> frozenset[str]:
    """The forms of entries that the active mapping reads or writes beside comments; none before there is one."""
    try:
        with mappings.db.read() as connection:
            return mappings.active(connection, name).comments.every_form()
    except (ConfigError, StoreAway):
        return frozenset()


def _courier(parts: _Parts, name: str, one: config.EventsSettings) -> Courier:
    """Who sends to one listener. Private addresses are refused unless the configuration allows them."""
    endpoint = Endpoint(
        name=name,
        url=one.url,
        secrets=tuple(secret.get_secret_value() for secret in one.secrets),
        types=frozenset(one.types),
        connections=frozenset(one.connections),
        words=one.words,
    )
    wire = parts.keep(HttpxWire(network=None if one.allow_private else PublicNetwork(), largest=LARGEST_ANSWER))
    return Courier(parts.db, endpoint, wire, now=utc_now, observe=parts.observe)


def _watched(mappings: Mappings, name: str) -> tuple[str, ...]:
    """The CRM fields that the mapping in force looks at; where none is yet, those of its file, if it passes."""
    try:
        return mappings.in_sight(name).crm_fields()
    except (ConfigError, StoreAway):
        return ()
