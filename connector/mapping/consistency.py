"""Keys that contradict each other, and Next Cap fields that do not exist."""

from __future__ import annotations

from connector.domain.decision import COMMENTS, STATUS
from connector.domain.rules import Direction
from connector.mapping.context import Context
from connector.mapping.fields import direction_of, native_name, steps_of
from connector.mapping.model import FieldBlock
from connector.mapping.problems import Step, listed
from connector.mapping.vocabulary import ALIASES, FIELDS, OBJECTS, nextcap_field


def contradictions(context: Context) -> None:
    """Report every block whose keys do not go together."""
    for name, block in context.file.fields.items():
        _field(name, block, context)
    for place, one in enumerate(context.file.find):
        if nextcap_field(one.nextcap) is None or one.nextcap in OBJECTS:
            unknown_nextcap(one.nextcap, context, "find", place, "nextcap")


def unknown_nextcap(name: str, context: Context, *path: Step) -> None:
    """Report a word that names no Next Cap field."""
    meant = ALIASES.get(name) or context.report.guess(name, [*FIELDS, *OBJECTS])
    context.report.add("M201", f"Next Cap's ticket has no field '{name}'", *path, suggestion=meant)


def _field(name: str, block: FieldBlock, context: Context) -> None:
    path, report = ("fields", name), context.report
    if name in (STATUS, COMMENTS):
        report.add_at_key("M104", f"'{name}' has its own block; call this field something else", *path)
    computed = [key for key in ("template", "expression") if getattr(block, key) is not None]
    if len(computed) == 2 or (computed and block.nextcap is not None):
        both = [*(["nextcap"] if block.nextcap is not None else []), *computed]
        report.add_at_key("M104", f"a field has only one of {listed(both)}", *path, computed[-1])
    if not block.is_derived and nextcap_field(native_name(name, block)) is None:
        where = (*path, "nextcap") if block.nextcap is not None else ()
        _unknown_source(name, block, context, where)
    _tables(name, block, context)
    _people(name, block, context)
    _one_way(name, block, context)


def _unknown_source(name: str, block: FieldBlock, context: Context, where: tuple[Step, ...]) -> None:
    if where:
        unknown_nextcap(native_name(name, block), context, *where)
        return
    meant = ALIASES.get(name) or context.report.guess(name, [*FIELDS, *OBJECTS])
    message = f"Next Cap's ticket has no field '{name}'; say which one is meant with 'nextcap:'"
    context.report.add_at_key("M201", message, "fields", name, suggestion=meant)


def _tables(name: str, block: FieldBlock, context: Context) -> None:
    path, report = ("fields", name), context.report
    if block.values is not None and (block.to_crm is not None or block.to_nextcap is not None):
        report.add_at_key(
            "M104", "'values' is read both ways; it cannot stand beside tables of their own", *path, "values"
        )
    has_table = any(one is not None for one in (block.values, block.to_crm, block.to_nextcap))
    if block.otherwise is not None and not has_table and not block.person:
        report.add_at_key("M104", "'otherwise' needs a table", *path, "otherwise")
    if block.values is not None or not has_table:
        return
    needs = {
        Direction.BOTH: ("to_crm", "to_nextcap"),
        Direction.TO_CRM: ("to_crm",),
        Direction.TO_NEXTCAP: ("to_nextcap",),
    }
    for key in ("to_crm", "to_nextcap"):
        wanted, there = key in needs[direction_of(block)], getattr(block, key) is not None
        if wanted and not there:
            report.add_at_key("M104", f"the field travels that way too, so it needs a table '{key}'", *path)
        elif there and not wanted:
            report.add_at_key("M104", f"the field does not travel that way, so '{key}' is never read", *path, key)


def _people(name: str, block: FieldBlock, context: Context) -> None:
    path, report = ("fields", name), context.report
    for key in ("person", "department"):
        if not getattr(block, key):
            continue
        kind = nextcap_field(native_name(name, block))
        if block.is_derived or (kind is not None and kind.kind not in (key, "text")):
            report.add_at_key("M104", f"this Next Cap field does not name a {key}", *path, key)
    beside = ("department", "transform", "values", "to_crm", "to_nextcap", "empty")
    others = [key for key in beside if getattr(block, key)]
    if block.person and others:
        report.add_at_key(
            "M104", f"a person is found by e-mail; {listed(others)} cannot stand beside it", *path, others[0]
        )


def _one_way(name: str, block: FieldBlock, context: Context) -> None:
    path, report = ("fields", name), context.report
    if direction_of(block) is Direction.TO_CRM:
        return
    where = (*path, "direction") if block.direction else path
    if block.is_derived:
        report.add("M406", "a computed value can only travel to the CRM", *where)
    elif steps_of(block).backward is None:
        report.add_at_key("M406", "a transform of this field cannot be undone; say 'direction: to_crm'", *where)
