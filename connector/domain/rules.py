"""A mapping as the planner uses it: compiled, bound to the account's ids, pure.

`mapping/` builds these values from the files that operations people edit; nothing here knows YAML.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from connector.domain.lifecycle import PathPolicy, Status
from connector.domain.ticket import MISSING, CommentKind, Missing, Person, Record, Side, Value


class Direction(StrEnum):
    """Which way a field travels."""

    BOTH = "both"
    TO_CRM = "to_crm"
    TO_NEXTCAP = "to_nextcap"

    def carries(self, source: Side) -> bool:
        """Whether what this side says is written on the other."""
        return self is not (Direction.TO_NEXTCAP if source is Side.NEXTCAP else Direction.TO_CRM)


class Owner(StrEnum):
    """Who wins where both sides changed the same field."""

    NEWEST = "newest"
    NEXTCAP = "nextcap"
    CRM = "crm"
    ASK = "ask"


class First(StrEnum):
    """What happens where two records meet that both hold a value already."""

    FILL_EMPTY = "fill_empty"
    NEXTCAP = "nextcap"
    CRM = "crm"
    ASK = "ask"


class OnLeave(StrEnum):
    """What becomes of a link whose ticket no longer passes the filter."""

    FREEZE = "freeze"
    KEEP = "keep"
    UNLINK = "unlink"


class AfterFinal(StrEnum):
    """What becomes of something new in Next Cap where the CRM has closed its record for good."""

    FOLLOW_UP = "follow_up"
    NOTE = "note"
    PARK = "park"


class Arrival(StrEnum):
    """As what an entry of the CRM arrives in Next Cap."""

    AS_IS = "as_is"
    NOTE = "note"


class Untranslatable(Exception):
    """A value has no counterpart. `code` is stable; the message is for the operator."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Directories:
    """Who and what the ids of both sides mean, as far as it is known now. Read before planning."""

    nextcap: Mapping[str, Person] = field(default_factory=dict)
    crm: Mapping[str, Person] = field(default_factory=dict)
    departments: Mapping[str, str] = field(default_factory=dict)
    """Department id → name."""


Translate = Callable[[Value, Directories], Value]
"""Turns one side's native value into the other's. Raises `Untranslatable`."""

Observe = Callable[[Record], Value | Missing]
"""Takes a rule's native value out of a record; `MISSING` where the reading did not mention it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One field ↔ field rule.

    `nextcap` and `crm` are the native names written on each side (empty where that side is never written).
    `line` is where the rule stands in its file.
    """

    name: str
    nextcap: str
    crm: str
    observe_nextcap: Observe
    observe_crm: Observe
    to_crm: Translate
    to_nextcap: Translate
    direction: Direction = Direction.BOTH
    owner: Owner = Owner.NEWEST
    first: First = First.FILL_EMPTY
    is_set: bool = False
    only_on_create: bool = False
    required_on: frozenset[str] = frozenset()
    """CRM status values that this field must not be empty for."""
    personal: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True)
class StatusRule:
    """The status table, both ways, and how to walk Next Cap's state machine.

    `to_crm` maps each of the eight statuses to a native CRM value. `to_nextcap` maps a CRM value to the status
    it asks for, which may depend on the present one (`when`).
    """

    crm: str
    to_crm: Mapping[Status, str]
    to_nextcap: Mapping[str, Status]
    when: Mapping[tuple[str, Status], Status] = field(default_factory=dict)
    ignore: frozenset[str] = frozenset()
    substitutes: Mapping[Status, tuple[Status, ...]] = field(default_factory=dict)
    policy: PathPolicy = field(default_factory=PathPolicy)
    direction: Direction = Direction.BOTH
    owner: Owner = Owner.NEWEST
    first: First = First.NEXTCAP
    close_race: str = "reopen"
    """`reopen` or `ask`: what to do with a close that could not know of a newer customer reply."""
    final: frozenset[str] = frozenset()
    """CRM values with which the CRM closes a record for good: nothing opens it again."""
    after_final: AfterFinal = AfterFinal.PARK
    labels: Mapping[str, str] = field(default_factory=dict)
    """CRM value → label, for reasons that people read."""
    line: int = 0

    def is_final(self, value: Value) -> bool:
        """Whether a record that shows this value is closed for good."""
        return str(value) in self.final

    def label(self, value: Value) -> str:
        """The CRM value as its users know it."""
        return self.labels.get(str(value), str(value))

    def status_for(self, crm_value: Value, *, present: Status | None) -> Status | None:
        """The status that a CRM value asks for from the present one; None where the table has no row."""
        text = str(crm_value)
        if present is not None and (text, present) in self.when:
            return self.when[text, present]
        return self.to_nextcap.get(text)


