"""Proofs about fields: written once, able to travel the way they say, and with tables that can be read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connector.domain.rules import Direction, Untranslatable
from connector.domain.schema import FieldSchema
from connector.mapping.context import Context
from connector.mapping.fields import BoundTables, bind_tables, bind_ways, direction_of, native_name
from connector.mapping.forms import STOP
from connector.mapping.model import FieldBlock
from connector.mapping.problems import Step, listed
from connector.mapping.tables import Table, table
from connector.mapping.vocabulary import NextcapField, nextcap_field

COMPUTED = NextcapField(writable=False)
TRUTH_WORDS = ("true", "false")


def check_fields(context: Context) -> None:
    """Report every field that would be refused, overwritten by another, or never come to rest."""
    _written_once(context)
    for name, block in context.file.fields.items():
        crm = context.labels.field(block.crm, "fields", name, "crm")
        source = _source(name, block)
        _writable(name, block, crm, source, context)
        _shape(name, block, crm, source, context)
        _words(name, block, source, context)
        if block.person is None:
            _tables(name, block, crm, source, context)
        if block.required_on and direction_of(block) is Direction.TO_NEXTCAP:
            message = "the connector never writes this field in the CRM, so it cannot fill it for a status"
            context.report.add_at_key("M409", message, "fields", name, "required_on")
    _required(context)


def _source(name: str, block: FieldBlock) -> NextcapField:
    """What is known of the values that come from Next Cap."""
    if block.is_derived:
        return COMPUTED
    found = nextcap_field(native_name(name, block)) or NextcapField()
    if any(step.op == "boolean" for step in block.transform):
        return NextcapField(writable=found.writable, values=TRUTH_WORDS)
    return NextcapField(found.kind, found.writable) if block.transform else found


def _written_once(context: Context) -> None:
    written = {context.status_field.name: "the status block"}
    if context.pipeline.field:
        written[context.pipeline.field] = "the pipeline"
    for word in context.file.constants:
        native = context.labels.field(word, "constants", word).name
        if native in written:
            context.report.add_at_key("M401", f"'{word}' is written by {written[native]} already", "constants", word)
        written.setdefault(native, "constants")
    taken: dict[str, str] = {}
    for name, block in context.file.fields.items():
        direction, path = direction_of(block), ("fields", name)
        crm = context.labels.field(block.crm, *path, "crm").name
        if direction is not Direction.TO_NEXTCAP:
            if crm in written:
                context.report.add("M401", f"'{crm}' is written by {written[crm]} already", *path, "crm")
            written.setdefault(crm, f"the field '{name}'")
        nextcap = native_name(name, block)
        if direction is not Direction.TO_CRM and nextcap:
            if nextcap in taken:
                message = f"Next Cap's '{nextcap}' is written by the field '{taken[nextcap]}' already"
                context.report.add_at_key("M402", message, *path)
            taken.setdefault(nextcap, name)


def _writable(name: str, block: FieldBlock, crm: FieldSchema, source: NextcapField, context: Context) -> None:
    path, direction = ("fields", name), direction_of(block)
    if direction is not Direction.TO_CRM and not source.writable and not block.is_derived:
        message = f"Next Cap's {native_name(name, block)} cannot be changed from outside; say 'direction: to_crm'"
        context.report.add_at_key("M408", message, *path)
    if direction is not Direction.TO_NEXTCAP and not crm.writable:
        message = f"the CRM does not let '{crm.name}' be changed; say 'direction: to_nextcap', or choose another field"
        context.report.add("M205", message, *path, "crm")


def _shape(name: str, block: FieldBlock, crm: FieldSchema, source: NextcapField, context: Context) -> None:
    """A list meets a list, a single value a single one, as far as both are known."""
    ops = {step.op for step in block.transform}
    if not context.is_bound or block.is_derived or crm.name not in _known(context):
        return
    is_list = "split" in ops or (source.kind in ("list", "object") and not ops & {"join", "lines"})
    is_open = native_name(name, block).partition(".")[0] in ("custom_fields", "metadata") and not ops
    if crm.multiple and not is_list and not is_open:
        message = f"'{crm.name}' holds several values and Next Cap's field one; add \"transform: {{split: '; '}}\""
        context.report.add("M207", message, "fields", name, "crm")
    elif is_list and not crm.multiple:
        message = f"'{crm.name}' holds one value and Next Cap's field a list; add \"transform: {{join: '; '}}\""
        context.report.add("M207", message, "fields", name, "crm")


def _known(context: Context) -> set[str]:
    schema = context.labels.schema
    return {one.name for one in schema.fields} if schema is not None else set()


def _words(name: str, block: FieldBlock, source: NextcapField, context: Context) -> None:
    """Next Cap's side of the tables names values that the field can hold."""
    if not source.values or source.may_grow:
        return
    for word, *path in _nextcap_words(block):
        if word not in source.values and word != STOP:
            field = native_name(name, block)
            message = f"Next Cap's {field} is never '{word}'; it is {listed(source.values, last='or')}"
            add = context.report.add_at_key if path[-1] == word else context.report.add
            add("M209", message, "fields", name, *path, suggestion=context.report.guess(word, source.values))


