"""What was sent, received and called: counted by the imitations and by the connector, each on its own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from connector.demo.world import World
from connector.sandbox.kernel import Imitation
from connector.store import tables

SYSTEMS = ("nextcap", "hubspot")
SILENT = "silent"
VENDOR_CALLS = "vendor_calls"
AGREE_WITHIN = 5.0

Calls = Mapping[tuple[str, str], int]
"""Calls by method and class of status (`2xx`); `silent` where no answer came."""


@dataclass(frozen=True, slots=True)
class Count:
    """What passed between one system and the connector, as one of the two counted it.

    webhooks  those that the connector accepted, repeats included
    repeats   how many of them it had accepted before
    calls     what the connector called there
    """

    webhooks: int = 0
    repeats: int = 0
    calls: Calls = field(default_factory=dict)

    @property
    def answered(self) -> int:
        """Calls that got an answer, whatever it said."""
        return sum(number for (_, status), number in self.calls.items() if status != SILENT)

    @property
    def failed(self) -> int:
        """Calls that found nobody or trouble, and that were therefore made again."""
        return sum(number for (_, status), number in self.calls.items() if status in (SILENT, "5xx"))


@dataclass(frozen=True, slots=True)
class Taken:
    """What the events were that arrived: how many, and those that changed nothing, by why."""

    events: int = 0
    echoes: int = 0
    late: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """Both countings by system: `seen` by the imitations, `kept` by the connector in its store."""

    seen: Mapping[str, Count]
    kept: Mapping[str, Count]
    taken: Taken


def miscounts(figures: Figures) -> list[str]:
    """Where imitations and connector disagree on what passed between them. Pure.

    A call that the connector got no answer to may or may not have reached the imitation; every other was seen by both.
    """
    found = []
    for name in SYSTEMS:
        seen, kept = figures.seen[name], figures.kept[name]
        if (seen.webhooks, seen.repeats) != (kept.webhooks, kept.repeats):
            found.append(
                f"{name} had {seen.webhooks} webhooks accepted, {seen.repeats} of them repeats; "
                f"the connector took in {kept.webhooks}, {kept.repeats} of them repeats"
            )
        for call in sorted(seen.calls.keys() | kept.calls.keys()):
            method, status = call
            if status == SILENT:
                continue
            surplus = seen.calls.get(call, 0) - kept.calls.get(call, 0)
            if not 0 <= surplus <= kept.calls.get((method, SILENT), 0):
                found.append(
                    f"{name} answered {seen.calls.get(call, 0)} {method} calls with {status}; "
                    f"the connector counted {kept.calls.get(call, 0)}"
                )
    return found


def settled(world: World) -> Figures:
    """The figures once both countings agree; as they are where they do not within a few seconds.

    Calls and webhooks that are under way just now are counted by one side first. A true miscount never heals.
    """
    deadline = time.monotonic() + AGREE_WITHIN
    while True:
        figures = read(world)
        if not miscounts(figures) or time.monotonic() > deadline:
            return figures
        time.sleep(0.05)


def read(world: World) -> Figures:
    """Both countings as they are now."""
    world.runtime.flush_counters()
    kept = {name: _kept(world, name) for name in SYSTEMS}
    seen = {name: _seen(world.sandbox.imitations[name]) for name in SYSTEMS}
    return Figures(seen, kept, taken(world))


def taken(world: World) -> Taken:
    """What the connector noted of the events that came in."""
    events = tables.events
    query = sa.select(events.c.outcome, sa.func.count().label("number")).group_by(events.c.outcome)
    with world.runtime.db.read() as connection:
        outcomes = {str(row.outcome): int(row.number) for row in connection.execute(query)}

    def beginning(word: str) -> int:
        return sum(number for outcome, number in outcomes.items() if outcome.startswith(word))

    return Taken(sum(outcomes.values()), beginning("echo:"), beginning("stale:"))


def repeats(world: World) -> int:
    """How many webhooks the connector has been sent more than once so far."""
    return sum(_kept(world, name).repeats for name in SYSTEMS)


def _kept(world: World, name: str) -> Count:
    deliveries, counters = tables.deliveries, tables.counters
    sums = sa.select(sa.func.coalesce(sa.func.sum(deliveries.c.seen), 0), sa.func.count())
    called = sa.select(counters.c.label, counters.c.value).where(
        counters.c.name == VENDOR_CALLS, counters.c.label.startswith(f"{name}:", autoescape=True)
    )
    calls: Counter[tuple[str, str]] = Counter()
    with world.runtime.db.read() as connection:
        total, distinct = connection.execute(sums.where(deliveries.c.connection == name)).one()
        for label, value in connection.execute(called):
            method, status = label.removeprefix(f"{name}:").partition(" ")[0], label.rpartition(":")[2]
            calls[method, status] += value
    return Count(total, total - distinct, calls)


def _seen(imitation: Imitation) -> Count:
    accepted = [
        sum(attempt.status is not None and attempt.status < 300 for attempt in delivery.attempts)
        for delivery in imitation.deliveries.all()
    ]
    calls: Counter[tuple[str, str]] = Counter()
    for count in imitation.calls.view()["counts"]:
        status = SILENT if count["status"] is None else f"{count['status'] // 100}xx"
        calls[count["method"], status] += count["count"]
    return Count(sum(accepted), sum(number - 1 for number in accepted if number), calls)
