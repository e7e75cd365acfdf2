"""What Capsule takes in a body, and what it refuses. Members that it does not know are passed over in silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .capsule_account import Account, unique_name
from .capsule_children import ListChange, check_children, check_fields, check_tags, is_date
from .capsule_errors import Fault, invalid
from .capsule_records import Record
from .capsule_stock import CHILDREN, KASES, OPPORTUNITIES, PARTIES, Kind

Body = Mapping[str, Any]
Apply = Callable[[Record], None]
STATUSES = ("OPEN", "CLOSED")


class Rules:
    """Checks bodies against one account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def create(self, kind: Kind, body: Body) -> tuple[dict[str, Any], Apply]:
        """The members of a new record, and the change to its lists."""
        values = self._members(kind, body)
        if kind is PARTIES:
            values["type"] = self._party_type(body, values)
        for name in kind.required:
            if values.get(name) in (None, ""):
                raise invalid(Fault(f"{name} is required", kind.singular, name))
        self._own_new(kind, values, body)
        if kind is KASES:
            values.setdefault("status", "OPEN")
        self._stamp(kind, {}, values)
        return values, self._lists(kind, body, None)

    def update(self, record: Record, body: Body) -> tuple[dict[str, Any], Apply]:
        """The members that change, and the change to the lists."""
        kind, values = record.kind, self._members(record.kind, body)
        for name in kind.required:
            if name in values and values[name] in (None, ""):
                raise invalid(Fault(f"{name} is required", kind.singular, name))
        if record.values.get("type") == "organisation" and "name" in values:
            self._organisation_name(values["name"], record)
        self._own(record, values)
        self._stamp(kind, record.values, values)
        return values, self._lists(kind, body, record)

    # -- members

    def _members(self, kind: Kind, body: Body) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name in (*kind.texts, *kind.dates):
            if name in body:
                values[name] = _text(kind, name, body[name])
                if name in kind.dates:
                    _date(kind, name, body[name])
        for name, target in kind.references.items():
            if name in body:
                values[name] = self._reference(kind, name, target, body[name])
        if kind is KASES and "status" in body:
            if body["status"] not in STATUSES:
                raise invalid(Fault("status must be OPEN or CLOSED", kind.singular, "status"))
            values["status"] = body["status"]
        if kind is OPPORTUNITIES:
            values |= {name: body[name] for name in ("value", "probability", "duration") if name in body}
        return values

    def _reference(self, kind: Kind, name: str, target: str, given: Any) -> int | None:
        """A reference is an object with an id, or the id; a stage is its id and nothing else."""
        if given is None:
            return None
        told = given.get("id") if isinstance(given, dict) and name != "stage" else given
        if type(told) is not int:
            raise invalid(Fault("invalid type for field", kind.singular, name))
        if target in self._account.tables:
            known: Any = self._account.tables[target].find(told)
        else:
            known = getattr(self._account, target).get(told)
        if known is None:
            raise invalid(Fault(f"{name} not found", kind.singular, name))
        return told

    def _party_type(self, body: Body, values: Mapping[str, Any]) -> str:
        kind = str(body.get("type"))
        if kind not in ("person", "organisation"):
            raise invalid(Fault("type must be person or organisation", "party", "type"))
        if kind == "organisation":
            self._organisation_name(values.get("name"), None)
        elif not (values.get("firstName") or values.get("lastName")):
            raise invalid(Fault("first name or last name is required", "party", "firstName"))
        return kind

    def _organisation_name(self, name: Any, record: Record | None) -> None:
        if not name:
            raise invalid(Fault("name is required", "party", "name"))
        unique_name(self._account, name, but=record)

    # -- owner and team

    def _own_new(self, kind: Kind, values: dict[str, Any], body: Body) -> None:
        """Without an owner, a new record belongs to the user of the token, as far as its team has that user."""
        values.setdefault("team", None)
        if "owner" not in body:
            connector = self._account.connector.id
            fits = values["team"] is None or connector in self._account.teams[values["team"]].members
            values["owner"] = connector if fits else None
        self._check_owner(kind, values["owner"], values["team"])

    def _own(self, record: Record, values: dict[str, Any]) -> None:
        """An owner without a team clears the team; whether the reverse holds is a setting."""
        if "owner" in values and "team" not in values:
            values["team"] = None
        elif "team" in values and "owner" not in values and self._account.settings.ownership == "pair":
            values["owner"] = None
        if "owner" in values or "team" in values:
            both = {**record.values, **values}
            self._check_owner(record.kind, both.get("owner"), both.get("team"))

    def _check_owner(self, kind: Kind, owner: int | None, team: int | None) -> None:
        if owner is None and team is None:
            if kind is PARTIES:
                return
            raise invalid(Fault("owner or team is required", kind.singular, "owner"))
        if owner is not None and team is not None and owner not in self._account.teams[team].members:
            raise invalid(Fault("owner is not a member of the team", kind.singular, "owner"))

    # -- what follows

    def _stamp(self, kind: Kind, before: Mapping[str, Any], values: dict[str, Any]) -> None:
        """Closing and opening again write `closedOn`; an opportunity is closed by its milestone."""
        today = self._account.now().date().isoformat()
        if kind is KASES and "status" in values and values["status"] != before.get("status", "OPEN"):
            values["closedOn"] = today if values["status"] == "CLOSED" else None
        if kind is OPPORTUNITIES and "milestone" in values and values["milestone"] != before.get("milestone"):
            milestone = self._account.milestones[values["milestone"]]
            values["closedOn"] = today if milestone.complete else None
            if not milestone.complete:
                values["lastOpenMilestone"] = milestone.id
            values.setdefault("probability", milestone.probability)

    def _lists(self, kind: Kind, body: Body, record: Record | None) -> Apply:
        """The changes to tags, custom fields and child lists, checked before anything is changed."""
        changes: list[ListChange] = []
        if "tags" in body:
            changes.append(check_tags(self._account, kind, body["tags"], record))
        if "fields" in body:
            changes.append(check_fields(self._account, kind, body["fields"], record))
        if kind is PARTIES:
            changes += [check_children(self._account, name, body[name], record) for name in CHILDREN if name in body]

        def apply(target: Record) -> None:
            for change in changes:
                change(target)

        return apply


def _text(kind: Kind, name: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise invalid(Fault("invalid type for field", kind.singular, name))
    return value


def _date(kind: Kind, name: str, value: Any) -> None:
    if value is not None and not is_date(value):
        raise invalid(Fault("invalid date", kind.singular, name))
