"""The fields of a Zendesk ticket: read, turned into native values and back, and our own made to exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from connector.adapters.base import Json, Step
from connector.adapters.catalogue import FieldCatalogue
from connector.adapters.checks import ensured
from connector.adapters.zendesk.api import Api
from connector.domain.errors import Refused
from connector.domain.schema import FieldSchema, Option, Schema
from connector.domain.ticket import Value, normal

CUSTOM: Final = "custom_fields."
OUR_ID: Final = "external_id"
FIELDS: Final = "/ticket_fields"
NATIVE_OF: Final = {"tickettype": "type", "group": "group_id", "assignee": "assignee_id"}
PEOPLE_IDS: Final = frozenset({"assignee_id", "group_id", "custom_status_id", "ticket_form_id", "brand_id"})
CLOSED: Final = Option("closed", "Closed")
"""Shown as a custom status too: a ticket that is closed for good keeps the one that it was solved with."""
SYSTEMS: Final = (Option("new", "New"), CLOSED)
"""Statuses that every account has, whether the field's options list them or not: they are not for people to choose."""

WRITABLE: Final = ("subject", "status", "priority", "type", "group_id", "assignee_id")
OURS: Final[Mapping[str, str]] = {
    "Next Cap status": "text",
    "Next Cap category": "text",
    "Next Cap department": "text",
    "Next Cap ticket": "text",
    "Next Cap custom fields": "textarea",
}


class Catalogue(FieldCatalogue):
    """What is known of the account's ticket fields, so that custom ones are told from those that are not there."""

    def __init__(self, api: Api, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        self._api = api

    def schema(self) -> Schema:
        """Fields, their options and the account's groups and statuses as they are now."""
        groups = [Option(str(one["id"]), str(one["name"])) for one in self._api.listed("/groups", "groups")]
        shown = self._api.send("GET", "/custom_statuses").json.get("custom_statuses") or ()
        statuses = [Option(str(one["id"]), str(one["agent_label"])) for one in shown if one.get("active", True)]
        found = self._read(groups, statuses)
        self.learn(found)
        return found

    def look(self) -> Schema:
        """The fields; their values are read right without groups and statuses."""
        return self._read([], [])

    def check(self, names: Iterable[str]) -> None:
        """Refuse a field that tickets do not have: Zendesk passes over such values without a word."""
        names = list(names)
        self.expect(names)
        for name in names:
            if self.field(name) is None:
                told = f"zendesk: tickets have no field {name}"
                raise Refused(told, code="unknown_field", field=name, status=422)

    def native(self, name: str, told: object) -> Value:
        """A field's value in normal form: ids are texts, tags and multiple choices are sets. Makes no call."""
        if isinstance(told, bool) or not isinstance(told, int | float):
            return normal(told)
        return str(told) if name in PEOPLE_IDS or name.startswith(CUSTOM) else normal(told)

    def _read(self, groups: list[Option], statuses: list[Option]) -> Schema:
        """All fields, those included that can be written and are no ticket fields."""
        listed = self._api.listed(FIELDS, "ticket_fields")
        further = (
            FieldSchema("tags", "Tags", multiple=True),
            FieldSchema("custom_status_id", "Custom status", options=(*statuses, CLOSED)),
            FieldSchema(OUR_ID, "External id"),
            FieldSchema("due_at", "Due date", type="datetime"),
        )
        return Schema((*(_field(one, groups) for one in listed if one.get("active", True)), *further))


def _field(told: Json, groups: list[Option]) -> FieldSchema:
    kind = str(told.get("type"))
    removable = told.get("removable", True)
    name = f"{CUSTOM}{told['id']}" if removable else NATIVE_OF.get(kind, kind)
    listed = told.get("system_field_options") or told.get("custom_field_options") or ()
    options = groups if name == "group_id" else [Option(str(one["value"]), str(one["name"])) for one in listed]
    if name == "status":
        options += [one for one in SYSTEMS if one.value not in {other.value for other in options}]
    return FieldSchema(
        name=name,
        label=str(told.get("title") or name),
        type="text",
        options=tuple(options),
        multiple=kind == "multiselect",
        writable=removable or name in (*WRITABLE, "description"),
        required=name == "subject",
    )


def as_json(values: Mapping[str, Value]) -> dict[str, Any]:
    """Native values as the body of a ticket. `description` becomes a new ticket's first comment elsewhere."""
    told: dict[str, Any] = {}
    custom = []
    for name, value in values.items():
        if name.startswith(CUSTOM):
            custom.append({"id": int(name.removeprefix(CUSTOM)), "value": _plain(value)})
        elif name in PEOPLE_IDS and isinstance(value, str) and value.isdecimal():
            told[name] = int(value)
        elif name == "tags":
            told[name] = [] if value is None else list(value) if isinstance(value, tuple) else [str(value)]
        else:
            told["status" if value == CLOSED.value and name == "custom_status_id" else name] = _plain(value)
    return {**told, "custom_fields": custom} if custom else told


def _plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def shown_as(name: str, value: Value) -> Value:
    """A written value as Zendesk shows it afterwards: tags in lower case, with underscores for spaces."""
    if name != "tags" or value is None:
        return value
    listed = value if isinstance(value, tuple) else (str(value),)
    return normal([one.lower().replace(" ", "_") for one in listed])


def ensure_ours(api: Api, *, dry_run: bool) -> list[Step]:
    """Make our ticket fields exist, found by their titles."""
    found = _by_title(api)
    return [
        ensured(
            f"ticket field {title}",
            found.get(title),
            make=partial(api.send, "POST", FIELDS, json={"ticket_field": {"type": kind, "title": title}}),
            look=partial(_held, api, title),
            judge=partial(_problem, kind),
            refused=lambda error: f"{error}; only administrators make ticket fields",
            dry_run=dry_run,
        )
        for title, kind in OURS.items()
    ]


def _by_title(api: Api) -> dict[str, Json]:
    return {str(one["title"]): one for one in api.listed(FIELDS, "ticket_fields")}


def _held(api: Api, title: str) -> Json:
    return _by_title(api).get(title)


def _problem(kind: str, held: Json) -> str:
    if held.get("type") != kind:
        return f"it exists with the type {held.get('type')}, not {kind}: rename that field"
    return "" if held.get("active", True) else "it is switched off: activate it in Admin Center > Ticket fields"
