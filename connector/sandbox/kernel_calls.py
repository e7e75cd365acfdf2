"""The record of calls that an imitation has received."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .kernel_clock import iso

KEPT = 5000


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `status` is None where the connection was dropped.

    Header names are in lower case; a body over 256 KB is left out.
    """

    at: datetime
    method: str
    path: str
    template: str
    status: int | None
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def view(self) -> dict[str, Any]:
        """The call as JSON, without headers and body."""
        return {
            "at": iso(self.at),
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "template": self.template,
            "status": self.status,
        }


class Calls:
    """Counts every call by method, route template and status; keeps the newest in full."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, int | None]] = Counter()
        self._kept: deque[Call] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def record(self, call: Call) -> None:
        """Count and keep a call."""
        with self._lock:
            self._counts[call.method, call.template, call.status] += 1
            self._kept.append(call)

    @property
    def total(self) -> int:
        """The number of calls since the last reset."""
        return self.count()

    def count(self, method: str | None = None, template: str | None = None, status: int | None = None) -> int:
        """The number of calls with this method, route template and status; None is any."""
        with self._lock:
            return sum(
                number
                for (its_method, its_template, its_status), number in self._counts.items()
                if method in (None, its_method) and template in (None, its_template) and status in (None, its_status)
            )

    def kept(self) -> list[Call]:
        """The newest calls in full, oldest first."""
        with self._lock:
            return list(self._kept)

    def reset(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._counts.clear()
            self._kept.clear()

    def view(self, newest: int = 100) -> dict[str, Any]:
        """Total, counts and the newest calls, as JSON."""
        with self._lock:
            counts = [
                {"method": method, "template": template, "status": status, "count": number}
                for (method, template, status), number in self._counts.items()
            ]
            return {
                "total": sum(self._counts.values()),
                "counts": counts,
                "newest": [call.view() for call in list(self._kept)[-newest:]],
            }
