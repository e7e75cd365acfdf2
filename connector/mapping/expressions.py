"""Computed values: JMESPath expressions and templates over a Next Cap ticket, bounded before they are ever run.

An expression cannot loop, but it can copy. Its growth (how many times larger than the ticket its result could be) is
worked out from its shape and capped, and so are its length and nesting, so none can hold up a worker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError, JMESPathTypeError, LexerError, ParseError
from jmespath.functions import Functions
from jmespath.lexer import Lexer

from connector.domain.rules import Observe
from connector.domain.ticket import MISSING, Missing, Record, Value, normal
from connector.mapping.problems import Report, Step
from connector.mapping.transforms import text_of
from connector.mapping.vocabulary import ALIASES, FIELDS, OBJECTS, ROOTS, nextcap_field

MAX_LENGTH = 500
MAX_TOKENS = 80
MAX_NESTING = 8
MAX_GROWTH = 64
MAX_SLOTS = 20
MAX_RESULT = 65_536
FAILED = "The expression could not be computed: "
"""What an observed value begins with where its expression failed on just this ticket."""

Node = dict[str, Any]
LEAVES = frozenset({"literal", "index", "slice", "field", "current", "identity"})
CHAINS = frozenset({"pipe", "subexpression", "index_expression", "projection", "value_projection", "filter_projection"})
SLOT = re.compile(r"\{([A-Za-z_][\w.\- ]*)\}")
OPENING, CLOSING = ("lparen", "lbracket", "lbrace", "filter"), ("rparen", "rbracket", "rbrace")


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. `roots` are the parts of the ticket that it reads."""

    text: str
    parsed: Any
    roots: frozenset[str]

    def is_observed(self, record: Record) -> bool:
        """Whether the reading mentions everything that the expression looks at."""
        return all(record.mentions(root) for root in self.roots)

    def result(self, record: Record) -> Any:
        """What the expression gives for this ticket. Raises ValueError, TypeError or ArithmeticError."""
        return self.parsed.search({root: json_of(record, root) for root in self.roots})

    def observe(self, record: Record) -> Value | Missing:
        """The result as a native value; a text that begins with `FAILED` where there is none."""
        if not self.is_observed(record):
            return MISSING
        try:
            return _value(self.result(record))
        except (ValueError, TypeError, ArithmeticError) as problem:
            return FAILED + _failure(problem)


def _failure(problem: Exception) -> str:
    """Why an expression failed, without the ticket's own words."""
    if isinstance(problem, JMESPathTypeError):
        return f"{problem.function_name}() cannot work on a value of the kind {problem.actual_type}"
    return str(problem).splitlines()[0]


def _value(result: Any) -> Value:
    if isinstance(result, dict) or (isinstance(result, list) and any(isinstance(one, list | dict) for one in result)):
        raise ValueError("it gives a table, and a field holds a text or a list of texts")
    value = normal([text_of(one) for one in result] if isinstance(result, list) else result)
    if len(text_of(value)) > MAX_RESULT:
        raise ValueError(f"it gives more than {MAX_RESULT:,} characters")
    return value


def json_of(record: Record, root: str) -> Any:
    """A field as JSON: an object with its parts, a list, or a plain value."""
    if root in FIELDS:
        value = record.fields.get(root)
        return list(value) if isinstance(value, tuple) else value
    inside = {name[len(root) + 1 :]: value for name, value in record.fields.items() if name.startswith(f"{root}.")}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in sorted(inside.items())}


def compile_expression(text: str, report: Report, *path: Step) -> Expression | None:
    """The expression, ready to run; None where it was refused and reported."""
    if len(text) > MAX_LENGTH:
        report.add("M502", f"an expression has at most {MAX_LENGTH} characters", *path)
        return None
    try:
        tokens = list(Lexer().tokenize(text))
        if len(tokens) > MAX_TOKENS or _nesting(tokens) > MAX_NESTING:
            limit = f"{MAX_TOKENS} words and signs, nested {MAX_NESTING} deep"
            report.add("M502", f"an expression has at most {limit}", *path)
            return None
        if any(_is_bare(token, text) for token in tokens):
            report.add(
                "M501", "a text stands in single quotes; back-ticks are for numbers, true, false and null", *path
            )
            return None
        parsed = jmespath.compile(text)
    except JMESPathError as problem:
        report.add("M501", _complaint(problem), *path)
        return None
    before = len(report.problems)
    roots = _check(parsed.parsed, report, path)
    return Expression(text, parsed, frozenset(roots)) if len(report.problems) == before else None


def _complaint(problem: JMESPathError) -> str:
    if isinstance(problem, LexerError):
        return f"the expression cannot be read at its character {problem.lexer_position + 1}: {problem.message}"
    if isinstance(problem, ParseError):
        where = f"at its character {(problem.lex_position or 0) + 1}"
        return f"the expression cannot be read {where}; texts stand in single quotes, numbers in back-ticks"
    return f"the expression cannot be read: {str(problem).splitlines()[0]}"


def _is_bare(token: Mapping[str, Any], text: str) -> bool:
    """Whether a token is a word in back-ticks, which the library still takes for a text, but will not always."""
    is_text = token["type"] == "literal" and isinstance(token["value"], str)
    return is_text and text[token["start"]] == "`" and not text[token["start"] + 1 :].lstrip().startswith('"')


