"""What carries calls: pooled httpx connections for every API."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Final, Self

import httpcore
import httpx

from connector.adapters.transport import NoAnswer, NotSent, Request, Response
from connector.adapters.transport_network import FAILURES, Network, PooledTransport

USER_AGENT: Final = "nextcap-connector"
LARGEST_ANSWER: Final = 32 * 1024 * 1024
WEDGED_AFTER: Final = 3


class HttpxWire:
    """Carries calls over pooled httpx connections. One instance serves every thread and vendor of a process.

    A total time per call, no redirects, no proxies or other settings from the environment, no cookies, no `Origin`.
    Whether a byte of the request left is known, not guessed: NotSent is certain.
    """

    def __init__(
        self,
        *,
        max_connections: int = 64,
        keepalive: float = 3.0,
        largest: int = LARGEST_ANSWER,
        network: Network | None = None,
    ) -> None:
        """`max_connections` must not be less than the number of threads (encode/httpcore#550).

        `network` opens the sockets: a `PublicNetwork` where private addresses must not be reached.
        """
        self._max_connections = max_connections
        self._keepalive = keepalive
        self._largest = largest
        self._network = network or Network()
        self._lock = threading.Lock()
        self._pool = self._new_pool()
        self._retired: PooledTransport | None = None
        self._pool_timeouts = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, request: Request, *, url: str, headers: Mapping[str, str], timeout: float) -> Response:
        """One exchange. Raises NotSent or NoAnswer."""
        with self._network.call(timeout) as progress:
            try:
                answer = self._exchange(self.encoded(request, url, headers))
            except (*FAILURES, httpx.DecodingError) as error:
                reason = type(error).__name__
                if isinstance(error, httpcore.PoolTimeout):
                    self._note_pool_timeout()
                if progress.began_to_send:
                    raise NoAnswer(reason) from error
                raise NotSent(reason) from error
        self._pool_timeouts = 0
        return answer

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            self._pool.close()
            if self._retired:
                self._retired.close()

    def encoded(self, request: Request, url: str, headers: Mapping[str, str]) -> httpx.Request:
        """The request as it is sent; a wire for another client's requests overrides it."""
        return _as_httpx(request, url, headers)

    def _exchange(self, request: httpx.Request) -> Response:
        answer = self._pool.handle_request(request)
        try:
            content = b"".join(self._capped(answer.iter_bytes()))
        finally:
            answer.close()
        return Response(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, content)

    def _capped(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        total = 0
        for chunk in chunks:
            total += len(chunk)
            if total > self._largest:
                raise NoAnswer("the answer is too large")
            yield chunk

    def _new_pool(self) -> PooledTransport:
        return PooledTransport(self._network, max_connections=self._max_connections, keepalive=self._keepalive)

    def _note_pool_timeout(self) -> None:
        """Start a fresh pool after several calls in a row got no connection: such a pool may never recover.

        The calls that still use the old one go on; it is closed when the next one is retired.
        """
        with self._lock:
            self._pool_timeouts += 1
            if self._pool_timeouts >= WEDGED_AFTER:
                if self._retired:
                    self._retired.close()
                self._retired, self._pool = self._pool, self._new_pool()
                self._pool_timeouts = 0


class ClientWire(HttpxWire, ABC):
    """The httpx wire with calls built by a vendor's client; forms and uploads, which none can build so, as ever."""

    @abstractmethod
    def built(self, request: Request, url: str, headers: Mapping[str, str]) -> httpx.Request:
        """The request as the client makes it."""

    def encoded(self, request: Request, url: str, headers: Mapping[str, str]) -> httpx.Request:
        if request.form is not None or request.files:
            return super().encoded(request, url, headers)
        return self.built(request, url, {"Accept": "application/json", **headers})


def _as_httpx(request: Request, url: str, headers: Mapping[str, str]) -> httpx.Request:
    files = {part: (file.name, file.content, file.content_type) for part, file in request.files.items()}
    return httpx.Request(
        request.method,
        url,
        params={name: value if isinstance(value, str) else list(value) for name, value in request.query.items()}
        or None,
        content=request.content,
        json=request.json,
        data=dict(request.form) if request.form is not None else None,
        files=files or None,
        headers={"accept": "application/json", "accept-encoding": "gzip", "user-agent": USER_AGENT, **headers},
    )
