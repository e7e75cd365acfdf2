"""What our user may see and write: objects and fields by name, picklists by record type, and their description."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .salesforce_errors import Failure, not_found
from .salesforce_settings import Settings
from .salesforce_stock import MASTER_RECORD_TYPE, Field, SObject, our_fields, stock_objects

Types = Callable[[], Iterable[tuple[str, Mapping[str, Any]]]]
Grants = Callable[[SObject, Field], tuple[bool, bool]]
SOAP = {"boolean": "xsd:boolean", "datetime": "xsd:dateTime", "double": "xsd:double", "id": "tns:ID"}


class Schema:
    """The objects of one org. `types` gives the record types that are active, `grants` who may read and write."""

    def __init__(self, settings: Settings, types: Types, grants: Grants) -> None:
        self._grants = grants
        self.objects = stock_objects()
        self._settings = settings
        self._types = types

    def add_ours(self) -> None:
        """Add the fields that the connector asks an administrator for."""
        self.objects["Case"].fields |= {one.name: one for one in our_fields()}

    def refresh(self) -> None:
        """Add the custom fields and leave out what the settings leave out."""
        case = self.objects["Case"]
        for name, kind in self._settings.case_fields.items():
            case.fields.setdefault(name, Field(name, kind, label=name.removesuffix("__c").replace("_", " ")))

    def object(self, name: str) -> SObject:
        """The object of that name, however it is written. Raises NOT_FOUND."""
        found = next((one for key, one in self.objects.items() if key.casefold() == name.casefold()), None)
        if found is None or (found.name == "EmailMessage" and not self._settings.enhanced_email):
            raise not_found()
        return found

    def is_hidden(self, kind: SObject, field: Field) -> bool:
        name = f"{kind.name}.{field.name}"
        is_missing = name == "FeedItem.Visibility" and not self._settings.experiences
        return is_missing or name in self._settings.hidden_fields or not self._grants(kind, field)[0]

    def is_locked(self, kind: SObject, field: Field) -> bool:
        """Whether our user may not write the field."""
        is_readonly = f"{kind.name}.{field.name}" in self._settings.readonly_fields
        return is_readonly or self.is_hidden(kind, field) or not self._grants(kind, field)[1]

    def visible(self, kind: SObject, name: str) -> Field | None:
        """The field of that name, unless our user may not see it."""
        found = kind.field(name)
        return None if found is None or self.is_hidden(kind, found) else found

    def writable(self, kind: SObject, name: str, *, making: bool, by_api: bool) -> Field:
        """The field, if it may be written now. Raises what Salesforce says otherwise."""
        found = kind.field(name)
        if found is None:
            raise Failure("INVALID_FIELD", f"No such column '{name}' on sobject of type {kind.name}")
        if found.readonly or (by_api and self.is_locked(kind, found)) or (found.create_only and not making):
            told = f"Unable to create/update fields: {found.name}. Please check the security settings of this field."
            raise Failure("INVALID_FIELD_FOR_INSERT_UPDATE", told, [found.name])
        return found

    def required(self, kind: SObject) -> list[str]:
        """The fields that must be filled."""
        wanted = {one.partition(".")[2] for one in self._settings.required_fields if one.startswith(f"{kind.name}.")}
        return [name for name, one in kind.fields.items() if one.required or name in wanted]

    def picklist(self, field: str) -> list[str]:
        """The values of a field of Case, whatever the record type."""
        return self._settings.picklists.get(field) or self.objects["Case"].fields[field].options

    def default_type(self, kind: SObject) -> str | None:
        """The record type of a new record; None where there are none."""
        return next((one for one, _ in self._types()), None) if kind.name == "Case" else None

    def options(self, kind: SObject, field: Field, record_type: str | None) -> list[str]:
        """The values of a picklist for records of this type."""
        if kind.name != "Case" or field.type != "picklist":
            return field.options
        name = next((str(one["Name"]) for key, one in self._types() if key == record_type), "")
        return self._settings.record_types.get(name, {}).get(field.name) or self.picklist(field.name)

    def describe(self, kind: SObject) -> dict[str, Any]:
        """The object as `describe` tells it."""
        fields = [self._field(kind, one) for one in kind.fields.values() if not self.is_hidden(kind, one)]
        types = [
            {"recordTypeId": MASTER_RECORD_TYPE, "name": "Master", "master": True, "active": True, "available": True}
        ]
        if kind.name == "Case":
            types[:0] = [
                {"recordTypeId": key, "name": one["Name"], "developerName": one["DeveloperName"], "master": False}
                | {"active": True, "available": True, "defaultRecordTypeMapping": place == 0}
                for place, (key, one) in enumerate(self._types())
            ]
        return {**self.summary(kind), "fields": fields, "recordTypeInfos": types, "childRelationships": []}

    def summary(self, kind: SObject) -> dict[str, Any]:
        """The object as the list of objects tells it."""
        rights = {"createable": kind.creatable, "updateable": kind.updatable, "deletable": kind.deletable}
        return {"name": kind.name, "label": kind.name, "keyPrefix": kind.prefix, "queryable": True, **rights}

    def _field(self, kind: SObject, field: Field) -> dict[str, Any]:
        locked = field.readonly or self.is_locked(kind, field)
        values = self.picklist(field.name) if kind.name == "Case" and field.type == "picklist" else field.options
        return {
            "name": field.name,
            "label": field.label or field.name,
            "type": field.type,
            "soapType": SOAP.get(field.type, "xsd:string"),
            "length": field.length if field.type not in ("boolean", "datetime", "double") else 0,
            "byteLength": field.length if field.cap == "bytes" else field.length * 3,
            "nillable": field.name not in self.required(kind) and field.type != "boolean",
            "defaultedOnCreate": field.default is not None or field.type == "boolean",
            "createable": not locked,
            "updateable": not locked and not field.create_only,
            "filterable": field.filterable,
            "externalId": field.external_id,
            "unique": field.unique,
            "caseSensitive": field.external_id,
            "idLookup": field.external_id or field.name == "Id",
            "custom": field.is_custom,
            "calculated": False,
            "restrictedPicklist": field.type == "picklist",
            "referenceTo": [one.name for one in self.objects.values() if one.prefix in field.to],
            "relationshipName": field.relation or None,
            "picklistValues": [
                {"value": one, "label": one, "active": True, "defaultValue": one == field.default} for one in values
            ],
        }
