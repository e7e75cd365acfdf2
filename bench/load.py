"""Posts prepared requests over kept connections, as fast as they are answered or at a steady rate.

Run as a process of its own: `python -m bench.load PORT FILE CONNECTIONS RATE`. FILE holds one request a record, as
`record` wrote them; RATE is requests a second, 0 for no limit. Prints one line of JSON.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

END = b"\r\n\r\n"


def record(file: Path, requests: Iterable[tuple[str, Mapping[str, str], bytes]]) -> int:
    """Write requests (path, headers, body), ready to be sent; how many."""
    count = 0
    with file.open("wb") as out:
        for path, headers, body in requests:
            lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            whole = "\r\n".join(lines).encode() + END + body
            out.write(len(whole).to_bytes(4, "big") + whole)
            count += 1
    return count


def _read(file: Path) -> list[bytes]:
    raw, place, found = file.read_bytes(), 0, []
    while place < len(raw):
        size = int.from_bytes(raw[place : place + 4], "big")
        found.append(raw[place + 4 : place + 4 + size])
        place += 4 + size
    return found


class _Poster:
    """Connections that share one list of requests."""

    def __init__(self, port: int, requests: list[bytes], rate: float) -> None:
        self.port = port
        self.requests = requests
        self.rate = rate
        self.latencies: list[float] = []
        self.refused = 0
        self._next = 0
        self._lock = threading.Lock()
        self.started = time.perf_counter()

    def post(self) -> None:
        """Post until none is left; a connection that the server closes is opened anew."""
        line: socket.socket | None = None
        while (place := self._take()) is not None:
            due = self.started + place / self.rate if self.rate else 0.0
            if (wait := due - time.perf_counter()) > 0:
                time.sleep(wait)
            began = max(due, self.started) if self.rate else time.perf_counter()
            while True:
                line = line or socket.create_connection(("127.0.0.1", self.port), timeout=30)
                try:
                    line.sendall(self.requests[place])
                    answer = line.recv(65536)
                    while answer and END not in answer:
                        answer += line.recv(65536)
                except OSError:
                    answer = b""
                if answer:
                    break
                line.close()
                line = None
            self._note(time.perf_counter() - began, answer)
            if b"connection: close" in answer.lower():
                line.close()
                line = None

    def _take(self) -> int | None:
        with self._lock:
            self._next += 1
            return self._next - 1 if self._next <= len(self.requests) else None

    def _note(self, seconds: float, answer: bytes) -> None:
        with self._lock:
            self.latencies.append(seconds)
            self.refused += not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.0 2"))


def main(port: int, file: Path, connections: int, rate: float) -> dict[str, float]:
    """Post everything; figures in seconds and requests a second."""
    poster = _Poster(port, _read(file), rate)
    threads = [threading.Thread(target=poster.post) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - poster.started
    ranked = sorted(poster.latencies)
    return {
        "count": len(ranked),
        "refused": poster.refused,
        "seconds": took,
        "per_second": len(ranked) / took,
        "p50": ranked[len(ranked) // 2],
        "p99": ranked[int(len(ranked) * 0.99)],
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))))
