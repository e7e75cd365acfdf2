"""What the connector stands on: its own address, the queue, the database, the vendors, the mappings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import redis

from connector import config
from connector.adapters.base import Adapter, Check
from connector.adapters.registry import forms, makes_follow_ups
from connector.adapters.transport import LIMIT_USED_UP, OTHERS_FIRST, NoAnswer, NotSent, Request
from connector.adapters.wires import HttpxWire
from connector.config import Settings
from connector.doctor.finding import CONFIGURATION, NOTE, OK, PROBLEM, Finding, judged
from connector.domain.errors import ConfigError, ConnectorError
from connector.domain.schema import Schema
from connector.engine import budget
from connector.engine.context import NEXTCAP
from connector.engine.story import moment
from connector.mapping import lint, load
from connector.mapping.problems import MappingErrors, Problem
from connector.store.database import Database, StoreAway
from connector.store.mappings import active as active_mapping
from connector.wiring import HANDED_OUT, Runtime, counted_as, tls

OLDEST_REDIS: Final = (6, 2)
LOOK_AT_ACCESS: Final = "look at its api_url and credentials, and whether this machine may reach it"


def public_address(settings: Settings) -> Finding:
    """Whether this connector is what answers at public_url. From inside a network that may not be to be seen."""
    url = settings.public_url.rstrip("/") + "/healthz"
    what = "public_url answers"
    wire = HttpxWire()
    try:
        answer = wire.send(Request("GET", "/healthz", "/healthz"), url=url, headers={}, timeout=5.0)
    except (NotSent, NoAnswer) as problem:
        return Finding("web", what, NOTE, f"not seen from here ({problem}): is it started?")
    finally:
        wire.close()
    told = answer.maybe_json
    if answer.status == 200 and isinstance(told, dict) and told.get("status") == "ok":
        return Finding("web", what, OK, url)
    advice = "public_url must lead to this connector: look at the address and the proxy in front"
    return Finding("web", what, PROBLEM, f"{url} answered {answer.status}, and not as the connector does", advice)


def database(settings: Settings) -> Iterator[Finding]:
    """Whether it answers, and whether every migration is in."""
    try:
        db = Database(config.store_url(settings))
    except ConfigError as problem:
        yield Finding(CONFIGURATION, "store.url", PROBLEM, str(problem), "write it as sqlite:///… or postgresql://…")
        return
    shown = db.url.render_as_string(hide_password=True)
    if db.is_sqlite and db.url.database and not Path(db.url.database).exists():
        yield Finding("database", "answers", PROBLEM, f"there is none at {shown}", "run `connector db upgrade`")
        return
    try:
        current = db.is_current()
    except StoreAway:
        advice = "look at store.url (DATABASE_URL), and whether the server runs and takes this user"
        yield Finding("database", "answers", PROBLEM, f"no answer from {shown}", advice)
        return
    finally:
        db.close()
    yield Finding("database", "answers", OK, shown)
    advice = "" if current else "run `connector db upgrade`"
    yield judged("database", "migrations", "all are in" if current else "some are missing", advice)


def queue(settings: Settings) -> Iterator[Finding]:
    """Whether the broker answers, is new enough, and never throws away what it was given."""
    if settings.queue.url.startswith("memory"):
        yield Finding("queue", "answers", OK, "in the process of `connector run`")
        return
    try:
        with redis.Redis.from_url(
            settings.queue.url, socket_timeout=3, socket_connect_timeout=3, **tls(settings)
        ) as client:
            told = client.info()
    except (redis.RedisError, ValueError) as problem:
        advice = "look at queue.url (REDIS_URL, queue.check_certificate); until it answers, no worker is woken"
        yield Finding("queue", "answers", PROBLEM, type(problem).__name__, advice)
        return
    version = str(told.get("redis_version", ""))
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    yield judged("queue", "answers", f"version {version}", "" if parts >= OLDEST_REDIS else "use Redis 6.2 or newer")
    policy = str(told.get("maxmemory_policy") or "")
    if not policy:
        yield Finding("queue", "maxmemory-policy", NOTE, "the server does not tell it; it must be noeviction")
        return
    advice = "" if policy == "noeviction" else "set it to noeviction: any other policy may throw the queue itself away"
    yield judged("queue", "maxmemory-policy", policy, advice)


def webhook_secret(runtime: Runtime) -> Finding:
    """Whether there is a secret to check Next Cap's webhooks with: configured, or kept since it was handed out."""
    what = "webhook secret"
    try:
        kept = runtime.secrets.get(HANDED_OUT)
    except ConfigError as problem:
        return Finding(CONFIGURATION, what, PROBLEM, str(problem), "SECRET_KEY must still hold the key it was kept by")
    if kept:
        return Finding(NEXTCAP, what, OK, "kept in the store")
    if any(one.get_secret_value() for one in runtime.settings.nextcap.webhook_secrets):
        return Finding(NEXTCAP, what, OK, "configured")
    advice = "run `connector webhooks register`; without a secret every webhook of Next Cap is refused"
    return Finding(NEXTCAP, what, PROBLEM, "none is known", advice)