@dataclass(frozen=True, slots=True)
class CommentPolicy:
    """Which comments cross, and as what. A note has no way to become anything but a note."""

    to_crm: frozenset[CommentKind] = frozenset(CommentKind)
    to_nextcap: frozenset[CommentKind] = frozenset({CommentKind.NOTE, CommentKind.REPLY})
    reply_markers: tuple[str, ...] = ()
    """How a CRM agent marks an entry as a reply to the customer, where the CRM itself has no such kind."""
    history: timedelta | None = None
    """How much of an older timeline a new link mirrors; None: all of it, zero: nothing."""
    forms: Mapping[str, Arrival] = field(default_factory=dict)
    """The forms of CRM entries that are read beside the usual comments, and as what they arrive."""
    written_as: Mapping[CommentKind, str] = field(default_factory=dict)
    """The form in which a kind of comment is written in the CRM, where that is not its usual comment."""

    def every_form(self) -> frozenset[str]:
        """The forms that are read or written: what is written has to be recognised again."""
        return frozenset(self.forms) | frozenset(self.written_as.values())


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a connection carries a ticket, and the clause that decided."""

    carried: bool
    reason: str


@dataclass(frozen=True, slots=True)
class FindRule:
    """One ranked way to find an existing CRM record before creating: CRM field = value of a Next Cap field."""

    crm: str
    observe_nextcap: Observe


@dataclass(frozen=True, slots=True)
class TicketMapping:
    """One connection's mapping, ready to plan with. `version` identifies the text it came from."""

    version: str
    rules: tuple[Rule, ...]
    status: StatusRule
    carries: Callable[[Record], Verdict]
    comments: CommentPolicy = field(default_factory=CommentPolicy)
    on_leave: OnLeave = OnLeave.FREEZE
    creates_in_nextcap: bool = False
    find: tuple[FindRule, ...] = ()
    needs: frozenset[str] = frozenset()
    """Native Next Cap fields that the filter and the searches look at, beside those of the rules."""
    scope: Mapping[str, Value] = field(default_factory=dict)
    """Native CRM values that every record of this connection has, and that a new one is given (its pipeline)."""
    constants: Mapping[str, Value] = field(default_factory=dict)
    """Native CRM values that are written once, when a record is created."""
    requester: bool = True
    """Whether the customer is found or made as a contact and joined to the record."""
    on_delete: str = "keep"
    """`keep` or `close`: what becomes of the Next Cap ticket when its CRM record is deleted."""

    def rule(self, name: str) -> Rule | None:
        """The field rule of that name, or None."""
        return next((rule for rule in self.rules if rule.name == name), None)

    def crm_fields(self) -> tuple[str, ...]:
        """Every native CRM field that this mapping reads or writes."""
        names = {rule.crm for rule in self.rules if rule.crm} | {self.status.crm} | set(self.scope)
        return tuple(sorted(names))


__all__ = [
    "MISSING",
    "AfterFinal",
    "Arrival",
    "CommentPolicy",
    "Direction",
    "Directories",
    "FindRule",
    "First",
    "Missing",
    "Observe",
    "OnLeave",
    "Owner",
    "Rule",
    "StatusRule",
    "TicketMapping",
    "Translate",
    "Untranslatable",
    "Verdict",
]
