"""Our own fields of Case: made where our user may change the org, and shown to it by a permission set of ours.

A new field is hidden from everybody by API until a permission set shows it.
https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/tooling_api_objects_customfield.htm and
the object reference: FieldPermissions, PermissionSetAssignment, UserPermissionAccess (2026-11)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Final

from simple_salesforce.format import format_soql

from connector.adapters.base import Json, Step
from connector.adapters.checks import ensured
from connector.adapters.salesforce.api import Api
from connector.domain.errors import Refused, UnknownOutcome

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
TOOLING: Final = "/tooling/sobjects/CustomField"
RIGHTS: Final = {
    "PermissionsCustomizeApplication": "Customize Application",
    "PermissionsManageProfilesPermissionsets": "Manage Profiles and Permission Sets",
    "PermissionsAssignPermissionSets": "Assign Permission Sets",
}
HELD: Final = f"SELECT {', '.join(RIGHTS)} FROM UserPermissionAccess LIMIT 1"  # noqa: S608 - our own words
OUR_SET: Final = {"Name": "NextCap_Connector"}
BY_HAND: Final = (
    "an administrator deploys docs/crm/salesforce/metadata with `sf project deploy start`, makes it by hand, or gives "
    "our user for this one time the rights "
)
OPTIONAL: Final = "optional, used by the shipped mapping: "


class Fields:
    """Our fields. `user` gives the id of our own user."""

    def __init__(self, api: Api, user: Callable[[], str]) -> None:
        self._api, self._user = api, user

    def ensure(self, *, dry_run: bool) -> list[Step]:
        """Whether our fields can serve; what is missing is made, or told to a person where our user lacks the right."""
        seen, our_set = self._seen(), cache(self._permission_set)
        lacks = self._lacking_rights() if FIELDS.keys() - seen.keys() else []
        makes = {name: partial(self._make, name, our_set) for name in FIELDS}
        return [self._ensured(name, seen.get(name), lacks, make, dry_run=dry_run) for name, make in makes.items()]

    def _ensured(
        self, name: str, present: Json, lacks: Sequence[str], make: Callable[[], None], *, dry_run: bool
    ) -> Step:
        what = f"Case field {name}"
        if present is None and lacks:
            step = Step(what, "manual", BY_HAND + ", ".join(lacks))
        else:
            look, judge = (lambda: self._seen().get(name)), partial(_problem, name)
            step = ensured(what, present, make=make, look=look, judge=judge, dry_run=dry_run)
        is_optional = present is None and step.state != "done" and name != OUR_ID
        return replace(step, advice=OPTIONAL + step.advice) if is_optional else step

    def _seen(self) -> dict[str, Json]:
        """Our fields that are there and that our user may see."""
        listed = self._api.send("GET", DESCRIBE).json["fields"]
        return {str(one["name"]): one for one in listed if one["name"] in FIELDS}

    def _lacking_rights(self) -> list[str]:
        """The rights to make fields and show them that our user does not have."""
        try:
            held = self._api.rows(HELD)
        except Refused:
            held = []
        return [right for name, right in RIGHTS.items() if not held or not held[0].get(name)]

    def _make(self, name: str, our_set: Callable[[], str]) -> None:
        """Make a field, unless it is there and hidden, and let our permission set show it. Raises Refused otherwise."""
        label = name.removesuffix("__c").replace("NextCap", "Next Cap").replace("_", " ")
        body = {"FullName": f"Case.{name}", "Metadata": {"label": label, **FIELDS[name]}}
        try:
            self._api.send("POST", TOOLING, json=body)
        except (Refused, UnknownOutcome) as error:
            if isinstance(error, Refused) and error.code != "duplicate_developer_name":
                raise  # Otherwise it is there and hidden, or may be there: it is, if it can be shown.
        shown = {"ParentId": our_set(), "SobjectType": "Case", "Field": f"Case.{name}"}
        self._made_once("FieldPermissions", shown, PermissionsRead=True, PermissionsEdit=True)
        if name not in self._seen():
            raise Refused("it is there, but hidden from our user", code="hidden")

    def _permission_set(self) -> str:
        """The id of our permission set, given to our user."""
        ours = self._made_once("PermissionSet", OUR_SET, Label="Next Cap Connector")
        self._made_once("PermissionSetAssignment", {"PermissionSetId": ours, "AssigneeId": self._user()})
        return ours

    def _made_once(self, kind: str, keys: Mapping[str, str], **more: Json) -> str:
        """The id of the one record that has these values, or of a new one that has more beside them."""
        where = " AND ".join(f"{name} = {{{name}}}" for name in keys)
        if rows := self._api.rows(format_soql(f"SELECT Id FROM {kind} WHERE {where}", **keys)):  # noqa: S608 - our own words
            return str(rows[0]["Id"])
        return str(self._api.send("POST", f"/sobjects/{kind}", json={**keys, **more}).json["id"])


def _problem(name: str, field: Json) -> str:
    """Why a field that is there cannot serve; empty where it can."""
    if name == OUR_ID and not (field.get("externalId") and field.get("unique")):
        return "mark it as External ID and as Unique"
    can_write = field.get("createable") and field.get("updateable")
    return "" if can_write else "give our user the right to edit the field"
