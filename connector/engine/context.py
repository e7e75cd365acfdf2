"""What every part of the engine is given: the store, the adapters, the active mappings, the clock, the bell."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import sqlalchemy as sa

from connector.adapters.base import Adapter
from connector.domain.rules import TicketMapping
from connector.events.announcer import Announcer
from connector.store.database import Database

NEXTCAP = "nextcap"

Bell = Callable[[Sequence[str]], None]
"""Called after a commit with the connections that have work. Losing it costs a sweep, never an event."""


class ActiveMappings(Protocol):
    """The mapping that every plan of a connection reads."""

    def active(self, connection: sa.Connection, name: str) -> TicketMapping:
        """Raises ConfigError where there is none that passes."""

    def those_active(self, connection: sa.Connection, names: Sequence[str]) -> Mapping[str, TicketMapping]:
        """Those of several connections, by name; one that has none that passes is left out."""

    def lately(self, connection: sa.Connection) -> Mapping[str, TicketMapping]:
        """Those of all connections, as they were at most a second ago."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The few times that the engine works by, in seconds."""

    call: float = 10.0
    """The longest that a call takes; nobody looks for its outcome before."""
    lease: float = 20.0
    """How long a ticket or a connection is held, unless that is renewed."""
    renew: float = 5.0
    """How often it is renewed."""
    drain: float = 20.0
    """How long one drain begins new passes."""
    fresh: float = 2.0
    """How long a reading is good enough to write by."""
    plan: float = 5.0
    """A plan that is older is made again before it is written."""
    linger: float = 1.0
    """A drain waits for work that falls due within this time."""
    absent_answered: float = 5.0
    """How long after a first look a lost write is looked for again, where the vendor had answered."""
    absent_silent: float = 30.0
    """The same where it had not."""
    first_repeat: float = 0.5
    """The wait before the first repeat; it doubles up to `longest_repeat`."""
    longest_repeat: float = 600.0
    give_up: timedelta = timedelta(days=3)
    """A ticket that fails for this long waits for a person."""
    unplaced: tuple[float, ...] = (5.0, 30.0, 120.0)
    """When a record that no link knows is looked at again."""
    deaths: int = 10
    """A ticket on which this many processes in a row have died waits for a person."""

    def second_look(self, *, answered: bool, over: datetime, now: datetime) -> datetime:
        """When to look again for a write that is not there. `over` is when its call's time was.

        A vendor that was silent may be slow: it has its time from the call on. Between two looks there is never less
        than a call's length, whatever became of the clock.
        """
        if answered:
            return now + timedelta(seconds=self.absent_answered)
        return max(now + timedelta(seconds=self.call), over + timedelta(seconds=self.absent_silent))


def utc_now() -> datetime:
    """The clock of the shell; everything below takes `now` as an argument or from `Engine.now`."""
    return datetime.now(UTC)


def no_bell(names: Sequence[str]) -> None:
    """The bell of a process without workers to wake: the sweep finds the work."""
    _ = names


class Health:
    """Counts the calls that each system answered well, so that the end of an outage is noticed by who sees it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answered: dict[str, int] = {}

    def note(self, system: str, status: int) -> None:
        """A system answered with this HTTP status (0: not at all)."""
        if 0 < status < 500 and status not in (401, 408, 423, 429):
            with self._lock:
                self._answered[system] = self._answered.get(system, 0) + 1

    def answered(self, system: str) -> int:
        """How many good answers there were so far."""
        return self._answered.get(system, 0)


@dataclass(frozen=True, slots=True)
class Engine:
    """The joined parts. `crms` are the configured connections by name; `labels` what people call them."""

    db: Database
    nextcap: Adapter
    crms: Mapping[str, Adapter]
    mappings: ActiveMappings
    labels: Mapping[str, str] = field(default_factory=dict)
    neighbours: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By connection, the others that may belong to the same account: two links of a ticket must not share a record."""
    bell: Bell = no_bell
    now: Callable[[], datetime] = utc_now
    timing: Timing = field(default_factory=Timing)
    mass_changes: int = 200
    """More mass changes than this within a minute trip the fuse of their direction."""
    health: Health = field(default_factory=Health)
    announcer: Announcer = field(default_factory=Announcer)
    """Tells whoever listens to outgoing events."""
    pause: Callable[[float], object] = time.sleep
    """Waits this many seconds, or until the process is asked to stop."""

    @property
    def names(self) -> list[str]:
        """The configured connections."""
        return sorted(self.crms)

    def system(self, source: str) -> Adapter:
        """The adapter of Next Cap or of a configured connection. Raises KeyError on any other name."""
        return self.nextcap if source == NEXTCAP else self.crms[source]

    def label(self, name: str) -> str:
        """What people call this system."""
        return "Next Cap" if name == NEXTCAP else self.labels.get(name, name)
