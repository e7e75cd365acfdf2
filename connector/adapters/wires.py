"""What carries calls: pooled httpx connections for every API, and a way to fetch files from signed addresses."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx

from connector.adapters.transport import NoAnswer, NotSent, Request, Response, is_loopback
from connector.adapters.transport_network import FAILURES, Network, PooledTransport, PrivateAddress, PublicNetwork
from connector.domain.errors import ConnectorError, Gone, Refused, RetryLater

USER_AGENT: Final = "nextcap-connector"
LARGEST_ANSWER: Final = 32 * 1024 * 1024
WEDGED_AFTER: Final = 3
MOST_REDIRECTS: Final = 3


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
            content = b"".join(_capped(answer.iter_bytes(), self._largest))
        except _TooLarge as error:
            raise NoAnswer("the answer is too large") from error
        finally:
            answer.close()
        return Response(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, content)

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


@dataclass(frozen=True, slots=True)
class Download:
    """A file on its way. `chunks` can be read once, inside the `with` that opened it."""

    content_type: str
    size: int | None
    chunks: Iterator[bytes] = field(repr=False)


class Downloader:
    """Fetches files from addresses that a vendor handed out, without any credentials.

    Only https to public addresses; with `allow_loopback` also this machine, over http too. Redirects are followed a
    few times, each checked anew. A file larger than `largest` is refused, however large it claims to be.
    """

    def __init__(self, *, largest: int, allow_loopback: bool = False) -> None:
        self._largest = largest
        self._allow_loopback = allow_loopback
        self._network = PublicNetwork(allow_loopback=allow_loopback)
        self._pool = PooledTransport(self._network, max_connections=16)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def open(self, url: str, *, timeout: float = 120.0) -> Iterator[Download]:
        """The file at this address. Raises Refused, Gone or RetryLater, also while it is being read."""
        with self._network.call(timeout):
            try:
                answer = self._follow(url)
                try:
                    yield self._download(answer)
                finally:
                    answer.close()
            except PrivateAddress as error:
                raise Refused("storage: the file's address is not public", code="unsafe_address") from error
            except (*FAILURES, httpx.DecodingError) as error:
                message = f"storage: {type(error).__name__} while fetching a file"
                raise RetryLater(message, code="download_failed", scope="record", system="storage") from error
            except _TooLarge as error:
                raise Refused(f"storage: larger than {self._largest} bytes", code="file_too_large") from error

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    def _follow(self, url: str) -> httpx.Response:
        for _ in range(MOST_REDIRECTS + 1):
            self._check(url)
            answer = self._pool.handle_request(_as_httpx(Request("GET", "/", "storage"), url, {}))
            if answer.status_code == 200:
                return answer
            answer.close()
            if not answer.has_redirect_location:
                raise _download_error(answer.status_code)
            url = urljoin(url, answer.headers["location"])
        raise Refused("storage: too many redirects", code="too_many_redirects")

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        is_ours = self._allow_loopback and is_loopback(parts.hostname or "")
        if (
            not parts.hostname
            or parts.username
            or not (parts.scheme == "https" or (is_ours and parts.scheme == "http"))
        ):
            raise Refused("storage: the file's address is not a public https one", code="unsafe_address")

    def _download(self, answer: httpx.Response) -> Download:
        told = answer.headers.get("content-length", "")
        size = int(told) if told.isdigit() and "content-encoding" not in answer.headers else None
        if size is not None and size > self._largest:
            raise _TooLarge
        content_type = answer.headers.get("content-type", "application/octet-stream").partition(";")[0].strip()
        return Download(content_type, size, _capped(answer.iter_bytes(), self._largest))


class _TooLarge(Exception):
    pass


def _capped(chunks: Iterator[bytes], largest: int) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > largest:
            raise _TooLarge
        yield chunk


def _download_error(status: int) -> ConnectorError:
    told = f"storage: answered {status} to a download"
    if status in (404, 410):
        return Gone(told, status=status)
    if status >= 500 or status in (408, 429):
        return RetryLater(told, code=f"http_{status}", scope="record", system="storage")
    return Refused(told, code=f"http_{status}", status=status)


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
