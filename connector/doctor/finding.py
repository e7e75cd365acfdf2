"""What a look at one thing came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "problem"]
OK: State = "ok"
NOTE: State = "note"
PROBLEM: State = "problem"

CONFIGURATION = "configuration"
"""The place of findings that only the configuration can mend."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: where, what, how it stands, and what to do. A note is worth knowing and not wrong."""

    where: str
    what: str
    state: State
    detail: str = ""
    advice: str = ""


def judged(where: str, what: str, detail: str, advice: str) -> Finding:
    """Well where there is nothing to advise."""
    return Finding(where, what, PROBLEM if advice else OK, detail, advice)
