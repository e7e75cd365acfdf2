"""Reading records: those that hold a value, and where a sweep goes on."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence

from connector.adapters.calls import bad_place
from connector.domain.ticket import Record


def by_value(records: Iterable[Record], field: str, values: Sequence[str]) -> dict[str, list[Record]]:
    """The records that hold each value in this field, as `find` gives them: in whatever case, or among several."""
    found: dict[str, list[Record]] = {value: [] for value in values}
    for record in records:
        held = record.fields.get(field)
        words = {str(one).casefold() for one in (held if isinstance(held, tuple) else (held,)) if one is not None}
        for value in found:
            if value.casefold() in words:
                found[value].append(record)
    return found


def place_in(after: str, *, parts: Sequence[str], numbers: int, system: str) -> tuple[str, list[int]]:
    """Where a sweep goes on, as `place_text` wrote it: in which of its parts, and so many numbers. Raises Refused."""
    part, *told = after.split(" ")
    if part not in parts or len(told) != numbers or not all(one.isdecimal() for one in told):
        raise bad_place(system, after)
    return part, [int(one) for one in told]


def places_in(after: str, *, lists: Container[str], system: str) -> dict[str, str]:
    """Where a sweep of several lists at once goes on, as `places_text` wrote it: by list. Raises Refused."""
    try:
        told = dict(json.loads(after))
    except (ValueError, TypeError, RecursionError) as error:
        raise bad_place(system, after) from error
    if not (places := {str(name): str(place) for name, place in told.items() if name in lists}):
        raise bad_place(system, after)
    return places


def places_text(places: Mapping[str, str]) -> str:
    """Where the lists that are not at their end go on, for `Sweep.after`."""
    return json.dumps(dict(places)) if places else ""


def place_text(part: str, *numbers: int) -> str:
    """A place in a sweep as a text, for `Sweep.after`."""
    return " ".join([part, *map(str, numbers)])
