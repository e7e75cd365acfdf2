"""The examples of a mapping file, run through the real planner."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.domain.decision import STATUS, Outcome, Signals
from connector.domain.final import FOLLOW_UP, NOTED
from connector.domain.plan import plan_sync
from connector.domain.rules import Direction, Directories, TicketMapping, Translate, Untranslatable
from connector.domain.status import parse_status
from connector.domain.ticket import MISSING, Value, normal
from connector.mapping.compile import bind
from connector.mapping.load import Document
from connector.mapping.model import Example, Expect, Given
from connector.mapping.problems import Problem, Report, listed
from connector.mapping.situations import (
    NOON,
    Situation,
    crm_record,
    directories_of,
    flat,
    new_ticket_situation,
    nextcap_record,
    situation_of,
)
from connector.mapping.transforms import as_text, text_of
from connector.mapping.vocabulary import FIELDS, OBJECTS, nextcap_field

PARKED = (Outcome.HELD, Outcome.REFUSED)
AFTER_FINAL = {FOLLOW_UP: "follow_up", NOTED: "note"}
FINAL_WORDS = {"follow_up": "a follow-up is made", "note": "a note is written", None: "no follow-up, no note"}


@dataclass(frozen=True, slots=True)
class Came:
    """What an example came to, in each side's own field names. `reasons` are the planner's, by rule
    and by field."""

    to_crm: Mapping[str, Value] = field(default_factory=dict)
    to_nextcap: Mapping[str, Value] = field(default_factory=dict)
    walk: tuple[str, ...] = ()
    parked: tuple[str, ...] = ()
    carried: bool = True
    after_final: str | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    verdict: str = ""


def run(document: Document) -> list[Problem]:
    """Run every example; a problem for each part that comes out differently. Raises `MappingErrors` as `bind` does."""
    report = document.report()
    mapping = bind(document, None)
    for place, example in enumerate(document.file.examples):
        before = len(report.problems)
        _check_names(example, mapping, report, place)
        if len(report.problems) == before:
            came = play(example.given, mapping, is_carried=example.expect.carried is None)
            _compare(example.expect, came, report, place)
    return report.problems


def play(given: Given, mapping: TicketMapping, *, is_carried: bool = False) -> Came:
    """What the mapping makes of a situation. `is_carried`: whatever the filter and `create` say of such a ticket."""
    makes_ticket = given.nextcap is None and given.was is None
    if makes_ticket and not (mapping.creates_in_nextcap or is_carried):
        return Came(carried=False, verdict="the mapping does not create tickets in Next Cap")
    people = directories_of(given)
    if makes_ticket:
        return _ticket_made(given, mapping, people)
    verdict = mapping.carries(nextcap_record(given))
    if not (verdict.carried or is_carried):
        return Came(carried=False, verdict=verdict.reason)
    if given.crm is None and given.was is None:
        return _record_made(given, mapping, people)
    return _planned(situation_of(given, mapping, people), people, given)


def _planned(view: Situation, people: Directories, given: Given) -> Came:
    """What the planner makes of it, by native names."""
    signals = Signals(unseen_customer_reply=given.unseen_reply, unseen_reply=given.unseen_reply)
    plan = plan_sync(
        view.mapping, view.link, nextcap=view.nextcap, crm=view.crm, people=people, now=NOON, signals=signals
    )
    crm_names = {STATUS: view.mapping.status.crm} | {rule.name: rule.crm for rule in view.mapping.rules}
    nextcap_names = {rule.name: rule.nextcap for rule in view.mapping.rules}
    reasons: dict[str, str] = {}
    for one in plan.decisions:
        reasons[crm_names[one.name]] = reasons[nextcap_names.get(one.name, STATUS)] = one.reason
    return Came(
        to_crm={crm_names[name]: value for name, value in plan.to_crm.items()},
        to_nextcap={nextcap_names[name]: value for name, value in plan.to_nextcap.items()},
        walk=tuple(step.value for step in plan.walk),
        parked=tuple(one.name for one in plan.decisions if one.outcome in PARKED),
        after_final=AFTER_FINAL.get(plan.decision(STATUS).code),
        reasons=reasons | {one.name: one.reason for one in plan.decisions},
    )


def _record_made(given: Given, mapping: TicketMapping, people: Directories) -> Came:
    """A CRM record made for a Next Cap ticket: everything that travels that way, and the constants."""
    ticket = nextcap_record(given)
    status = parse_status(normal(ticket.fields.get(STATUS)))
    rules = [rule for rule in mapping.rules if rule.direction is not Direction.TO_NEXTCAP]
    told = [(rule, value) for rule in rules if (value := rule.observe_nextcap(ticket)) is not MISSING]
    values, parked = _translated([(rule.name, rule.crm, rule.to_crm, value) for rule, value in told], people)
    if status is not None and status in mapping.status.to_crm:
        values[mapping.status.crm] = mapping.status.to_crm[status]
    return Came(to_crm=dict(mapping.constants) | values, parked=tuple(parked), reasons=parked)


def _ticket_made(given: Given, mapping: TicketMapping, people: Directories) -> Came:
    """A Next Cap ticket made for a CRM record: everything that travels that way, and then the walk from `new`."""
    record = crm_record(given)
    rules = [rule for rule in mapping.rules if rule.direction is not Direction.TO_CRM]
    told = [(rule, value) for rule in rules if (value := rule.observe_crm(record)) is not MISSING]
    values, parked = _translated([(rule.name, rule.nextcap, rule.to_nextcap, value) for rule, value in told], people)
    came = _planned(new_ticket_situation(given, mapping), people, given)
    return Came(
        to_crm=came.to_crm,
        to_nextcap=values,
        walk=came.walk,
        parked=(*came.parked, *parked),
        reasons={**came.reasons, **parked},
    )


def _translated(
    work: Iterable[tuple[str, str, Translate, Value]], people: Directories
) -> tuple[dict[str, Value], dict[str, str]]:
    """The values by native name, empty ones left out; and why a rule's value has no counterpart, by rule name."""
    values: dict[str, Value] = {}
    parked: dict[str, str] = {}
    for name, native, translate, value in work:
        try:
            values[native] = normal(translate(value, people))
        except Untranslatable as problem:
            parked[name] = str(problem)
    return {native: value for native, value in values.items() if value is not None}, parked


