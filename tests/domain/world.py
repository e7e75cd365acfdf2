"""A small world of two stores and one link, driven by the real planner as the engine drives it.

It keeps shadows by the engine's rule (they move when a field is settled or its write succeeded, never else), reads the
side that is about to be written, and lets writes fail, or be applied without anybody learning of it. What a
process remembers of an unanswered write is left out: the planner must come right without it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from connector.domain.decision import SETTLED, STATUS, Decision, LinkState, Outcome, Plan, Shadow
from connector.domain.rules import TicketMapping
from connector.domain.ticket import Side, Value
from tests.domain.helpers import NOON, SETTLED_STATUS, plan

BOTH = frozenset(Side)


class Fate(StrEnum):
    """What becomes of one write."""

    DONE = "done"
    FAILED = "failed"
    LOST = "lost"
    """Applied, but nobody learns of it."""


def always(fate: Fate) -> Iterator[Fate]:
    while True:
        yield fate


@dataclass(slots=True)
class World:
    """Two native stores and what the connector knows of them."""

    mapping: TicketMapping
    stores: dict[Side, dict[str, Value]]
    shadows: dict[str, Shadow] = field(default_factory=lambda: {STATUS: SETTLED_STATUS})
    held: dict[str, tuple[Value, Value]] = field(default_factory=dict)
    moments: dict[Side, dict[str, datetime]] = field(default_factory=lambda: {side: {} for side in Side})
    left: set[str] = field(default_factory=set)
    now: datetime = NOON
    written: list[tuple[Side, str]] = field(default_factory=list)
    since_edit: dict[tuple[Side, str], list[Value]] = field(default_factory=dict)
    plans: list[Plan] = field(default_factory=list)
    _unread: set[tuple[Side, str]] = field(default_factory=set)
    _read: dict[Side, dict[str, Value]] = field(default_factory=lambda: {side: {} for side in Side})

    @classmethod
    def of(cls, mapping: TicketMapping, value: Callable[[Side, str], Value]) -> World:
        """A world whose stores hold these values; nothing has been read yet."""
        status = {Side.NEXTCAP: SETTLED_STATUS.nextcap, Side.CRM: SETTLED_STATUS.crm}
        names = [rule.name for rule in mapping.rules]
        stores = {side: {STATUS: status[side]} | {name: value(side, name) for name in names} for side in Side}
        world = cls(mapping, stores)
        for name in names:
            world._begin_history(name)
        return world

    def edit(self, side: Side, name: str, value: Value) -> None:
        """A person sets a field."""
        if self.stores[side][name] != value:
            self.stores[side][name] = value
            self.moments[side][name] = self.now
        self._unread.add((side, name))
        self._begin_history(name)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def work(self, look: Iterable[Side] = BOTH, fates: Iterator[Fate] | None = None) -> Plan:
        """One pass over the link: read what is looked at, plan, read what will be written, plan again, write."""
        seen = set(look)
        self._take(seen)
        made = self._plan()
        while unread := {side for side in Side if _writes(made, side)} - seen:
            seen |= unread
            self._take(unread)
            made = self._plan()
        self.plans.append(made)
        for decision in made.decisions:
            self._keep(decision)
        self._write(made, fates or always(Fate.DONE))
        return made

    def is_settled(self, name: str) -> bool:
        """Whether what both sides show now is what they are remembered to have said."""
        return self.shadows.get(name) == Shadow(self.stores[Side.NEXTCAP][name], self.stores[Side.CRM][name])

    def _begin_history(self, name: str) -> None:
        """A value that stood there before a person's edit may come again."""
        for side in Side:
            self.since_edit[side, name] = [self.stores[side][name]]

    def _take(self, sides: Collection[Side]) -> None:
        """Read these sides. An edit that is read late is as good as made now: nothing could know of it before."""
        for side in sides:
            self._read[side] = dict(self.stores[side])
        for side, name in [one for one in self._unread if one[0] in sides]:
            self._unread.discard((side, name))
            self._begin_history(name)

    def _plan(self) -> Plan:
        link = LinkState(shadows=self.shadows, held=self.held, moments=self.moments)
        return plan(self.mapping, link, nextcap=self._read[Side.NEXTCAP], crm=self._read[Side.CRM], now=self.now)

    def _keep(self, decision: Decision) -> None:
        name = decision.name
        if decision.outcome in SETTLED:
            self.shadows[name] = Shadow(decision.nextcap, decision.crm)
            (self.left.add if decision.outcome is Outcome.LEFT else self.left.discard)(name)
        if decision.outcome in (Outcome.HELD, Outcome.REFUSED):
            self.held[name] = (decision.nextcap, decision.crm)
        else:
            self.held.pop(name, None)

    def _write(self, made: Plan, fates: Iterator[Fate]) -> None:
        """The CRM first, then Next Cap; a write that did not succeed ends the pass."""
        done: set[Side] = set()
        for side in (Side.CRM, Side.NEXTCAP):
            if not _writes(made, side):
                continue
            fate = next(fates)
            if fate is not Fate.FAILED:
                for name, value in _writes(made, side).items():
                    self._apply(side, name, value)
            if fate is not Fate.DONE:
                return
            done.add(side)
            for name, value in _writes(made, side).items():
                self._read[side][name] = value
                self._settle(made.decision(name), done)

    def _apply(self, side: Side, name: str, value: Value) -> None:
        history = self.since_edit[side, name]
        assert value not in history, f"{name} went back to {value} on {side} although nobody touched it"
        history.append(value)
        self.stores[side][name] = value
        self.written.append((side, name))

    def _settle(self, decision: Decision, done: set[Side]) -> None:
        """Both shadows move together, once every write of the decision is done."""
        wanted = {side for side in Side if (decision.writes_crm if side is Side.CRM else decision.writes_nextcap)}
        if wanted <= done:
            nextcap = decision.write_nextcap if Side.NEXTCAP in wanted else decision.nextcap
            self.shadows[decision.name] = Shadow(nextcap, decision.write_crm if Side.CRM in wanted else decision.crm)
            self.left.discard(decision.name)


def _writes(made: Plan, side: Side) -> dict[str, Value]:
    return made.to_crm if side is Side.CRM else made.to_nextcap
