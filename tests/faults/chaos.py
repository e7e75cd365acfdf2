"""One seeded run: what people do, what breaks meanwhile, and what is left when all is quiet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from connector.engine.points import Point

from .matrix import cells
from .people import People, rest, trouble
from .site import Site
from .verdict import Verdict, judge

TICKETS = (45, 15)
TROUBLES = 0.15
RENEWAL = 50
"""After so many events our access runs out."""
PATIENCE = 3.0
"""So long somebody may take to die where something leads to it. A holder's lease must run out first."""


@dataclass(slots=True)
class Run:
    """A run's figures. `deaths` counts what was killed as a whole; the matrix tells of the named points."""

    seed: int
    events: int
    deaths: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    quiet_after: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)

    def __str__(self) -> str:
        died = ", ".join(f"{what} {times}" for what, times in self.deaths.items())
        times = f"{self.seconds:.0f} s of trouble, quiet after {self.quiet_after:.0f} s"
        return f"seed {self.seed}: {self.events} events, {times}; killed: {died}\n{self.verdict}"


def play(
    site: Site,
    seed: int,
    *,
    events: int = 500,
    tickets: tuple[int, int] = TICKETS,
    pace: float = 0.02,
    rounds: int = 1,
) -> Run:
    """Let people do `events` things on the tickets while everything that can die dies, then wait for quiet."""
    people = People(site, seed)
    people.open_tickets(*tickets)
    run = Run(seed, events)
    began = time.monotonic()
    blows = _blows(site)
    plan = _plan(people, events, list(blows), times=max(1, events // 250))
    for number in range(events):
        if number % (events // rounds) == 0:
            site.traps.set(*cells(site.desk.name))
        if number in plan:
            blow = plan[number]
            blows[blow]()
            run.deaths[blow] = run.deaths.get(blow, 0) + 1
        if number % RENEWAL == 0:
            site.desk.expire()
        if people.random.random() < TROUBLES:
            trouble(site, people.random)
        people.act()
        rest(people.random, pace)
    _spring_the_rest(site, people)
    calm(site)
    run.seconds = time.monotonic() - began
    run.verdict, run.quiet_after = wait_for_quiet(people)
    return run


def calm(site: Site) -> None:
    """Nothing goes wrong any more, and the vendors repeat what they could not deliver."""
    site.traps.clear()
    for side in site.sides:
        side.faults.clear()
        side.deliveries.release()
        side.deliveries.redeliver()


def wait_for_quiet(people: People, within: float = 180.0) -> tuple[Verdict, float]:
    """The verdict once it is good, or the last one; and how long that took."""
    began = time.monotonic()
    while not (verdict := judge(people)).is_good and time.monotonic() < began + within:
        time.sleep(0.5)
    return verdict, time.monotonic() - began


def _blows(site: Site) -> dict[str, Callable[[], object]]:
    return {
        "web": lambda: site.restart("web"),
        "worker": lambda: site.restart("worker"),
        "beat": lambda: site.restart("beat"),
        "broker": site.restart_broker,
        "database lines": site.cut_database_lines,
    }


def _plan(people: People, events: int, blows: list[str], *, times: int) -> dict[int, str]:
    """Each blow so many times, at moments that the seed chooses."""
    moments = people.random.sample(range(events // 20, events), times * len(blows))
    return dict(zip(moments, blows * times, strict=True))


def _spring_the_rest(site: Site, people: People, within: float = 300.0) -> None:
    """Do what leads to each place where nobody has died yet, wait for it, and do it again; but not for ever."""
    deadline = time.monotonic() + within
    while (waiting := site.traps.waiting()) and time.monotonic() < deadline:
        for kind in {cell.partition(".")[2] for cell in waiting}:
            people.bring_about(kind)
        if any(cell.startswith(Point.RENEWED) for cell in waiting):
            site.desk.expire()
        end = time.monotonic() + PATIENCE
        while set(waiting) <= set(site.traps.waiting()) and time.monotonic() < end:
            time.sleep(0.1)
