"""The fields of Case: read, and kept for turning values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from connector.adapters.base import Json
from connector.adapters.catalogue import FieldCatalogue
from connector.adapters.salesforce.api import Api, long_id
from connector.adapters.salesforce.setup import DESCRIBE, Fields
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
        self._api, self._user, self._unassigned = api, user, nobody
        self.ensure_schema = Fields(api, user).ensure

    def schema(self) -> Schema:
        """The fields as they are now, the statuses by record type."""
        told = self._api.send("GET", DESCRIBE).json
        types = [one for one in told.get("recordTypeInfos") or () if one.get("available") and not one.get("master")]
        types.sort(key=lambda one: not one.get("defaultRecordTypeMapping"))
        kinds = [Option(long_id(one["recordTypeId"]), str(one["name"])) for one in types]
        statuses = self._statuses(kinds)
        found = Schema(tuple(_field(one, kinds, statuses) for one in told["fields"]))
        self.learn(found)
        return found

    def look(self) -> Schema:
        """The fields; their values are read right without the statuses of each record type."""
        return Schema(tuple(_field(one, [], []) for one in self._api.send("GET", DESCRIBE).json["fields"]))

    def columns(self, names: Iterable[str], *, anew: bool = False) -> list[str]:
        """What to ask for: the id, the version, and those of the names that Case has and our user may see."""
        asked = dict.fromkeys(["Id", *names, STAMP])
        self.expect(asked, anew=anew)
        return [one for one in asked if one in self._fields]

    def native(self, name: str, raw: object) -> Value:
        """A value as read, in normal form: words, digits, moments with Z, sets. Makes no call."""
        field, told = self.field(name) or FieldSchema(name), worded(raw)
        if field.type == "datetime" and (at := moment(raw)):
            return iso(at, timespec="milliseconds")
        if field.type == "reference" and isinstance(told, str):
            return None if name == OWNER and long_id(told) == self._nobody() else long_id(told)
        return normal(told.split(";") if field.multiple and isinstance(told, str) else told)

    def raw(self, name: str, value: Value) -> Json:
        """A value as Salesforce takes it.

        A text loses the space around it, which Salesforce would drop by itself, and is shortened visibly to what its
        field takes, as Salesforce would refuse the whole record.
        """
        field = self.field(name) or FieldSchema(name)
        if value is None and name == OWNER:
            return self._nobody()
        if field.type == "boolean":
            return value in (True, "true")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, tuple):
            return ";".join(value)
        if field.type in NUMBERS:
            with suppress(ValueError):
                return float(value)
        text = str(value)
        return shortened(text.rstrip() if field.type == "textarea" else text.strip(), field.longest)

    def _nobody(self) -> str:
        """The owner of what is unassigned: a case always has one."""
        return long_id(self._unassigned or self._user())

    def _statuses(self, kinds: Sequence[Option]) -> list[Option]:
        """The statuses that each record type has."""
        found = []
        for kind in kinds:
            route = f"/ui-api/object-info/Case/picklist-values/{kind.value}/{STATUS}"
            try:
                told = self._api.send("GET", route).json
            except Refused:
                return []
            found += [Option(str(one["value"]), str(one["label"]), group=kind.value) for one in told["values"]]
        return found


def _field(told: Json, kinds: Sequence[Option], statuses: Sequence[Option]) -> FieldSchema:
    name = str(told["name"])
    listed = [one for one in told.get("picklistValues") or () if one.get("active", True)]
    options = [Option(str(one["value"]), str(one.get("label") or one["value"])) for one in listed]
    grouped = name == STATUS and bool(statuses)
    kind = str(told.get("type") or "string")
    given = told.get("nillable", True) or told.get("defaultedOnCreate") or kind == "boolean"
    return FieldSchema(
        name=name,
        label=str(told.get("label") or name),
        type={"string": "text"}.get(kind, kind),
        options=tuple(statuses if grouped else kinds if name == RECORD_TYPE else options),
        multiple=kind == "multipicklist",
        writable=bool(told.get("createable") and told.get("updateable")),
        required=bool(told.get("createable")) and not given,
        parent=RECORD_TYPE if grouped else "",
        longest=int(told.get("length") or 0) if kind in TEXTS else 0,
    )