def _check_names(example: Example, mapping: TicketMapping, report: Report, place: int) -> None:
    path = ("examples", place)
    given, expect = example.given, example.expect
    was = given.was
    crm = [*mapping.crm_fields(), *mapping.constants]
    for where, values in (
        (("given", "crm"), given.crm),
        (("given", "was", "crm"), was and was.crm),
        (("expect", "to_crm"), expect.to_crm),
    ):
        for name in values or ():
            if name not in crm:
                message = f"no rule of this file speaks of the CRM field '{name}'"
                report.add_at_key("M602", message, *path, *where, name, suggestion=report.guess(name, crm))
    for where, values in (
        (("given", "nextcap"), given.nextcap),
        (("given", "was", "nextcap"), was and was.nextcap),
        (("expect", "to_nextcap"), expect.to_nextcap),
    ):
        for name in values or ():
            if nextcap_field(name) is None and name != "requester":
                message = f"Next Cap's ticket has no field '{name}'"
                suggestion = report.guess(name, [*FIELDS, *OBJECTS])
                report.add_at_key("M602", message, *path, *where, name, suggestion=suggestion)
    rules = [STATUS, *(rule.name for rule in mapping.rules)]
    for index, name in enumerate(expect.parked):
        if name not in rules:
            message = f"this file has no field '{name}'"
            report.add("M602", message, *path, "expect", "parked", index, suggestion=report.guess(name, rules))


def _compare(expect: Expect, came: Came, report: Report, place: int) -> None:
    path = ("examples", place, "expect")
    if expect.carried not in (None, came.carried):
        word = "carried" if came.carried else "not carried"
        report.add("M601", f"the ticket is {word}{f': {came.verdict}' if came.verdict else ''}", *path, "carried")
        return
    _compare_values("to_crm", expect.to_crm, came.to_crm, report, path, came.reasons)
    _compare_values("to_nextcap", expect.to_nextcap, came.to_nextcap, report, path, came.reasons)
    if expect.after_final != came.after_final:
        word = FINAL_WORDS[came.after_final]
        report.add("M601", f"{word}: {came.reasons.get(STATUS, '')}", *path, "after_final")
    walk = tuple(step.value for step in expect.walk)
    if walk != came.walk:
        message = f"the walk is {_path(came.walk)}, not {_path(walk)}"
        report.add("M601", f"{message}: {came.reasons.get(STATUS, '')}", *path, "walk")
    for name in sorted({*came.parked} ^ {*expect.parked}):
        word = "waits for a person" if name in came.parked else "does not wait for a person"
        report.add("M601", f"'{name}' {word}: {came.reasons.get(name, 'it is not mentioned')}", *path, "parked")


def _compare_values(
    key: str,
    wanted: Mapping[str, Any],
    came: Mapping[str, Value],
    report: Report,
    path: tuple[Any, ...],
    reasons: Mapping[str, str],
) -> None:
    expected = flat(wanted)
    for name in [*expected, *(one for one in came if one not in expected)]:
        ours, theirs = expected.get(name), came.get(name)
        if (name in expected) == (name in came) and as_text(ours) == as_text(theirs):
            continue
        shown = f"'{text_of(theirs)}'" if theirs is not None else "empty"
        becomes = f"{name} is written as {shown}" if name in came else f"{name} is not written"
        instead = f"not as '{text_of(ours)}'" if name in expected and name in came else ""
        words = " ".join(part for part in (f"{key}:", becomes, instead) if part)
        report.add("M601", f"{words} ({reasons.get(name, 'no rule wrote it')})", *path, key, name)


def _path(steps: Iterable[str]) -> str:
    return listed(tuple(steps), last="then") or "none"
