"""The fields of a HubSpot ticket: read, kept for turning values, and our own made to exist."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

from connector.adapters.base import Json, Step
from connector.adapters.catalogue import FieldCatalogue
from connector.adapters.checks import ensured, unfit
from connector.adapters.hubspot.api import Api
from connector.domain.errors import Refused
from connector.domain.lifecycle import Status
from connector.domain.schema import FieldSchema, Option, Schema
from connector.domain.ticket import Value, normal

PIPELINE: Final = "hs_pipeline"
STAGE: Final = "hs_pipeline_stage"
REQUIRED: Final = frozenset({"subject", STAGE})
OUR_ID: Final = "nextcap_ticket_id"
GROUP: Final = {"name": "nextcap", "label": "Next Cap", "displayOrder": -1}
PROPERTIES: Final = "/crm/properties/{properties}/tickets"
PIPELINES: Final = "/crm/pipelines/{pipelines}/tickets"


def _ours(name: str, label: str, kind: str = "string", field: str = "text", **more: Any) -> dict[str, Any]:
    return {"name": name, "label": label, "groupName": GROUP["name"], "type": kind, "fieldType": field, **more}


WORDS: Final = [{"label": one.replace("_", " ").capitalize(), "value": str(one)} for one in Status]
STATUSES: Final = [{**one, "hidden": False, "displayOrder": place} for place, one in enumerate(WORDS)]
OURS: Final[Sequence[Mapping[str, Any]]] = (
    _ours(OUR_ID, "Next Cap ticket id", hasUniqueValue=True),
    _ours("nextcap_status", "Next Cap status", "enumeration", "select", options=STATUSES),
    _ours("nextcap_ticket_url", "Next Cap ticket"),
    _ours("nextcap_department", "Next Cap department"),
    _ours("nextcap_tags", "Next Cap tags"),
    _ours("nextcap_custom_fields", "Next Cap custom fields", field="textarea"),
)


class Catalogue(FieldCatalogue):
    """The account's ticket properties, so that a set is told from a text, and empty from not there."""

    def __init__(self, api: Api, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        self._api = api

    def schema(self) -> Schema:
        """Properties, pipelines and stages as they are now."""
        found = self._read(self._api.send("GET", PIPELINES).json.get("results") or ())
        self.learn(found)
        return found

    def look(self) -> Schema:
        """The properties; their values are read right without the pipelines."""
        return self._read(())

    def _read(self, pipelines: Sequence[Json]) -> Schema:
        listed = self._api.send("GET", PROPERTIES).json.get("results") or ()
        return Schema(tuple(_field(one, pipelines) for one in listed))

    def ensure_schema(self, *, dry_run: bool) -> list[Step]:
        """Make our group and properties exist."""
        group = self._ensure("property group", f"{PROPERTIES}/groups", GROUP, dry_run=dry_run)
        return [group, *(self._ensure("ticket property", PROPERTIES, one, dry_run=dry_run) for one in OURS)]

    def _ensure(self, kind: str, route: str, wanted: Mapping[str, Any], *, dry_run: bool) -> Step:
        def look(**query: str) -> Json:
            return self._api.found(f"{route}/:name", ids={"name": wanted["name"]}, query=query)

        def refused(error: Refused) -> str:
            place = "Settings > Properties > Ticket properties > Archived properties"
            hint = f"an archived property holds this name: restore it in {place}"
            return hint if look(archived="true") else str(error)

        return ensured(
            f"{kind} {wanted['name']}",
            look(),
            make=lambda: self._api.send("POST", route, json=dict(wanted)),
            look=look,
            judge=lambda present: _problem(wanted, present),
            refused=refused,
            dry_run=dry_run,
        )

    def is_choice(self, name: str) -> bool:
        """Whether the property takes only listed values. Makes no call."""
        field = self.field(name)
        return field is not None and bool(field.options)

    def native(self, name: str, text: object) -> Value:
        """A property's value in normal form: a multiple choice is a set. Makes no call."""
        field = self.field(name)
        if field is not None and field.multiple and isinstance(text, str):
            return normal(text.split(";"))
        return normal(text if text is None or isinstance(text, str) else as_text(text))


def as_text(value: object) -> str:
    """A value as HubSpot takes it: always text, where empty text clears and sets are joined by a semicolon."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ";".join(value) if isinstance(value, tuple) else str(value)


def _field(told: Json, pipelines: Sequence[Json]) -> FieldSchema:
    name, rules = str(told["name"]), told.get("modificationMetadata") or {}
    options = [Option(str(one["value"]), str(one.get("label") or "")) for one in told.get("options") or ()]
    if name == PIPELINE:
        options = [Option(str(one["id"]), str(one["label"])) for one in pipelines]
    elif name == STAGE:
        options = [
            Option(str(stage["id"]), str(stage["label"]), group=str(one["id"]))
            for one in pipelines
            for stage in one.get("stages") or ()
            if not stage.get("archived")
        ]
    elif told.get("externalOptions"):
        options = []
    return FieldSchema(
        name=name,
        label=str(told.get("label") or name),
        type={"string": "text"}.get(told.get("type", "string"), str(told.get("type"))),
        options=tuple(options),
        multiple=told.get("type") == "enumeration" and told.get("fieldType") == "checkbox",
        writable=not (rules.get("readOnlyValue") or told.get("calculated")),
        required=name in REQUIRED,
        parent=PIPELINE if name == STAGE else "",
    )


def _problem(wanted: Mapping[str, Any], present: Json) -> str:
    """Why a property that was there already cannot serve."""
    if wanted.get("hasUniqueValue") and not present.get("hasUniqueValue"):
        return "it exists but is not unique, which can only be set when a property is made"
    return unfit(present, wanted, place="HubSpot's settings", value=itemgetter("value"))
