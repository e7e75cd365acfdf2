"""The fields of Case: read, kept for turning values, and our own made, and shown to our user by a permission set.

A new field is hidden from everybody by API until a permission set shows it.
https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/tooling_api_objects_customfield.htm and
the object reference: FieldPermissions, PermissionSetAssignment, UserPermissionAccess (2026-11)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import cache, partial
from typing import Final

from simple_salesforce.format import format_soql

from connector.adapters.base import Json, Step
from connector.adapters.catalogue import FieldCatalogue
from connector.adapters.checks import ensured
from connector.adapters.salesforce.api import Api, long_id
from connector.adapters.times import iso, moment
from connector.adapters.values import shortened, worded
from connector.domain.errors import Refused, UnknownOutcome
from connector.domain.schema import FieldSchema, Option, Schema
from connector.domain.ticket import Value, normal

STAMP: Final = "SystemModstamp"
RECORD_TYPE: Final = "RecordTypeId"
STATUS: Final = "Status"
OWNER: Final = "OwnerId"
NUMBERS: Final = frozenset({"double", "int", "currency", "percent"})
TEXTS: Final = frozenset({"string", "textarea", "url", "phone"})

OUR_ID: Final = "NextCap_Ticket_Id__c"
FIELDS: Final[Mapping[str, Mapping[str, Json]]] = {
    OUR_ID: {"type": "Text", "length": 80, "externalId": True, "unique": True, "caseSensitive": True},
    "NextCap_Status__c": {"type": "Text", "length": 40},
    "NextCap_Priority__c": {"type": "Text", "length": 40},
    "NextCap_Ticket_Url__c": {"type": "Url"},
    "NextCap_Department__c": {"type": "Text", "length": 255},
    "NextCap_Tags__c": {"type": "LongTextArea", "length": 4_000, "visibleLines": 3},
    "NextCap_Category__c": {"type": "Text", "length": 255},
    "NextCap_Custom_Fields__c": {"type": "LongTextArea", "length": 32_000, "visibleLines": 6},
}
"""As docs/crm/salesforce/metadata has them. Only the first is needed; the shipped mapping uses the others."""

DESCRIBE: Final = "/sobjects/Case/describe"
RIGHTS: Final = {
    "PermissionsCustomizeApplication": "Customize Application",
    "PermissionsManageProfilesPermissionsets": "Manage Profiles and Permission Sets",
    "PermissionsAssignPermissionSets": "Assign Permission Sets",
}
HELD: Final = f"SELECT {', '.join(RIGHTS)} FROM UserPermissionAccess LIMIT 1"  # noqa: S608 - our own words
BY_HAND: Final = (
    "an administrator deploys docs/crm/salesforce/metadata with `sf project deploy start`, makes it by hand, or gives "
    "our user for this one time the rights "
)
OPTIONAL: Final = "optional, used by the shipped mapping: "


class Catalogue(FieldCatalogue):
    """What is known of Case, so that only fields that are there are asked for, and values have their type."""

    def __init__(self, api: Api, clock: Callable[[], datetime], user: Callable[[], str], nobody: str | None) -> None:
        """`user` gives our own user's id; `nobody` is that of the owner who stands for none, if it is another's."""
        super().__init__(clock)
        self._api, self._user, self._unassigned = api, user, nobody

    def schema(self) -> Schema:
        """The fields as they are now, the statuses by record type."""
        told = self._api.send("GET", DESCRIBE).json
        types = [one for one in told.get("recordTypeInfos") or () if one.get("available") and not one.get("master")]
        default_first = sorted(types, key=lambda one: not one.get("defaultRecordTypeMapping"))
        kinds = [Option(long_id(one["recordTypeId"]), str(one["name"])) for one in default_first]
        every: Sequence[Json] = next((one["picklistValues"] for one in told["fields"] if one["name"] == STATUS), [])
        statuses = [one for kind in kinds for one in self._statuses(kind, every)]
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

    def _statuses(self, kind: Option, every: Sequence[Json]) -> list[Option]:
        """The statuses of a record type; where our user may not ask, every one: Salesforce refuses what is wrong."""
        route = f"/ui-api/object-info/Case/picklist-values/{kind.value}/{STATUS}"
        with suppress(Refused):
            every = self._api.send("GET", route).json["values"]
        return [replace(one, group=kind.value) for one in _options(every)]

    def ensure_schema(self, *, dry_run: bool) -> list[Step]:
        """Whether our fields can serve; what is missing is made, or told to a person where our user lacks the right."""
        seen, our_set = self._seen(), cache(self._permission_set)
        lacks = self._lacking_rights() if FIELDS.keys() - seen.keys() else []
        steps = {name: self._ensured(name, seen.get(name), lacks, our_set, dry_run=dry_run) for name in FIELDS}
        made = {name for name, step in steps.items() if step.state == "done"}
        for name in made - self._seen().keys() if made else ():
            steps[name] = replace(steps[name], state="problem", advice="it is there, but hidden from our user")
        return list(steps.values())

    def _ensured(
        self, name: str, present: Json, lacks: Sequence[str], our_set: Callable[[], str], *, dry_run: bool
    ) -> Step:
        what = f"Case field {name}"
        if present is None and lacks:
            step = Step(what, "manual", BY_HAND + ", ".join(lacks))
        else:
            make, look = partial(self._make, name, our_set), lambda: self._seen().get(name)
            step = ensured(what, present, make=make, look=look, judge=partial(_problem, name), dry_run=dry_run)
        is_optional = present is None and step.state != "done" and name != OUR_ID
        return replace(step, advice=OPTIONAL + step.advice) if is_optional else step

    def _seen(self) -> dict[str, Json]:
        """Our fields that are there and that our user may see."""
        listed = self._api.send("GET", DESCRIBE).json["fields"]
        return {str(one["name"]): one for one in listed if one["name"] in FIELDS}

    def _lacking_rights(self) -> list[str]:
        """The rights to make fields and show them that our user does not have."""
        held: Json = {}
        with suppress(Refused):
            held = next(iter(self._api.rows(HELD)), held)
        return [right for name, right in RIGHTS.items() if not held.get(name)]

    def _make(self, name: str, our_set: Callable[[], str]) -> None:
        """Make a field, unless it is there and hidden, and let our permission set show it."""
        label = name.removesuffix("__c").replace("NextCap", "Next Cap").replace("_", " ")
        body = {"FullName": f"Case.{name}", "Metadata": {"label": label, **FIELDS[name]}}
        try:
            self._api.send("POST", "/tooling/sobjects/CustomField", json=body)
        except (Refused, UnknownOutcome) as error:
            if isinstance(error, Refused) and error.code != "duplicate_developer_name":
                raise  # Otherwise it is there and hidden, or may be there: it is, if it can be shown.
        shown = {"ParentId": our_set(), "SobjectType": "Case", "Field": f"Case.{name}"}
        self._made_once("FieldPermissions", shown, PermissionsRead=True, PermissionsEdit=True)

    def _permission_set(self) -> str:
        """The id of our permission set, given to our user."""
        ours = self._made_once("PermissionSet", {"Name": "NextCap_Connector"}, Label="Next Cap Connector")
        self._made_once("PermissionSetAssignment", {"PermissionSetId": ours, "AssigneeId": self._user()})
        return ours

    def _made_once(self, kind: str, keys: Mapping[str, str], **more: Json) -> str:
        """The id of the one record that has these values, or of a new one that has more beside them."""
        where = " AND ".join(f"{name} = {{{name}}}" for name in keys)
        if rows := self._api.rows(format_soql(f"SELECT Id FROM {kind} WHERE {where}", **keys)):  # noqa: S608 - our own words
            return str(rows[0]["Id"])
        return str(self._api.send("POST", f"/sobjects/{kind}", json={**keys, **more}).json["id"])


def _field(told: Json, kinds: Sequence[Option], statuses: Sequence[Option]) -> FieldSchema:
    name = str(told["name"])
    options = _options(told.get("picklistValues") or ())
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


def _options(listed: Sequence[Json]) -> list[Option]:
    active = [one for one in listed if one.get("active", True)]
    return [Option(str(one["value"]), str(one.get("label") or one["value"])) for one in active]


def _problem(name: str, field: Json) -> str:
    """Why a field that is there cannot serve; empty where it can."""
    if name == OUR_ID and not (field.get("externalId") and field.get("unique")):
        return "mark it as External ID and as Unique"
    return "" if field.get("createable") and field.get("updateable") else "give our user the right to edit the field"
