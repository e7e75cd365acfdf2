"""What adapter tests share: a wire with prepared answers, a store of tokens, a server that misbehaves on request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing

import pytest

from connector.adapters.oauth import Token
from connector.adapters.transport import Request, Response
from connector.sandbox.kernel_http import Application, HttpServer


class ScriptedWire:
    """Answers each call with the next entry of a list; an exception among them is raised."""

    def __init__(self, *answers: Response | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[Request, str, Mapping[str, str], float]] = []

    def send(self, request: Request, *, url: str, headers: Mapping[str, str], timeout: float) -> Response:
        self.sent.append((request, url, headers, timeout))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class MemoryStore:
    """A token store of one process that remembers what was kept when."""

    def __init__(self) -> None:
        self.guard = threading.RLock()
        self.kept: list[Token] = []

    def lock(self) -> AbstractContextManager[object]:
        return self.guard

    def load(self) -> Token | None:
        return self.kept[-1] if self.kept else None

    def save(self, token: Token) -> None:
        self.kept.append(token)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def serve() -> Iterator[Callable[[Application], str]]:
    """Serve a function from environ to Answer on 127.0.0.1; gives its address."""
    servers: list[HttpServer] = []

    def start(application: Application) -> str:
        server = HttpServer(application)
        server.start()
        servers.append(server)
        return server.url

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def serve_bytes() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """Serve one connection with a function on the bare socket; gives its address."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(talk: Callable[[socket.socket], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            connection, _ = listener.accept()
            with closing(connection):
                talk(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        threads.append(thread)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for thread in threads:
        thread.join(5)
    for listener in listeners:
        listener.close()
