"""What a plan is made of: shadows, decisions with a reason, and the state they are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from connector.domain.lifecycle import Status
from connector.domain.ticket import Side, Value

STATUS, COMMENTS = "status", "comments"
"""What is decided, or left to a person, beside the fields that a mapping names: none of those may be called so."""

INCOMPLETE = "required_field_empty"
"""Code of a status that is withheld until another field has a value: it waits for that field and for nobody."""

QUARANTINED = "in quarantine: it was part of a loop, and a person decides"
SIMULTANEOUS = timedelta(seconds=2)

Values = Mapping[str, Value]
"""Native values of one side, by rule name. A rule that was not observed is absent."""


class Outcome(StrEnum):
    """What was decided for one field. FOLLOW_UP: the CRM's record is over, and another one is to follow it."""

    UNCHANGED = "unchanged"
    AGREED = "agreed"
    TO_CRM = "to_crm"
    TO_NEXTCAP = "to_nextcap"
    MERGED = "merged"
    LEFT = "left"
    FOLLOW_UP = "follow_up"
    HELD = "held"
    REFUSED = "refused"


SETTLED = frozenset({Outcome.AGREED, Outcome.LEFT})
"""Decided without a write: both shadows move at once."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """What each side last said of one field, natively. The two move together."""

    nextcap: Value
    crm: Value


@dataclass(frozen=True, slots=True)
class Decision:
    """What one field's three-way comparison came to, and why, for a support person.

    `write_crm` and `write_nextcap` are what goes out (they differ from None only for the outcomes that write);
    `path` are the status moves. `nextcap` and `crm` are the values decided on.
    """

    name: str
    outcome: Outcome
    code: str
    reason: str
    nextcap: Value = None
    crm: Value = None
    write_crm: Value = None
    write_nextcap: Value = None
    path: tuple[Status, ...] = ()
    substituted: bool = False

    @property
    def writes_crm(self) -> bool:
        """Whether it writes a new value in the CRM."""
        return self.outcome in (Outcome.TO_CRM, Outcome.MERGED) and self.write_crm != self.crm

    @property
    def writes_nextcap(self) -> bool:
        """Whether it writes a new value in Next Cap."""
        return self.outcome in (Outcome.TO_NEXTCAP, Outcome.MERGED) and self.write_nextcap != self.nextcap


@dataclass(frozen=True, slots=True)
class LinkState:
    """What the store knows of a link when it is planned.

    `held` are the fields that wait for a person, with the pair of values they wait at; `substitutes` the status
    pairs that a journaled substitute settled; `moments` when each side's field left its shadow, as far as is known;
    `shown` as of when each side was read, by its own clock.
    """

    shadows: Mapping[str, Shadow] = field(default_factory=dict)
    held: Mapping[str, tuple[Value, Value]] = field(default_factory=dict)
    quarantined: frozenset[str] = frozenset()
    """Fields of `held` that wait whatever their values become: they are part of a loop."""
    substitutes: frozenset[tuple[Value, Value]] = frozenset()
    moments: Mapping[Side, Mapping[str, datetime]] = field(default_factory=dict)
    shown: Mapping[Side, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Signals:
    """What else happened that a status decision must know.

    `unseen_customer_reply`: the CRM has not been shown the customer's newest reply yet. `moved_by_our_reply`: the
    ticket's status right now is what the system made of our own reply. `unseen_reply`: the CRM has not been shown the
    newest reply, whoever wrote it.
    """

    unseen_customer_reply: bool = False
    moved_by_our_reply: bool = False
    unseen_reply: bool = False


QUIET = Signals()


@dataclass(frozen=True, slots=True)
class Plan:
    """Every decision of one pass over a link, one for each field, in the mapping's order."""

    decisions: tuple[Decision, ...]

    def decision(self, name: str) -> Decision:
        """The decision about that field. Raises KeyError."""
        for item in self.decisions:
            if item.name == name:
                return item
        raise KeyError(name)

    @property
    def to_crm(self) -> dict[str, Value]:
        """Values to write in the CRM, by rule name."""
        return {item.name: item.write_crm for item in self.decisions if item.writes_crm}

    @property
    def to_nextcap(self) -> dict[str, Value]:
        """Values to write in Next Cap, by rule name, the status excepted (it is walked)."""
        return {item.name: item.write_nextcap for item in self.decisions if item.writes_nextcap and item.name != STATUS}

    @property
    def walk(self) -> tuple[Status, ...]:
        """The status moves to make in Next Cap, in order."""
        return next((item.path for item in self.decisions if item.name == STATUS), ())

    @property
    def writes_nothing(self) -> bool:
        """Whether both sides stay as they are."""
        return not (self.to_crm or self.to_nextcap or self.walk)


def newer_side(link: LinkState, name: str, now: datetime) -> tuple[Side, str]:
    """Whose change of a field is the newer, by the moments at which each left its shadow, and the reason in words.

    A change that nobody told of was made by the time as of which it was read. Under two seconds apart nobody can tell,
    so Next Cap wins.
    """
    ours, theirs = (link.moments.get(side, {}).get(name) or link.shown.get(side, now) for side in Side)
    if abs(ours - theirs) < SIMULTANEOUS:
        return Side.NEXTCAP, "both sides changed within 2 s, so Next Cap wins"
    if ours > theirs:
        return Side.NEXTCAP, "both sides changed; Next Cap's change is the newer"
    return Side.CRM, "both sides changed; the CRM's change is the newer"
