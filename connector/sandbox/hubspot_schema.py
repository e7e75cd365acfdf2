"""Properties, their options and groups, and HubSpot's rules for making new ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from .hubspot_body import objects, required_text
from .hubspot_errors import CONFLICT, Refusal, bad_request, not_found
from .kernel_clock import iso

UNIQUE_LIMIT = 10
NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
FIELD_TYPES: Mapping[str, frozenset[str]] = {
    "string": frozenset({"text", "textarea", "html", "phonenumber", "file", "calculation_equation"}),
    "number": frozenset({"number", "calculation_equation"}),
    "bool": frozenset({"booleancheckbox", "calculation_equation"}),
    "date": frozenset({"date"}),
    "datetime": frozenset({"date"}),
    "enumeration": frozenset({"select", "radio", "checkbox", "booleancheckbox"}),
}


@dataclass(frozen=True, slots=True)
class Option:
    label: str
    value: str
    hidden: bool = False
    order: int = -1

    def as_json(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "value": self.value,
            "hidden": self.hidden,
            "displayOrder": self.order,
        }


@dataclass(frozen=True, slots=True)
class Property:
    """One property of one object type.

    `external` properties take their allowed values from elsewhere (owners, pipelines, stages), as
    HubSpot's `externalOptions` do: their list of options is empty.
    """

    name: str
    label: str
    type: str
    field_type: str
    group: str
    options: tuple[Option, ...] = ()
    unique: bool = False
    read_only: bool = False
    external: bool = False
    custom: bool = False
    description: str = ""
    archived: bool = False
    created_at: datetime | None = None

    @property
    def is_multiple(self) -> bool:
        return self.type == "enumeration" and self.field_type == "checkbox"

    def as_json(self) -> dict[str, Any]:
        made = iso(self.created_at) if self.created_at else "2019-08-06T02:41:08.029Z"
        return {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": self.field_type,
            "groupName": self.group,
            "description": self.description,
            "options": [option.as_json() for option in self.options],
            "hasUniqueValue": self.unique,
            "externalOptions": self.external,
            "hubspotDefined": not self.custom,
            "calculated": False,
            "hidden": False,
            "formField": self.custom,
            "displayOrder": -1,
            "createdAt": made,
            "updatedAt": made,
            "archived": self.archived,
            "modificationMetadata": {
                "archivable": self.custom,
                "readOnlyDefinition": not self.custom,
                "readOnlyValue": self.read_only,
                "readOnlyOptions": not self.custom,
            },
        }


@dataclass(slots=True)
class Schema:
    """The properties and groups of one object type. `unique_allowed` is false where HubSpot promises none."""

    properties: dict[str, Property]
    groups: dict[str, str]
    unique_allowed: bool = True

    @classmethod
    def stock(cls, properties: Iterable[Property], group: tuple[str, str], *, unique: bool) -> Schema:
        return cls({one.name: one for one in properties}, {group[0]: group[1]}, unique)

    def find(self, name: str) -> Property | None:
        """The live property of that name."""
        found = self.properties.get(name)
        return None if found is None or found.archived else found

    def get(self, name: str, *, archived: bool) -> Property:
        found = self.properties.get(name)
        if found is None or found.archived is not archived:
            raise not_found(f"Property with name {name} does not exist")
        return found

    def listed(self, *, archived: bool) -> list[Property]:
        return [one for one in self.properties.values() if one.archived is archived]

    def group_json(self, name: str) -> dict[str, Any]:
        if name not in self.groups:
            raise not_found(f"Property group {name} does not exist")
        return {"name": name, "label": self.groups[name], "displayOrder": -1, "archived": False}

    def add_group(self, wanted: Mapping[str, Any]) -> str:
        name = required_text(wanted, "name")
        label = required_text(wanted, "label")
        if not NAME.fullmatch(name):
            raise bad_request(f"Property group name {name!r} is not valid")
        if name in self.groups:
            raise Refusal(409, CONFLICT, f"A property group named '{name}' already exists.")
        self.groups[name] = label
        return name

    def add(self, wanted: Mapping[str, Any], *, now: datetime) -> Property:
        """Make a custom property. A name that an archived property holds is taken as well."""
        made = _custom_property(wanted, now)
        if made.name in self.properties:
            raise Refusal(409, CONFLICT, f"A property named '{made.name}' already exists.")
        if made.group not in self.groups:
            raise bad_request(f"Property group '{made.group}' does not exist")
        if made.unique:
            self._check_unique(made)
        self.properties[made.name] = made
        return made

    def archive(self, name: str) -> None:
        if not self.get(name, archived=False).custom:
            raise bad_request(f"Property {name} is defined by HubSpot and cannot be archived")
        self.properties[name] = replace(self.properties[name], archived=True)

    def remove_option(self, name: str, value: str) -> None:
        present = self.get(name, archived=False)
        kept = tuple(option for option in present.options if option.value != value)
        if len(kept) == len(present.options):
            raise not_found(f"Property {name} has no option {value}")
        self.properties[name] = replace(present, options=kept)

    def add_option(self, name: str, option: Option) -> None:
        present = self.get(name, archived=False)
        self.properties[name] = replace(present, options=(*present.options, option))

    def unique_names(self) -> list[str]:
        return [one.name for one in self.properties.values() if one.unique]

    def _check_unique(self, made: Property) -> None:
        if not self.unique_allowed:
            raise bad_request("Unique properties are not supported for this object type")
        if made.type not in {"string", "number"}:
            raise bad_request(f"hasUniqueValue is not supported for type {made.type}")
        held = sum(one.unique and one.custom and not one.archived for one in self.properties.values())
        if held >= UNIQUE_LIMIT:
            raise bad_request(f"An object type can have at most {UNIQUE_LIMIT} unique properties")


def _custom_property(wanted: Mapping[str, Any], now: datetime) -> Property:
    name, label, kind, field_type = (required_text(wanted, key) for key in ("name", "label", "type", "fieldType"))
    if not NAME.fullmatch(name):
        raise bad_request(
            f"Property name {name!r} is not valid: it must begin with a letter and may contain "
            "only lower-case letters, numbers and underscores"
        )
    if kind not in FIELD_TYPES:
        raise bad_request(f"{kind!r} is not a valid property type: [{', '.join(sorted(FIELD_TYPES))}]")
    if field_type not in FIELD_TYPES[kind]:
        raise bad_request(f"fieldType {field_type!r} cannot be used with type {kind!r}")
    return Property(
        name=name,
        label=label,
        type=kind,
        field_type=field_type,
        group=required_text(wanted, "groupName"),
        options=_options(kind, objects(wanted, "options")),
        unique=wanted.get("hasUniqueValue") is True,
        custom=True,
        description=str(wanted.get("description") or ""),
        created_at=now,
    )


def _options(kind: str, wanted: list[Mapping[str, Any]]) -> tuple[Option, ...]:
    if kind != "enumeration":
        if wanted:
            raise bad_request(f"options are not supported for type {kind!r}")
        return ()
    if not wanted:
        raise bad_request("A property of type enumeration needs options")
    made = tuple(
        Option(required_text(one, "label"), required_text(one, "value"), one.get("hidden") is True, place)
        for place, one in enumerate(wanted)
    )
    if len({option.value for option in made}) < len(made):
        raise bad_request("Option values must be unique")
    if len({option.label for option in made}) < len(made):
        raise bad_request("Option labels must be unique")
    return made
