"""What can be told from the configuration and the environment alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from connector.adapters.settings import ConnectionSettings
from connector.adapters.transport import is_loopback
from connector.config import Settings
from connector.doctor.finding import CONFIGURATION, NOTE, OK, PROBLEM, Finding, judged

SHORTEST_KEY: Final = 16


def examine(settings: Settings) -> Iterator[Finding]:
    """Keys, addresses, and whether store and queue fit the place where this runs."""
    yield _key("nextcap.api_key", settings.nextcap.api_key, "nextcap_ck_", "Settings > API Keys > CRM Integration")
    yield _data_key(settings)
    if not settings.connections:
        advice = "`connector init` writes a configuration to begin with"
        yield Finding(CONFIGURATION, "connections", PROBLEM, "none is configured", advice)
    for name, connection in settings.connections.items():
        yield _credentials(name, connection)
    yield secret_key(settings)
    yield public_url(settings)
    yield store_fits(settings)
    yield queue_fits(settings)


def _key(name: str, key: SecretStr | None, prefix: str, made_in: str) -> Finding:
    value = key.get_secret_value() if key else ""
    if not value:
        return Finding(CONFIGURATION, name, PROBLEM, "not set", f"Next Cap makes it in {made_in}")
    if not value.startswith(prefix):
        return Finding(CONFIGURATION, name, NOTE, f"does not begin with {prefix}: is it the right key?")
    return Finding(CONFIGURATION, name, OK, f"{prefix}…")


def _data_key(settings: Settings) -> Finding:
    if not settings.nextcap.data_key:
        return Finding(CONFIGURATION, "nextcap.data_key", OK, "not set: the webhook is made by hand")
    return _key("nextcap.data_key", settings.nextcap.data_key, "sk_live_", "Settings > API Keys")


def _credentials(name: str, connection: ConnectionSettings) -> Finding:
    detail, doubt = connection.credentials()
    return Finding(CONFIGURATION, f"connections.{name}", NOTE if doubt else OK, doubt or detail)


def secret_key(settings: Settings) -> Finding:
    """The key under which handed-out secrets are kept: needed wherever the store is not a file beside us."""
    if not settings.secret_key:
        if settings.store.url.startswith("sqlite"):
            return Finding(
                CONFIGURATION, "SECRET_KEY", OK, "not set: the key file connector.key beside the database is used"
            )
        advice = "set SECRET_KEY to a long random text, for example from `openssl rand -hex 32`"
        return Finding(CONFIGURATION, "SECRET_KEY", PROBLEM, "not set", advice)
    short = any(len(key.get_secret_value()) < SHORTEST_KEY for key in settings.secret_key)
    advice = "use a long random text, for example from `openssl rand -hex 32`" if short else ""
    return judged(CONFIGURATION, "SECRET_KEY", f"{len(settings.secret_key)} key(s)", advice)


def public_url(settings: Settings) -> Finding:
    """The address that vendors call, and that signatures cover: https, unless every vendor is on this machine too."""
    parts = urlsplit(settings.public_url)
    host = parts.hostname or ""
    advice = ""
    if not host or parts.query or parts.fragment or parts.username:
        advice = "give https://host, or https://host/path, without a query"
    elif is_loopback(host):
        asked = [settings.nextcap.api_url, *(one.address for one in settings.connections.values())]
        if not all(is_loopback(urlsplit(one).hostname or "") for one in asked):
            advice = "vendors cannot call this machine by that name: set public_url to the https address they reach"
    elif parts.scheme != "https":
        advice = "vendors call https only: put a TLS proxy in front and say https here"
    return judged(CONFIGURATION, "public_url", settings.public_url, advice)


def store_fits(settings: Settings) -> Finding:
    """SQLite is a file, and some platforms throw files away."""
    if not settings.store.url.startswith("sqlite"):
        return Finding(CONFIGURATION, "store", OK, "PostgreSQL")
    advice = "attach PostgreSQL (DATABASE_URL)" if os.environ.get("DYNO") else ""
    detail = "SQLite, on a platform that throws its disks away (DYNO is set)" if advice else "SQLite"
    return judged(CONFIGURATION, "store", detail, advice)


def queue_fits(settings: Settings) -> Finding:
    """An in-process queue serves one process."""
    if not settings.queue.url.startswith("memory"):
        return Finding(CONFIGURATION, "queue", OK, "Redis")
    count = os.environ.get("WEB_CONCURRENCY", "1")
    crowded = count.isdigit() and int(count) > 1
    detail = f"memory:// serves one process, and WEB_CONCURRENCY is {count}" if crowded else "memory://, one process"
    advice = "set WEB_CONCURRENCY=1, or give REDIS_URL and start the processes of the Procfile" if crowded else ""
    return judged(CONFIGURATION, "queue", detail, advice)
