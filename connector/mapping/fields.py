"""One field of the file → one `Rule` of the planner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connector.domain.rules import Direction, Directories, Observe, Rule, Translate, Untranslatable
from connector.domain.schema import FieldSchema
from connector.domain.ticket import Value, normal
from connector.mapping.context import Context
from connector.mapping.expressions import FAILED, compile_expression, compile_template, observe_field
from connector.mapping.forms import STOP
from connector.mapping.model import FieldBlock, Ways
from connector.mapping.staff import Staff, department_id, department_name
from connector.mapping.tables import backwards, table
from connector.mapping.transforms import REGISTRY, Transform, as_text, chain, text_of
from connector.mapping.vocabulary import nextcap_field

Stage = Callable[[Value, Directories], Value]


@dataclass(frozen=True, slots=True)
class BoundTables:
    """The value tables of a field in native values; None where the field has none."""

    to_crm: Mapping[str, str] | None
    to_nextcap: Mapping[str, str] | None


def native_name(name: str, block: FieldBlock) -> str:
    """The Next Cap field that a rule reads; empty where its value is computed."""
    return "" if block.is_derived else block.nextcap or name


def direction_of(block: FieldBlock) -> Direction:
    """The declared direction; computed values can only travel to the CRM."""
    return block.direction or (Direction.TO_CRM if block.is_derived else Direction.BOTH)


def steps_of(block: FieldBlock) -> Transform:
    """The transforms of a field as one."""
    return chain([REGISTRY[step.op].build(step.argument) for step in block.transform])


def bind_tables(name: str, block: FieldBlock, crm: FieldSchema, context: Context) -> BoundTables:
    """The tables with labels turned into native values. Unknown labels are reported."""
    value = context.labels.value
    path = ("fields", name)
    if block.values is not None:
        rows = {ours: value(crm, theirs, *path, "values", ours) for ours, theirs in block.values.items()}
        return BoundTables(rows, backwards(rows))
    out = block.to_crm and {ours: value(crm, word, *path, "to_crm", ours) for ours, word in block.to_crm.items()}
    back = block.to_nextcap and {
        value(crm, word, *path, "to_nextcap", word, at_key=True): ours for word, ours in block.to_nextcap.items()
    }
    return BoundTables(out or None, back or None)


def bind_ways(key: str, ways: Ways | None, crm: FieldSchema, name: str, context: Context) -> tuple[str, str]:
    """The words of `otherwise` or `empty`, the CRM's as a native value; empty where none is declared."""
    if ways is None:
        return "", ""
    theirs = ways.to_crm or ""
    if theirs and theirs != STOP and not context.file.fields[name].person:
        theirs = context.labels.value(crm, theirs, "fields", name, key, "to_crm")
    return theirs, ways.to_nextcap or ""


def compile_field(name: str, block: FieldBlock, context: Context) -> Rule | None:
    """The rule; None where its value cannot be computed, which is reported."""
    path = ("fields", name)
    observe = _observe(name, block, context)
    crm = context.labels.field(block.crm, *path, "crm")
    to_crm, to_nextcap = _translations(name, block, crm, context)
    required = frozenset(
        context.stage(word, *path, "required_on", place) for place, word in enumerate(block.required_on)
    )
    if observe is None:
        return None
    return Rule(
        name=name,
        nextcap=native_name(name, block),
        crm=crm.name,
        observe_nextcap=observe,
        observe_crm=lambda record: record.get(crm.name),
        to_crm=to_crm,
        to_nextcap=to_nextcap,
        direction=direction_of(block),
        owner=block.owner,
        first=block.first,
        is_set=is_set(name, block, crm),
        only_on_create=block.only_on_create,
        required_on=required,
        personal=block.class_ == "personal",
        line=context.report.marks.key(path)[0],
    )


def is_set(name: str, block: FieldBlock, crm: FieldSchema) -> bool:
    """Whether Next Cap holds a list here, whose elements are merged one by one."""
    if block.is_derived:
        return False
    ops = {step.op for step in block.transform}
    known = nextcap_field(native_name(name, block))
    return bool("join" in ops or (known and known.kind == "list") or (crm.multiple and "split" not in ops))


def _observe(name: str, block: FieldBlock, context: Context) -> Observe | None:
    if block.template is not None:
        template = compile_template(block.template, context.report, "fields", name, "template")
        return template.observe if template else None
    if block.expression is not None:
        expression = compile_expression(block.expression, context.report, "fields", name, "expression")
        return expression.observe if expression else None
    return observe_field(native_name(name, block))


def _translations(name: str, block: FieldBlock, crm: FieldSchema, context: Context) -> tuple[Translate, Translate]:
    otherwise = bind_ways("otherwise", block.otherwise, crm, name, context)
    empty = bind_ways("empty", block.empty, crm, name, context)
    if block.person:
        there, back = Staff(True, otherwise[0] or STOP), Staff(False, otherwise[1] or STOP)
        return _ending(there.translate, empty[0]), _ending(back.translate, empty[1])
    tables = bind_tables(name, block, crm, context)
    steps = steps_of(block)
    hidden = block.class_ == "personal"
    ahead: list[Stage] = [_refuse_failed] if block.expression is not None else []
    if block.department:
        ahead.append(department_name(context.file.departments))
    ahead.append(lambda value, _: steps.forward(value))
    if tables.to_crm is not None:
        there_table = table(name, tables.to_crm, otherwise=otherwise[0], personal=hidden, fold=True)
        ahead.append(lambda value, _: there_table.translate(value))
    ahead.append(lambda value, _: as_text(value))
    words: list[Stage] = []
    if tables.to_nextcap is not None:
        back_table = table(name, tables.to_nextcap, otherwise=otherwise[1], personal=hidden)
        words.append(lambda value, _: back_table.translate(value))
    values: list[Stage] = [lambda value, _: steps.backward(value) if steps.backward else None]
    if block.department:
        values.append(department_id(context.file.departments))
    return _ending(_staged(ahead), empty[0]), _to_nextcap(_staged(words), _staged(values), empty[1])


def _staged(stages: list[Stage]) -> Translate:
    """The stages one after the other; what is empty stays empty."""

    def translate(value: Value, people: Directories) -> Value:
        for stage in stages:
            if value is None:
                return None
            value = stage(value, people)
        return normal(value)

    return translate


def _ending(translate: Translate, empty: str) -> Translate:
    """The translation, with a word for what would be empty."""
    if not empty:
        return translate

    def filled(value: Value, people: Directories) -> Value:
        found = None if value is None else translate(value, people)
        return empty if found is None else found

    return filled


def _to_nextcap(words: Translate, values: Translate, empty: str) -> Translate:
    """Back through the table, then through the transforms; the word for an empty field goes through these too."""

    def translate(value: Value, people: Directories) -> Value:
        found = values(words(value, people), people)
        return values(empty, people) if found is None and empty else found

    return translate


def _refuse_failed(value: Value, _: Directories) -> Value:
    if text_of(value).startswith(FAILED):
        raise Untranslatable("expression_failed", text_of(value))
    return value
