"""Fuses: what stops us before we do much harm. A loop parks one field; a mass change pauses one direction and asks.

The mass-change fuse counts what *we* close, reassign or create in Next Cap, and what an applied mapping, or a field new
in it, edits on old tickets. What a customer's new ticket brings about is never counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from connector.domain.decision import STATUS, Decision, Outcome, Plan
from connector.domain.lifecycle import FINAL
from connector.domain.loops import UNTOLD, Cause, Trail, Written, follow, loop_in
from connector.domain.rules import Direction
from connector.domain.ticket import Side, Value
from connector.engine.context import Engine
from connector.engine.work import Gate, Work, native_of
from connector.store import counters, journal, mass, parked, pauses

BY_FUSE = "the connector's fuse"
YOUNG = timedelta(minutes=10)
"""For so long after it was linked, what is written to a ticket belongs to its being opened."""
REASSIGNING = frozenset({"assigned_agent_id", "department_id"})
CLOSED, REASSIGNED, CREATED, EDITED = "closed", "reassigned", "created", "edited"
SHOWN = 10


def towards(side: Side) -> Direction:
    """The direction in which writes to this side go."""
    return Direction.TO_CRM if side is Side.CRM else Direction.TO_NEXTCAP


def side_of(direction: Direction) -> Side:
    """The side that a one-way direction writes to."""
    return Side.CRM if direction is Direction.TO_CRM else Side.NEXTCAP


# -- what is closed


def gate_of(engine: Engine, connection: sa.Connection, name: str) -> Gate:
    """What a batch of this connection may write as it begins."""
    rows = pauses.closed(connection, name)
    return Gate({side_of(one): told(engine, row) for one, row in rows.items() if one is not Direction.BOTH})


def told(engine: Engine, row: sa.Row[Any]) -> str:
    """A pause in words."""
    target = {Direction.TO_CRM: engine.label(row.connection), Direction.TO_NEXTCAP: "Next Cap"}
    direction = Direction(row.direction)
    what = f"what goes to {target[direction]} is paused" if direction in target else "it is paused"
    return f"{what} by {row.by}{': ' if row.reason else ''}{row.reason}"


# -- mass changes


def admitted(engine: Engine, side: Side, works: Sequence[Work], *, what: str = "", kind: str = "") -> list[Work]:
    """Those of these works that may write to this side now; what the others would write waits until it is opened.

    `what` names a write that no plan asks for, and `kind` how it is counted, if at all; without them it is what the
    plans ask of this side.
    """
    names = {id(work): {what} if what else _asked(work, side) for work in works}
    ready = [work for work in works if work.may_write(side, *names[id(work)])]
    amounts = {id(work): _amounts(work, side, what, kind, engine.now()) for work in ready}
    counted = [work for work in ready if amounts[id(work)]]
    fitting = _fitting(engine, side, counted, amounts) if counted else set()
    return [work for work in ready if id(work) in fitting or work.may_write(side, *names[id(work)])]


def _asked(work: Work, side: Side) -> set[str]:
    if work.plan is None:
        return set()
    if side is Side.CRM:
        return set(work.plan.to_crm) or {"our id"}
    return set(work.plan.to_nextcap) | ({STATUS} if work.plan.walk else set())


def _amounts(work: Work, side: Side, what: str, kind: str, now: datetime) -> Counter[str]:
    """What of this the fuse counts, by kind."""
    if work.link.mass == pauses.ALLOWED:
        return Counter()
    if what:
        return Counter({kind: 1} if kind else {})
    is_young = work.link.linked_at is None or now - work.link.linked_at < YOUNG
    if work.plan is None or (is_young and work.link.mass != pauses.APPLIED):
        return Counter()
    return Counter(filter(None, (_kind(work, side, one) for one in work.plan.decisions)))


def _kind(work: Work, side: Side, decision: Decision) -> str:
    """How one decision is counted; empty where it is not."""
    if not (decision.writes_crm if side is Side.CRM else decision.writes_nextcap or decision.path):
        return ""
    if side is Side.NEXTCAP and decision.path and decision.path[-1] in FINAL:
        return CLOSED
    if side is Side.NEXTCAP and native_of(work.mapping, decision.name, side) in REASSIGNING:
        return REASSIGNED
    is_new_in_the_mapping = decision.name not in work.link.shadows
    return EDITED if is_new_in_the_mapping or work.link.mass == pauses.APPLIED else ""


def _fitting(engine: Engine, side: Side, works: Sequence[Work], amounts: Mapping[int, Counter[str]]) -> set[int]:
    """Count these works' changes while they are within the limit; at the first that is not, the direction is closed."""
    name, direction, gate = works[0].link.connection, towards(side), works[0].gate
    now = engine.now()
    with engine.db.write() as connection:
        present = Counter(mass.lately(connection, name, direction, now))
        closed = pauses.closed(connection, name).get(direction)
        if closed is not None:
            gate.closed[side] = told(engine, closed)
            return set()
        fitting: dict[int, Counter[str]] = {}
        for work in works:
            mine = amounts[id(work)]
            gate.counted.append(work.label)
            if present.total() + mine.total() > engine.mass_changes:
                _trip(engine, connection, gate, name, side, present)
                break
            present += mine
            fitting[id(work)] = mine
        if fitting:
            mass.add(connection, name, direction, sum(fitting.values(), Counter()), now)
    return set(fitting)


