"""One link's pass: what was claimed, what has been read, decided and written so far, and how it ends."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from connector.domain.decision import STATUS, Decision, LinkState, Outcome, Plan, Shadow, Signals, Values
from connector.domain.errors import ConnectorError, RetryLater, UnknownOutcome
from connector.domain.loops import Trail, fingerprint
from connector.domain.rules import Rule, TicketMapping
from connector.domain.ticket import MISSING, Record, Requester, Side, Value, normal
from connector.engine.context import Timing
from connector.store.effects import Effect
from connector.store.heard import moment_of
from connector.store.links import LinkRow, Look, to_json

HEARTBEAT, TAG = "connector_heartbeat", "connector-heartbeat-"
"""The key of the metadata, and the beginning of the tag, that mark a synthetic ticket."""

ASSIGNEE, DEPARTMENT, DEPARTMENT_NAME = "assigned_agent_id", "department_id", "department.name"

WAITING = frozenset({"waits", "quarantined"})
"""Codes of decisions about fields that are left to a person already."""


@dataclass(slots=True)
class Parking:
    """One thing to leave to a person when the pass ends. An empty `field` parks the link itself."""

    field: str
    code: str
    reason: str
    nextcap: Value = None
    crm: Value = None
    candidates: tuple[str, ...] = ()


@dataclass(slots=True)
class Gate:
    """Which sides may not be written just now, and why: one for a batch, so that a fuse that trips stops all of it.

    `counted` are the tickets of the batch with changes that a fuse counts, for whoever is asked.
    """

    closed: dict[Side, str] = field(default_factory=dict)
    counted: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Work:
    """The state of one pass over one link. `finish.finish_all` stores it, in one transaction."""

    link: LinkRow
    mapping: TicketMapping
    held: Mapping[str, tuple[Value, Value]]
    open_effects: list[Effect]
    look: Look
    shadows: dict[str, Shadow]
    substitutes: set[tuple[Value, Value]]
    quarantined: frozenset[str] = frozenset()
    incomplete: frozenset[str] = frozenset()
    trails: dict[str, Trail] = field(default_factory=dict)
    gate: Gate = field(default_factory=Gate)
    held_back: dict[Side, set[str]] = field(default_factory=dict)
    """What was not written because its side is closed: names of fields, or what else."""
    nextcap: Record | None = None
    crm: Record | None = None
    nextcap_fresh: bool = False
    was_read: bool = False
    """Whether Next Cap was asked for the ticket in this pass."""
    crm_fresh: bool = False
    plan: Plan | None = None
    planned_at: datetime | None = None
    basis: tuple[Values, Values, Signals, dict[str, Shadow]] | None = None
    """What the plan was made from: both sides' values, the signals and the shadows."""
    signals: Signals = field(default_factory=Signals)
    lines: list[dict[str, Any]] = field(default_factory=list)
    parkings: list[Parking] = field(default_factory=list)
    parked: list[Parking] = field(default_factory=list)
    """What this pass left to a person that had not waited before."""
    unparked: set[str] = field(default_factory=set)
    """Fields that waited for a person and do not any more."""
    dropped: list[int] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)
    """Comments' effects that are left to a person: they count as refused from the transaction on that parks them."""
    changes: dict[str, Any] = field(default_factory=dict)
    ticket_changes: dict[str, Any] = field(default_factory=dict)
    over: bool = False
    """Whether what the mapping says of a record that is closed for good was begun in this pass."""
    waits_for: set[Side] = field(default_factory=set)
    """Sides to which an earlier comment is still open, so that no status may go there yet."""
    kept: set[int] = field(default_factory=set)
    """Open effects that wait for something else to happen, and make no pass due."""
    due_at: datetime | None = None
    failure: ConnectorError | None = None
    postponed: RetryLater | None = None
    ended: bool = False
    wrote: bool = False
    again: bool = False
    """Whether another pass should follow at once (a refused field was left out of a write)."""
    merged: dict[str, dict[Side, Value]] = field(default_factory=dict)
    """Halves of a merged set that have been written in this pass."""
    carried: list[tuple[str, Side]] = field(default_factory=list)
    """What was written in this pass: rule and target."""
    news: Look = Look.NOTHING
    """What the ticket's other links must look at in Next Cap, because this pass made or found it."""
    writes: int = 0
    held_at: datetime | None = None
    """When its ticket was last seen to be ours, and held for another lease."""
    finished: bool = False
    seen: dict[Side, tuple[Record, Values]] = field(default_factory=dict)
    """What `values` took out of which reading: it is asked many times in a pass."""

    @property
    def record_id(self) -> str | None:
        """The CRM record, one that was made or found in this pass included."""
        return self.changes.get("record_id", self.link.record_id)

    @property
    def nextcap_id(self) -> str | None:
        """The Next Cap ticket, one that was made in this pass included."""
        return self.ticket_changes.get("nextcap_id", self.link.ticket.nextcap_id)

    @property
    def label(self) -> str:
        """What people call this ticket."""
        number = self.ticket_changes.get("number") or self.link.ticket.number
        return f"#{number}" if number else f"record {self.record_id}"

    @property
    def is_live(self) -> bool:
        """Whether this pass goes on: it neither failed, nor was postponed, nor found that there is nothing to carry."""
        return self.failure is None and self.postponed is None and not self.ended

    @property
    def timeline_is_current(self) -> bool:
        """Whether Next Cap's timeline was looked at since the ticket's newest reading.

        With a reading of this very pass, only our own write follows it; an older one may hide a note written meanwhile.
        """
        ticket = self.link.ticket
        seen = self.ticket_changes.get("timeline_version", ticket.timeline_version)
        known = self.ticket_changes.get("version", ticket.version)
        return seen is not None and (known is None or seen >= known)

    def next_write(self) -> int:
        """A number for this pass's next write, so that its effect has a name of its own."""
        self.writes += 1
        return self.writes

    def say(self, code: str, text: str, **details: Any) -> None:
        """Add one line to the journal's row of this pass."""
        self.lines.append({"code": code, "text": text, **details})

    def fail(self, error: ConnectorError) -> None:
        """This ticket's own trouble: the others of the batch go on.

        Of two, one that will be tried again decides when that is, and meets the other anew; the journal tells both.
        """
        first, again = self.failure, RetryLater | UnknownOutcome
        replaces = first is None or (isinstance(error, again) and not isinstance(first, again))
        self.failure, other = (error, first) if replaces else (first, error)
        if other is not None:
            self.say(other.code, f"failed too: {other}")

    def end(self, code: str, text: str) -> None:
        """Nothing more is to be done for this link in this pass."""
        self.say(code, text)
        self.ended = True

    @property
    def is_closed(self) -> bool:
        """Whether the CRM has closed the record for good, as far as it was read."""
        return self.mapping.status.is_final(self.values(Side.CRM).get(STATUS))

    def leave(self, effect: Effect, code: str, text: str) -> None:
        """A comment is left to a person. A pass that does not come to its end has left nothing: it is tried again."""
        self.refused.add(effect.id)
        self.parkings.append(Parking(effect.key, code, text))

    def look_again(self, code: str, text: str) -> None:
        """Have the CRM's record read in another pass, which follows at once."""
        self.look |= Look.CRM
        self.changes["look"] = self.look
        self.again = True
        self.say(code, text)

    def note_unseen_reply(self, unseen: bool) -> None:
        """The CRM has not been shown all that the customer wrote: nobody there could know when they closed."""
        if unseen:
            self.signals = replace(self.signals, unseen_customer_reply=True)

    def may_write(self, side: Side, *what: str) -> bool:
        """Whether this side is open; where it is closed, what would have been written is held back."""
        if side in self.gate.closed and what:
            self.held_back.setdefault(side, set()).update(what)
        return side not in self.gate.closed

    @property
    def why_held_back(self) -> str:
        """Why its sides are closed, in words."""
        return "; ".join(self.gate.closed[side] for side in sorted(self.held_back))

    def wait(self, moment: datetime) -> None:
        """Work this link again then, at the latest."""
        self.due_at = moment if self.due_at is None else min(self.due_at, moment)

    def state(self) -> LinkState:
        """What the planner must know of this link."""
        return LinkState(
            shadows=self.shadows,
            held={name: pair for name, pair in self.held.items() if name not in self.incomplete},
            quarantined=self.quarantined,
            substitutes=frozenset(self.substitutes),
            moments=self._moments(),
            shown=self._shown(),
        )

    @property
    def moments(self) -> Mapping[str, str]:
        """When each of the ticket's fields was first seen as it is, what this pass has read included."""
        moments: Mapping[str, str] = self.ticket_changes.get("moments", self.link.ticket.moments)
        return moments

    def _shown(self) -> dict[Side, datetime]:
        """As of when each side is known: whatever it shows was changed no later."""
        known = {Side.NEXTCAP: self.nextcap, Side.CRM: self.crm or self.known_crm()}
        return {side: record.version for side, record in known.items() if record and record.version}

    def _moments(self) -> dict[Side, dict[str, datetime]]:
        """When the fields of each side came to be as they are, by rule name, as far as that was told or seen."""
        crm = self.crm or self.known_crm()
        seen, heard = self.moments, self.link.moments
        found: dict[Side, dict[str, datetime]] = {side: {} for side in Side}
        natives = [(rule.name, rule.nextcap, rule.crm) for rule in self.mapping.rules]
        for name, ours, theirs in ((STATUS, "status", self.mapping.status.crm), *natives):
            if ours in seen:
                found[Side.NEXTCAP][name] = datetime.fromisoformat(seen[ours])
            if theirs in heard:
                # What was told of an earlier value says nothing of this one.
                mark = fingerprint(normal(crm.get(theirs))) if crm and crm.mentions(theirs) else None
                if at := moment_of(heard[theirs], mark):
                    found[Side.CRM][name] = datetime.fromisoformat(at)
        return found

    def values(self, side: Side) -> Values:
        """One side's values by rule name, as it was last read: now, or in an earlier pass."""
        record = self.nextcap if side is Side.NEXTCAP else self.crm or self.known_crm()
        if record is None:
            return {}
        seen = self.seen.get(side)
        if seen is None or seen[0].fields is not record.fields:
            self.seen[side] = seen = (record, observe(self.mapping, side, record))
        return seen[1]

    def known_crm(self) -> Record | None:
        """The CRM record as an earlier pass left it; None before the first read."""
        if not (self.record_id and self.link.crm):
            return None
        is_ours = self.record_id == self.link.record_id
        return Record(self.record_id, self.link.crm, self.link.crm_version if is_ours else None)

    @property
    def crm_version(self) -> datetime | None:
        """The version of the CRM record that is known: None where our own write has moved it in this pass."""
        known = self.crm or self.known_crm()
        return known.version if known and not self.wrote else None


