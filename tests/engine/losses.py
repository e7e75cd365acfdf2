"""The four ways in which the answer to a write is lost, as faults of the imitations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LOST: Mapping[str, Mapping[str, Any]] = {
    "applied, silent": {"kind": "lost_answer"},
    "not applied, silent": {"kind": "drop_before"},
    "applied, answered": {"kind": "error_after", "status": 502},
    "not applied, answered": {"kind": "status", "status": 502},
}
SENT: Mapping[str, list[int]] = {
    "applied, silent": [0],
    "not applied, silent": [0, 40],
    "applied, answered": [0],
    "not applied, answered": [0, 5],
}
"""When it is sent, in seconds: again only after it was looked for twice in vain."""

LOOKED_FOR: Mapping[str, list[int]] = {
    "applied, silent": [10],
    "not applied, silent": [10, 40],
    "applied, answered": [0],
    "not applied, answered": [0, 5],
}
"""When it is looked for: never before the call's own time is over, unless the vendor had answered."""
