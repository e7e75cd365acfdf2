"""The Tooling API as far as it makes custom fields of an object.

https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/tooling_api_objects_customfield.htm
(2026-11). Which error names which mistake is nobody's promise; that each is refused is what a client meets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .salesforce_api import Api, ApiCall, Reply
from .salesforce_errors import Failure
from .salesforce_rights import CUSTOMIZE
from .salesforce_stock import Field

NAME = re.compile(r"(?!.*__.*__c)[A-Za-z](?:\w{0,38}[A-Za-z0-9])?__c", re.ASCII)
LONGEST_LABEL = 40
TYPES = {"Text": "string", "LongTextArea": "textarea", "Url": "url"}
LENGTHS = {"Text": (1, 255), "LongTextArea": (256, 131_072)}


def add_tooling_routes(api: Api) -> None:
    """Serve the making of custom fields."""
    api.add("POST", "/tooling/sobjects/CustomField", _make)


def _make(call: ApiCall) -> Reply:
    if CUSTOMIZE not in call.org.settings.rights:
        raise Failure("INSUFFICIENT_ACCESS", "insufficient access rights on cross-reference id")
    body = call.record()
    if set(body) != {"FullName", "Metadata"} or not isinstance(body["Metadata"], dict):
        raise Failure("REQUIRED_FIELD_MISSING", "Required fields are missing: [FullName, Metadata]")
    kind, _, name = str(body["FullName"]).partition(".")
    shape = call.org.schema.objects.get(kind)
    if shape is None:
        raise Failure("INVALID_CROSS_REFERENCE_KEY", f"Entity {kind} does not exist", ["FullName"])
    if not NAME.fullmatch(name):
        raise Failure("FIELD_INTEGRITY_EXCEPTION", f"{name} is no name of a custom field", ["FullName"])
    if shape.field(name) is not None:
        told = f"There is already a field named {name.removesuffix('__c')} on {kind}."
        raise Failure("DUPLICATE_DEVELOPER_NAME", told, ["DeveloperName"])
    shape.fields[name] = _field(name, body["Metadata"])
    for record in call.org.all(kind):
        record.values[name] = None
    return 201, {"id": call.org.ids.make("00N"), "success": True, "errors": [], "warnings": [], "infos": []}


def _field(name: str, told: Mapping[str, Any]) -> Field:
    kind, label = str(told.get("type")), str(told.get("label") or "")
    known = {"label", "type", "length", "externalId", "unique", "caseSensitive", "visibleLines", "description"}
    if wrong := sorted(set(told) - known):
        raise Failure("JSON_PARSER_ERROR", f"No such column '{wrong[0]}' on sobject of type CustomField")
    if not label or len(label) > LONGEST_LABEL:
        raise Failure("REQUIRED_FIELD_MISSING", "Must specify a label of at most 40 characters", ["label"])
    if kind not in TYPES:
        raise Failure("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", f"{kind} is no type of a field", ["type"])
    length = told.get("length")
    least, most = LENGTHS.get(kind, (0, 0))
    if (kind in LENGTHS) != isinstance(length, int) or (isinstance(length, int) and not least <= length <= most):
        raise Failure("FIELD_INTEGRITY_EXCEPTION", f"a length does not fit {kind}: {length}", ["length"])
    if (kind == "LongTextArea") != ("visibleLines" in told):
        raise Failure("FIELD_INTEGRITY_EXCEPTION", "visibleLines belong to a LongTextArea", ["visibleLines"])
    if kind != "Text" and any(told.get(one) for one in ("externalId", "unique", "caseSensitive")):
        raise Failure("FIELD_INTEGRITY_EXCEPTION", f"a {kind} cannot be an External ID or unique", ["externalId"])
    made = Field(name, TYPES[kind], length or 255, label=label, filterable=kind != "LongTextArea", guarded=True)
    made.external_id, made.unique = bool(told.get("externalId")), bool(told.get("unique"))
    return made
