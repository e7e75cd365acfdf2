"""Applying a changed mapping to old tickets: looked at and counted first, then carried by ordinary passes.

An edited mapping is no change of any ticket. Whoever wants old tickets to follow it asks for that: fields that do not
agree by it are treated as if their source had changed just now, a few a minute, so that the fuse, which counts them, is
not tripped by this alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from connector.domain.decision import STATUS, Decision, Outcome, Shadow
from connector.domain.errors import NeedsReview
from connector.domain.plan import agrees
from connector.domain.rules import Direction, Directories, First, Owner, Rule, StatusRule
from connector.domain.status import status_agrees
from connector.domain.ticket import Side
from connector.engine import deciding, fuses, prospect, reading, sync
from connector.engine.context import Engine
from connector.engine.people import kept_directories
from connector.engine.work import Work, describe, native_of, observe
from connector.mapping import load
from connector.store import claims, decided, journal, links, mappings, pauses
from connector.store.links import Look

AT_ONCE = 100
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Effect:
    """What applying would do to one field: how many tickets it would change on this side, and a few of them.

    An example is a ticket, what the written side shows now, and what it would show. `side` is None where the mapping
    would have it written and it cannot be: then `why` says so.
    """

    field: str
    side: Side | None
    tickets: int
    examples: tuple[tuple[str, Any, Any], ...]
    why: str = ""


@dataclass(slots=True)
class Survey:
    """What applying would do. `chosen` are the links that it would touch, with the source of each rule."""

    version: str
    fields: tuple[str, ...]
    looked_at: int = 0
    unread: int = 0
    chosen: dict[int, Mapping[str, Side]] = field(default_factory=dict)
    needs_reading: set[int] = field(default_factory=set)
    counts: Counter[tuple[str, Side | None, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, Side | None, str], list[tuple[str, Any, Any]]] = field(default_factory=dict)

    @property
    def effects(self) -> list[Effect]:
        """By field, those that change most first."""
        return [
            Effect(name, side, count, tuple(self.examples[name, side, why]), why)
            for (name, side, why), count in self.counts.most_common()
        ]


def changed_fields(engine: Engine, name: str) -> tuple[str, ...]:
    """The rules that differ between the mapping in force and the one before it; none where there was none before."""
    with engine.db.read() as connection:
        texts = mappings.newest(connection, name, 2)
    if len(texts) < 2:
        return ()
    now, before = (load.parse(text, name=name).file for text in texts)
    fields = [rule for rule, block in now.fields.items() if before.fields.get(rule) != block]
    return (*([STATUS] if now.status != before.status else []), *fields)


def survey(
    engine: Engine, name: str, fields: Sequence[str], *, take: Side | None = None, limit: int | None = None
) -> Survey:
    """Look at every linked ticket: what would these rules change on it? Reads records that were never read for them.

    `take` names the source where the mapping leaves it open. At most `limit` tickets are chosen. Raises NeedsReview
    where a field is not in the mapping, RetryLater where the CRM must be read and is away.
    """
    with engine.db.read() as connection:
        mapping = engine.mappings.active(connection, name)
    known = {STATUS, *(rule.name for rule in mapping.rules)}
    if unknown := set(fields) - known:
        told = f"{', '.join(sorted(unknown))} is not in the mapping in force; it has {', '.join(sorted(known))}"
        raise NeedsReview(told, code="no_such_field")
    found = Survey(mapping.version, tuple(fields))
    people = kept_directories(engine, name)
    for works in _pages(engine, name):
        _read_what_is_missing(engine, name, works, fields)
        for work in works:
            if limit is not None and len(found.chosen) >= limit:
                return found
            _look_at(engine, work, people, found, take)
    return found


def _pages(engine: Engine, name: str) -> Iterator[list[Work]]:
    after = 0
    while True:
        with engine.db.read() as connection:
            rows = links.active_after(connection, name, after, AT_ONCE)
        if not rows:
            return
        after = rows[-1].id
        yield sync.load(engine, name, rows)


def _read_what_is_missing(engine: Engine, name: str, works: Sequence[Work], fields: Sequence[str]) -> None:
    """A field that is new in the mapping was not asked for when the record was last read."""
    missing = [
        work
        for work in works
        if (record := work.known_crm()) is None or set(fields) - observe(work.mapping, Side.CRM, record).keys()
    ]
    if missing:
        reading.read_crm(engine, name, missing)


def _look_at(engine: Engine, work: Work, people: Directories, found: Survey, take: Side | None) -> None:
    """Add what would become of one ticket."""
    found.looked_at += 1
    made = prospect.plan_of(engine, work, people) if work.is_live else None
    if made is None:
        found.unread += 1
        return
    sources = {one: _source(work, one, take) for one in found.fields if _differs(work, made.decision(one), people)}
    for one, source in sources.items():
        work.shadows[one] = undecided(work.shadows[one], source)
    deciding.plan(engine, work, people)
    assert work.plan is not None  # noqa: S101 - planned just now
    new = {one for one in found.fields if one not in work.shadows}
    touched = [one for one in work.plan.decisions if one.name in sources or one.name in new]
    for decision in touched:
        _note(work, decision, found)
    if any(fuses.target(one) is not None for one in touched):
        found.chosen[work.link.id] = sources
        if work.crm is not None:
            found.needs_reading.add(work.link.id)


def _differs(work: Work, decision: Decision, people: Directories) -> bool:
    """Whether both sides are at rest and do not say the same by the mapping in force."""
    if decision.outcome is not Outcome.UNCHANGED or decision.name not in work.shadows:
        return False
    if decision.name == STATUS:
        substitutes = frozenset(work.substitutes)
        return not status_agrees(work.mapping.status, decision.nextcap, decision.crm, substitutes)
    rule = work.mapping.rule(decision.name)
    return rule is not None and not agrees(rule, decision.nextcap, decision.crm, people)


def _source(work: Work, name: str, take: Side | None) -> Side:
    """The side whose value counts: where the field travels one way its source, else as asked, else as mapped."""
    rule: Rule | StatusRule | None = work.mapping.status if name == STATUS else work.mapping.rule(name)
    assert rule is not None  # noqa: S101 - the names were checked
    if rule.direction is not Direction.BOTH:
        return Side.NEXTCAP if rule.direction is Direction.TO_CRM else Side.CRM
    if take is not None:
        return take
    return (
        Side.CRM
        if rule.owner is Owner.CRM or (rule.owner is not Owner.NEXTCAP and rule.first is First.CRM)
        else (Side.NEXTCAP)
    )


def undecided(shadow: Shadow, source: Side) -> Shadow:
    """The shadow with which the source counts as changed, and the other side as not."""
    if source is Side.NEXTCAP:
        return Shadow(decided.UNDECIDED, shadow.crm)
    return Shadow(shadow.nextcap, decided.UNDECIDED)


def _note(work: Work, decision: Decision, found: Survey) -> None:
    side = fuses.target(decision)
    if side is None and decision.outcome not in (Outcome.REFUSED, Outcome.HELD):
        return
    key = (decision.name, side, "" if side else decision.reason)
    found.counts[key] += 1
    examples = found.examples.setdefault(key, [])
    if len(examples) < EXAMPLES:
        shown = describe(decision)
        before = shown.get(str(side)) if side else None
        after = shown.get(f"write_{side}") if side else None
        examples.append((work.label, before, after))


def apply(engine: Engine, name: str, found: Survey, *, by: str) -> timedelta:
    """Let ordinary passes carry what the survey chose, a few tickets a minute; how long that takes."""
    every = timedelta(minutes=1) / max(1, engine.mass_changes // 2)
    chosen = list(found.chosen.items())
    for start in range(0, len(chosen), AT_ONCE):
        with engine.db.write() as connection:
            mapping = engine.mappings.active(connection, name)
            for place, (link_id, sources) in enumerate(chosen[start : start + AT_ONCE], start=start):
                claims.overrule(connection, link_id)
                natives = {one: native_of(mapping, one, side) for one, side in sources.items()}
                decided.undecide(connection, link_id, sources, natives, engine.now())
                look = Look.CRM if link_id in found.needs_reading else Look.NOTHING
                told = f"{by} applies the mapping"
                moment = engine.now() + place * every
                decided.set_due(connection, link_id, look, moment, mass=pauses.APPLIED, cause=told)
                told += f": {', '.join(sources) or 'fields that are new in it'}"
                _journal(engine, connection, name, link_id, told)
    with engine.db.write() as connection:
        text = f"{by} applies version {found.version[:8]} to {len(chosen)} ticket(s): {', '.join(found.fields)}"
        _journal(engine, connection, name, None, text)
    engine.bell([name])
    return len(chosen) * every


def _journal(engine: Engine, connection: sa.Connection, name: str, link_id: int | None, text: str) -> None:
    journal.record(connection, [journal.Line(name, link_id, "mapping_applied", text)], engine.now())
