"""A small threaded HTTP/1.1 server that can also leave a request without any answer."""

from __future__ import annotations

import io
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

LARGEST_BODY = 128 * 1024 * 1024

Environ = dict[str, Any]
"""A WSGI environment."""


class DropConnection(Exception):
    """Close the connection without sending a byte."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = field(default=())


Application = Callable[[Environ], Answer]


def ask_wsgi(app: Callable[..., Iterable[bytes]], environ: Environ) -> Answer:
    """Run a WSGI application to its end and gather its answer."""
    seen: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> None:
        seen.append((status, headers))

    chunks = app(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    status, headers = seen[-1]
    return Answer(int(status.split(" ", 1)[0]), body, tuple(headers))


class HttpServer:
    """Serves one application on 127.0.0.1, a thread per connection, keep-alive on.

    After `stop` every connection is closed and the port refuses; `start` opens the same port again.
    """

    def __init__(self, application: Application, port: int = 0) -> None:
        self.port = port
        self._application = application
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """The address, without a slash at the end; the port is known once the server has started."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen; does nothing if already listening."""
        if self._server is not None:
            return
        self._server = _Server(self.port, self._application)
        self.port = self._server.server_port
        threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name=f"sandbox-{self.port}", daemon=True
        ).start()

    def stop(self) -> None:
        """Close the port and all connections; does nothing if not listening."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.shutdown()
        server.server_close()
        server.close_connections()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, application: Application) -> None:
        self.application = application
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer would look its own name up, which can take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        with self._guard:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline:
            self.close_connection = True
            return
        if not self.parse_request():
            return
        body = self._body()
        if body is None:
            self.close_connection = True
            self._send(Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
            return
        try:
            answer = self.server.application(self._environ(body))
        except DropConnection:
            self.close_connection = True
            return
        self._send(answer)

    def _body(self) -> bytes | None:
        """The request's body, or None where it is larger than anything meant to be sent."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        length = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(length) if length <= LARGEST_BODY else None

    def _chunks(self) -> bytes | None:
        body = bytearray()
        while size := int(self.rfile.readline(65537).split(b";")[0] or b"0", 16):
            if len(body) + size > LARGEST_BODY:
                return None
            body += self.rfile.read(size)
            self.rfile.readline(65537)
        while self.rfile.readline(65537).strip():
            continue
        return bytes(body)

    def _environ(self, body: bytes) -> Environ:
        path, _, query = self.path.partition("?")
        environ: Environ = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "RAW_URI": self.path,
            "REQUEST_URI": self.path,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name in set(self.headers.keys()):
            key = name.upper().replace("-", "_")
            prefix = "" if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else "HTTP_"
            environ[prefix + key] = ",".join(self.headers.get_all(name, ()))
        environ["CONTENT_LENGTH"] = str(len(body))
        return environ

    def _send(self, answer: Answer) -> None:
        """Write the head and the body in one piece, so that no packet waits for another."""
        lines = [
            f"HTTP/1.1 {answer.status} {responses.get(answer.status, 'Unknown')}",
            f"Date: {formatdate(usegmt=True)}",
        ]
        lines += [f"{name}: {value}" for name, value in answer.headers if name.lower() != "content-length"]
        if answer.status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            lines.append(f"Content-Length: {len(answer.body)}")
        if self.close_connection:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        self.wfile.write(head if self.command == "HEAD" else head + answer.body)
