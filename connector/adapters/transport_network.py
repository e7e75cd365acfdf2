"""Sockets that keep a total time, know whether a request has begun to leave, and can refuse private addresses.

httpx bounds each read and write, not the whole: a server that sends one byte every nine seconds holds a call for
ever. Here every socket operation of a call gets only what is left of the call's total time.
"""

from __future__ import annotations

import math
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from typing import Any

import httpcore
import httpx

FAILURES = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)
"""What the sockets and the protocol below raise; nothing else escapes them."""


class PrivateAddress(httpcore.ConnectError):
    """The name leads to an address inside somebody's own network."""


SLICE = 64 * 1024
LONGEST_OPERATION = 60.0


@dataclass(slots=True)
class Progress:
    """How far the present call of a thread has come."""

    deadline: float = math.inf
    began_to_send: bool = False

    def patience(self, timeout: float | None, error: type[Exception]) -> float:
        """The seconds that one operation may take, at most `timeout`. Raises the error where none are left."""
        left = min(self.deadline - time.monotonic(), LONGEST_OPERATION if timeout is None else timeout)
        if left <= 0.0:
            raise error("no time left")
        return left


class Network(httpcore.NetworkBackend):
    """Opens sockets for the calls made inside `call`, each of which runs in the thread that made it."""

    def __init__(self, *, connect_timeout: float = 3.0) -> None:
        self._connect_timeout = connect_timeout
        self._backend = httpcore.SyncBackend()
        self._local = threading.local()

    @contextmanager
    def call(self, timeout: float) -> Iterator[Progress]:
        """Bound everything that this thread does inside to `timeout` seconds in all."""
        progress = Progress(time.monotonic() + timeout)
        self._local.progress = progress
        try:
            yield progress
        finally:
            self._local.progress = Progress()

    @property
    def progress(self) -> Progress:
        """The call that this thread is making."""
        progress: Progress = getattr(self._local, "progress", None) or Progress()
        return progress

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A socket whose every operation ends with the call."""
        patience = self.progress.patience(timeout or self._connect_timeout, httpcore.ConnectTimeout)
        stream = self._backend.connect_tcp(host, port, patience, local_address, socket_options)
        return _TimedStream(stream, self)


class PublicNetwork(Network):
    """A network without private addresses: for URLs that somebody else wrote.

    The address that was checked is the address that is connected to, so a name cannot change in between.
    """

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """As `Network`, to a public address only. Raises `PrivateAddress` for any other."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError("the name does not resolve") from error
        allowed = [str(address[0]) for *_, address in found if _is_public(str(address[0]))]
        if not allowed:
            raise PrivateAddress("not a public address")
        for address in allowed[:-1]:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return super().connect_tcp(address, port, timeout, local_address, socket_options)
        return super().connect_tcp(allowed[-1], port, timeout, local_address, socket_options)


def _is_public(address: str) -> bool:
    ip = ip_address(address.partition("%")[0])
    return ip.is_global and not ip.is_multicast


class _TimedStream(httpcore.NetworkStream):
    """A stream that asks its network how much time is left before each operation."""

    def __init__(self, stream: httpcore.NetworkStream, network: Network) -> None:
        self._stream = stream
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._network.progress.patience(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        progress = self._network.progress
        for start in range(0, len(buffer), SLICE):
            patience = progress.patience(timeout, httpcore.WriteTimeout)
            progress.began_to_send = True
            self._stream.write(buffer[start : start + SLICE], patience)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        patience = self._network.progress.patience(timeout, httpcore.ConnectTimeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, patience), self._network)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


@cache
def _trusted() -> ssl.SSLContext:
    """Whom every call of this process trusts: reading the list of authorities takes 30 ms and a megabyte."""
    return httpx.create_ssl_context(trust_env=False)


class PooledTransport(httpx.BaseTransport):
    """An httpx transport over a pool of such sockets. Raises `FAILURES`.

    An idle connection is given up after `keepalive` seconds, before servers do so themselves: a request that
    crosses a server's goodbye would have an unknown outcome.
    """

    def __init__(self, network: Network, *, max_connections: int = 64, keepalive: float = 3.0) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=_trusted(),
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=keepalive,
            network_backend=network,
        )
        self._network = network

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The head of the answer; its body is read as its stream is read, and closing it frees the connection."""
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions={"timeout": {"pool": self._network.progress.patience(None, httpcore.PoolTimeout)}},
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()
