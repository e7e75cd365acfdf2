"""Somebody who listens to outgoing events over real HTTP, and checks signatures by a code of their own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Got:
    """One request. Header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def type(self) -> str:
        return str(self.json["type"])

    @property
    def data(self) -> Any:
        return self.json["data"]

    def signatures(self) -> list[str]:
        return self.headers["webhook-signature"].split(" ")

    def is_signed_with(self, secret: str) -> bool:
        """As a receiver would find out that knows this secret alone."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        told = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        mine = "v1," + base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode()
        return any(hmac.compare_digest(mine, one) for one in self.signatures())


@dataclass(frozen=True, slots=True)
class Says:
    """What the receiver answers."""

    status: int = 204
    headers: tuple[tuple[str, str], ...] = ()


WELL = Says()


class Receiver:
    """A server on this machine. `say` scripts its next answers; `refuse` those about one ticket, for good."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self._lock = threading.Lock()
        self._script: list[Says] = []
        self._always = WELL
        self._refused: dict[str, Says] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hooks?team=support"

    def say(self, *script: Says, then: Says = WELL) -> None:
        self._script, self._always = list(script), then

    def refuse(self, ticket: str, says: Says) -> None:
        self._refused[ticket] = says

    def forget(self) -> None:
        """Begin anew, as a receiver that takes everything."""
        self.got.clear()
        self._refused.clear()
        self.say()

    def types(self) -> list[str]:
        return [one.type for one in self.got]

    def of(self, kind: str) -> list[Got]:
        return [one for one in self.got if one.type == kind]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, got: Got) -> Says:
        with self._lock:
            self.got.append(got)
            refused = self._refused.get(got.data.get("ticket", {}).get("id") or "")
            return refused or (self._script.pop(0) if self._script else self._always)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                says = receiver.answer(Got(self.path, headers, body))
                self.send_response(says.status)
                for name, value in says.headers:
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def ids(got: Sequence[Got]) -> list[str]:
    return [one.id for one in got]
