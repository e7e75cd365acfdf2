"""SOQL as far as integrations of Case use it; everything else is MALFORMED_QUERY, and never guessed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .salesforce_errors import malformed
from .salesforce_values import moment_of

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')"
    r"|(?P<moment>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2}))"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_.]*)"
    r"|(?P<sign><=|>=|!=|<>|[=<>(),]))",
    re.DOTALL,
)
ESCAPES = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "b": "\b",
    "f": "\f",
    "'": "'",
    '"': '"',
    "\\": "\\",
    "_": "\\_",
    "%": "\\%",
}
COMPARISONS = ("=", "!=", "<>", "<", "<=", ">", ">=")
RESERVED = frozenset({"SELECT", "FROM", "WHERE", "ORDER", "BY", "LIMIT", "OFFSET", "AND", "OR", "NOT", "IN", "LIKE"})


@dataclass(frozen=True, slots=True)
class Literal:
    """A value in a query; `quoted` tells a text from a moment or number."""

    value: Any
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """`field operator literals`; `operator` is one of the comparisons, IN, NOT IN, LIKE."""

    field: str
    operator: str
    literals: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions joined by AND or OR, or one behind NOT."""

    joint: str
    parts: tuple[Condition | Group, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was read. `fields` is empty for COUNT()."""

    fields: tuple[str, ...]
    kind: str
    where: Condition | Group | None = None
    order: tuple[tuple[str, bool], ...] = ()
    limit: int | None = None
    offset: int = 0


@dataclass(slots=True)
class _Reader:
    tokens: list[tuple[str, str]]
    place: int = 0
    _depth: int = field(default=0)

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.place] if self.place < len(self.tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self.place += 1
        return token

    def is_word(self, *words: str) -> bool:
        kind, text = self.peek()
        return kind == "word" and text.upper() in words

    def word(self, *words: str) -> bool:
        """Step over one of these words if it is next."""
        found = self.is_word(*words)
        self.place += found
        return found

    def sign(self, text: str) -> bool:
        found = self.peek() == ("sign", text)
        self.place += found
        return found

    def need(self, claim: bool) -> None:
        if not claim:
            raise malformed(f"unexpected token: '{self.peek()[1] or '<EOF>'}'")

    def name(self) -> str:
        kind, text = self.take()
        if kind != "word" or text.upper() in RESERVED:
            self.place -= 1
            raise malformed(f"unexpected token: '{text or '<EOF>'}'")
        return text


def parse(text: str) -> Query:
    """Read a query. Raises MALFORMED_QUERY."""
    reader = _Reader(_tokens(text))
    reader.need(reader.word("SELECT"))
    fields = _fields(reader)
    reader.need(reader.word("FROM"))
    kind = reader.name()
    where = _any(reader) if reader.word("WHERE") else None
    order: list[tuple[str, bool]] = []
    if reader.word("ORDER"):
        reader.need(reader.word("BY"))
        order = _listed(reader, lambda: (reader.name(), _descends(reader)))
    limit = _number(reader) if reader.word("LIMIT") else None
    offset = _number(reader) if reader.word("OFFSET") else 0
    reader.need(reader.peek()[0] == "end")
    if offset > 2000:
        raise malformed("Maximum SOQL offset allowed is 2000")
    return Query(tuple(fields), kind, where, tuple(order), limit, offset)


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, place = [], 0
    text = text.rstrip()
    while place < len(text):
        found = TOKEN.match(text, place)
        if found is None:
            raise malformed(f"line 1:{place} no viable alternative at character '{text[place : place + 1]}'")
        tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
        place = found.end()
    return tokens


def _fields(reader: _Reader) -> list[str]:
    if reader.is_word("COUNT"):
        reader.take()
        reader.need(reader.sign("(") and reader.sign(")"))
        return []
    return _listed(reader, reader.name)


def _listed(reader: _Reader, one: Callable[[], Any]) -> list[Any]:
    found = [one()]
    while reader.sign(","):
        found.append(one())
    return found


def _descends(reader: _Reader) -> bool:
    if reader.word("DESC"):
        return True
    reader.word("ASC")
    return False


def _number(reader: _Reader) -> int:
    kind, text = reader.take()
    reader.need(kind == "number" and text.isdecimal())
    return int(text)


def _any(reader: _Reader) -> Condition | Group:
    """Conditions joined by OR or by AND: SOQL takes a mixture only with brackets."""
    parts = [_one(reader)]
    joint = "AND" if reader.is_word("AND") else "OR"
    while reader.word(joint):
        parts.append(_one(reader))
    reader.need(not reader.is_word("AND", "OR"))
    return parts[0] if len(parts) == 1 else Group(joint, tuple(parts))


def _one(reader: _Reader) -> Condition | Group:
    if reader.word("NOT"):
        return Group("NOT", (_one(reader),))
    if reader.sign("("):
        inner = _any(reader)
        reader.need(reader.sign(")"))
        return inner
    name = reader.name()
    if reader.word("IN"):
        return Condition(name, "IN", _literals(reader))
    if reader.word("NOT"):
        reader.need(reader.word("IN"))
        return Condition(name, "NOT IN", _literals(reader))
    if reader.word("LIKE"):
        return Condition(name, "LIKE", (_literal(reader),))
    kind, sign = reader.take()
    reader.need(kind == "sign" and sign in COMPARISONS)
    return Condition(name, "!=" if sign == "<>" else sign, (_literal(reader),))


def _literals(reader: _Reader) -> tuple[Literal, ...]:
    reader.need(reader.sign("("))
    found = _listed(reader, lambda: _literal(reader))
    reader.need(reader.sign(")"))
    return tuple(found)


def _literal(reader: _Reader) -> Literal:
    kind, text = reader.take()
    if kind == "text":
        return Literal(_unescaped(text[1:-1]), quoted=True)
    if kind == "moment":
        return Literal(_moment(text))
    if kind == "number":
        return Literal(float(text))
    if kind == "word" and text.upper() in ("TRUE", "FALSE"):
        return Literal(text.upper() == "TRUE")
    if kind == "word" and text.upper() == "NULL":
        return Literal(None)
    reader.place -= 1
    raise malformed(f"unexpected token: '{text or '<EOF>'}'")


def _moment(text: str) -> datetime:
    read = moment_of(text)
    if read is None:
        raise malformed(f"invalid datetime: {text}")
    return read


def _unescaped(text: str) -> str:
    def replaced(found: re.Match[str]) -> str:
        if found[1] not in ESCAPES:
            raise malformed(f"Invalid string literal: illegal escape \\{found[1]}")
        return ESCAPES[found[1]]

    return re.sub(r"\\(.)", replaced, text, flags=re.DOTALL)
