"""Proofs about the status tables: total, reachable, and never at odds with each other.

All of them look at every pair of a present status and a CRM value, so what they accept holds for every ticket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from connector.domain.lifecycle import Status, shortest_path
from connector.domain.rules import AfterFinal, Direction, StatusRule
from connector.domain.status import route, status_agrees
from connector.domain.ticket import Value
from connector.mapping.context import Context
from connector.mapping.labels import options_of
from connector.mapping.problems import listed
from connector.mapping.statuses import native_rows

NO_SUBSTITUTES: frozenset[tuple[Value, Value]] = frozenset()
MakesFollowUps = Callable[[str], bool]
"""Whether this kind of CRM can make a record that follows one that is closed for good."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A CRM value set while Next Cap had a status that is written otherwise, and what the table asks for then."""

    stage: str
    present: Status
    wanted: Status


def check_status(context: Context, rule: StatusRule, follows: MakesFollowUps | None = None) -> None:
    """Report everything about the status block that could leave a ticket at odds with itself.

    `follows` says which kinds of CRM make follow-ups; None where that is not known.
    """
    _total_to_crm(context, rule)
    _final(context, follows)
    if rule.direction is Direction.TO_CRM:
        return
    rows = native_rows(context)
    _total_to_nextcap(context, rule)
    _ignored(context, rule, rows)
    _reachable(context, rule, rows)
    _settling(context, rule, rows)
    _needless(context, rule, rows)


def asked(rule: StatusRule) -> Iterator[Asked]:
    """Every question the CRM can put. The answer may be that the ticket has the wanted status already."""
    for stage in rule.to_nextcap:
        for present in Status:
            wanted = rule.status_for(stage, present=present)
            if wanted is not None and rule.to_crm.get(present) != stage and stage not in rule.ignore:
                yield Asked(stage, present, wanted)


def _total_to_crm(context: Context, rule: StatusRule) -> None:
    missing = [status.value for status in Status if status not in rule.to_crm]
    if missing and rule.direction is not Direction.TO_NEXTCAP:
        message = f"no CRM value is given for {listed(missing)}; all eight statuses need one"
        context.report.add_at_key("M301", message, "status", "to_crm")


def _final(context: Context, follows: MakesFollowUps | None) -> None:
    """What is to follow a record that is closed for good must be possible there."""
    block = context.file.status
    if block.after_final is None:
        return
    if not block.final:
        told = "never applies: no CRM value is said to be for good; name it under 'final'"
        context.report.add_at_key("M306", told, "status", "after_final")
    if block.after_final is AfterFinal.FOLLOW_UP and follows is not None and not follows(context.file.crm):
        told = f"{context.file.crm} makes no record that follows a closed one; say note or park"
        context.report.add("M308", told, "status", "after_final")


def _total_to_nextcap(context: Context, rule: StatusRule) -> None:
    known = rule.to_nextcap.keys() | rule.ignore
    first_written = {stage: status for status, stage in reversed([*rule.to_crm.items()])}
    for stage, status in first_written.items():
        if stage not in known and rule.direction is Direction.BOTH:
            message = f"'{rule.label(stage)}' has no row under 'to_nextcap' and is not under 'ignore'"
            context.report.add("M302", message, "status", "to_crm", status.value)
    for option in options_of(context.status_field, context.pipeline.value):
        if option.value not in known and option.value not in first_written:
            where = f" of the pipeline {context.pipeline.label}" if context.pipeline.label else ""
            message = f"'{option.label}'{where} has no row here and is not under 'ignore'"
            context.report.add_at_key("M303", message, "status", "to_nextcap")


def _ignored(context: Context, rule: StatusRule, rows: Mapping[str, str]) -> None:
    for native, word in rows.items():
        if native in rule.ignore:
            message = f"'{word}' has a row here and stands under 'ignore' too"
            context.report.add_at_key("M307", message, "status", "to_nextcap", word)


def _reachable(context: Context, rule: StatusRule, rows: Mapping[str, str]) -> None:
    """From wherever a CRM value can be set, Next Cap can be walked to what it asks for, or to a substitute."""
    stuck: dict[tuple[str, Status], list[str]] = {}
    for question in asked(rule):
        if route(rule, question.present, question.wanted) is None:
            stuck.setdefault((question.stage, question.wanted), []).append(question.present.value)
    for (stage, wanted), presents in stuck.items():
        message = (
            f"Next Cap has no allowed way to {wanted.value} from {listed(presents, last='or')}; name what may stand "
            f"for it, such as 'substitute: {{{wanted.value}: [open]}}', or allow a longer walk"
        )
        context.report.add("M304", message, "status", "to_nextcap", rows[stage])


def _settling(context: Context, rule: StatusRule, rows: Mapping[str, str]) -> None:
    """A CRM change that has been carried is agreement, and would be written to the CRM as what it was."""
    clashes: dict[str, Asked] = {}
    for question in asked(rule):
        if question.stage not in clashes and bounces(rule, question):
            clashes[question.stage] = question
    for stage, clash in clashes.items():
        label, reached = rule.label(stage), clash.wanted.value
        back = rule.to_crm.get(clash.wanted)
        there = f"'{rule.label(back)}'" if back is not None else "nothing"
        is_same = clash.present is clash.wanted
        turn = f"leaves {reached} as it is" if is_same else f"turns {clash.present.value} into {reached}"
        message = f"'{label}' {turn}, but {reached} is {there} in the CRM and not '{label}': the ticket would bounce"
        context.report.add("M305", message, "status", "to_nextcap", rows[stage])


def bounces(rule: StatusRule, question: Asked) -> bool:
    """Whether the answer to a question is at odds with the CRM value that asked it.

    Either neither table calls the two the same, or the CRM value is one that Next Cap's statuses are written as and
    this status is written as another. A substitute is at odds by design: the journal remembers it as settled.
    """
    way = route(rule, question.present, question.wanted)
    if way is None or way[0] is not question.wanted:
        return False
    reached = question.wanted
    if not status_agrees(rule, reached, question.stage, NO_SUBSTITUTES):
        return True
    is_written = question.stage in rule.to_crm.values()
    return rule.direction is Direction.BOTH and is_written and rule.to_crm.get(reached) != question.stage


def _needless(context: Context, rule: StatusRule, rows: Mapping[str, str]) -> None:
    """Rows that never decide anything, which is seldom what their author thought."""
    for (stage, present), wanted in rule.when.items():
        path = ("status", "to_nextcap", rows[stage], "when", present.value)
        if rule.to_crm.get(present) == stage:
            message = f"never applies: a ticket that is {present.value} agrees with '{rule.label(stage)}' already"
            context.report.add_at_key("M306", message, *path)
        elif wanted is rule.to_nextcap[stage]:
            context.report.add_at_key("M306", f"says what the row says anyway: {wanted.value}", *path)
    used = {one.wanted for one in asked(rule) if shortest_path(one.present, one.wanted, rule.policy) is None}
    for status in rule.substitutes:
        if status not in used:
            message = f"never needed: {status.value} is never asked for where it cannot be reached"
            context.report.add_at_key("M306", message, "status", "substitute", status.value)
