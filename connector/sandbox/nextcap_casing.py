"""Field names in snake_case or camelCase."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FREE_FORM = frozenset({"metadata", "custom_fields", "visitor"})
"""Objects whose keys belong to the customer and are never renamed."""


def cased(value: Any, casing: str) -> Any:
    """The value with its field names in `snake` (as they are) or `camel` case."""
    if casing == "snake":
        return value
    if isinstance(value, Mapping):
        return {camel(name): one if name in FREE_FORM else cased(one, casing) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [cased(one, casing) for one in value]
    return value


def camel(name: str) -> str:
    """`ticket_number` as `ticketNumber`."""
    first, *others = name.split("_")
    return first + "".join(other.title() for other in others)
