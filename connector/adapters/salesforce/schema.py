"""The fields of Case: read, and kept for turning values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final

from connector.adapters.base import Json
from connector.adapters.catalogue import FieldCatalogue
from connector.adapters.salesforce.api import Api, long_id
from connector.adapters.salesforce.setup import DESCRIBE, OUR_ID, Fields
from connector.adapters.times import iso, moment
from connector.adapters.values import shortened, worded
from connector.domain.errors import Refused
from connector.domain.schema import FieldSchema, Option, Schema
from connector.domain.ticket import Value, normal

STAMP: Final = "SystemModstamp"
RECORD_TYPE: Final = "RecordTypeId"
STATUS: Final = "Status"
OWNER: Final = "OwnerId"
NUMBERS: Final = frozenset({"double", "int", "currency", "percent"})
TEXTS: Final = frozenset({"string", "textarea", "url", "phone"})


class Catalogue(FieldCatalogue):
    """What is known of Case, so that only fields that are there are asked for, and values have their type."""

    def __init__(self, api: Api, clock: Callable[[], datetime], user: Callable[[], str], nobody: str | None) -> None:
        """`user` gives our own user's id; `nobody` is that of the owner who stands for none, if it is another's."""
        super().__init__(clock)
        self._api, self._nobody = api, lambda: long_id(nobody or user())
        self.ensure_schema = Fields(api, user).ensure
        self._lengths: Mapping[str, int] = {}

    def schema(self) -> Schema:
        """The fields as they are now, the statuses by record type."""
        told = self._api.send("GET", DESCRIBE).json
        types = [one for one in told.get("recordTypeInfos") or () if one.get("available") and not one.get("master")]
        types.sort(key=lambda one: not one.get("defaultRecordTypeMapping"))
        found = self._read(told, [(long_id(one["recordTypeId"]), str(one["name"])) for one in types])
        self.learn(found)
        return found

    def look(self) -> Schema:
        """The fields; their values are read right without the statuses of each record type."""
        return self._read(self._api.send("GET", DESCRIBE).json, [])

    def columns(self, names: Iterable[str], *, anew: bool = False) -> list[str]:
        """What to ask for: the id, the version, and those of the names that Case has and our user may see."""
        asked = dict.fromkeys(["Id", *names, STAMP])
        self.expect(asked, anew=anew)
        return [one for one in asked if one in self._fields]

    def native(self, name: str, raw: object) -> Value:
        """A value as read, in normal form: words, digits, moments with Z, sets. Makes no call."""
        field, told = self.field(name), worded(raw)
        kind = field.type if field else "text"
        if kind == "datetime" and (at := moment(raw)):
            return iso(at, timespec="milliseconds")
        if kind == "reference" and isinstance(told, str):
            return None if name == OWNER and long_id(told) == self._nobody() else long_id(told)
        return normal(told.split(";") if field and field.multiple and isinstance(told, str) else told)

    def raw(self, name: str, value: Value) -> Json:
        """A value as Salesforce takes it.

        A text loses the space around it, which Salesforce would drop by itself, and is shortened visibly to what its
        field takes, as Salesforce would refuse the whole record.
        """
        field = self.field(name)
        kind = field.type if field else "text"
        if value is None and name == OWNER:
            return self._nobody()
        if value is None or isinstance(value, bool):
            return False if value is None and kind == "boolean" else value
        if isinstance(value, tuple):
            return ";".join(value)
        if kind in NUMBERS:
            with suppress(ValueError):
                return float(value)
        if kind == "boolean":
            return value == "true"
        text = str(value)
        return shortened(text.rstrip() if kind == "textarea" else text.strip(), self._lengths.get(name, 0))

    def _read(self, told: Json, types: list[tuple[str, str]]) -> Schema:
        listed, statuses = told["fields"], self._statuses(types)
        self._lengths = {
            str(one["name"]): int(one.get("length") or 0)
            for one in listed
            if one.get("type") in TEXTS and one["name"] != OUR_ID
        }
        return Schema(tuple(_field(one, types, statuses) for one in listed))

    def _statuses(self, types: list[tuple[str, str]]) -> list[Option]:
        """The statuses that each record type has."""
        found = []
        for type_id, _ in types:
            route = f"/ui-api/object-info/Case/picklist-values/{type_id}/{STATUS}"
            try:
                told = self._api.send("GET", route).json
            except Refused:
                return []
            found += [Option(str(one["value"]), str(one["label"]), group=type_id) for one in told.get("values") or ()]
        return found


def _field(told: Json, types: list[tuple[str, str]], statuses: list[Option]) -> FieldSchema:
    name = str(told["name"])
    listed = [one for one in told.get("picklistValues") or () if one.get("active", True)]
    options = [Option(str(one["value"]), str(one.get("label") or one["value"])) for one in listed]
    if name == RECORD_TYPE:
        options = [Option(type_id, label) for type_id, label in types]
    grouped = name == STATUS and bool(statuses)
    kind = str(told.get("type") or "string")
    return FieldSchema(
        name=name,
        label=str(told.get("label") or name),
        type={"string": "text"}.get(kind, kind),
        options=tuple(statuses if grouped else options),
        multiple=kind == "multipicklist",
        writable=bool(told.get("createable") and told.get("updateable")),
        required=_is_required(told),
        parent=RECORD_TYPE if grouped else "",
    )


def _is_required(told: Json) -> bool:
    """Whether a new case needs it from us; a box that is not ticked is no missing value."""
    given = told.get("nillable", True) or told.get("defaultedOnCreate") or told.get("type") == "boolean"
    return bool(told.get("createable")) and not given