def vendors(runtime: Runtime) -> Iterator[Finding]:
    """What each vendor lets us do, by calls that only read."""
    for name, adapter in {NEXTCAP: runtime.engine.nextcap, **runtime.engine.crms}.items():
        closed = limited_until(runtime, name)
        if closed:
            yield Finding(name, "access", NOTE, f"not asked: its limit is used up until {moment(closed)}")
        else:
            yield from _vendor(runtime, name, adapter)
            yield from _webhook(runtime, name, adapter)


def _vendor(runtime: Runtime, name: str, adapter: Adapter) -> Iterator[Finding]:
    try:
        checks = adapter.check()
    except ConnectorError as problem:
        checks = [Check("access", False, str(problem))]
    closed = limited_until(runtime, name)
    for check in checks:
        if check.ok:
            yield Finding(name, check.what, OK, check.detail)
        elif closed:
            # What came after the limit was met was not looked at, so its own advice would mislead.
            yield Finding(name, check.what, PROBLEM, check.detail, f"ask again after {moment(closed)}")
        elif LIMIT_USED_UP in check.detail or OTHERS_FIRST in check.detail:
            yield Finding(name, check.what, NOTE, check.detail, "calls are short just now: ask again in a minute")
        else:
            yield Finding(name, check.what, PROBLEM, check.detail, check.advice or LOOK_AT_ACCESS)


def _webhook(runtime: Runtime, name: str, adapter: Adapter) -> Iterator[Finding]:
    """Whether the vendor knows our webhook, where it tells. What a person must do by hand `setup` says."""
    try:
        steps = adapter.subscribe(hook_url(runtime.settings, name), dry_run=True)
    except ConnectorError as problem:
        yield Finding(name, "our webhook", PROBLEM, str(problem), LOOK_AT_ACCESS)
        return
    for step in steps:
        if step.state == "would":
            yield Finding(name, step.what, PROBLEM, "is not registered", f"run `connector setup {name}`")
        elif step.state in ("ok", "problem"):
            yield judged(name, step.what, "registered" if step.state == "ok" else "is not as it must be", step.advice)


def hook_url(settings: Settings, name: str) -> str:
    """Where a system's webhooks are expected."""
    return f"{settings.public_url.rstrip('/')}/webhooks/{name}"


def limited_until(runtime: Runtime, system: str) -> datetime | None:
    """When the vendor takes calls again, where an answer of its has closed its main bucket for a while."""
    with runtime.db.read() as connection:
        found = budget.buckets(connection, runtime.engine.now())
    counted = counted_as(runtime.settings, system)
    return next((one.paused_until for one in found if (one.system, one.name) == (counted, "default")), None)


def mappings(runtime: Runtime) -> Iterator[Finding]:
    """Each mapping file against the account as it is now, and against what is in force."""
    for name, path in sorted(runtime.mappings.files.items()):
        try:
            schema = runtime.engine.crms[name].schema()
        except ConnectorError as problem:
            yield Finding(name, "fields", PROBLEM, str(problem), LOOK_AT_ACCESS)
            continue
        yield from _mapping(runtime, name, path, schema)


def _mapping(runtime: Runtime, name: str, path: Path, schema: Schema) -> Iterator[Finding]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        yield Finding(name, "mapping", PROBLEM, f"{path} cannot be read: {problem}", "look at the path and the file")
        return
    problems = _problems(text, str(path), schema)
    errors = [one for one in problems if one.is_error]
    if errors:
        told = "\n".join(str(one) for one in errors)
        yield Finding(name, "mapping", PROBLEM, f"{len(errors)} mistake(s) against this account", told)
    elif problems:
        told = "\n".join(str(one) for one in problems)
        yield Finding(name, "mapping", NOTE, f"{path} fits the account, with {len(problems)} warning(s)", told)
    else:
        yield Finding(name, "mapping", OK, f"{path} fits the account")
    yield _in_force(runtime, name, text)


def _problems(text: str, name: str, schema: Schema) -> list[Problem]:
    try:
        return lint.check(load.parse(text, name=name), schema, follows=makes_follow_ups, forms=forms)
    except MappingErrors as problem:
        return list(problem.problems)


def _in_force(runtime: Runtime, name: str, text: str) -> Finding:
    """Plans are made by the version in the store, never by a file."""
    with runtime.db.read() as connection:
        active = active_mapping(connection, name)
    if active is None:
        return Finding(name, "mapping in force", NOTE, "none yet: the file is activated when a process starts")
    version = f"version {active.version[:8]} since {active.activated_at:%Y-%m-%d %H:%M} UTC"
    if active.version == hashlib.sha256(text.encode()).hexdigest():
        return Finding(name, "mapping in force", OK, f"the file as it is, {version}")
    detail = f"{version}; the file differs: a running process activates it if it passes the check"
    return Finding(name, "mapping in force", NOTE, detail)