def _nesting(tokens: list[dict[str, Any]]) -> int:
    """The deepest nesting; every `!` and `&` counts too, as each opens a level for the parser."""
    depth = deepest = prefixes = 0
    for token in tokens:
        kind = token["type"]
        prefixes = prefixes + 1 if kind in ("not", "expref") else 0
        depth += (kind in OPENING) - (kind in CLOSING)
        deepest = max(deepest, depth + prefixes)
    return deepest


def _check(tree: Node, report: Report, path: tuple[Step, ...]) -> set[str]:
    """Report unknown functions and fields and too much growth; the roots that the expression reads."""
    roots: set[str] = set()
    for name in _roots(tree):
        if name is None:
            report.add("M503", "the expression reads the whole ticket; begin it with the field that it needs", *path)
        elif name in ("null", "true", "false"):
            report.add("M503", f"'{name}' stands in back-ticks: `{name}`", *path)
        elif name not in ROOTS:
            meant = ALIASES.get(name) or report.guess(name, ROOTS)
            report.add("M503", f"Next Cap's ticket has no field '{name}'", *path, suggestion=meant)
        else:
            roots.add(name)
    for node in _nodes(tree):
        if node["type"] == "function_expression":
            _check_call(node, report, path)
    if _growth(tree) > MAX_GROWTH:
        report.add("M502", f"the expression could make its value more than {MAX_GROWTH} times larger", *path)
    return roots


def _check_call(node: Node, report: Report, path: tuple[Step, ...]) -> None:
    name, table = node["value"], Functions.FUNCTION_TABLE
    if name not in table:
        report.add("M501", f"there is no function '{name}'", *path, suggestion=report.guess(name, table))
        return
    wanted = table[name]["signature"]
    given = len(node["children"])
    is_variadic = bool(wanted[-1].get("variadic"))
    if given < len(wanted) or (given > len(wanted) and not is_variadic):
        report.add(
            "M501", f"'{name}' takes {len(wanted)} {'or more ' if is_variadic else ''}values, not {given}", *path
        )


def _children(node: Node) -> list[Node]:
    return [] if node["type"] in LEAVES else list(node["children"])


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in _children(node):
        yield from _nodes(child)


def _roots(node: Node) -> Iterator[str | None]:
    """The fields that are read from the ticket itself; None where the ticket is read as a whole."""
    kind = node["type"]
    if kind == "field":
        yield node["value"]
    elif kind in ("current", "identity"):
        yield None
    elif kind in CHAINS:
        yield from _roots(node["children"][0])
    elif kind != "expref":
        for child in _children(node):
            yield from _roots(child)


def _growth(node: Node) -> int:
    """How many times larger than what it reads a node's result can be."""
    kind = node["type"]
    inner = [_growth(child) for child in _children(node)]
    if kind in CHAINS or kind == "expref":
        product = 1
        for factor in inner:
            product *= factor
        return product
    if kind == "function_expression":
        # `to_string` escapes, `map` and `*_by` run an expression for every element.
        sizes = sum(inner) if node["value"] not in ("map", "sort_by", "max_by", "min_by") else inner[0] * inner[-1]
        return max(1, sizes) * (2 if node["value"] == "to_string" else 1)
    return max(1, sum(inner)) if kind not in ("comparator", "not_expression") else 1 + max(inner, default=0)


@dataclass(frozen=True, slots=True)
class Template:
    """A text with slots. Plain parts and slots take turns, beginning and ending with a plain part."""

    plain: tuple[str, ...]
    slots: tuple[str, ...]

    def observe(self, record: Record) -> Value | Missing:
        """The text with every slot filled; MISSING where the reading does not mention one of them."""
        parts = [self.plain[0]]
        for slot, plain in zip(self.slots, self.plain[1:], strict=True):
            value = record.get(slot)
            if value is MISSING:
                return MISSING
            parts += [text_of(value), plain]
        return normal("".join(parts))


def compile_template(text: str, report: Report, *path: Step) -> Template | None:
    """The template, ready to fill; None where it was refused and reported."""
    pieces = SLOT.split(text)
    plain, slots = pieces[::2], pieces[1::2]
    before = len(report.problems)
    if any("{" in part or "}" in part for part in plain):
        report.add("M504", "a brace stands alone; a slot is a Next Cap field in braces, such as {subject}", *path)
    elif len(slots) > MAX_SLOTS:
        report.add("M502", f"a template has at most {MAX_SLOTS} slots", *path)
    elif not slots:
        report.add("M504", "the template has no slot; a fixed value belongs under 'constants'", *path)
    for slot in slots:
        if nextcap_field(slot) is None or slot in OBJECTS:
            suggestion = ALIASES.get(slot) or report.guess(slot, FIELDS)
            report.add("M503", f"Next Cap's ticket has no field '{slot}'", *path, suggestion=suggestion)
    return Template(tuple(plain), tuple(slots)) if len(report.problems) == before else None


def observe_field(name: str) -> Observe:
    """How a plain Next Cap field is taken out of a record; an object becomes one `name: value` for each part."""
    if name not in OBJECTS:
        return lambda record: record.get(name)

    def observe(record: Record) -> Value | Missing:
        if not record.mentions(name):
            return MISSING
        parts: Mapping[str, Any] = json_of(record, name)
        lines = [f"{key}: {_flat(value)}" for key, value in parts.items() if normal(value) is not None]
        return normal(lines)

    return observe


def _flat(value: Any) -> str:
    return " ".join(text_of(normal(value)).split())
