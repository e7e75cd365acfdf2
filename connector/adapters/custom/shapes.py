"""Between declared shapes and JSON: placeholders filled, places looked up, values in normal form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import jmespath
from jmespath.exceptions import JMESPathError

from connector.domain.errors import RetryLater
from connector.domain.ticket import Value, normal
from connector.mapping.grammar import FieldDeclaration, Grammar
from connector.mapping.places import SLOT

TRUE: Final = frozenset({"true", "1", "yes", "public"})


def at(place: str | None, told: Any) -> Any:
    """What stands at this place of an answer; None where there is none. Raises RetryLater where it cannot be read."""
    if place is None:
        return None
    if place == "@":
        return told
    try:
        return jmespath.search(place, told)
    except (JMESPathError, ValueError, TypeError, ArithmeticError) as error:
        message = f"the answer is not as the adapter block says: {place} cannot be read in it"
        raise RetryLater(message, code="unreadable_answer", scope="record") from error


def listed(place: str, told: Any) -> list[Any]:
    """The list at this place. Raises RetryLater where there is something else: no answer is taken for an empty one."""
    found = at(place, told)
    if not isinstance(found, list):
        message = f"the answer is not as the adapter block says: there is no list at {place}"
        raise RetryLater(message, code="unreadable_answer", scope="record")
    return found


def text_at(place: str | None, told: Any) -> str:
    """The text or number at this place as text; empty where there is neither."""
    found = at(place, told)
    return str(found) if isinstance(found, str | int | float) and not isinstance(found, bool) else ""


def is_true(place: str | None, told: Any) -> bool:
    """Whether this place certainly says yes."""
    found = at(place, told)
    return found is True or (isinstance(found, str) and found.lower() in TRUE) or found == 1


def filled(shape: Any, given: Mapping[str, Any]) -> Any:
    """A shape with its placeholders filled; a text that is one placeholder alone becomes its value."""
    if isinstance(shape, dict):
        return {str(filled(key, given)): filled(value, given) for key, value in shape.items()}
    if isinstance(shape, list):
        return [filled(value, given) for value in shape]
    if not isinstance(shape, str):
        return shape
    if (whole := SLOT.fullmatch(shape)) and whole[1] in given:
        return given[whole[1]]
    return SLOT.sub(lambda slot: _plain(given.get(slot[1])), shape)


def path_of(path: str, given: Mapping[str, Any]) -> str:
    """A path whose placeholders are filled with percent-encoded words: none of them can become another path."""
    return SLOT.sub(lambda slot: quote(_plain(given.get(slot[1])), safe=""), path)


def route_of(path: str) -> str:
    """The path as metrics and messages name it."""
    return SLOT.sub(lambda slot: f":{slot[1]}", path)


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(str(one) for one in value)
    return "" if value is None else str(value)


def native(told: Any) -> Value:
    """A JSON value as a native one: a text, a set of texts, or nothing."""
    if isinstance(told, list):
        return normal([_word(one) for one in told if one is not None])
    return normal(_word(told)) if told is not None else None


def _word(told: Any) -> str:
    if isinstance(told, bool):
        return "true" if told else "false"
    if isinstance(told, float) and told.is_integer():
        return str(int(told))
    return str(told)


def written(values: Mapping[str, Value], grammar: Grammar) -> dict[str, Any]:
    """Native values as the CRM takes them: of their types, under their keys. Unknown fields go as they are."""
    body: dict[str, Any] = {}
    for name, value in values.items():
        declared = grammar.fields.get(name) or FieldDeclaration()
        *parents, last = (declared.write_as or name).split(".") if declared.write_as else [name]
        inside = body
        for parent in parents:
            inside = inside.setdefault(parent, {})
        inside[last] = _cast(value, declared)
    return body


def _cast(value: Value, declared: FieldDeclaration) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if declared.multiple:
        return [] if value is None else [str(value)]
    if declared.type == "number" and isinstance(value, str):
        try:
            return float(value) if "." in value else int(value)
        except ValueError:
            return value
    if declared.type == "boolean" and value in ("true", "false"):
        return value == "true"
    return value
