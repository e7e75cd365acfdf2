"""What beat says, and how often. A doubled beat is harmless: every tick takes a lease or asks an indexed question."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connector.engine.housekeeping import EVERY

SCHEDULE: dict[str, dict[str, Any]] = {
    "sweep": {"task": "sweep", "schedule": 5.0, "options": {"expires": 5}},
    "poll-nextcap": {"task": "poll_nextcap", "schedule": 5.0, "options": {"expires": 5}},
    "reconcile": {"task": "reconcile", "schedule": 5.0, "options": {"expires": 5}},
    "heartbeat": {"task": "heartbeat", "schedule": 5.0, "options": {"expires": 5}},
    "import-mappings": {"task": "import_mappings", "schedule": 10.0, "options": {"expires": 10}},
    "purge": {"task": "purge", "schedule": EVERY, "options": {"expires": 300}},
}


def schedule(endpoints: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The same with a look at what waits for each listener to outgoing events."""
    looks = {"task": "send_events", "schedule": 2.0, "options": {"expires": 2}}
    return SCHEDULE | {f"events-{name}": {**looks, "args": (name,)} for name in endpoints}