def _nextcap_words(block: FieldBlock) -> Iterator[tuple[str, ...]]:
    for key, rows in (("values", block.values), ("to_crm", block.to_crm)):
        for word in rows or ():
            yield word, key, word
    for theirs, word in (block.to_nextcap or {}).items():
        yield word, "to_nextcap", theirs
    for key, ways in (("otherwise", block.otherwise), ("empty", block.empty)):
        if ways is not None and ways.to_nextcap is not None:
            yield ways.to_nextcap, key, "to_nextcap"


def _tables(name: str, block: FieldBlock, crm: FieldSchema, source: NextcapField, context: Context) -> None:
    bound = bind_tables(name, block, crm, context)
    direction = direction_of(block)
    if bound.to_crm is None and bound.to_nextcap is None:
        _without_table(name, block, crm, source, context)
        return
    otherwise = bind_ways("otherwise", block.otherwise, crm, name, context)
    if direction is not Direction.TO_NEXTCAP and not otherwise[0]:
        _total_to_crm(name, bound.to_crm or {}, source, context)
    if direction is not Direction.TO_CRM:
        _one_to_one(name, block, bound, context)
        if not otherwise[1]:
            _total_to_nextcap(name, bound.to_nextcap or {}, crm, context)
    if direction is Direction.BOTH:
        there = table(name, bound.to_crm or {}, otherwise=otherwise[0], personal=False, fold=True)
        back = table(name, bound.to_nextcap or {}, otherwise=otherwise[1], personal=False)
        _settling(name, block, there, back, context)
        _defaults(name, there, back, context)


def _without_table(name: str, block: FieldBlock, crm: FieldSchema, source: NextcapField, context: Context) -> None:
    """A field with fixed options and no table: the values must be the options themselves."""
    if not crm.options or direction_of(block) is Direction.TO_NEXTCAP or block.is_derived:
        return
    native = {option.value for option in crm.options}
    if not source.values or not native.issuperset(source.values):
        shown = listed([option.label for option in crm.options[:10]])
        message = f"'{crm.name}' takes only {shown}; say with 'values:' what each Next Cap value becomes"
        context.report.add("M405", message, "fields", name, "crm")


def _total_to_crm(name: str, rows: Mapping[str, str], source: NextcapField, context: Context) -> None:
    missing = [value for value in source.values if value not in rows]
    if missing:
        message = f"the table has no row for {listed(missing)}"
    elif not source.values or source.may_grow:
        message = "Next Cap's field can hold other words than these"
    else:
        return
    advice = "say under 'otherwise: {to_crm: …}' what is written for them, or 'stop'"
    context.report.add_at_key("M405", f"{message}; {advice}", "fields", name, _table_key(name, context, "to_crm"))


