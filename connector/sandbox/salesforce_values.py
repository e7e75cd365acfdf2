"""What a field takes: types, lengths, picklists by record type, references."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from .salesforce_errors import Failure
from .salesforce_ids import normal_id
from .salesforce_stock import Field

EMAIL = re.compile(r"[^@\s<>\"']+@[^@\s<>\"']+\.[^@\s.<>\"']+|[^@\s<>\"]+'[^@\s<>\"]*@[^@\s]+\.[^@\s.]+")
TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?)(Z|[+-]\d{2}:?\d{2})")
TEXTS = frozenset({"string", "textarea", "email", "phone", "url"})


def told(moment: datetime) -> str:
    """A moment as Salesforce writes it: whole seconds, an offset without a colon."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def moment_of(text: object) -> datetime | None:
    """A moment as a client may write it, or None."""
    found = TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    offset = found[2] if found[2] == "Z" or ":" in found[2] else f"{found[2][:3]}:{found[2][3:]}"
    try:
        return datetime.fromisoformat(found[1] + offset.replace("Z", "+00:00")).astimezone(UTC)
    except ValueError:
        return None


def checked(field: Field, value: Any, *, exists: Callable[[str], bool], allowed: Iterable[str]) -> Any:
    """The value as it is kept; raises Salesforce's error for one that the field does not take.

    `exists` tells whether a live record has this id, `allowed` are the values of a picklist for this record.
    """
    if value is None or value == "":
        return None
    if field.type == "boolean":
        return _boolean(field, value)
    if field.type == "double":
        return _number(field, value)
    if field.type == "datetime":
        return _moment(field, value)
    if not isinstance(value, str):
        raise Failure("JSON_PARSER_ERROR", f"Cannot deserialize instance of {field.type} from {value!r}", [field.name])
    if field.type == "reference":
        return _reference(field, value, exists)
    if field.type == "picklist":
        return _option(field, value, allowed)
    return _text(field, value)


def _boolean(field: Field, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Failure("JSON_PARSER_ERROR", f"Cannot deserialize instance of boolean from {value!r}", [field.name])
    return value


def _number(field: Field, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Failure("JSON_PARSER_ERROR", f"Cannot deserialize instance of double from {value!r}", [field.name])
    return float(value)


def _moment(field: Field, value: Any) -> datetime:
    read = moment_of(value)
    if read is None:
        raise Failure("JSON_PARSER_ERROR", f"Cannot deserialize instance of datetime from {value!r}", [field.name])
    return read.replace(microsecond=0)


def _reference(field: Field, value: str, exists: Callable[[str], bool]) -> str:
    record_id = normal_id(value, field.label or field.name)
    if record_id[:3] not in field.to:
        raise Failure(
            "FIELD_INTEGRITY_EXCEPTION",
            f"{field.label or field.name}: id value of incorrect type: {value}",
            [field.name],
        )
    if not exists(record_id):
        raise Failure("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [field.name])
    return record_id


def _option(field: Field, value: str, allowed: Iterable[str]) -> str:
    found = next((one for one in allowed if one.casefold() == value.casefold()), None)
    if found is None:
        message = f"{field.label or field.name}: bad value for restricted picklist field: {value}"
        raise Failure("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, [field.name])
    return found


def _text(field: Field, value: str) -> str:
    text = value.replace("\r\n", "\n") if field.type == "textarea" else value
    text = text.rstrip() if field.type == "textarea" else text.strip()
    size = len(text.encode()) if field.cap == "bytes" else len(text.encode("utf-16-le", "surrogatepass")) // 2
    if size > field.length:
        name = field.label or field.name
        message = f"{name}: data value too large: {text[:20]} (max length={field.length})"
        raise Failure("STRING_TOO_LONG", message, [field.name])
    if field.type == "email" and text and not EMAIL.fullmatch(text):
        raise Failure(
            "INVALID_EMAIL_ADDRESS", f"{field.label or field.name}: invalid email address: {text}", [field.name]
        )
    return text


def shown(value: Any) -> Any:
    """A kept value as JSON."""
    return told(value) if isinstance(value, datetime) else value


def changes_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record's JSON, without its attributes."""
    return {name: value for name, value in given.items() if name != "attributes"}
