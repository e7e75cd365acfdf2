"""What a Capsule account has before anybody works in it: people, teams, boards, pipelines, kinds of activity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CONNECTOR = "connector"
NOTE_ACTIVITY = -1
FIELD_TYPES = ("text", "large_text", "link", "date", "list", "boolean", "number")
CREATABLE_TYPES = ("text", "date", "list", "boolean", "number")
COUNTRIES = ("France", "Germany", "Spain", "United Kingdom", "United States")
FOLDED_COUNTRIES = {"USA": "United States"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One entity: how paths, bodies and events call it, and its members that may be written.

    `references` maps a member to what it refers to; `filters` maps a filter's name to the member it looks at.
    """

    plural: str
    singular: str
    embeds: frozenset[str]
    texts: tuple[str, ...]
    dates: tuple[str, ...]
    references: Mapping[str, str]
    required: tuple[str, ...]
    filters: Mapping[str, str]

    @property
    def restricted(self) -> str:
        """The key under which the list of deleted ones names those that are out of sight."""
        return f"restricted{self.plural.capitalize()}"


_OWNED = {"owner": "users", "team": "teams"}
_COMMON_FILTERS = {
    **{name: name for name in ("id", "name", "owner", "team", "closedOn", "expectedCloseOn", "status")},
    "addedOn": "createdAt",
    "updatedOn": "updatedAt",
    "tag": "tags",
    "hasTags": "hasTags",
    "isOpen": "isOpen",
    "isOwnedByMe": "isOwnedByMe",
}

KASES = Kind(
    "kases",
    "kase",
    frozenset({"tags", "fields", "party", "opportunity", "missingImportantFields"}),
    ("name", "description"),
    ("expectedCloseOn",),
    {**_OWNED, "party": "parties", "stage": "stages", "opportunity": "opportunities"},
    ("party", "name"),
    {**_COMMON_FILTERS, "board": "board", "stage": "stage"},
)
OPPORTUNITIES = Kind(
    "opportunities",
    "opportunity",
    frozenset({"tags", "fields", "party", "milestone", "missingImportantFields"}),
    ("name", "description", "durationBasis"),
    ("expectedCloseOn", "closedOn"),
    {**_OWNED, "party": "parties", "milestone": "milestones"},
    ("party", "name", "milestone"),
    {**_COMMON_FILTERS, "pipeline": "pipeline", "milestone": "milestone", "probability": "probability"},
)
PARTIES = Kind(
    "parties",
    "party",
    frozenset({"tags", "fields", "organisation", "missingImportantFields"}),
    ("title", "firstName", "lastName", "jobTitle", "name", "about"),
    (),
    {**_OWNED, "organisation": "parties"},
    (),
    {
        **{name: name for name in ("id", "name", "jobTitle", "email", "phone", "owner", "team", "type")},
        "addedOn": "createdAt",
        "updatedOn": "updatedAt",
        "lastContactedOn": "lastContactedAt",
        "tag": "tags",
        "hasTags": "hasTags",
        "org.name": "organisationName",
    },
)
KINDS = {one.plural: one for one in (PARTIES, KASES, OPPORTUNITIES)}

CHILDREN: Mapping[str, tuple[str, ...]] = {
    "emailAddresses": ("type", "address"),
    "phoneNumbers": ("type", "number"),
    "websites": ("type", "service", "address"),
    "addresses": ("type", "street", "city", "state", "zip", "country"),
}


@dataclass(slots=True)
class User:
    id: int
    username: str
    name: str
    email: str
    party_id: int
    role: str = "NORMAL"
    status: str = "ACTIVE"

    def nested(self) -> dict[str, Any]:
        return {"id": self.id, "username": self.username, "name": self.name}


@dataclass(slots=True)
class Named:
    """A team, board, pipeline or kind of activity."""

    id: int
    name: str
    archived: bool = False
    team_id: int | None = None
    members: set[int] = field(default_factory=set)

    def nested(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name}


@dataclass(slots=True)
class Step:
    """A stage of a board, or a milestone of a pipeline."""

    id: int
    name: str
    parent: int
    order: int
    archived: bool = False
    complete: bool = False
    probability: int | None = None


@dataclass(slots=True)
class Definition:
    """A custom field; `tag` is the data tag it belongs to."""

    id: int
    kind: str
    name: str
    type: str
    options: list[str] = field(default_factory=list)
    description: str | None = None
    tag: int | None = None
    important: bool = False

    def view(self, order: int) -> dict[str, Any]:
        shown: dict[str, Any] = {"id": self.id, "type": self.type, "name": self.name, "displayOrder": order}
        shown |= {"description": self.description, "important": self.important}
        if self.type == "list":
            shown["options"] = list(self.options)
        return shown


PEOPLE = (
    ("ada", "Ada Owner", "ada@acme.example", "ADMIN"),
    ("ben", "Ben Agent", "ben@acme.example", "NORMAL"),
    ("cleo", "Cleo Agent", "cleo@acme.example", "NORMAL"),
    (CONNECTOR, "Next Cap Connector", "connector@acme.example", "ADMIN"),
)
TEAMS: Mapping[str, tuple[str, ...]] = {
    "Support": ("ada", "ben", "cleo", CONNECTOR),
    "Sales": ("ada", "cleo", CONNECTOR),
    "Billing": ("ada", "ben", CONNECTOR),
}
BOARDS: Mapping[str, tuple[str, ...]] = {
    "Delivery": ("To do", "Doing", "Done"),
    "Support": ("New", "Open", "In progress", "Waiting on customer", "Waiting internally", "Resolved"),
}
PIPELINES: Mapping[str, tuple[tuple[str, bool, int], ...]] = {
    "Sales": (("New", False, 10), ("Bid", False, 50), ("Won", True, 100), ("Lost", True, 0)),
    "Support deals": (("New", False, 10), ("Working", False, 50), ("Won", True, 100), ("Lost", True, 0)),
}
ACTIVITIES = ("Call", "Meeting", "Customer reply")
