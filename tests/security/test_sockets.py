"""Broken HTTP on a real socket, through the server that `connector run` uses."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from connector.cli.run import THREADS, limits
from connector.store import tables
from tests.serving import Served

from .door import Door, from_nextcap
from .hostile import NEXTCAP_BODY, encoded

BODY = encoded(NEXTCAP_BODY)
SIGNED = from_nextcap(BODY).headers or {}
HEAD = b"POST /webhooks/nextcap HTTP/1.1\r\nHost: x\r\nX-NextCap-Signature: " + SIGNED["X-NextCap-Signature"].encode()


@pytest.fixture
def port(door: Door) -> Iterator[int]:
    served = Served(door.app, threads=THREADS, **limits(door.runtime.settings))
    yield served.port
    served.stop()


def said(port: int, *parts: bytes, ends: bool = True) -> bytes:
    """Send these bytes; what the server answers before it or we close, its first line only."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as line:
        for part in parts:
            try:
                line.sendall(part)
            except OSError:
                break
        try:
            if ends:
                line.shutdown(socket.SHUT_WR)
            return line.recv(4096).partition(b"\r\n")[0]
        except OSError:
            return b""


def chunked(body: bytes, size: int) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def length(size: int) -> bytes:
    return b"\r\nContent-Length: %d" % size


END = b"\r\n\r\n"
SPLIT = b"\r\nTransfer-Encoding: chunked"


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\xff\x16\x03\x01",
        b"GET",
        b"POST /webhooks/nextcap\r\n\r\n",
        HEAD + length(len(BODY)) + END + BODY[:-5],
        HEAD + SPLIT + END + b"5\r\nabcde",
        HEAD + SPLIT + END + b"zz\r\n" + BODY,
        HEAD + length(3) + length(len(BODY)) + END + BODY,
        HEAD + length(-1) + END + BODY,
        HEAD + b"\r\nContent-Length: 1e3" + END + BODY,
        HEAD + b"\r\nX-Long: " + b"a" * 100_000 + END,
        HEAD + b"\r\n folded: x" + END,
        HEAD.replace(b"X-NextCap-Signature", b"X_NextCap_Signature") + length(len(BODY)) + END + BODY,
        HEAD + b"0" + length(len(BODY)) + END + BODY,
        HEAD + b"\r\nX-NextCap-Signature: aa" + length(len(BODY)) + END + BODY.replace(b"7", b"8"),
        HEAD + length(2_000_000) + END + b" " * 2_000_000,
        HEAD + SPLIT + END + chunked(b" " * 2_000_000, 65_536),
    ],
)
def test_broken_requests_are_refused_and_nothing_is_kept(door: Door, port: int, sent: bytes) -> None:
    answer = said(port, sent)

    assert not answer or answer.split()[1] in (b"400", b"401", b"404", b"413", b"431", b"501"), answer
    assert door.rows(tables.deliveries) == []


def test_a_chunked_body_is_read_whole(door: Door, port: int) -> None:
    assert said(port, HEAD + SPLIT + END + chunked(BODY, 7)).split()[1] == b"202"

    assert [row["body"] for row in door.rows(tables.deliveries)] == [BODY]


def test_slow_senders_hold_up_nobody(door: Door, port: int) -> None:
    """Many more than there are threads begin a request and do not go on."""
    lines = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(3 * THREADS)]
    for line in lines:
        line.sendall(HEAD + length(len(BODY)) + END + BODY[:10])
    started = time.monotonic()

    assert said(port, HEAD + length(len(BODY)) + END + BODY).split()[1] == b"202"

    assert time.monotonic() - started < 5
    for line in lines:
        line.close()
