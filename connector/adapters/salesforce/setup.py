"""Our own fields of Case: made where our user may change the org, and shown to it by a permission set of ours.

A new field is hidden from everybody by API until a permission set shows it.
https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/tooling_api_objects_customfield.htm and
the object reference: FieldPermissions, PermissionSetAssignment, UserPermissionAccess (2026-11)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from simple_salesforce.format import format_soql

from connector.adapters.base import Json, Step
from connector.adapters.salesforce.api import COLLECTION, Api
from connector.adapters.salesforce.schema import DESCRIBE, OUR_ID
from connector.domain.errors import ConnectorError, Refused, UnknownOutcome

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

SET_NAME: Final = "NextCap_Connector"
RIGHTS: Final = {
    "PermissionsCustomizeApplication": "Customize Application",
    "PermissionsManageProfilesPermissionsets": "Manage Profiles and Permission Sets",
    "PermissionsAssignPermissionSets": "Assign Permission Sets",
}
OURS: Final = f"SELECT {', '.join(RIGHTS)} FROM UserPermissionAccess LIMIT 1"  # noqa: S608 - our own words
BY_HAND: Final = (
    "an administrator deploys docs/crm/salesforce/metadata with `sf project deploy start`, makes it by hand, or gives "
    "our user for this one time the rights "
)
WOULD: Final = f"would be made, and shown to our user by the permission set {SET_NAME}"
SET: Final = "SELECT Id FROM PermissionSet WHERE Name = {name}"
SHOWN: Final = "SELECT Id, SobjectType, Field FROM FieldPermissions WHERE ParentId = {id} AND SobjectType = 'Case'"
ASSIGNED: Final = "SELECT Id FROM PermissionSetAssignment WHERE PermissionSetId = {id} AND AssigneeId = {user}"


class Fields:
    """Our fields. `user` gives the id of our own user."""

    def __init__(self, api: Api, user: Callable[[], str]) -> None:
        self._api = api
        self._user = user

    def ensure(self, *, dry_run: bool) -> list[Step]:
        """Whether our fields can serve; what is missing is made, or told to a person where our user lacks the right."""
        before = self._look()
        lacking = [name for name, problem in before.items() if problem == ""]
        lacks = self._lacking_rights() if lacking else []
        if not lacking or lacks or dry_run:
            state, advice = ("manual", BY_HAND + ", ".join(lacks)) if lacks else ("would", WOULD)
            return [_step(name, one, state=state, advice=advice) for name, one in before.items()]
        refused = self._make(lacking)
        after = self._look()
        return [
            _step(name, after[name], state="problem", advice=refused.get(name, "it is there, but hidden from our user"))
            if name not in lacking or after[name] is not None
            else Step(f"Case field {name}", "done")
            for name in FIELDS
        ]

    def _look(self) -> dict[str, str | None]:
        """By field: None where it serves, why not, or nothing where it is not there, or hidden from our user."""
        told = self._api.send("GET", DESCRIBE).json.get("fields") or ()
        found = {str(one["name"]): one for one in told}
        return {name: _judged(name, found[name]) if name in found else "" for name in FIELDS}

    def _lacking_rights(self) -> list[str]:
        """The rights to make fields and show them that our user does not have."""
        try:
            rows = self._api.rows(OURS)
        except Refused:
            rows = []
        return [right for name, right in RIGHTS.items() if not rows or not rows[0].get(name)]

    def _make(self, names: Iterable[str]) -> dict[str, str]:
        """Make fields and show them to our user; what each was refused with."""
        refused: dict[str, str] = {}
        for name in names:
            label = name.removesuffix("__c").replace("NextCap", "Next Cap").replace("_", " ")
            body = {"FullName": f"Case.{name}", "Metadata": {"label": label, **FIELDS[name]}}
            try:
                self._api.send("POST", "/tooling/sobjects/CustomField", json=body)
            except (Refused, UnknownOutcome) as error:
                if error.code != "duplicate_developer_name":  # It is there, and hidden.
                    refused[name] = str(error)
        try:
            refused |= self._show([name for name in names if name not in refused])
        except (Refused, UnknownOutcome) as error:
            refused |= {name: f"it cannot be shown to our user: {error}" for name in names if name not in refused}
        return refused

    def _show(self, names: Iterable[str]) -> dict[str, str]:
        """Let the permission set show these fields, and give it to our user; what each was refused with."""
        ours = {"Name": SET_NAME, "Label": "Next Cap Connector"}
        held = self._held(format_soql(SET, name=SET_NAME), "PermissionSet", ours)
        shown = {str(row["Field"]) for row in self._api.rows(format_soql(SHOWN, id=held))}
        rights = {"ParentId": held, "SobjectType": "Case", "PermissionsRead": True, "PermissionsEdit": True}
        inputs = {
            name: {"attributes": {"type": "FieldPermissions"}, "Field": f"Case.{name}", **rights}
            for name in names
            if f"Case.{name}" not in shown
        }
        outcomes = self._api.write("POST", COLLECTION, inputs) if inputs else {}
        user = self._user()
        assigned = {"PermissionSetId": held, "AssigneeId": user}
        self._held(format_soql(ASSIGNED, id=held, user=user), "PermissionSetAssignment", assigned)
        return {name: str(one) for name, one in outcomes.items() if isinstance(one, ConnectorError)}

    def _held(self, soql: str, kind: str, values: Mapping[str, Json]) -> str:
        """The id of the one record that the query finds, or of a new one."""
        if rows := self._api.rows(soql):
            return str(rows[0]["Id"])
        return str(self._api.send("POST", f"/sobjects/{kind}", json=dict(values)).json["id"])


def _judged(name: str, field: Json) -> str | None:
    """Why a field that is there cannot serve."""
    if name == OUR_ID and not (field.get("externalId") and field.get("unique")):
        return "mark it as External ID and as Unique"
    if not (field.get("createable") and field.get("updateable")):
        return "give our user the right to edit the field"
    return None


def _step(name: str, problem: str | None, *, state: str, advice: str) -> Step:
    what, optional = f"Case field {name}", "" if name == OUR_ID else "optional, used by the shipped mapping: "
    if problem is None:
        return Step(what, "ok")
    return Step(what, "problem", problem) if problem else Step(what, state, optional + advice)
