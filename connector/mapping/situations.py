"""The situation of an example as the planner needs it.

What an example does not mention of a side is what the mapping makes of the other side, so that an example names only
what it is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.domain.decision import STATUS, LinkState, Shadow, Values
from connector.domain.lifecycle import Status
from connector.domain.rules import Direction, Directories, Observe, Rule, StatusRule, TicketMapping, Untranslatable
from connector.domain.status import parse_status
from connector.domain.ticket import MISSING, Missing, Person, Record, Side, Value, normal
from connector.mapping.model import Before, Given

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
Told = Value | Missing


@dataclass(frozen=True, slots=True)
class Situation:
    """What `plan_sync` is given. `mapping` holds only the rules that the example speaks of."""

    mapping: TicketMapping
    link: LinkState
    nextcap: Values
    crm: Values


@dataclass(frozen=True, slots=True)
class Telling:
    """One side of an example as records: what `was` says alone, and the whole record before and now."""

    was: Record
    before: Record
    now: Record

    @classmethod
    def of(cls, was: Mapping[str, Any], now: Mapping[str, Any] | None) -> Telling:
        """From the two blocks of an example; what one of them leaves out is as in the other."""
        old, new = flat(was), flat(now or {})
        return cls(_record(old), _record(new | old), _record(old | new))

    def value_before(self, observe: Observe) -> Told:
        """The earlier value, where `was` bears on it; MISSING where it does not."""
        value = observe(self.before)
        return value if observe(self.was) is not MISSING or value != observe(self.now) else MISSING


def situation_of(given: Given, mapping: TicketMapping, people: Directories) -> Situation:
    """The planner's view of two tickets that are linked (`was` is given) or meet for the first time."""
    was = given.was or Before()
    ours, theirs = Telling.of(was.nextcap, given.nextcap), Telling.of(was.crm, given.crm)
    sides: dict[str, tuple[Shadow, Shadow]] = {}
    status = _status_as_rule(mapping.status)
    rules = tuple(rule for rule in mapping.rules if _speaks_of(rule, ours, theirs))
    for rule in (*rules, status):
        sides[rule.name] = _sides(rule, ours, theirs, people)
    is_settled = dict.fromkeys(sides, given.was is not None)
    is_settled[STATUS] = given.was is not None or not _speaks_of(status, ours, theirs)
    return Situation(
        mapping=replace(mapping, rules=rules),
        link=LinkState(
            shadows={name: old for name, (old, _) in sides.items() if is_settled[name]},
            moments=_moments(given, list(sides)),
        ),
        nextcap={name: new.nextcap for name, (_, new) in sides.items()},
        crm={name: new.crm for name, (_, new) in sides.items()},
    )


def new_ticket_situation(given: Given, mapping: TicketMapping) -> Situation:
    """The planner's view of a Next Cap ticket just made for a CRM record: its status alone is still to be carried."""
    stage = crm_record(given).get(mapping.status.crm)
    return Situation(
        mapping=replace(mapping, rules=()),
        link=LinkState(shadows={STATUS: Shadow(Status.NEW.value, None)}),
        nextcap={STATUS: Status.NEW.value},
        crm={STATUS: None if stage is MISSING else stage},
    )


def directories_of(given: Given) -> Directories:
    """The people and departments that an example needs."""
    return Directories(
        nextcap={one.nextcap: Person(one.nextcap, one.email.lower()) for one in given.people if one.nextcap},
        crm={one.crm: Person(one.crm, one.email.lower()) for one in given.people if one.crm},
        departments={identifier: name for name, identifier in given.departments.items()},
    )


def nextcap_record(given: Given) -> Record:
    """The Next Cap ticket of an example as it is now."""
    return Telling.of(given.was.nextcap if given.was else {}, given.nextcap).now


def crm_record(given: Given) -> Record:
    """The CRM record of an example as it is now."""
    return Telling.of(given.was.crm if given.was else {}, given.crm).now


def flat(values: Mapping[str, Any]) -> dict[str, Value]:
    """Native fields by their dotted names, in normal form; an object that is named has said of all its parts."""
    fields: dict[str, Value] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            fields[name] = None
            fields |= {f"{name}.{key}": normal(part) for key, part in value.items()}
        else:
            fields[name] = normal(value)
    return fields


def _record(fields: Mapping[str, Value]) -> Record:
    return Record("example", fields)


def _speaks_of(rule: Rule, ours: Telling, theirs: Telling) -> bool:
    return rule.observe_nextcap(ours.now) is not MISSING or rule.observe_crm(theirs.now) is not MISSING


def _sides(rule: Rule, ours: Telling, theirs: Telling, people: Directories) -> tuple[Shadow, Shadow]:
    """Both sides' values before and now."""
    ours_now, theirs_now = rule.observe_nextcap(ours.now), rule.observe_crm(theirs.now)
    ours_old, theirs_old = ours.value_before(rule.observe_nextcap), theirs.value_before(rule.observe_crm)
    if ours_old is MISSING and theirs_old is MISSING:
        ours_old, theirs_old = ours_now, theirs_now
    old = _completed(rule, ours_old, theirs_old, people)
    return old, Shadow(
        nextcap=old.nextcap if ours_now is MISSING else ours_now,
        crm=old.crm if theirs_now is MISSING else theirs_now,
    )


def _completed(rule: Rule, ours: Told, theirs: Told, people: Directories) -> Shadow:
    """The pair, with the side that is not told made from the other; empty where nothing leads there."""
    with suppress(Untranslatable):
        if theirs is MISSING and ours is not MISSING and rule.direction is not Direction.TO_NEXTCAP:
            theirs = normal(rule.to_crm(ours, people))
        elif ours is MISSING and theirs is not MISSING and rule.direction is not Direction.TO_CRM:
            ours = normal(rule.to_nextcap(theirs, people))
    return Shadow(None if ours is MISSING else ours, None if theirs is MISSING else theirs)


def _status_as_rule(status: StatusRule) -> Rule:
    """The status seen as a field, to complete what an example leaves out of it."""

    def to_crm(value: Value, _: Directories) -> Value:
        present = parse_status(value)
        return status.to_crm.get(present) if present else None

    def to_nextcap(value: Value, _: Directories) -> Value:
        wanted = status.status_for(value, present=None)
        return wanted.value if wanted else None

    return Rule(
        name=STATUS,
        nextcap=STATUS,
        crm=status.crm,
        observe_nextcap=lambda record: record.get(STATUS),
        observe_crm=lambda record: record.get(status.crm),
        to_crm=to_crm,
        to_nextcap=to_nextcap,
        direction=status.direction,
    )


def _moments(given: Given, names: list[str]) -> dict[Side, dict[str, datetime]]:
    """When each side's fields changed: an hour apart where the example says whose change is the newer."""
    if given.newer is None:
        return {}
    newer = Side(given.newer)
    return {newer: dict.fromkeys(names, NOON), newer.other: dict.fromkeys(names, NOON - timedelta(hours=1))}
