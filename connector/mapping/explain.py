"""A mapping in plain words, for the people who answer for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from connector.domain.lifecycle import Status
from connector.domain.rules import AfterFinal, Arrival, Direction, First, OnLeave, Owner
from connector.domain.schema import Schema
from connector.domain.ticket import CommentKind
from connector.mapping.compile import context_of
from connector.mapping.context import Context
from connector.mapping.fields import direction_of, native_name
from connector.mapping.forms import NOBODY, STOP
from connector.mapping.load import Document
from connector.mapping.model import Ask, Clause, Comments, FieldBlock, StatusBlock, Ways
from connector.mapping.problems import listed
from connector.mapping.transforms import REGISTRY

BOTH_SIDES = "both"
JOINED = "a ticket and an existing record are linked"
ARROWS: Mapping[Direction, str] = {Direction.BOTH: "↔", Direction.TO_CRM: "→", Direction.TO_NEXTCAP: "←"}
LEAVING: Mapping[OnLeave, str] = {
    OnLeave.FREEZE: "its record stays as it is until the ticket is carried again",
    OnLeave.KEEP: "it is carried on all the same",
    OnLeave.UNLINK: "its link to the record ends",
}
OWNERS: Mapping[Owner, str] = {
    Owner.NEWEST: "the later change counts",
    Owner.NEXTCAP: "Next Cap's change counts",
    Owner.CRM: "the CRM's change counts",
    Owner.ASK: "a person chooses",
}
FIRSTS: Mapping[First, str] = {
    First.FILL_EMPTY: "only what is empty is filled",
    First.NEXTCAP: "Next Cap's value is taken",
    First.CRM: "the CRM's value is taken",
    First.ASK: "a person chooses",
}
AFTER_FINAL: Mapping[AfterFinal, str] = {
    AfterFinal.FOLLOW_UP: "a reply or a reopened ticket gets a follow-up record, which is linked to it",
    AfterFinal.NOTE: "for a reply or a reopened ticket, an internal note in Next Cap says that it stays there",
    AfterFinal.PARK: "what is said or changed in Next Cap then waits for a person",
}
KINDS: Mapping[CommentKind, str] = {
    CommentKind.REPLY: "agents' replies",
    CommentKind.CUSTOMER_REPLY: "customers' replies",
    CommentKind.NOTE: "internal notes",
}


def explain(document: Document, schema: Schema | None = None) -> str:
    """What the file does, section by section. With a schema, fields and the pipeline bear the account's labels."""
    context = context_of(document, schema, document.report())
    file = document.file
    sections = {
        "Tickets": _tickets(context),
        f"Status ({_crm(context, file.status.field)})": _status(file.status),
        "Fields": (line for name, block in file.fields.items() for line in _field(name, block, context)),
        "Conversation": _comments(file.comments),
    }
    lines = [f"{document.name}: what Next Cap and {file.crm} tell each other about a ticket"]
    for title, sentences in sections.items():
        lines += ["", title, *(f"  - {sentence}" for sentence in sentences)]
    return "\n".join(lines) + "\n"


def _crm(context: Context, word: str) -> str:
    field = context.labels.field(word)
    return f"{field.label}, {field.name}" if field.label and field.label != field.name else field.name


def _tickets(context: Context) -> Iterator[str]:
    file = context.file
    carry = file.carry
    conditions = [_condition(clause) for clause in carry.when]
    if carry.filter:
        conditions.append(f"the expression {carry.filter} gives something")
    if conditions:
        yield f"A ticket is carried where {listed(conditions)}. Where that ends, {LEAVING[carry.on_leave]}."
    else:
        yield "Every Next Cap ticket is carried."
    if context.pipeline.label or file.pipeline:
        yield f"Records lie in the pipeline {context.pipeline.label or file.pipeline}."
    for one in file.find:
        yield f"Before a record is made, one is looked for by {_crm(context, one.crm)} = the ticket's {one.nextcap}."
    both = file.create == "both"
    yield f"A record that somebody makes in the CRM is {'made in Next Cap too' if both else 'left alone'}."
    for name, word in file.constants.items():
        yield f"A new record gets {word} as its {_crm(context, name)}."
    yield f"The customer is {'' if file.requester else 'not '}joined to the record as a contact."
    kept = "stays as it is" if file.on_delete == "keep" else "is closed"
    yield f"When a record is deleted in the CRM, the Next Cap ticket {kept}."


def _condition(clause: Clause) -> str:
    if clause.empty is not None:
        return f"{clause.field} is {'empty' if clause.empty else 'not empty'}"
    words = listed(clause.in_ or clause.not_in, last="or")
    return f"{clause.field} is {'' if clause.in_ else 'not '}{words}"


