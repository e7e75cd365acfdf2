"""`Document` + schema → `TicketMapping`: labels become native ids, tables and expressions become functions."""

from __future__ import annotations

from connector.domain.rules import CommentPolicy, FindRule, Observe, TicketMapping
from connector.domain.schema import Schema
from connector.domain.ticket import MISSING, Missing, Record, Value, normal
from connector.mapping.carry import compile_carry
from connector.mapping.consistency import contradictions
from connector.mapping.context import Context
from connector.mapping.expressions import compile_expression
from connector.mapping.fields import compile_field
from connector.mapping.labels import Labels
from connector.mapping.load import Document
from connector.mapping.problems import MappingErrors, Report
from connector.mapping.statuses import compile_status
from connector.mapping.transforms import as_text

ACCOUNT = frozenset({"M202", "M203", "M204", "M205", "M206", "M207"})
"""Mistakes that lie between a file and one account: a field or an option that the account does not have."""


def bind(document: Document, schema: Schema | None, *, tolerant: bool = False) -> TicketMapping:
    """The mapping, ready to plan with. Without a schema labels stay labels, which is enough for examples.

    Raises `MappingErrors` where a word, field or expression means nothing. With `tolerant`, what only the account
    does not know stays as it is written: the vendor refuses it, that field is parked, and all else goes on. Whether the
    whole makes sense is `lint.check`'s to say.
    """
    report = document.report()
    mapping = compile_mapping(context_of(document, schema, report))
    errors = [problem for problem in report.errors() if not (tolerant and problem.code in ACCOUNT)]
    if errors:
        raise MappingErrors(errors)
    return mapping


def context_of(document: Document, schema: Schema | None, report: Report) -> Context:
    """The file beside the account: its status field and the pipeline that is meant."""
    labels = Labels(schema, report)
    status = labels.field(document.file.status.field, "status", "field")
    return Context(
        document, labels, status, labels.pipeline(status, document.file.pipeline, document.file.status.words())
    )


def compile_mapping(context: Context) -> TicketMapping:
    """The mapping as far as it can be compiled; what cannot is in the context's report."""
    file = context.file
    contradictions(context)
    rules = [compile_field(name, block, context) for name, block in file.fields.items()]
    return TicketMapping(
        version=context.document.version,
        rules=tuple(rule for rule in rules if rule is not None),
        status=compile_status(context),
        carries=compile_carry(file.carry, context.report),
        comments=_comments(context),
        on_leave=file.carry.on_leave,
        creates_in_nextcap=file.create == "both",
        find=_find(context),
        needs=_needs(context),
        scope={context.pipeline.field: context.pipeline.value} if context.pipeline.field else {},
        constants=_constants(context),
        requester=file.requester,
        on_delete=file.on_delete,
    )


def _comments(context: Context) -> CommentPolicy:
    block = context.file.comments
    return CommentPolicy(
        to_crm=frozenset(block.to_crm),
        to_nextcap=frozenset(block.to_nextcap),
        reply_markers=block.reply_markers,
        history=block.history,
        forms=block.forms,
        written_as=block.written_as,
    )


def _find(context: Context) -> tuple[FindRule, ...]:
    rules = []
    for place, one in enumerate(context.file.find):
        crm = context.labels.field(one.crm, "find", place, "crm")
        rules.append(FindRule(crm.name, _text_observer(one.nextcap)))
    return tuple(rules)


def _needs(context: Context) -> frozenset[str]:
    """The Next Cap fields that the filter and the searches look at, beside those of the rules."""
    file = context.file
    names = {clause.field for clause in file.carry.when} | {one.nextcap for one in file.find}
    if file.carry.filter:
        expression = compile_expression(file.carry.filter, context.document.report(), "carry", "filter")
        names |= expression.roots if expression else set()
    return frozenset(names)


def _text_observer(name: str) -> Observe:
    """A field's text, to search by; nothing where it is empty or the reading leaves it out."""

    def observe(record: Record) -> Value | Missing:
        value = record.get(name)
        return value if value is MISSING else as_text(value)

    return observe


def _constants(context: Context) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, word in context.file.constants.items():
        field = context.labels.field(name, "constants", name)
        value = context.labels.value(field, word, "constants", name)
        values[field.name] = normal([value]) if field.multiple else normal(value)
    return values
