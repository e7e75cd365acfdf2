"""One seeded run: what people do, what breaks meanwhile, and what is left when all is quiet."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from connector.sandbox.kernel import Refusal
from tests.flows.actions import People, rest, trouble

from .matrix import CELLS
from .site import Site
from .verdict import Verdict, judge

TICKETS = (45, 15)
TROUBLES = 0.15


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


def play(site: Site, seed: int, *, events: int = 500, pace: float = 0.02, rounds: int = 1) -> Run:
    """Let people do `events` things on 60 tickets while everything that can die dies, then wait for quiet."""
    people = People(site, seed)
    people.open_tickets(*TICKETS)
    run = Run(seed, events)
    began = time.monotonic()
    blows = _blows(site)
    plan = _plan(people, events, list(blows))
    for number in range(events):
        if number % (events // rounds) == 0:
            site.traps.set(*CELLS)
        if number in plan:
            blow = plan[number]
            blows[blow]()
            run.deaths[blow] = run.deaths.get(blow, 0) + 1
        if people.random.random() < TROUBLES:
            trouble(site, people.random)
        with suppress(Refusal):
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
    for side in (site.nextcap, site.hubspot):
        side.faults.clear()
        side.deliveries.release()
        side.deliveries.redeliver()


def wait_for_quiet(people: People, within: float = 90.0) -> tuple[Verdict, float]:
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


def _plan(people: People, events: int, blows: list[str]) -> dict[int, str]:
    """Each blow twice, at moments that the seed chooses."""
    moments = people.random.sample(range(events // 20, events), 2 * len(blows))
    return dict(zip(moments, blows * 2, strict=True))


def _spring_the_rest(site: Site, people: People, within: float = 300.0) -> None:
    """Go on until somebody has died in every place, but not for ever."""
    deadline = time.monotonic() + within
    while site.traps.waiting() and time.monotonic() < deadline:
        with suppress(Refusal):
            people.act()
            if any("walk" in cell for cell in site.traps.waiting()):
                _ask_for_a_walk(site, people.random.choice(people.tickets))
        time.sleep(0.3)


def _ask_for_a_walk(site: Site, ticket: str) -> None:
    """Close a ticket in Next Cap; or take up one in HubSpot that is closed on both sides: the way leads over a hop."""
    (record,) = site.hubspot.tickets_of(ticket) or (None,)
    if record is None or site.nextcap.ticket(ticket)["status"] != "closed":
        site.nextcap.move(ticket, "closed")
    elif record["stage"] == "Closed":
        site.hubspot.move_stage(record["id"], "Waiting on contact")
