"""What an account is set up with: custom fields, boards or pipelines with their steps, teams, people; kept a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

from connector.adapters.base import Json, Step
from connector.adapters.capsule.api import Api, Target
from connector.adapters.catalogue import KEPT
from connector.adapters.checks import ensured, unfit
from connector.domain.errors import Refused
from connector.domain.lifecycle import Status
from connector.domain.schema import FieldSchema, Option, Schema
from connector.domain.ticket import Value, normal

T = TypeVar("T")
CUSTOM: Final = "custom:"
OUR_ID: Final = f"{CUSTOM}Next Cap ticket ID"
CLOSED: Final = "CLOSED"
"""What a closed project's `stage` reads as: Capsule keeps the stage beside the status, and a ticket is at one place."""

NOBODY: Final = "nobody (the connector's own user)"
PLACE: Final = "Account Settings > Custom Fields"
NAMED: Final = {"name": "Name", "description": "Description", "expectedCloseOn": "Expected close"}
READ_ONLY: Final = {"closedOn": "Closed on"}
STATUSES: Final = [one.replace("_", " ").capitalize() for one in Status]
OURS: Final[Sequence[Mapping[str, Any]]] = (
    {"name": OUR_ID.removeprefix(CUSTOM), "type": "text"},
    {"name": "Next Cap link", "type": "text"},
    {"name": "Next Cap status", "type": "list", "options": STATUSES},
    {"name": "Next Cap priority", "type": "list", "options": ["Low", "Normal", "High", "Urgent"]},
    {"name": "Next Cap category", "type": "text"},
    {"name": "Next Cap department", "type": "text"},
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the mapping says of the account: its board or pipeline, and the words of its status table."""

    parent: str = ""
    words: frozenset[str] = field(default=frozenset())


@dataclass(frozen=True, slots=True)
class Known:
    """One reading of the account. Steps and parents are in the account's order."""

    definitions: Mapping[str, Json] = field(default_factory=dict)
    steps: Sequence[Json] = ()
    parents: Mapping[str, str] = field(default_factory=dict)
    teams: Mapping[str, int] = field(default_factory=dict)


class Catalogue:
    """The account's set-up for one target. Whatever is asked for and not known is read again, once in ten minutes."""

    def __init__(self, api: Api, target: Target, wanted: Wanted, clock: Callable[[], datetime]) -> None:
        self._api, self._wanted, self._clock, self.target = api, wanted, clock, target
        self._route = f"/{target.plural}/fields/definitions"
        self._known, self._stale_at = Known(), clock()
        self.me_if_known = ""
        """What `me` gives, without a call; empty before the first."""

    def known(self, *, afresh: bool = False) -> Known:
        """The set-up as it is, or was at most ten minutes ago."""
        if afresh or self._clock() >= self._stale_at:
            self._known = Known(self._definitions(), *self._ladder(), self._teams())
            self._stale_at = self._clock() + KEPT
        return self._known

    def me(self) -> str:
        """The id of the token's user, to whom belongs what belongs to nobody: Capsule wants an owner or a team."""
        if not self.me_if_known:
            self.me_if_known = str(self._api.send("GET", "/users/current").json["user"]["id"])
        return self.me_if_known

    def parent_of(self, step: Json) -> str:
        """The id of the board or pipeline that a step is on, whether the step tells it or not."""
        if told := step.get(self.target.parent):
            return str(told["id"])
        held = [one for one in self.known().steps if one["id"] == step["id"]]
        return str(held[0][self.target.parent]["id"]) if held else ""

    def step(self, told: Value) -> Json:
        """The step of that id. Raises Refused for one that is on no board: writing it would do what nobody asked."""
        return self._sought(self.target.step, lambda known: {str(one["id"]): one for one in known.steps}.get(str(told)))

    def team(self, told: Value) -> int:
        """The id of the team of that name."""
        return self._sought("team", lambda known: known.teams.get(str(told)))

    def _sought(self, field: str, find: Callable[[Known], T | None]) -> T:
        """What is found in the set-up as it is known, or else as it is now. Raises Refused, with the field's name."""
        found = find(self.known())
        found = find(self.known(afresh=True)) if found is None else found
        if found is None:
            raise Refused(f"capsule has no such {field}", code="unknown_option", field=field)
        return found

    def custom(self, name: str, value: Value, *, afresh: bool = False) -> tuple[int, str, object]:
        """The definition, the type and the value as Capsule takes it. Raises Refused, with the field's name."""
        told = self.known(afresh=afresh).definitions.get(name)
        if told is None and not afresh:
            return self.custom(name, value, afresh=True)
        if told is None:
            raise Refused(f"capsule has no custom field {name.removeprefix(CUSTOM)}", code="unknown_field", field=name)
        kind = str(told["type"])
        try:
            return int(told["id"]), kind, _wired(told, value)
        except (LookupError, ValueError, InvalidOperation) as error:
            if kind == "list" and not afresh:
                return self.custom(name, value, afresh=True)
            raise Refused(f"this is no value of a {kind}", code="invalid_value", field=name) from error

    def schema(self) -> Schema:
        """Every field that a mapping may name."""
        known, target = self.known(afresh=True), self.target
        parents = tuple(Option(one, name) for one, name in known.parents.items())
        steps = [Option(str(one["id"]), one["name"], str(one[target.parent]["id"])) for one in known.steps]
        if target.step == "stage":
            steps += [Option(CLOSED, CLOSED, one) for one in known.parents]
        fields = [FieldSchema(name, label, required=name == "name") for name, label in NAMED.items()]
        fields += [FieldSchema(name, label, writable=False) for name, label in READ_ONLY.items()]
        fields += [
            FieldSchema(target.step, target.step.capitalize(), options=tuple(steps), parent=target.parent),
            FieldSchema(target.parent, target.parent.capitalize(), options=parents, writable=False),
            FieldSchema("owner", "Owner", type="user", options=(Option(self.me(), NOBODY),)),
            FieldSchema("team", "Team", options=tuple(Option(one, one) for one in known.teams)),
            FieldSchema("tags", "Tags", multiple=True),
        ]
        return Schema((*fields, *(_field(name, one) for name, one in known.definitions.items())))

    def ensure_schema(self, *, dry_run: bool) -> list[Step]:
        """Make our custom fields exist, and say whether what the mapping needs of the account is there."""
        held = self._held()
        return [*(self._ensure(one, held.get(one["name"].casefold()), dry_run=dry_run) for one in OURS), self.ladder()]

    def _ensure(self, wanted: Mapping[str, Any], present: Json, *, dry_run: bool) -> Step:
        advice = f"an administrator can make it in {PLACE}, of the type {wanted['type']}"
        return ensured(
            f"custom field {wanted['name']}",
            present,
            make=lambda: self._api.send("POST", self._route, json={"definition": dict(wanted)}),
            look=lambda: self._held().get(wanted["name"].casefold()),
            judge=lambda held: _problem(wanted, held),
            refused=lambda error: f"{error}; {advice}",
            dry_run=dry_run,
        )

    def _held(self) -> dict[str, Json]:
        return {str(one["name"]).casefold(): one for one in self._definitions().values()}

    def ladder(self) -> Step:
        """Whether the mapping's board or pipeline is there with every step. It is made by hand, and never by us."""
        known, named = self.known(afresh=True), self._wanted.parent
        looked_at = [one for one, name in known.parents.items() if not named or named in (one, name)]
        if not looked_at:
            there = ", ".join(known.parents.values()) or "none"
            told = f"there is none of that name (there are: {there}); make it in Capsule"
            return Step(f"{self.target.parent} {named}".rstrip(), "problem", told)
        return min((self._rung(known, one) for one in looked_at), key=lambda step: step.state != "ok")

    def _rung(self, known: Known, parent: str) -> Step:
        """Whether this board or pipeline has every step that the mapping names."""
        target, what = self.target, f"{self.target.parent} {known.parents[parent]}"
        held = {str(one["name"]): str(one["id"]) for one in known.steps if str(one[target.parent]["id"]) == parent}
        names = {*(one.casefold() for one in held), *held.values()}
        names |= {CLOSED.casefold()} if target.step == "stage" else set()
        lacking = sorted(one for one in self._wanted.words if one not in names and one.casefold() not in names)
        if lacking:
            return Step(what, "problem", f"it has no {target.step} {', '.join(lacking)}; it has {', '.join(held)}")
        return Step(what, "ok", f"{target.step}s: {', '.join(held)}")

    def learn(self, schema: Schema) -> None:
        """Take from a stored schema who the token's user is, for a process that only takes deliveries in."""
        owner = schema.field("owner")
        told = next((one.value for one in owner.options if one.label == NOBODY), "") if owner else ""
        self.me_if_known = self.me_if_known or told

    def _definitions(self) -> dict[str, Json]:
        return {f"{CUSTOM}{one['name']}": one for one in self._api.pages(self._route, "definitions")}

    def _ladder(self) -> tuple[list[Json], dict[str, str]]:
        """Steps with what they are on. Milestones come pipeline by pipeline, and may not say on which they are."""
        if self.target.step == "stage":
            boards = {str(one["id"]): one["name"] for one in self._api.pages("/boards", "boards")}
            stages = self._api.pages("/stages", "stages")
            return [one for one in stages if str(one["board"]["id"]) in boards], boards
        pipelines = self._api.pages("/pipelines", "pipelines")
        steps = [
            {**one, "pipeline": {"id": pipeline["id"]}}
            for pipeline in pipelines
            for one in self._api.pages("/pipelines/:id/milestones", "milestones", ids={"id": str(pipeline["id"])})
        ]
        return steps, {str(one["id"]): one["name"] for one in pipelines}

    def _teams(self) -> dict[str, int]:
        return {str(one["name"]): int(one["id"]) for one in self._api.pages("/teams", "teams")}


def native(value: object) -> Value:
    """A custom field's value in normal form: always text; numbers come as text with zeros that say nothing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return normal(value if value is None else str(value))


def shown_as(kind: str, value: object) -> Value:
    """What Capsule will show after this was written."""
    return native(f"{Decimal(str(value)).normalize():f}" if kind == "number" and value is not None else value)


def _wired(definition: Json, value: Value) -> object:
    """The value as Capsule takes it. Raises LookupError, ValueError or InvalidOperation where it takes no such."""
    if value is None:
        return None
    kind, text = definition["type"], ", ".join(value) if isinstance(value, tuple) else str(native(value) or "")
    if kind == "list" and value not in (definition.get("options") or ()):
        raise LookupError
    if kind == "boolean":
        return {"true": True, "false": False}[text]
    if kind == "number":
        number = Decimal(text)
        return int(number) if number == number.to_integral_value() else float(number)
    return date.fromisoformat(text).isoformat() if kind == "date" else text


def _field(name: str, told: Json) -> FieldSchema:
    options = [Option(str(one), str(one)) for one in told.get("options") or ()]
    if told["type"] == "boolean":
        options = [Option("true", "Yes"), Option("false", "No")]
    return FieldSchema(name, str(told["name"]), type=str(told["type"]), options=tuple(options))


def _problem(wanted: Mapping[str, Any], present: Json) -> str:
    """Why a field that was there already cannot serve."""
    if present["name"] != wanted["name"]:
        return f"it is spelled {present['name']}: rename it"
    return unfit(present, wanted, place=PLACE)
