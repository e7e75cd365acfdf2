"""Our own fields of Case: made where our user may change the org, and shown to it by a permission set of ours.

A new field is hidden from everybody by API until a permission set shows it.
https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/tooling_api_objects_customfield.htm and
the object reference: FieldPermissions, PermissionSetAssignment, UserPermissionAccess (2026-11)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from simple_salesforce.format import format_soql

from connector.adapters.base import Json, Step
from connector.adapters.salesforce.api import COLLECTION, Api
from connector.domain.errors import ConnectorError, Refused, UnknownOutcome

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
OUR_SET: Final = {"Name": "NextCap_Connector", "Label": "Next Cap Connector"}
HELD: Final = f"SELECT {', '.join(RIGHTS)} FROM UserPermissionAccess LIMIT 1"  # noqa: S608 - our own words
SET: Final = "SELECT Id FROM PermissionSet WHERE Name = {Name}"
SHOWN: Final = "SELECT Id, SobjectType, Field FROM FieldPermissions WHERE ParentId = {id} AND SobjectType = 'Case'"
GIVEN: Final = (
    "SELECT Id FROM PermissionSetAssignment WHERE PermissionSetId = {PermissionSetId} AND AssigneeId = {AssigneeId}"
)
BY_HAND: Final = (
    "an administrator deploys docs/crm/salesforce/metadata with `sf project deploy start`, makes it by hand, or gives "
    "our user for this one time the rights "
)
WOULD: Final = f"would be made, and shown to our user by the permission set {OUR_SET['Name']}"
HIDDEN: Final = "it is there, but hidden from our user"


class Fields:
    """Our fields. `user` gives the id of our own user."""

    def __init__(self, api: Api, user: Callable[[], str]) -> None:
        self._api, self._user = api, user

    def ensure(self, *, dry_run: bool) -> list[Step]:
        """Whether our fields can serve; what is missing is made, or told to a person where our user lacks the right."""
        before = self._look()
        lacking = [name for name, problem in before.items() if problem == ""]
        lacks = self._lacking_rights() if lacking else []
        if lacks or dry_run:
            state, advice = ("manual", BY_HAND + ", ".join(lacks)) if lacks else ("would", WOULD)
            return [_step(name, one, state, advice) for name, one in before.items()]
        refused = self._make(lacking)
        after = self._look() if lacking else before
        return [
            Step(f"Case field {name}", "done")
            if name in lacking and after[name] is None
            else _step(name, after[name], "problem", refused.get(name, HIDDEN))
            for name in FIELDS
        ]

    def _look(self) -> dict[str, str | None]:
        """By field: None where it serves, why not, or nothing where it is not there, or hidden from our user."""
        found = {str(one["name"]): one for one in self._api.send("GET", DESCRIBE).json.get("fields") or ()}
        return {name: _judged(name, found[name]) if name in found else "" for name in FIELDS}

    def _lacking_rights(self) -> list[str]:
        """The rights to make fields and show them that our user does not have."""
        try:
            rows = self._api.rows(HELD)
        except Refused:
            rows = []
        return [right for name, right in RIGHTS.items() if not rows or not rows[0].get(name)]

    def _make(self, names: Sequence[str]) -> dict[str, str]:
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
        made = [name for name in names if name not in refused]
        try:
            return refused | (self._show(made) if made else {})
        except (Refused, UnknownOutcome) as error:
            return refused | dict.fromkeys(made, f"it cannot be shown to our user: {error}")

    def _show(self, names: Sequence[str]) -> dict[str, str]:
        """Let the permission set show these fields, and give it to our user; what each was refused with."""
        ours = self._ensured(SET, "PermissionSet", OUR_SET)
        shown = {str(row["Field"]) for row in self._api.rows(format_soql(SHOWN, id=ours))}
        rights = {"ParentId": ours, "SobjectType": "Case", "PermissionsRead": True, "PermissionsEdit": True}
        inputs = {
            name: {"attributes": {"type": "FieldPermissions"}, "Field": f"Case.{name}", **rights}
            for name in names
            if f"Case.{name}" not in shown
        }
        outcomes = self._api.write("POST", COLLECTION, inputs)
        given = {"PermissionSetId": ours, "AssigneeId": self._user()}
        self._ensured(GIVEN, "PermissionSetAssignment", given)
        return {name: str(one) for name, one in outcomes.items() if isinstance(one, ConnectorError)}

    def _ensured(self, soql: str, kind: str, values: Mapping[str, str]) -> str:
        """The id of the one record that the query finds by these values, or of a new one that has them."""
        if rows := self._api.rows(format_soql(soql, **values)):
            return str(rows[0]["Id"])
        return str(self._api.send("POST", f"/sobjects/{kind}", json=dict(values)).json["id"])


def _judged(name: str, field: Json) -> str | None:
    """Why a field that is there cannot serve."""
    if name == OUR_ID and not (field.get("externalId") and field.get("unique")):
        return "mark it as External ID and as Unique"
    can_write = field.get("createable") and field.get("updateable")
    return None if can_write else "give our user the right to edit the field"


def _step(name: str, problem: str | None, state: str, advice: str) -> Step:
    optional = "" if name == OUR_ID else "optional, used by the shipped mapping: "
    if problem == "":
        return Step(f"Case field {name}", state, optional + advice)
    return Step(f"Case field {name}", "problem" if problem else "ok", problem or "")
