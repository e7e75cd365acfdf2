"""The figures: each a function that measures one thing, on the shape of production."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from bench import load
from bench.contenders import Contender, bare, naive, ours, rest
from bench.seed import fill
from bench.servers import BIN, ROOT, Processes, broker, free_port, is_up, postgres, postgres_cpu, resident, wait_for
from bench.stage import Stage, post
from bench.zendesk import ZendeskStage

REAL_LIMIT = 190
"""HubSpot's calls in ten seconds on its larger plans."""
LONGEST = 360.0
"""Seconds after which the memory is measured, however many changes were made."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table. `passes` says whether the goal is met, where there is one; `ratio` is measured / goal."""

    name: str
    value: str
    goal: str = ""
    passes: bool | None = None
    ratio: float | None = None


@dataclass(slots=True)
class Bench:
    """What the figures are measured on. `scale` makes everything smaller or larger."""

    folder: Path
    database: Callable[[str], str]
    queue: str
    scale: float = 1.0
    figures: list[Figure] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)

    def add(
        self,
        name: str,
        told: str,
        goal: str = "",
        *,
        measured: float | None = None,
        least: float | None = None,
        most: float | None = None,
    ) -> None:
        """One more row, told at once. A goal is what was measured at `least` or at `most`."""
        limit = least if most is None else most
        passes = ratio = None
        if measured is not None and limit:
            passes, ratio = measured >= limit if most is None else measured <= limit, measured / limit
        self.figures.append(Figure(name, told, goal, passes, ratio))
        mark = {True: "reached", False: "NOT reached", None: ""}[passes]
        print(f"  {name}: {told}  {f'({goal}: {mark})' if goal else ''}", flush=True)

    def fail(self, name: str, why: str) -> None:
        """A figure that could not be measured."""
        self.figures.append(Figure(name, f"not measured: {why}", passes=False))
        print(f"  {name}: not measured: {why}", flush=True)

    def count(self, number: int) -> int:
        """So many, at this scale."""
        return max(20, int(number * self.scale))


def intake(bench: Bench) -> None:
    """Webhooks in, committed, answered: beside a bare route that commits one row."""
    stage = Stage(bench.count(1000))
    folder = bench.folder / "intake"
    with ExitStack() as left:
        left.callback(stage.close)
        one = left.enter_context(ours(stage, folder, database=bench.database("intake"), queue=bench.queue))
        file, half = bench.folder / "intake.posts", bench.folder / "half.posts"
        count = stage.record_changes(bench.count(6000), file)
        stage.record_changes(bench.count(3000), half)
        route = left.enter_context(bare(folder, database=bench.database("bare")))
        post(route.port, half)
        one.processes.stop("worker", "beat")
        before = [each.processes.cpu("web") for each in (route, one)]
        theirs, mine = post(route.port, file), post(one.port, file)
        used = [each.processes.cpu("web") - start for each, start in zip((route, one), before, strict=True)]
        paced = post(one.port, half, rate=mine["per_second"] / 2)
    share = mine["per_second"] / theirs["per_second"]
    bench.raw["intake"] = {"bare": theirs, "ours": mine, "half": paced, "cpu": used, "count": count}
    told = f"{mine['per_second']:.0f}/s, {share:.0%} of a bare route's {theirs['per_second']:.0f}/s"
    bench.add("webhooks taken in", told, "≥ 60 %", measured=share, least=0.6)
    each = [1000 * seconds / count for seconds in used]
    bench.add("processor time of a webhook", f"{each[1]:.2f} ms; a bare route {each[0]:.2f} ms")
    bench.add("at half that rate, p99", f"{1000 * paced['p99']:.0f} ms", "< 50 ms", measured=paced["p99"], most=0.05)


def burst(bench: Bench) -> None:
    """10,000 changes on 1,000 tickets, HubSpot without limits: beside the naive connector."""
    stage = Stage(bench.count(1000))
    file = bench.folder / "burst.posts"
    with ExitStack() as left:
        left.callback(stage.close)
        with ours(stage, bench.folder / "burst", database=bench.database("burst"), queue=bench.queue) as one:
            count = stage.record_changes(bench.count(10_000), file)
            mine = _burst(stage, one, file, count)
            children = list(one.processes.memory("worker").values())
            web = one.processes.memory("web")
        later = bench.folder / "naive.posts"
        stage.record_changes(bench.count(10_000), later)
        with naive(stage, bench.folder / "naive", database=bench.database("naive"), queue=bench.queue) as other:
            # Its workers take events in any order, so both sides may never agree: it is done when all is sent.
            theirs = _burst(stage, other, later, count, done=lambda: stage.hubspot.calls.count() >= count)
            wrong = stage.differs()
    bench.raw["burst"] = {"ours": mine, "naive": theirs, "worker_mb": children, "web_mb": list(web.values())}
    ratio = mine["per_second"] / theirs["per_second"]
    told = f"{mine['per_second']:.0f} changes/s, {ratio:.1f} × the naive one's {theirs['per_second']:.0f}/s"
    bench.add("burst, end to end", told, "≥ 3 ×", measured=ratio, least=3)
    cpu = 1000 * mine["cpu"] / count
    parts = " + ".join(f"{1000 * mine[f'{name}_cpu'] / count:.2f}" for name in ("web", "worker"))
    told = f"{cpu:.2f} ms, web + worker: {parts}; the naive one {1000 * theirs['cpu'] / count:.2f} ms"
    bench.add("processor time of a change", told, "< 1.2 ms", measured=cpu, most=1.2)
    bench.add("vendor calls of the burst", f"{mine['calls']}; the naive one {theirs['calls']}")
    bench.add("tickets left wrong", f"0; by the naive one {wrong} of {len(stage.tickets)}")