def _total_to_nextcap(name: str, rows: Mapping[str, str], crm: FieldSchema, context: Context) -> None:
    missing = [option.label for option in crm.options if option.value not in rows]
    if missing:
        message = f"the table has no row for {listed(missing[:10])} of '{crm.name}'"
    elif context.is_bound and not crm.options:
        message = f"the CRM's '{crm.name}' can hold other words than these"
    else:
        return
    advice = "say under 'otherwise: {to_nextcap: …}' what is written for them, or 'stop'"
    context.report.add_at_key("M405", f"{message}; {advice}", "fields", name, _table_key(name, context, "to_nextcap"))


def _table_key(name: str, context: Context, one_way: str) -> Step:
    return "values" if context.file.fields[name].values is not None else one_way


def _one_to_one(name: str, block: FieldBlock, bound: BoundTables, context: Context) -> None:
    """A table that is read both ways gives each CRM value to one Next Cap value only."""
    first: dict[str, str] = {}
    if block.values is not None:
        for ours, theirs in (bound.to_crm or {}).items():
            if theirs in first:
                message = (
                    f"'{block.values[ours]}' stands for '{first[theirs]}' too, so reading it back would be a guess; "
                    "write two tables, 'to_crm' and 'to_nextcap'"
                )
                context.report.add("M403", message, "fields", name, "values", ours)
            first.setdefault(theirs, ours)
        return
    crm = context.labels.field(block.crm, "fields", name, "crm")
    for word in block.to_nextcap or {}:
        path = ("fields", name, "to_nextcap", word)
        native = context.labels.value(crm, word, *path, at_key=True)
        if native in first:
            context.report.add_at_key("M003", f"'{word}' is the same CRM value as '{first[native]}'", *path)
        first.setdefault(native, word)


def _settling(name: str, block: FieldBlock, there: Table, back: Table, context: Context) -> None:
    """Crossing and coming back changes a value once at most: there, back and there again is there."""
    for key, first, second in (("to_crm", there, back), ("to_nextcap", back, there)):
        words = (block.to_crm if key == "to_crm" else block.to_nextcap) or {}
        for word, native in zip(words, first.rows, strict=False):
            once = _or_none(first, native)
            returned = _or_none(second, once)
            again = _or_none(first, returned)
            if returned is None and key == "to_crm" and not (block.otherwise and block.otherwise.to_nextcap):
                message = f"'{words[word]}' is written but has no row under 'to_nextcap', so it cannot be read back"
                context.report.add_at_key("M403", message, "fields", name, key, word)
            elif again is not None and again != once:
                message = f"'{word}' becomes '{once}', which comes back as '{returned}' and then becomes '{again}'"
                context.report.add_at_key("M404", message, "fields", name, key, word)


def _or_none(rows: Table, word: str | None) -> str | None:
    if word is None:
        return None
    try:
        return rows.row(word)
    except Untranslatable:
        return None


def _defaults(name: str, there: Table, back: Table, context: Context) -> None:
    """A default that the other table does not name would be refused on its way back."""
    for key, first, second in (("to_crm", there, back), ("to_nextcap", back, there)):
        if first.otherwise is not None and _or_none(second, first.otherwise) is None:
            message = f"'{first.otherwise}' has no row of its own, so it cannot be read back"
            context.report.add("M407", message, "fields", name, "otherwise", key)


def _required(context: Context) -> None:
    """Fields without which the CRM refuses a new record."""
    schema = context.labels.schema
    if schema is None:
        return
    blocks = context.file.fields.items()
    filled = {
        context.labels.field(block.crm, "fields", name, "crm").name
        for name, block in blocks
        if direction_of(block) is not Direction.TO_NEXTCAP
    }
    filled |= {context.labels.field(word, "constants", word).name for word in context.file.constants}
    filled |= {context.status_field.name, context.pipeline.field}
    missing = [field.name for field in schema.fields if field.required and field.writable and field.name not in filled]
    if missing:
        message = f"the CRM requires {listed(missing)} of a new record, and nothing here fills that"
        context.report.add_at_key("M208", message, "fields")
