"""Records with their custom fields, tags and what the index knows of them; entries of the timeline; tables."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from .capsule_stock import Kind


def seconds(moment: datetime) -> str:
    """A time as Capsule writes it: ISO 8601 in UTC, without fractions."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class FieldRow:
    """One custom field's value on one record; the row has an id of its own."""

    id: int
    definition: int
    value: Any


@dataclass(slots=True)
class Record:
    """A party, project or opportunity. `values` holds native members, references as ids.

    `is_restricted` puts it out of the connector's sight. `readings` is what the index of the filters is fed with.
    """

    kind: Kind
    id: int
    created_at: datetime
    updated_at: datetime
    values: dict[str, Any] = field(default_factory=dict)
    fields: dict[int, FieldRow] = field(default_factory=dict)
    tags: dict[int, None] = field(default_factory=dict)
    contacts: dict[int, None] = field(default_factory=dict)
    children: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)
    last_contacted_at: datetime | None = None
    is_restricted: bool = False
    restricted_at: datetime | None = None
    readings: deque[tuple[datetime, Mapping[str, Any]]] = field(default_factory=deque)

    def indexed(self, horizon: datetime) -> Mapping[str, Any] | None:
        """The record as the index knows it: the last reading not younger than `horizon`."""
        while len(self.readings) > 1 and self.readings[1][0] <= horizon:
            self.readings.popleft()
        return self.readings[0][1] if self.readings and self.readings[0][0] <= horizon else None


@dataclass(slots=True)
class Entry:
    """A note, an e-mail or a completed task on the timeline of one record."""

    id: int
    type: str
    content: str
    creator: int
    target: tuple[str, int]
    created_at: datetime
    updated_at: datetime
    entry_at: datetime
    activity: int
    subject: str | None = None
    files: list[int] = field(default_factory=list)


@dataclass(slots=True)
class File:
    id: int
    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Deleted:
    id: int
    at: datetime


class Table:
    """All records of one kind, their ids rising, and the traces of those that were deleted."""

    def __init__(self, kind: Kind, first_id: int) -> None:
        self.kind = kind
        self.records: dict[int, Record] = {}
        self.deleted: list[Deleted] = []
        self._ids = count(first_id)

    def new_id(self) -> int:
        return next(self._ids)

    def visible(self) -> Iterator[Record]:
        """What the connector's user may see, newest first."""
        return (one for one in reversed(self.records.values()) if not one.is_restricted)

    def find(self, record_id: int) -> Record | None:
        found = self.records.get(record_id)
        return None if found is None or found.is_restricted else found