def _burst(
    stage: Stage, one: Contender, file: Path, count: int, *, done: Callable[[], bool] | None = None
) -> dict[str, float]:
    """Post a burst and wait until both sides agree, or until `done`."""
    stage.hubspot.calls.reset()
    parts, started = {name: one.processes.cpu(name) for name in ("web", "worker")}, time.monotonic()
    answered = post(one.port, file)
    wait_for(done or (lambda: stage.differs() == 0), within=900, every=0.25, what="both sides to agree")
    took = time.monotonic() - started
    used = {name: one.processes.cpu(name) - before for name, before in parts.items()}
    return {
        "per_second": count / took,
        "seconds": took,
        "cpu": sum(used.values()),
        **{f"{name}_cpu": seconds for name, seconds in used.items()},
        "calls": stage.hubspot.calls.count(),
        "refused": answered["refused"],
    }


def limited(bench: Bench) -> None:
    """The same burst at HubSpot's real limit."""
    stage = Stage(bench.count(1000))
    file = bench.folder / "limited.posts"
    with ExitStack() as left:
        left.callback(stage.close)
        database = bench.database("limited")
        made = ours(stage, bench.folder / "limited", database=database, queue=bench.queue, calls=REAL_LIMIT)
        one = left.enter_context(made)
        count = stage.record_changes(bench.count(10_000), file)
        stage.hubspot.configure(burst=REAL_LIMIT)
        mine = _burst(stage, one, file, count)
    bench.raw["limited"] = mine
    calls = mine["calls"] / count
    bench.add("burst at 190 calls / 10 s", f"{mine['seconds']:.1f} s", "< 30 s", measured=mine["seconds"], most=30)
    bench.add(
        "vendor calls per change",
        f"{calls:.4f}; a call per change would need {count / 19:.0f} s",
        "≤ 0.05",
        measured=calls,
        most=0.05,
    )


def at_rest(bench: Bench) -> None:
    """One change when nothing else happens: webhook in → HubSpot shows it."""
    stage = Stage(20)
    with ExitStack() as left:
        left.callback(stage.close)
        one = left.enter_context(ours(stage, bench.folder / "rest", database=bench.database("rest"), queue=bench.queue))
        waits = []
        for number in range(bench.count(100)):
            file = bench.folder / "one.posts"
            stage.record_changes(1, file)
            started = time.monotonic()
            load.main(one.port, file, 1, 0.0)
            wait_for(lambda: stage.differs() == 0, every=0.002, what=f"change {number}")
            waits.append(time.monotonic() - started)
            rest(one)
            time.sleep(0.3)
    bench.raw["at_rest"] = waits
    p50, p99 = statistics.median(waits), sorted(waits)[int(len(waits) * 0.99)]
    bench.add("one change at rest, p50", f"{1000 * p50:.0f} ms", "< 150 ms", measured=p50, most=0.15)
    bench.add("one change at rest, p99", f"{1000 * p99:.0f} ms", "< 1 s", measured=p99, most=1)


def growth(bench: Bench) -> None:
    """The cost of a change with few and with many linked tickets and journal rows; what answers cost there."""
    stage = Stage(bench.count(1000))
    costs: list[tuple[float, float]] = []
    with ExitStack() as left:
        left.callback(stage.close)
        database = bench.database("growth")
        one = left.enter_context(ours(stage, bench.folder / "growth", database=database, queue=bench.queue))
        for place in range(3):
            if place == 2:
                fill(database, tickets=bench.count(100_000), lines=bench.count(1_000_000))
            file = bench.folder / f"growth{place}.posts"
            count = stage.record_changes(bench.count(10_000 if place else 2000), file)  # The first is to warm up.
            before = postgres_cpu(bench.folder)
            mine = _burst(stage, one, file, count)
            rest(one)
            costs.append((1000 * mine["cpu"] / count, 1000 * (postgres_cpu(bench.folder) - before) / count))
        asked = _asked(bench, one)
    bench.raw["growth"] = {"ours, postgres": costs, "asked": asked}
    name = f"{bench.count(100_000):,} tickets, {bench.count(1_000_000):,} journal rows"
    for who, few, many in zip(("", ", PostgreSQL"), *costs[1:], strict=True):
        change = many / few - 1
        told = f"{few:.2f} ms → {many:.2f} ms a change ({change:+.0%})"
        bench.add(f"{name}{who}", told, "≤ + 20 %", measured=max(change, 0.0), most=0.2)
    slowest = max(asked, key=lambda command: asked[command])
    told = f"{asked[slowest]:.1f} s of processor time, PostgreSQL's included: `connector {slowest}`"
    bench.add("slowest answer there", told, "< 2 s", measured=asked[slowest], most=2)


