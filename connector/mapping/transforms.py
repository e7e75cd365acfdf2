"""The closed registry of transforms: named pairs that undo each other, and a few that travel one way only.

The law of a pair, checked by property tests: `forward(backward(forward(x))) == forward(x)`, and the same the other
way round. So what has crossed once never changes again by crossing back and forth.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from connector.domain.rules import Untranslatable
from connector.domain.text import html_to_text, text_to_html
from connector.domain.ticket import Value, normal

Change = Callable[[Value], Value]
NUMBER = re.compile(r"[-+]?\d{1,15}(?:\.\d{1,15})?\Z", re.ASCII)
EPOCH = re.compile(r"-?\d{11,14}\Z", re.ASCII)
LARGEST = 10**15


@dataclass(frozen=True, slots=True)
class Transform:
    """`forward` leads from Next Cap to the CRM; `backward` the other way, or is None where nothing leads back."""

    forward: Change
    backward: Change | None


@dataclass(frozen=True, slots=True)
class Op:
    """An entry of the registry: how to build the transform, and what it wants to know."""

    build: Callable[[str], Transform]
    says: str
    """What it does, for `explain`; `{}` is where the argument stands."""
    argument: str = ""
    """What stands after its name, in words; empty where nothing does."""


def text_of(value: Value) -> str:
    """A scalar as text: truth values as `true` and `false`, numbers without a needless fraction."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format(Decimal(repr(value)).normalize(), "f")
    if isinstance(value, tuple):
        return "; ".join(value)
    return "" if value is None else str(value)


def as_text(value: Value) -> Value:
    """The default of every rule: scalars as text, lists as they are."""
    return value if isinstance(value, tuple) else normal(text_of(value))


def _each(change: Callable[[str], str]) -> Change:
    """A change of texts, made to every element of a list too."""

    def apply(value: Value) -> Value:
        if isinstance(value, tuple):
            return normal([change(item) for item in value])
        return normal(change(text_of(value)))

    return apply


def _trim(_: str) -> Transform:
    both = _each(str.strip)
    return Transform(both, both)


def _lower(_: str) -> Transform:
    both = _each(str.lower)
    return Transform(both, both)


def _text(_: str) -> Transform:
    return Transform(as_text, as_text)


def _number(_: str) -> Transform:
    return Transform(lambda value: normal(text_of(to_number(value))), to_number)


def to_number(value: Value) -> Value:
    """A whole number or a fraction, from either's text. Raises `Untranslatable`."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST:
        text = text_of(value)
    else:
        text = text_of(value).strip() if isinstance(value, str) else ""
    if not NUMBER.match(text):
        raise Untranslatable("not_a_number", "the value is not a number of up to 15 digits")
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else float(number)


def _boolean(_: str) -> Transform:
    return Transform(lambda value: normal(text_of(to_boolean(value))), to_boolean)


def to_boolean(value: Value) -> Value:
    """True or False, from either's text. Raises `Untranslatable`."""
    if value is None or isinstance(value, bool):
        return value
    word = text_of(value).strip().lower()
    if word not in ("true", "false"):
        raise Untranslatable("not_a_boolean", "the value is neither true nor false")
    return word == "true"


def _date(_: str) -> Transform:
    return Transform(to_day, to_day)


def to_day(value: Value) -> Value:
    """A calendar day as `2026-11-22`; of a moment, the day in UTC. Raises `Untranslatable`."""
    if value is None:
        return None
    text = text_of(value).strip()
    try:
        return date.fromisoformat(text).isoformat() if len(text) == 10 else _moment(text).date().isoformat()
    except ValueError as problem:
        raise Untranslatable("not_a_date", "the value is not a date") from problem


def _datetime(_: str) -> Transform:
    return Transform(to_moment, to_moment)


def to_moment(value: Value) -> Value:
    """A moment in UTC as `2026-11-22T14:30:00.000Z`. Raises `Untranslatable`."""
    if value is None:
        return None
    try:
        return _moment(text_of(value).strip()).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except ValueError as problem:
        raise Untranslatable("not_a_date", "the value is not a date with a time") from problem