def each(works: Iterable[Work], step: Callable[[Work], None]) -> None:
    """Run a step for every live work. A ticket's own trouble is its own; a connection's postpones it and the rest.

    So a limit that is used up in the middle of a batch stops nobody who needs no further call.
    """
    waiting: RetryLater | None = None
    for work in works:
        if not work.is_live:
            continue
        if waiting is not None:
            work.postponed = waiting
            continue
        try:
            step(work)
        except RetryLater as problem:
            if problem.scope == "connection":
                work.postponed = waiting = problem
            else:
                work.fail(problem)
        except ConnectorError as problem:
            work.fail(problem)


def observe(mapping: TicketMapping, side: Side, record: Record) -> dict[str, Value]:
    """Take every mapped value out of a record, by rule name; what the reading did not mention is left out."""
    found: dict[str, Value] = {}
    status = record.get("status" if side is Side.NEXTCAP else mapping.status.crm)
    if status is not MISSING:
        found[STATUS] = normal(status)
    for rule in mapping.rules:
        value = (rule.observe_nextcap if side is Side.NEXTCAP else rule.observe_crm)(record)
        if value is not MISSING:
            found[rule.name] = normal(value)
    return found


def names_every_field(mapping: TicketMapping, record: Record) -> bool:
    """Whether a Next Cap reading is as good as a read: it names every field that this mapping looks at."""
    if record.get("status") is MISSING or any(rule.observe_nextcap(record) is MISSING for rule in mapping.rules):
        return False
    return all(record.mentions(name) for name in mapping.needs)


