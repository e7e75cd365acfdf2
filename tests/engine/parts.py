"""What a process is made of in the engine's tests: a clock that stands still, a life that may end, a tapped wire."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import sqlalchemy as sa

from connector.adapters.hubspot.wire import HubSpotWire
from connector.adapters.transport import Request, Response, Wire
from connector.adapters.wires import HttpxWire
from connector.engine.context import NEXTCAP
from connector.sandbox.kernel import Imitation
from connector.store.database import Database


class Killed(BaseException):
    """The process ends here: no handler runs, nothing more is written or sent."""


class Clock:
    """Stands still until it is moved; the imitations' clocks are moved along."""

    def __init__(self, imitations: Iterable[Imitation]) -> None:
        self._imitations = list(imitations)
        self._now = datetime.now(UTC)
        self.began = self._now
        self.pauses: list[float] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self.began).total_seconds()

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        for imitation in self._imitations:
            imitation.clock.advance(seconds)

    def pause(self, seconds: float) -> None:
        """What the connector does instead of sleeping."""
        self.pauses.append(seconds)
        self.advance(max(0.0, seconds))


class Life:
    """Whether a process lives, and how many steps it has left (None: it lives on).

    A step is a call about to be sent, an answer about to be read, a transaction about to be committed, or one that
    was committed just now. After its last step the process is dead: it neither writes nor sends.
    """

    def __init__(self) -> None:
        self.steps: int | None = None
        self.taken = 0
        self.is_over = False

    def begin(self, steps: int | None) -> None:
        """Count from here."""
        self.steps, self.taken = steps, 0

    def step(self) -> None:
        if self.is_over or (self.steps is not None and self.taken >= self.steps):
            self.end()
        self.taken += 1

    def end(self) -> None:
        self.is_over = True
        raise Killed


@cache
def shared(url: str) -> Database:
    """The database at an address, opened once: all worlds on it use one pool and the statements it has compiled."""
    return Database(url)


class MortalDatabase(Database):
    """A process's door to a shared database; the process may die before or after any commit."""

    def __init__(self, db: Database, life: Life) -> None:
        self.url, self.is_sqlite, self.engine = db.url, db.is_sqlite, db.engine
        self._life = life

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        if self._life.is_over:
            raise Killed
        with super().write() as connection:
            yield connection
            self._life.step()
        self._life.step()

    def close(self) -> None:
        """Let go of the file, which is about to be replaced; a server's lines serve the next world too."""
        if self.is_sqlite:
            super().close()


Act = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Wires:
    """Real wires, shared by all processes."""

    nextcap: HttpxWire
    hubspot: HubSpotWire

    def of(self, name: str) -> HttpxWire:
        """The wire of a system."""
        return self.nextcap if name == NEXTCAP else self.hubspot

    def close(self) -> None:
        self.nextcap.close()
        self.hubspot.close()


@dataclass(slots=True)
class _Trigger:
    method: str
    route: str
    act: Act
    after: bool

    def fits(self, request: Request, *, after: bool) -> bool:
        return self.after is after and self.method == request.method and request.route.endswith(self.route)


class Tap:
    """A wire with a test between: what it does before a call is sent, or before its answer is read."""

    def __init__(self, wire: Wire, life: Life, clock: Clock) -> None:
        self._wire = wire
        self._life = life
        self._clock = clock
        self._triggers: list[_Trigger] = []
        self.calls: list[tuple[datetime, str, str]] = []
        """When, method, route."""

    def before(self, call: str, act: Act) -> None:
        """Once, just before such a call is sent. `call` is a method and the end of a route: `PATCH /tickets/:id`."""
        self._add(call, act, after=False)

    def after(self, call: str, act: Act) -> None:
        """Once, when such a call was carried out, and before its answer is read."""
        self._add(call, act, after=True)

    def _add(self, call: str, act: Act, *, after: bool) -> None:
        method, _, route = call.partition(" ")
        self._triggers.append(_Trigger(method, route, act, after))

    def send(self, request: Request, *, url: str, headers: Mapping[str, str], timeout: float) -> Response:
        self._life.step()
        self._pull(request, after=False)
        self.calls.append((self._clock.now(), request.method, request.route))
        answer = self._wire.send(request, url=url, headers=headers, timeout=timeout)
        self._life.step()
        self._pull(request, after=True)
        return answer

    def _pull(self, request: Request, *, after: bool) -> None:
        found = next((one for one in self._triggers if one.fits(request, after=after)), None)
        if found is not None:
            self._triggers.remove(found)
            found.act()