def _moment(text: str) -> datetime:
    """ISO 8601 (UTC where no offset is named) or milliseconds since 1970. Raises ValueError."""
    try:
        if EPOCH.match(text):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as problem:
        raise ValueError("out of the calendar's range") from problem


def _html(_: str) -> Transform:
    return Transform(_to_html, _from_html)


def _to_html(value: Value) -> Value:
    return normal(text_to_html(_readable(text_to_html(text_of(value)))))


def _from_html(value: Value) -> Value:
    return normal(_readable(text_of(value)))


def _readable(markup: str) -> str:
    """The plain reading that reads the same when it is made HTML and read again."""
    text = html_to_text(markup)
    for _ in range(3):
        again = html_to_text(text_to_html(text))
        if again == text:
            return text
        text = again
    raise Untranslatable("html_unstable", "the text does not survive being made HTML and read back")


def _join(separator: str) -> Transform:
    return Transform(lambda value: _joined(value, separator), lambda value: _parted(value, separator))


def _split(separator: str) -> Transform:
    return Transform(lambda value: _parted(value, separator), lambda value: _joined(value, separator))


def _joined(value: Value, separator: str) -> Value:
    items = normal([_entry(item) for item in (value if isinstance(value, tuple) else (text_of(value),))])
    if items is None:
        return None
    assert isinstance(items, tuple)  # noqa: S101 - the normal form of a list
    core = separator.strip() or separator
    if any(core in item for item in items):
        raise Untranslatable("separator_in_value", f"an entry of the list holds the separator '{core}' itself")
    return normal(separator.join(items))


def _parted(value: Value, separator: str) -> Value:
    core = separator.strip() or separator
    whole = value if isinstance(value, tuple) else (text_of(value),)
    return normal([_entry(item) for text in whole for item in text.split(core)])


def _entry(text: str) -> str:
    """One entry of a list, as it comes out of a text again."""
    return str(normal(text) or "").strip()


def _prefix(prefix: str) -> Transform:
    def without(text: str) -> str:
        if not text.startswith(prefix):
            raise Untranslatable("prefix_missing", f"the value does not begin with '{prefix}'")
        return text[len(prefix) :]

    return Transform(_each(lambda text: prefix + text), _each(without))


def _truncate(limit: str) -> Transform:
    most = int(limit)
    return Transform(_each(lambda text: text if len(text) <= most else text[: most - 1].rstrip() + "…"), None)


def _lines(_: str) -> Transform:
    return Transform(lambda value: normal("\n".join(value) if isinstance(value, tuple) else text_of(value)), None)


REGISTRY: Mapping[str, Op] = {
    "text": Op(_text, "as plain text (what happens anyway)"),
    "trim": Op(_trim, "without spaces at either end"),
    "lower": Op(_lower, "in lower case"),
    "number": Op(_number, "a number in Next Cap, its digits in the CRM"),
    "boolean": Op(_boolean, "true or false in Next Cap, the words `true` and `false` in the CRM"),
    "date": Op(_date, "a calendar day"),
    "datetime": Op(_datetime, "a moment, in UTC"),
    "html": Op(_html, "plain text in Next Cap, HTML in the CRM"),
    "join": Op(_join, "a list in Next Cap, one text with '{}' between the entries in the CRM", "the separator"),
    "split": Op(_split, "one text with '{}' between the entries in Next Cap, a list in the CRM", "the separator"),
    "prefix": Op(_prefix, "with '{}' before it in the CRM", "the word"),
    "truncate": Op(_truncate, "cut at {} characters", "the number of characters"),
    "lines": Op(_lines, "one line for each entry"),
}


def chain(steps: list[Transform]) -> Transform:
    """Several transforms as one: forward in their order, backward in the opposite one. Empty stays empty."""
    backs = [step.backward for step in reversed(steps)]

    def forward(value: Value) -> Value:
        for step in steps:
            if value is None:
                return None
            value = step.forward(value)
        return value

    def backward(value: Value) -> Value:
        for back in backs:
            if value is None or back is None:
                return None
            value = back(value)
        return value

    return Transform(forward, None if None in backs else backward)


__all__ = ["REGISTRY", "Op", "Transform", "as_text", "chain", "text_of"]