def describe(decision: Decision) -> dict[str, Any]:
    """A decision as the journal keeps it. Long texts are cut: the journal says why, the systems hold what."""
    shown: dict[str, Any] = {"field": decision.name, "outcome": str(decision.outcome), "code": decision.code}
    shown["text"] = decision.reason
    for key in ("nextcap", "crm", "write_nextcap", "write_crm"):
        value = getattr(decision, key)
        if value is not None:
            shown[key] = _short(to_json(value))
    if decision.path:
        shown["path"] = [str(step) for step in decision.path]
    return shown


def _short(value: Any, limit: int = 120) -> Any:
    return f"{value[:limit]}…" if isinstance(value, str) and len(value) > limit else value


def park_decision(work: Work, decision: Decision) -> None:
    """Leave one field to a person, unless it waits already."""
    if decision.code not in WAITING and decision.outcome in (Outcome.HELD, Outcome.REFUSED):
        work.parkings.append(Parking(decision.name, decision.code, decision.reason, decision.nextcap, decision.crm))


def native_of(mapping: TicketMapping, name: str, side: Side) -> str:
    """The native field that a rule writes on that side; empty where it writes none."""
    if name == STATUS:
        return "status" if side is Side.NEXTCAP else mapping.status.crm
    rule: Rule | None = mapping.rule(name)
    if rule is None:
        return ""
    return rule.nextcap if side is Side.NEXTCAP else rule.crm