def _trip(
    engine: Engine, connection: sa.Connection, gate: Gate, name: str, side: Side, present: Mapping[str, int]
) -> None:
    """Close the direction, and ask a person, with counts and examples."""
    now, direction = engine.now(), towards(side)
    where = engine.label(name) if side is Side.CRM else "Next Cap"
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(present.items())) or "none yet"
    reason = f"more than {engine.mass_changes} mass changes in {where} within a minute ({counts})"
    pauses.close(connection, name, direction, code=pauses.MASS_CHANGE, reason=reason, by=BY_FUSE, now=now)
    gate.closed[side] = f"what goes to {where} is paused by {BY_FUSE}: {reason}"
    examples = gate.counted[-SHOWN:]
    parked.park(
        connection,
        name=name,
        code=pauses.MASS_CHANGE,
        field=str(direction),
        reason=f"{reason}; what goes to {where} waits until a person decides, for example {', '.join(examples)}",
        candidates=examples,
        now=now,
    )
    details = {"direction": str(direction), "counts": dict(present), "examples": examples}
    journal.record(connection, [journal.Line(name, None, pauses.MASS_CHANGE, reason, details)], now)
    counters.add(connection, {("fuses_tripped", f"{name}:{direction}"): 1})


# -- loops


def without_loops(work: Work, plan: Plan, now: datetime) -> Plan:
    """The plan, with every field that our own writes would go on bouncing put into quarantine."""
    if not work.trails:
        return plan
    return Plan(tuple(_unless_looping(work, one, now) if one.name in work.trails else one for one in plan.decisions))


def _unless_looping(work: Work, decision: Decision, now: datetime) -> Decision:
    side = target(decision)
    if side is None:
        return decision
    why = loop_in(_followed(work, decision.name, side, _written(decision, side), now))
    if not why:
        return decision
    reason = f"a loop: {why}; the field is left alone until a person decides. Look for an automation that sets it"
    return replace(
        decision, outcome=Outcome.HELD, code=parked.LOOP, reason=reason, write_crm=None, write_nextcap=None, path=()
    )


def target(decision: Decision) -> Side | None:
    """The side that a decision writes to, if any: for a merged set the CRM, which is written first."""
    if decision.writes_crm:
        return Side.CRM
    return Side.NEXTCAP if decision.writes_nextcap or decision.path else None


def _written(decision: Decision, side: Side) -> Value:
    return decision.write_crm if side is Side.CRM else decision.write_nextcap


def _followed(work: Work, name: str, side: Side, value: Value, now: datetime) -> Trail:
    native = native_of(work.mapping, name, Side.CRM)
    was_told = side is Side.CRM or native in work.link.moments
    cause = Cause(seen_at=work.link.dirty_at or now, was_told=was_told)
    return follow(work.trails.get(name, ()), side, value, cause=cause, now=now)


def somebody_moves_it(work: Work) -> None:
    """A customer wrote, and so moved the ticket: what follows of its status is no loop."""
    for name in [name for name in work.trails if native_of(work.mapping, name, Side.NEXTCAP) == STATUS]:
        del work.trails[name]


def remember(work: Work, name: str, side: Side, value: Value, now: datetime) -> None:
    """This write of ours is known to have been applied."""
    work.trails[name] = _followed(work, name, side, value, now)


def trails_of(stored: Mapping[str, Any]) -> dict[str, Trail]:
    """The trails that `stored_trails` stored."""
    return {name: tuple(_one(row) for row in rows) for name, rows in stored.items()}


def _one(row: Sequence[Any]) -> Written:
    return Written(Side(row[0]), row[1], datetime.fromisoformat(row[2]), bool(row[3]))


def stored_trails(trails: Mapping[str, Trail], now: datetime) -> dict[str, Any]:
    """Trails as the store keeps them. One that is older than any answer could be is not worth keeping."""
    return {
        name: [[str(one.side), one.value, one.at.isoformat(), int(one.is_answer)] for one in trail]
        for name, trail in trails.items()
        if trail and now - trail[-1].at <= UNTOLD
    }
