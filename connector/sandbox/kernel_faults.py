"""Faults of the API on request: what happens to the next calls instead of, before or after their effect."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

KINDS = ("status", "delay", "drop_before", "lost_answer", "error_after")
COUNTED = ("kind", "id", "hits", "fired")


@dataclass(slots=True)
class Fault:
    """One rule, tried in the order of adding.

    kind    `status`       answer `status`, `headers` and `body`; the request is not applied
            `delay`        wait `seconds`, then go on as usual
            `drop_before`  close the connection; the request is not applied
            `lost_answer`  apply the request, wait `seconds`, close the connection without a byte
            `error_after`  apply the request, then answer `status`, `headers` and `body`
    method  an HTTP method, or `*`
    path    a regular expression searched in the path as sent, without the query
    nth     fire only from the n-th matching call on (1 is the first)
    times   how often it fires; None is for ever
    """

    kind: str
    method: str = "*"
    path: str = ""
    nth: int = 1
    times: int | None = 1
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    seconds: float = 0.0
    id: int = 0
    hits: int = 0
    fired: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        re.compile(self.path)

    def fires(self, method: str, path: str) -> bool:
        """Count a call; true if it is one that this rule is for."""
        if self.method not in ("*", method) or not re.search(self.path, path):
            return False
        self.hits += 1
        if self.hits < self.nth or (self.times is not None and self.fired >= self.times):
            return False
        self.fired += 1
        return True


class Faults:
    """The ordered rules of one imitation; the first that fires is the only one for that call, and
    the rules after it do not count that call."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def add(self, kind: str, **rule: Any) -> Fault:
        """Add a rule; its fields are those of `Fault`. Raises ValueError on a wrong one."""
        unknown = set(rule) - {one.name for one in fields(Fault) if one.name not in COUNTED}
        if unknown:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
        fault = Fault(kind, **rule)
        with self._lock:
            fault.id = next(self._ids)
            self._rules.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all rules."""
        with self._lock:
            self._rules.clear()

    def match(self, method: str, path: str) -> Fault | None:
        """The fault for this call, if any; counts the call."""
        with self._lock:
            return next((rule for rule in self._rules if rule.fires(method, path)), None)

    def view(self) -> list[Mapping[str, Any]]:
        """All rules with their counts, as JSON."""
        with self._lock:
            return [asdict(rule) for rule in self._rules]
