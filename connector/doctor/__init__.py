"""Is everything as it must be? Each line looks for itself and says what to do; none of them changes anything.

`examine` is for whoever asks; what it looks at is in `configuration` (without a call), `parts` (database, queue,
vendors, mappings) and `flow` (what waits, and for what).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connector.config import Settings
from connector.doctor import configuration, flow, listeners, parts
from connector.doctor.finding import CONFIGURATION, NOTE, PROBLEM, Finding
from connector.wiring import build

__all__ = ["Finding", "examine", "exit_code"]


def examine(settings: Settings) -> Iterator[Finding]:
    """Every finding, as it is made. Without a usable database nothing that needs one is looked at."""
    yield from configuration.examine(settings)
    yield parts.public_address(settings)
    yield from parts.queue(settings)
    usable = True
    for finding in parts.database(settings):
        usable = usable and finding.state != PROBLEM
        yield finding
    if not usable:
        yield Finding("database", "everything else", NOTE, "not looked at: mend the database first, then ask again")
        return
    runtime = build(settings)
    try:
        yield parts.webhook_secret(runtime)
        yield from parts.vendors(runtime)
        yield from parts.mappings(runtime)
        yield from flow.examine(runtime)
        yield from listeners.examine(runtime)
    finally:
        runtime.close()


def exit_code(findings: Iterable[Finding]) -> int:
    """0: all well. 2: the configuration is wrong. 1: something else is."""
    wrong = [finding for finding in findings if finding.state == PROBLEM]
    if any(finding.where == CONFIGURATION for finding in wrong):
        return 2
    return 1 if wrong else 0
