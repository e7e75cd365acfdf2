"""What a wire promises on real sockets: time kept, nothing followed, and certainty about what was sent."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any, TypeVar

import pytest

from connector.adapters.hubspot.wire import HubSpotWire
from connector.adapters.transport import File, NoAnswer, NotSent, Request, Response
from connector.adapters.transport_network import PublicNetwork
from connector.adapters.wires import HttpxWire
from connector.sandbox.kernel_http import Answer, Application, DropConnection, Environ

Serve = Callable[[Application], str]
ServeBytes = Callable[[Callable[[socket.socket], None]], str]

GET = Request("GET", "/", "/")
POST = Request("POST", "/", "/", json={"words": "grüße"})
WIRES = [HttpxWire, HubSpotWire]

Opened = TypeVar("Opened", bound=HttpxWire)
Open = Callable[[Opened], Opened]


@pytest.fixture
def opened() -> Iterator[Open[Any]]:
    """Close what a test opens."""
    with ExitStack() as stack:
        yield stack.enter_context


def exchange(wire: HttpxWire, request: Request, url: str, timeout: float = 5.0) -> Response:
    return wire.send(request, url=url, headers={"x-api-key": "key"}, timeout=timeout)


def seen(environ: Environ) -> Answer:
    """Answer with what arrived."""
    told = {
        "method": environ["REQUEST_METHOD"],
        "query": environ["QUERY_STRING"],
        "type": environ.get("CONTENT_TYPE", ""),
        "body": environ["wsgi.input"].read().decode("latin-1"),
        "headers": sorted(name for name in environ if name.startswith("HTTP_")),
        "key": environ.get("HTTP_X_API_KEY"),
    }
    return Answer(200, json.dumps(told).encode(), (("Content-Type", "application/json"), ("Set-Cookie", "a=b")))


@pytest.mark.parametrize("wire", WIRES)
def test_json_query_and_headers_arrive(wire: type[HttpxWire], serve: Serve, opened: Open[Any]) -> None:
    url = serve(seen)
    request = Request("PATCH", "/", "/", query={"q": "a b&c", "id": ["1", "2"]}, json={"words": "grüße", "none": None})

    told = exchange(opened(wire()), request, url).json

    assert (told["method"], told["query"], told["type"]) == ("PATCH", "q=a+b%26c&id=1&id=2", "application/json")
    assert json.loads(told["body"].encode("latin-1")) == {"words": "grüße", "none": None}
    assert told["key"] == "key"


@pytest.mark.parametrize("wire", WIRES)
def test_no_origin_no_cookie_and_no_body_where_there_is_none(
    wire: type[HttpxWire], serve: Serve, opened: Open[Any]
) -> None:
    url, its = serve(seen), opened(wire())
    exchange(its, GET, url)

    told = exchange(its, Request("POST", "/close", "/close"), url).json

    assert not {"HTTP_ORIGIN", "HTTP_COOKIE", "HTTP_REFERER"} & set(told["headers"])
    assert (told["body"], told["type"]) == ("", "")


@pytest.mark.parametrize("wire", WIRES)
def test_a_file_is_sent_as_multipart(wire: type[HttpxWire], serve: Serve, opened: Open[Any]) -> None:
    request = Request("POST", "/", "/", files={"file": File("a.txt", b"content", "text/plain")})

    told = exchange(opened(wire()), request, serve(seen)).json

    assert told["type"].startswith("multipart/form-data; boundary=")
    assert 'name="file"; filename="a.txt"' in told["body"]
    assert "content" in told["body"]


@pytest.mark.parametrize("wire", WIRES)
def test_a_connection_is_kept(wire: type[HttpxWire], serve: Serve, opened: Open[Any]) -> None:
    threads: set[threading.Thread] = set()

    def count(_: Environ) -> Answer:
        threads.add(threading.current_thread())
        return Answer(200, b"{}")

    url, its = serve(count), opened(wire())
    for _ in range(20):
        exchange(its, GET, url)

    assert len(threads) == 1


def test_an_idle_connection_is_given_up_before_the_server_says_goodbye(serve: Serve, opened: Open[Any]) -> None:
    threads: set[threading.Thread] = set()

    def count(_: Environ) -> Answer:
        threads.add(threading.current_thread())
        return Answer(200, b"{}")

    url, wire = serve(count), opened(HttpxWire(keepalive=0.0))
    for _ in range(3):
        exchange(wire, GET, url)

    assert len(threads) == 3


@pytest.mark.parametrize("wire", WIRES)
def test_redirects_and_proxies_are_not_followed(
    wire: type[HttpxWire], serve: Serve, monkeypatch: pytest.MonkeyPatch, opened: Open[Any]
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    url = serve(lambda _: Answer(302, b"", (("Location", "http://localhost:9/"),)))

    answer = exchange(opened(wire()), GET, url)

    assert (answer.status, answer.headers["location"]) == (302, "http://localhost:9/")


def test_a_refused_connection_is_certainly_not_sent(opened: Open[Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(NotSent, match="ConnectError"):
        exchange(opened(HttpxWire()), POST, f"http://127.0.0.1:{port}")


def test_a_name_that_does_not_resolve_is_certainly_not_sent(opened: Open[Any]) -> None:
    with pytest.raises(NotSent):
        exchange(opened(HttpxWire()), POST, "http://nobody.invalid", timeout=10.0)


def test_a_call_without_a_free_connection_is_certainly_not_sent(serve: Serve, opened: Open[Any]) -> None:
    """And a pool that has no connection three times in a row is replaced."""
    release = threading.Event()

    def hold(_: Environ) -> Answer:
        release.wait(5)
        return Answer(200, b"{}")

    url, wire = serve(hold), opened(HttpxWire(max_connections=1))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(exchange, wire, GET, url)
        while not wire._pool._pool.connections:
            time.sleep(0.001)
        old = wire._pool
        for _ in range(3):
            with pytest.raises(NotSent, match="PoolTimeout"):
                exchange(wire, POST, url, timeout=0.05)
        release.set()

        assert wire._pool is not old
        assert first.result().status == 200


def test_a_lost_answer_is_no_answer(serve: Serve, opened: Open[Any]) -> None:
    def lose(_: Environ) -> Answer:
        raise DropConnection

    with pytest.raises(NoAnswer):
        exchange(opened(HttpxWire()), POST, serve(lose))


def trickling(at_once: bytes, slowly: bytes) -> Callable[[socket.socket], None]:
    """A server that sends the rest byte by byte."""

    def talk(connection: socket.socket) -> None:
        with suppress(OSError):
            connection.sendall(at_once)
            for byte in slowly:
                connection.sendall(bytes([byte]))
                time.sleep(0.02)

    return talk


def assert_cannot_hold_a_call(wire: HttpxWire, url: str) -> None:
    started = time.monotonic()

    with pytest.raises(NoAnswer, match="ReadTimeout"):
        exchange(wire, GET, url, timeout=0.3)

    assert time.monotonic() - started < 1.0


def test_a_server_that_trickles_its_head_cannot_hold_a_call(serve_bytes: ServeBytes, opened: Open[Any]) -> None:
    """Each byte comes well within any time-out for one read."""

    trickle = trickling(b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + b"X: y\r\n" * 1000)

    assert_cannot_hold_a_call(opened(HttpxWire()), serve_bytes(trickle))


def test_a_server_that_trickles_its_body_cannot_hold_a_call(serve_bytes: ServeBytes, opened: Open[Any]) -> None:
    trickle = trickling(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x" * 1000)

    assert_cannot_hold_a_call(opened(HttpxWire()), serve_bytes(trickle))


def test_a_server_that_does_not_read_cannot_hold_a_call(serve_bytes: ServeBytes, opened: Open[Any]) -> None:
    done = threading.Event()
    wire, url = opened(HttpxWire()), serve_bytes(lambda _: done.wait(5) and None)
    large = Request("POST", "/", "/", json={"words": "x" * 20_000_000})
    started = time.monotonic()

    with pytest.raises(NoAnswer, match="WriteTimeout"):
        exchange(wire, large, url, timeout=1.0)

    assert time.monotonic() - started < 4.0
    done.set()


def test_an_answer_that_is_too_large_is_cut_off(serve: Serve, opened: Open[Any]) -> None:
    url = serve(lambda _: Answer(200, b"x" * 5000))

    with pytest.raises(NoAnswer, match="too large"):
        exchange(opened(HttpxWire(largest=4999)), GET, url)


def test_a_stall_of_the_server_does_not_wedge_the_wire(serve: Serve, opened: Open[Any]) -> None:
    """Finding: httpx 0.28.1 stays wedged for good where threads outnumber connections; here they never do."""
    stalled = threading.Event()

    def answer(_: Environ) -> Answer:
        if not stalled.is_set():
            stalled.wait(0.5)
            raise DropConnection
        return Answer(200, b"{}")

    url, wire = serve(answer), opened(HttpxWire())

    def attempt(_: int) -> bool:
        try:
            return exchange(wire, GET, url, timeout=0.2).status == 200
        except (NoAnswer, NotSent):
            return False

    with ThreadPoolExecutor(16) as pool:
        during = list(pool.map(attempt, range(32)))
        stalled.set()
        after = list(pool.map(attempt, range(32)))

    assert not any(during)
    assert all(after)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "169.254.169.254", "10.0.0.1"])
def test_an_address_that_somebody_else_wrote_leads_to_no_private_network(host: str, opened: Open[Any]) -> None:
    with pytest.raises(NotSent, match="PrivateAddress"):
        exchange(opened(HttpxWire(network=PublicNetwork())), GET, f"https://{host}:9")
