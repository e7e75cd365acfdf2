"""Records with the history of their properties, and the tables that hold them by type."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .hubspot_schema import Schema
from .hubspot_stock import ObjectType
from .kernel_clock import iso

HISTORY_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Source:
    """Who changed something: `change` is the webhook's changeSource and the history's sourceType."""

    change: str
    id: str
    label: str | None = None
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class Version:
    value: str
    at: datetime
    source: Source

    def as_json(self) -> dict[str, Any]:
        return {
            "value": self.value,
            "timestamp": iso(self.at),
            "sourceType": self.source.change,
            "sourceId": self.source.id,
            "sourceLabel": self.source.label,
            "updatedByUserId": self.source.user_id,
        }


@dataclass(slots=True)
class Record:
    """One record. Only properties that have a value are held; `versions` are oldest first."""

    kind: ObjectType
    id: str
    created_at: datetime
    updated_at: datetime
    properties: dict[str, str] = field(default_factory=dict)
    versions: dict[str, deque[Version]] = field(default_factory=dict)
    archived_at: datetime | None = None
    merged_into: str | None = None
    readings: deque[tuple[datetime, Mapping[str, str]]] = field(default_factory=deque)

    @property
    def is_live(self) -> bool:
        return self.archived_at is None and self.merged_into is None

    def assign(self, name: str, value: str, *, source: Source, at: datetime) -> bool:
        """Set or clear a property; says whether that changed anything."""
        if self.properties.get(name, "") == value:
            return False
        if value:
            self.properties[name] = value
        else:
            del self.properties[name]
        history = self.versions.setdefault(name, deque(maxlen=HISTORY_LIMIT))
        history.append(Version(value, at, source))
        return True

    def settle(self, at: datetime, *, horizon: datetime) -> None:
        """Close a write: move the time of change and queue a reading for the search index."""
        self.updated_at = at
        self.properties[self.kind.modified] = iso(at)
        self.readings.append((at, dict(self.properties)))
        self.indexed(horizon)

    def indexed(self, horizon: datetime) -> Mapping[str, str] | None:
        """The properties as the search index knows them: the last reading not younger than `horizon`."""
        while len(self.readings) > 1 and self.readings[1][0] <= horizon:
            self.readings.popleft()
        if self.readings and self.readings[0][0] <= horizon:
            return self.readings[0][1]
        return None


@dataclass(frozen=True, slots=True)
class View:
    """How records are shown: which properties, which histories, and how an unset one looks.

    `unset` is `null`, `absent` or `empty`. `surplus` adds a field that no client knows.
    """

    names: Sequence[str] = ()
    histories: Sequence[str] = ()
    withheld: frozenset[str] = frozenset()
    unset: str = "null"
    surplus: bool = False
    portal_id: int = 0

    def show(self, record: Record, properties: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The JSON of a record, from `properties` instead of its present ones where they are given."""
        kind = record.kind
        held = record.properties if properties is None else properties
        always = ("hs_object_id", kind.created, kind.modified)
        wanted = dict.fromkeys((*(self.names or kind.defaults), *always))
        shown = {name: None if name in self.withheld else held.get(name) for name in sorted(wanted)}
        body: dict[str, Any] = {
            "id": record.id,
            "properties": self._unset(shown),
            "createdAt": iso(record.created_at),
            "updatedAt": iso(record.updated_at),
            "archived": record.archived_at is not None,
            "url": f"https://app.hubspot.com/contacts/{self.portal_id}/record/{kind.type_id}/{record.id}",
        }
        if record.archived_at is not None:
            body["archivedAt"] = iso(record.archived_at)
        if self.histories:
            body["propertiesWithHistory"] = self._histories(record)
        if self.surplus:
            body["futureField"] = {"of": "no known version"}
        return body

    def _unset(self, shown: Mapping[str, str | None]) -> dict[str, str | None]:
        if self.unset == "absent":
            return {name: value for name, value in shown.items() if value is not None}
        if self.unset == "empty":
            return {name: value or "" for name, value in shown.items()}
        return dict(shown)

    def _histories(self, record: Record) -> dict[str, list[dict[str, Any]]]:
        return {
            name: [version.as_json() for version in reversed(record.versions.get(name, ()))]
            for name in self.histories
            if name not in self.withheld
        }


class Table:
    """All records of one type, found by id or by the value of a unique property.

    Archived and merged-away records keep their values but give up their claim on unique ones.
    """

    def __init__(self, kind: ObjectType, schema: Schema) -> None:
        self.kind = kind
        self.schema = schema
        self.records: dict[str, Record] = {}
        self._claims: dict[tuple[str, str], str] = {}
        self._claimed: dict[str, list[tuple[str, str]]] = {}

    def live(self) -> Iterator[Record]:
        return (record for record in self.records.values() if record.is_live)

    def holder(self, name: str, value: str) -> Record | None:
        """The live record that holds `value` in the unique property `name`."""
        claimed = self._claims.get((name, self._key(name, value)))
        return None if claimed is None else self.records[claimed]

    def claim(self, record: Record) -> None:
        """Hold the record's unique values; call after it came into being, changed or came back."""
        self.release(record)
        keys = [
            (name, self._key(name, value))
            for name in self.schema.unique_names()
            if (value := record.properties.get(name))
        ]
        further = record.properties.get("hs_additional_emails", "")
        keys += [("hs_additional_emails", one.casefold()) for one in further.split(";") if one]
        self._claims.update(dict.fromkeys(keys, record.id))
        self._claimed[record.id] = keys

    def release(self, record: Record) -> None:
        for key in self._claimed.pop(record.id, ()):
            self._claims.pop(key, None)

    def survivor(self, record_id: str) -> Record | None:
        """The record of that id, or the one it was merged into."""
        found = self.records.get(record_id)
        while found is not None and found.merged_into is not None:
            found = self.records.get(found.merged_into)
        return found

    @staticmethod
    def _key(name: str, value: str) -> str:
        return value.casefold() if name in {"email", "hs_additional_emails"} else value