def _asked(bench: Bench, one: Contender) -> dict[str, float]:
    """Seconds of processor time that the answers to what people ask most take, by command."""
    environment = {**os.environ, **one.processes.environment}
    times = {}
    for command in ("status", "tickets show seed-1", "tickets show no-such-ticket", "parked list"):
        told = [str(BIN / "connector"), *command.split()]
        before = _spent(bench)
        subprocess.run(told, cwd=ROOT, env=environment, capture_output=True, check="no-such" not in command)
        times[command] = _spent(bench) - before
    return times


def _spent(bench: Bench) -> float:
    """Seconds of processor time of the commands that have ended, and of PostgreSQL."""
    spent = os.times()
    return spent.children_user + spent.children_system + postgres_cpu(bench.folder)


def memory(bench: Bench) -> None:
    """What a worker holds after many changes, and the embedded process at rest."""
    stage = Stage(bench.count(1000))
    with ExitStack() as left:
        left.callback(stage.close)
        database = bench.database("memory")
        one = left.enter_context(ours(stage, bench.folder / "memory", database=database, queue=bench.queue))
        made, started = 0, time.monotonic()
        while made < bench.count(100_000) and time.monotonic() - started < LONGEST:
            file = bench.folder / "memory.posts"
            _burst(stage, one, file, stage.record_changes(bench.count(10_000), file))
            made += bench.count(10_000)
        parent, *children = one.processes.memory("worker").values()
        real = one.processes.real_memory("worker")
    bench.raw["memory"] = {"parent": parent, "children": children}
    told = f"{max(children):.0f} MB the largest child after {made:,} changes"
    bench.add("worker child", told, "< 150 MB", measured=max(children), most=150)
    whole = parent + sum(children)
    told = f"{real:.0f} MB with shared pages counted once; {whole:.0f} MB resident, counted in each process"
    bench.add("whole worker", told, "< 400 MB", measured=real, most=400)


def starting(bench: Bench) -> None:
    """How long `--help` takes, and until `connector run` is ready; how much it holds at rest."""
    times = []
    for _ in range(5):
        started = time.monotonic()
        subprocess.run([BIN / "connector", "--help"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        times.append(time.monotonic() - started)
    bench.add(
        "connector --help", f"{statistics.median(times):.2f} s", "< 0.3 s", measured=statistics.median(times), most=0.3
    )
    stage = Stage(5)
    folder = bench.folder / "embedded"
    folder.mkdir()
    port = free_port()
    config = stage.write_config(folder, port=port, database=f"sqlite:///{folder / 'store.db'}")
    with ExitStack() as left:
        left.callback(stage.close)
        processes = left.enter_context(Processes(folder, {"CONNECTOR_CONFIG": str(config)}))
        started = time.monotonic()
        process = processes.start("run", f"connector run --port {port}")
        wait_for(lambda: is_up(port), what="connector run")
        took = time.monotonic() - started
        time.sleep(5)
        held = resident(process.pid)
    bench.raw["start"] = {"help": times, "run": took, "idle_mb": held}
    bench.add("connector run, ready", f"{took:.1f} s", "< 3 s", measured=took, most=3)
    bench.add("connector run, at rest", f"{held:.0f} MB", "< 150 MB", measured=held, most=150)


def zendesk(bench: Bench) -> None:
    """1,000 changes on 500 tickets: the calls that Zendesk gets, where they come over ten seconds and at once."""
    changes = bench.count(1000)
    with ExitStack() as left:
        stage = ZendeskStage(left, bench.folder / "zendesk", bench.database("zendesk"), bench.count(500))
        for seconds in (10.0, 0.0):
            calls = stage.burst(changes, seconds)
            bench.raw[f"zendesk_{seconds:g}"] = dict(calls)
            told = f"{calls.total()} for {changes:,}: {', '.join(f'{times} {name}' for name, times in calls.items())}"
            name = f"calls to Zendesk, changes over {seconds:g} s"
            bench.add(name, told, "≤ 1 per 50", measured=calls.total() / changes, most=1 / 50)


ALL = {one.__name__: one for one in (intake, burst, limited, at_rest, growth, memory, starting, zendesk)}


def run(folder: Path, names: list[str], scale: float) -> Bench:
    """Measure the named figures, one after the other."""
    with postgres(folder) as database, broker(folder) as queue:
        bench = Bench(folder, database, queue, scale)
        for name in names:
            print(f"{name}: {(ALL[name].__doc__ or '').strip()}", flush=True)
            try:
                ALL[name](bench)
            except (TimeoutError, OSError, subprocess.SubprocessError, psycopg.Error) as problem:
                bench.fail(name, str(problem))  # The others are worth measuring all the same.
    return bench
