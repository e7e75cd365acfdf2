"""Which tickets a connection carries: the filter as a function whose verdict names the clause that decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from connector.domain.rules import Verdict
from connector.domain.ticket import Record, Value
from connector.mapping.expressions import Expression, compile_expression
from connector.mapping.model import Carry, Clause
from connector.mapping.problems import Report, listed
from connector.mapping.transforms import text_of
from connector.mapping.vocabulary import ALIASES, FIELDS, OBJECTS, nextcap_field

EVERYTHING = Verdict(carried=True, reason="every ticket is carried")
CARRIED = Verdict(carried=True, reason="every condition under 'carry' holds")


@dataclass(frozen=True, slots=True)
class Condition:
    """A clause as a test. `words` is the clause in words, without any value of the ticket."""

    field: str
    holds: Callable[[Value], bool]
    words: str

    def refusal(self, record: Record) -> Verdict | None:
        """The verdict where the clause does not hold. A field that the reading leaves out counts as empty."""
        value = record.fields.get(self.field)
        return None if self.holds(value) else Verdict(False, f"not carried: {self.words}")


def compile_carry(carry: Carry, report: Report) -> Callable[[Record], Verdict]:
    """The filter of a file. Mistakes are reported."""
    for index, clause in enumerate(carry.when):
        _check(clause, index, report)
    conditions = tuple(_condition(clause) for clause in carry.when)
    expression = compile_expression(carry.filter, report, "carry", "filter") if carry.filter else None
    if not conditions and expression is None:
        return lambda _: EVERYTHING
    return lambda record: _verdict(conditions, expression, record)


def _verdict(conditions: tuple[Condition, ...], expression: Expression | None, record: Record) -> Verdict:
    for condition in conditions:
        refusal = condition.refusal(record)
        if refusal is not None:
            return refusal
    if expression is None:
        return CARRIED
    try:
        result = expression.result(record)
    except (ValueError, TypeError, ArithmeticError):
        return Verdict(False, f"not carried: the filter '{expression.text}' cannot be computed for this ticket")
    is_false = result is None or result is False or result in ("", [], {})
    return CARRIED if not is_false else Verdict(False, f"not carried: the filter '{expression.text}' does not hold")


def _condition(clause: Clause) -> Condition:
    if clause.empty is not None:
        wanted = clause.empty
        words = f"{clause.field} is {'not empty' if wanted else 'empty'}"
        return Condition(clause.field, lambda value: (value is None) is wanted, words)
    options = frozenset(word.casefold() for word in clause.in_ or clause.not_in)
    if clause.in_:
        words = f"{clause.field} is not {listed(clause.in_, last='or')}"
        return Condition(clause.field, lambda value: bool(_words(value) & options), words)
    words = f"{clause.field} is {listed(clause.not_in, last='or')}"
    return Condition(clause.field, lambda value: not _words(value) & options, words)


def _words(value: Value) -> frozenset[str]:
    items = value if isinstance(value, tuple) else () if value is None else (text_of(value),)
    return frozenset(item.casefold() for item in items)


def _check(clause: Clause, index: int, report: Report) -> None:
    path = ("carry", "when", index)
    known = nextcap_field(clause.field)
    if known is None or clause.field in OBJECTS:
        meant = ALIASES.get(clause.field) or report.guess(clause.field, FIELDS)
        report.add("M201", f"Next Cap's ticket has no field '{clause.field}'", *path, "field", suggestion=meant)
        return
    if [bool(clause.in_), bool(clause.not_in), clause.empty is not None].count(True) != 1:
        report.add("M104", "a condition has one of 'in', 'not_in' and 'empty'", *path)
    for key, words in (("in", clause.in_), ("not_in", clause.not_in)):
        for place, word in enumerate(words):
            if known.values and word not in known.values:
                message = f"Next Cap's {clause.field} is never '{word}'; it is {listed(known.values, last='or')}"
                report.add("M209", message, *path, key, place, suggestion=report.guess(word, known.values))