def _status(block: StatusBlock) -> Iterator[str]:
    by_stage: dict[str, list[str]] = {}
    for status, stage in block.to_crm.items():
        by_stage.setdefault(stage, []).append(status.value)
    if block.direction is not Direction.TO_NEXTCAP:
        for stage, statuses in by_stage.items():
            yield f"{listed(statuses)} {'is' if len(statuses) == 1 else 'are'} {stage} in the CRM."
    if block.direction is not Direction.TO_CRM:
        for stage, ask in block.to_nextcap.items():
            yield f"{stage} asks for {_asks(ask, block)}."
        if block.ignore:
            yield f"{listed(block.ignore)} in the CRM change{'s' if len(block.ignore) == 1 else ''} nothing."
        forbidden = [status.value for status in block.walk.forbid]
        never = f", never through {listed(forbidden, last='or')}" if forbidden else ""
        yield f"Next Cap is moved there by its own legal steps, {block.walk.max_hops} at most{never}."
        race = "is opened again there" if block.close_race == "reopen" else "waits for a person"
        yield f"A ticket that the CRM closed without having seen the customer's newest reply {race}."
    if block.final:
        told = f"{listed(block.final)} {'is' if len(block.final) == 1 else 'are'} for good in the CRM"
        yield f"{told}: {AFTER_FINAL[block.after_final or AfterFinal.PARK]}."
    yield f"Where both sides moved, {OWNERS[block.owner]}. When {JOINED}, {FIRSTS[block.first]}."


def _asks(ask: Ask, block: StatusBlock) -> str:
    by_wanted: dict[Status, list[str]] = {}
    for present, wanted in ask.when.items():
        by_wanted.setdefault(wanted, []).append(present.value)
    parts = [ask.to.value]
    parts += [f"{wanted.value} where the ticket is {listed(names, last='or')}" for wanted, names in by_wanted.items()]
    for target in dict.fromkeys([ask.to, *by_wanted]):
        if target in block.substitute:
            stands = listed([one.value for one in block.substitute[target]], last="or")
            parts.append(f"{stands} where {target.value} cannot be reached")
    return "; ".join(parts)


def _field(name: str, block: FieldBlock, context: Context) -> Iterator[str]:
    ours = native_name(name, block) or (block.template and f'"{block.template}"') or str(block.expression)
    arrow = ARROWS[direction_of(block)]
    details = [*_how(block), *_fallbacks(block), *_when(block)]
    yield f"{ours} {arrow} {_crm(context, block.crm)}{': ' if details else ''}{'; '.join(details)}."


def _how(block: FieldBlock) -> Iterator[str]:
    if block.person:
        yield "the person with the same e-mail address"
    if block.department:
        yield "the department's name"
    for step in block.transform:
        yield REGISTRY[step.op].says.format(step.argument)
    if block.values:
        yield ", ".join(f"{ours} = {theirs}" for ours, theirs in block.values.items())
    for rows in (block.to_crm, block.to_nextcap):
        if rows:
            yield ", ".join(f"{word} → {value}" for word, value in rows.items())


def _fallbacks(block: FieldBlock) -> Iterator[str]:
    for side, word in _ways(block.otherwise):
        if word == STOP:
            towards = "" if side == BOTH_SIDES else f" on its way to {side}"
            yield f"for any other value{towards} a person is asked"
        else:
            yield f"any other value is {'nobody' if word == NOBODY else word} in {side}"
    for side, word in _ways(block.empty):
        yield f"an empty one is {word} in {side}"


def _ways(ways: Ways | None) -> Iterator[tuple[str, str]]:
    """What is declared for each side; what is the same on both is said once."""
    if ways is None:
        return
    if ways.to_crm is not None and ways.to_crm == ways.to_nextcap:
        yield BOTH_SIDES, ways.to_crm
        return
    if ways.to_crm is not None:
        yield "the CRM", ways.to_crm
    if ways.to_nextcap is not None:
        yield "Next Cap", ways.to_nextcap


def _when(block: FieldBlock) -> Iterator[str]:
    if block.only_on_create:
        yield "only when the record is made"
    if block.required_on:
        yield f"must be filled before {listed(block.required_on, last='or')} is set"
    if direction_of(block) is Direction.BOTH and block.owner is not Owner.NEWEST:
        yield f"where both changed it, {OWNERS[block.owner]}"
    if not block.is_derived and block.first is not First.FILL_EMPTY:
        yield f"when {JOINED}, {FIRSTS[block.first]}"
    if block.class_ == "personal":
        yield "hidden as personal"


def _comments(block: Comments) -> Iterator[str]:
    for kinds, side in ((block.to_crm, "the CRM"), (block.to_nextcap, "Next Cap")):
        words = listed([KINDS[kind] for kind in kinds]) or "nothing"
        note = " A note always stays a note." if CommentKind.NOTE in kinds else ""
        yield f"Mirrored in {side}: {words}.{note}"
    if block.reply_markers:
        markers = listed([f"'{marker}'" for marker in block.reply_markers], last="or")
        yield f"A CRM note that begins with {markers} is sent to the customer as a reply."
    for form, arrival in block.forms.items():
        told = "as an internal note" if arrival is Arrival.NOTE else "as what it is"
        yield f"Of the CRM's other entries, each {form} is read too, and arrives in Next Cap {told}."
    for kind, form in block.written_as.items():
        yield f"In the CRM, {KINDS[kind]} are each written as a {form}."
    if block.history is None:
        yield "A new link mirrors the whole older conversation."
    elif block.history == timedelta(0):
        yield "A new link mirrors nothing of the older conversation."
    else:
        hours = block.history // timedelta(hours=1)
        much = f"{hours // 24} days" if hours % 24 == 0 else f"{hours} hours"
        yield f"A new link mirrors the last {much} of the older conversation."
