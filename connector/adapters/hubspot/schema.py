"""The fields of a HubSpot ticket: read, kept for turning values, and our own made to exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from connector.adapters.base import Json, Step
from connector.adapters.hubspot.api import Api
from connector.domain.errors import Refused
from connector.domain.lifecycle import Status
from connector.domain.schema import FieldSchema, Option, Schema
from connector.domain.ticket import Value, normal

PIPELINE: Final = "hs_pipeline"
STAGE: Final = "hs_pipeline_stage"
KEPT: Final = timedelta(minutes=10)
"""A property that somebody archives is read as empty for no longer than this."""

REQUIRED: Final = frozenset({"subject", STAGE})
OUR_ID: Final = "nextcap_ticket_id"
GROUP: Final = {"name": "nextcap", "label": "Next Cap", "displayOrder": -1}
PROPERTIES: Final = "/crm/properties/{properties}/tickets"
PIPELINES: Final = "/crm/pipelines/{pipelines}/tickets"


def _ours(name: str, label: str, kind: str = "string", field: str = "text", **more: Any) -> dict[str, Any]:
    return {"name": name, "label": label, "groupName": GROUP["name"], "type": kind, "fieldType": field, **more}


STATUSES: Final = [{"label": one.replace("_", " ").capitalize(), "value": str(one)} for one in Status]
OUR_PROPERTIES: Final[Sequence[Mapping[str, Any]]] = (
    _ours(OUR_ID, "Next Cap ticket id", hasUniqueValue=True),
    _ours("nextcap_status", "Next Cap status", "enumeration", "select", options=STATUSES),
    _ours("nextcap_ticket_url", "Next Cap ticket"),
    _ours("nextcap_department", "Next Cap department"),
    _ours("nextcap_tags", "Next Cap tags"),
    _ours("nextcap_custom_fields", "Next Cap custom fields", field="textarea"),
)


class Catalogue:
    """What is known of the account's ticket properties, so that a set is told from a text, and empty from not there."""

    def __init__(self, api: Api, clock: Callable[[], datetime]) -> None:
        self._api = api
        self._clock = clock
        self._fields: Mapping[str, FieldSchema] = {}
        self._missed: frozenset[str] = frozenset()
        self._stale_at = clock()

    def refresh(self) -> Schema:
        """Properties, pipelines and stages as they are now."""
        return self._read(self._api.send("GET", PIPELINES).json.get("results") or ())

    def learn(self, schema: Schema) -> None:
        """Take a schema that was read before, so that no call is needed."""
        self._fields = {one.name: one for one in schema.fields}
        self._stale_at = self._clock() + KEPT

    def expect(self, names: Iterable[str]) -> None:
        """Read the properties if what is known is old, or if one of these is new; an unknown name is asked for once."""
        new = set(names) - self._fields.keys() - self._missed
        if new or self._clock() >= self._stale_at:
            self._read(())
            self._missed |= new - self._fields.keys()

    def knows(self, name: str) -> bool:
        """Whether tickets have such a property. Makes no call."""
        return name in self._fields

    def is_choice(self, name: str) -> bool:
        """Whether the property takes only listed values. Makes no call."""
        return name in self._fields and bool(self._fields[name].options)

    def native(self, name: str, text: object) -> Value:
        """A property's value in normal form: a multiple choice is a set. Makes no call."""
        field = self._fields.get(name)
        if field is not None and field.multiple and isinstance(text, str):
            return normal(text.split(";"))
        return normal(text if text is None or isinstance(text, str) else as_text(text))

    def _read(self, pipelines: Sequence[Json]) -> Schema:
        listed = self._api.send("GET", PROPERTIES).json
        found = Schema(tuple(_field(one, pipelines) for one in listed.get("results") or ()))
        self.learn(found)
        return found


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


def ensure_ours(api: Api, *, dry_run: bool) -> list[Step]:
    """Make our group and properties exist: look, make what is missing, look again where making was refused."""
    steps = [_ensure(api, f"{PROPERTIES}/groups", GROUP, "property group", dry_run=dry_run)]
    return steps + [_ensure(api, PROPERTIES, one, "ticket property", dry_run=dry_run) for one in OUR_PROPERTIES]


def _ensure(api: Api, route: str, wanted: Mapping[str, Any], kind: str, *, dry_run: bool) -> Step:
    what = f"{kind} {wanted['name']}"
    if present := _look(api, route, wanted):
        return _judged(what, wanted, present)
    if dry_run:
        return Step(what, "would", "would be created")
    try:
        api.send("POST", route, json=dict(wanted))
    except Refused as error:
        if present := _look(api, route, wanted):
            return _judged(what, wanted, present)
        if _look(api, route, wanted, archived=True):
            place = "Settings > Properties > Ticket properties > Archived properties"
            return Step(what, "problem", f"an archived property holds this name: restore it in {place}")
        return Step(what, "problem", str(error))
    return Step(what, "done")


def _look(api: Api, route: str, wanted: Mapping[str, Any], *, archived: bool = False) -> Json:
    """The property or group as it is, or None."""
    try:
        query = {"archived": "true"} if archived else {}
        return api.send("GET", f"{route}/:name", ids={"name": wanted["name"]}, query=query).json
    except Refused as error:
        if error.status != 404:
            raise
        return None


def _judged(what: str, wanted: Mapping[str, Any], present: Json) -> Step:
    """Whether a property that was there already can serve."""
    if wanted.get("hasUniqueValue") and not present.get("hasUniqueValue"):
        return Step(what, "problem", "it exists but is not unique, which can only be set when a property is made")
    if wanted.get("type") not in (None, present.get("type")):
        return Step(what, "problem", f"it exists with the type {present.get('type')}, not {wanted['type']}")
    held = {one.get("value") for one in present.get("options") or ()}
    lacking = [one["value"] for one in wanted.get("options", ()) if one["value"] not in held]
    if lacking:
        return Step(what, "problem", f"it lacks the options {', '.join(lacking)}: add them in HubSpot's settings")
    return Step(what, "ok")
