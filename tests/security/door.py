"""The front door by itself: the real application and store, and somebody who knocks as no vendor would."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask

from connector import config
from connector.store import tables
from connector.web.app import create_app
from connector.wiring import Runtime, build

ROOT = Path(__file__).parents[2]
URL = "https://connector.example.test"
NEXTCAP_SECRET, OLDER_SECRET, HUBSPOT_SECRET = "nxc-door-secret", "nxc-door-former", "hub-door-secret"


@dataclass(frozen=True, slots=True)
class Knock:
    """One request, as a server hands it to the application. Header names are in any case, values as bytes came."""

    path: str
    body: bytes = b""
    headers: Mapping[str, str] | None = None
    method: str = "POST"


class Door:
    """An installation that nobody works for: what arrives stays where it was put."""

    def __init__(self, folder: Path, url: str = "", **settings: Any) -> None:
        self.runtime: Runtime = build(door_settings(folder, url, **settings), upgrade=True)
        assert [one.state for one in self.runtime.import_mappings()] == ["activated"]
        self.app: Flask = create_app(self.runtime)
        self.answers: dict[int, int] = {}

    def close(self) -> None:
        self.runtime.close()

    def knock(self, knock: Knock) -> int:
        """Hand a request to the application; the status of the answer."""
        status = 0

        def start(line: str, _headers: object, _error: object = None) -> Any:
            nonlocal status
            status = int(line.split()[0])

        for chunk in self.app.wsgi_app(environ_of(knock), start):
            assert isinstance(chunk, bytes)
        self.answers[status] = self.answers.get(status, 0) + 1
        return status

    def taken_in(self) -> int:
        """How many deliveries the store says it has been given, repeats counted."""
        with self.runtime.db.read() as connection:
            return int(connection.execute(sa.select(sa.func.sum(tables.deliveries.c.seen))).scalar() or 0)

    def rows(self, table: sa.Table) -> list[Mapping[str, Any]]:
        with self.runtime.db.read() as connection:
            return [row._asdict() for row in connection.execute(sa.select(table).order_by(table.c.id))]


def door_settings(folder: Path, url: str = "", **settings: Any) -> config.Settings:
    """An installation with both vendors, whose imitations are not there: the door calls nobody."""
    (folder / "mapping.yaml").write_text((ROOT / "mappings" / "hubspot.yaml").read_text())
    given: dict[str, Any] = {
        "public_url": URL,
        "store": {"url": url or f"sqlite:///{folder / 'connector.db'}"},
        "nextcap": {"api_key": "nextcap_ck_door", "webhook_secrets": [NEXTCAP_SECRET, OLDER_SECRET]},
        "connections": {
            "hubspot": {
                "crm": "hubspot",
                "mapping": folder / "mapping.yaml",
                "access_token": "hub-door-token",
                "webhook_secrets": [HUBSPOT_SECRET],
            }
        },
    }
    return config.Settings(folder=folder, **{**given, **settings})


def environ_of(knock: Knock) -> dict[str, Any]:
    path, _, query = knock.path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": knock.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": _unquoted(path),
        "QUERY_STRING": query,
        "RAW_URI": knock.path,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(knock.body)),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(knock.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in (knock.headers or {}).items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return environ


def _unquoted(path: str) -> str:
    """As servers do: percent escapes as bytes, bytes as Latin-1."""
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(path.encode("latin-1", "replace")).decode("latin-1")


def from_nextcap(body: bytes, *, secret: str = NEXTCAP_SECRET, **headers: str) -> Knock:
    """A delivery that Next Cap signed."""
    mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Knock("/webhooks/nextcap", body, {"X-NextCap-Signature": mac, **headers})


def from_hubspot(body: bytes, *, secret: str = HUBSPOT_SECRET, at: float | None = None, **headers: str) -> Knock:
    """A delivery that HubSpot signed, at this Unix time."""
    path = "/webhooks/hubspot"
    told = str(int((time.time() if at is None else at) * 1000))
    signed = f"POST{URL}{path}".encode() + body + told.encode()
    mac = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    return Knock(path, body, {"X-HubSpot-Signature-v3": mac, "X-HubSpot-Request-Timestamp": told, **headers})