def name_of(mapping: TicketMapping, native: str, side: Side) -> str | None:
    """The rule that a native field belongs to, or None where the mapping does not carry it."""
    if native == ("status" if side is Side.NEXTCAP else mapping.status.crm):
        return STATUS
    for rule in mapping.rules:
        if native and native == (rule.nextcap if side is Side.NEXTCAP else rule.crm):
            return rule.name
    return None


def backoff(attempts: int, timing: Timing) -> timedelta:
    """How long to wait before the next try: from half a second, doubling to ten minutes, with jitter."""
    shortest = min(timing.longest_repeat / 2, timing.first_repeat * 2 ** min(attempts, 20))
    return timedelta(seconds=shortest * random.uniform(1.0, 2.0))  # noqa: S311 - jitter, not a secret


def reading_to_json(record: Record) -> dict[str, Any]:
    """A Next Cap reading as the store keeps it."""
    return {
        "fields": {name: to_json(value) for name, value in record.fields.items()},
        "number": record.number,
        "requester": [record.requester.email, record.requester.name, record.requester.phone],
    }


def reading_from_json(nextcap_id: str, reading: Mapping[str, Any], version: datetime | None) -> Record:
    """The reading that `reading_to_json` stored."""
    return Record(
        id=nextcap_id,
        fields={name: normal(value) for name, value in reading["fields"].items()},
        version=version,
        number=reading.get("number", ""),
        requester=Requester(*reading.get("requester", (None, None, None))),
    )


def moved_moments(
    before: Mapping[str, Any] | None, after: Mapping[str, Any], moments: Mapping[str, str], moment: datetime
) -> dict[str, str]:
    """When each native field came to its present value. `before` and `after` are stored readings.

    `moment` is the latest at which what differs can have changed: as of when `after` is, rather than when it came.
    """
    if before is None:
        return dict(moments)
    known, told = before["fields"], moment.isoformat()
    changed = ((name, value) for name, value in after["fields"].items() if known.get(name) != value)
    return {**moments, **{name: told for name, value in changed if normal(known.get(name)) != normal(value)}}
