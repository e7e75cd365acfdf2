"""What our user's rights let it do with the org's set-up, and which custom fields its permission sets show it.

https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference: UserPermissionAccess,
PermissionSet, FieldPermissions, PermissionSetAssignment (2026-11). How a missing right is refused is nobody's promise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .salesforce_errors import Failure
from .salesforce_stock import RIGHTS, Field, SObject

if TYPE_CHECKING:
    from .salesforce_org import Org

CUSTOMIZE, PERMISSION_SETS, ASSIGN, VIEW_SETUP, VIEW_ALL = RIGHTS
SEEN_WITH: Mapping[str, tuple[str, ...]] = {
    "PermissionSet": (VIEW_SETUP,),
    "FieldPermissions": (VIEW_SETUP,),
    "PermissionSetAssignment": (VIEW_SETUP, ASSIGN),
    "FeedItem": (VIEW_ALL,),
}
"""Objects that are queried with one of these rights only."""

MADE_WITH: Mapping[str, str] = {
    "PermissionSet": PERMISSION_SETS,
    "FieldPermissions": PERMISSION_SETS,
    "PermissionSetAssignment": ASSIGN,
}


def check_query(kind: SObject, rights: Iterable[str]) -> None:
    """Raises INVALID_TYPE or INSUFFICIENT_ACCESS for a part of the set-up or a feed that our user may not see."""
    wanted = SEEN_WITH.get(kind.name)
    if wanted is None or set(wanted) & set(rights):
        return
    if kind.name == "FeedItem":
        raise Failure("INSUFFICIENT_ACCESS", "insufficient access rights on object: FeedItem needs View All Data")
    raise Failure("INVALID_TYPE", f"sObject type '{kind.name}' is not supported.")


def check_create(org: Org, kind: SObject, values: Mapping[str, Any]) -> None:
    """What the objects of the set-up ask of a new record, beside the rules of every object."""
    right = MADE_WITH.get(kind.name)
    if right is None:
        return
    if right not in org.settings.rights:
        raise Failure("INSUFFICIENT_ACCESS_OR_READONLY", f"insufficient access rights on {kind.name}")
    keys = {
        "PermissionSet": ("Name",),
        "FieldPermissions": ("ParentId", "Field"),
        "PermissionSetAssignment": ("AssigneeId", "PermissionSetId"),
    }[kind.name]
    for one in org.live(kind.name):
        if all(one.values[key] == values.get(key) for key in keys):
            raise Failure("DUPLICATE_VALUE", f"duplicate value found: {keys[0]} on record with id: {one.id}", [keys[0]])
    if kind.name == "FieldPermissions":
        _check_field(org, values)


def _check_field(org: Org, values: Mapping[str, Any]) -> None:
    kind, _, name = str(values.get("Field")).partition(".")
    shape = org.schema.objects.get(kind)
    if shape is None or kind != values.get("SobjectType") or name not in shape.fields:
        told = f"Field Name: bad value for restricted picklist field: {values.get('Field')}"
        raise Failure("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", told, ["Field"])
    if not values.get("PermissionsRead"):
        raise Failure("FIELD_INTEGRITY_EXCEPTION", "Edit access needs read access", ["PermissionsRead"])


def granted(org: Org, kind: SObject, field: Field) -> tuple[bool, bool]:
    """Whether our user may read and write a field: one that was just made is hidden until a permission set shows it."""
    if not field.guarded:
        return True, True
    ours = {
        one.values["PermissionSetId"]
        for one in org.live("PermissionSetAssignment")
        if one.values["AssigneeId"] == org.user_id
    }
    found = [
        one.values
        for one in org.live("FieldPermissions")
        if one.values["ParentId"] in ours and one.values["Field"] == f"{kind.name}.{field.name}"
    ]
    return any(one["PermissionsRead"] for one in found), any(one["PermissionsEdit"] for one in found)
