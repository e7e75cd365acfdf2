"""The body of an event, version 1: `docs/events.md` describes it to receivers.

Two things are never mixed: what a ticket *is* (ids, status, who, when), which every endpoint is told, and what people
*wrote* (subject, description, custom fields, who the customer is, comments), which only one with `words` is told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from connector.domain.ticket import normal, storable
from connector.events.catalogue import EventType

VERSION: Final = 1
FACTS: Final = ("status", "priority", "category", "source", "department_id", "assigned_agent_id", "tags", "created_at")
"""Fields of a ticket that hold nobody's words."""
TEXTS: Final = ("subject", "description")
OBJECTS: Final = ("custom_fields", "metadata")
DERIVED: Final = frozenset({"id", "number", "url", "created_at", "department.name", *OBJECTS})
"""What cannot change, or changes only together with another field."""

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TicketView:
    """A ticket as it is told of: its last reading. `id` is None for a CRM record that has no ticket yet."""

    id: str | None
    number: str = ""
    fields: Fields = field(default_factory=dict, repr=False)
    requester: tuple[str | None, ...] = field(default=(None, None, None), repr=False)
    updated_at: datetime | None = None

    def facts(self) -> dict[str, Any]:
        """What every endpoint is told of it."""
        shown = {name: _listed(name, self.fields.get(name)) for name in FACTS}
        url = self.fields.get("url")
        moment = written(self.updated_at) if self.updated_at else None
        return {"id": self.id, "number": self.number or None, "url": url, **shown, "updated_at": moment}

    def words(self) -> dict[str, Any]:
        """What people wrote in it."""
        shown = {name: self.fields.get(name) for name in TEXTS}
        objects = {name: _inside(self.fields, f"{name}.") for name in OBJECTS}
        return {**shown, **objects, "requester": dict(zip(("email", "name", "phone"), self.requester, strict=False))}


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell. `key` names it among what was told before; an empty one names it by itself.

    `facts` are for everybody, `words` are added where the endpoint is told them: both hold objects by name, which are
    merged. `connection` is the one that it happened on, if any; `record_id` that one's record.
    """

    type: EventType
    ticket: TicketView
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    connection: str = ""
    record_id: str = ""
    key: str = ""

    @property
    def subject(self) -> str:
        """What is told in order: the ticket, or the record of one that is not there yet."""
        return self.ticket.id or f"{self.connection}:{self.record_id}"


def body(notice: Notice, *, words: bool, at: datetime) -> str:
    """The event as JSON, on one line."""
    data: dict[str, Any] = {"ticket": notice.ticket.facts(), **{name: dict(one) for name, one in notice.facts.items()}}
    if words:
        data["ticket"] |= notice.ticket.words()
        for name, one in notice.words.items():
            data.setdefault(name, {}).update(one)
    told = {"type": str(notice.type), "version": VERSION, "timestamp": written(at), "data": data}
    return json.dumps(_mended(told), ensure_ascii=False, separators=(",", ":"))


def changes(before: Fields, after: Fields) -> dict[str, dict[str, Any]]:
    """Every field that both readings tell of and that differs: old and new. A key of an object may come or go."""
    found = {}
    for name in sorted(before.keys() | after.keys()):
        if name in DERIVED or not (_tells(before, name) and _tells(after, name)):
            continue
        old, new = before.get(name), after.get(name)
        if normal(old) != normal(new):
            found[name] = {"old": _listed(name, old), "new": _listed(name, new)}
    return found


def without_words(changed: Mapping[str, Any]) -> dict[str, Any]:
    """The changes as everybody is told of them: where people's words changed, only that they did."""
    return {name: pair if name in FACTS else None for name, pair in changed.items()}


def written(moment: datetime) -> str:
    """A moment as the payload writes it: ISO 8601, UTC, milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _tells(fields: Fields, name: str) -> bool:
    """Whether a reading says anything of a field; of an object's key it does where it names the object."""
    owner = name.partition(".")[0]
    return name in fields or (owner in OBJECTS and owner in fields)


def _mended(value: Any) -> Any:
    """Without what no receiver's parser or database would take: NUL and half characters in somebody's words."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(name): _mended(one) for name, one in value.items()}
    return [_mended(one) for one in value] if isinstance(value, list | tuple) else value


def _listed(name: str, value: Any) -> Any:
    """A value as it is told: a ticket without tags has an empty list of them."""
    return [] if name == "tags" and value is None else value


def _inside(fields: Fields, prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in fields.items() if name.startswith(prefix)}
