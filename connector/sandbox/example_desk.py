"""The example CRM's tickets, notes and staff, with the rules that it holds its callers to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .kernel import Refusal, iso

CHOICES = {
    "stage": ("new", "working", "waiting", "done"),
    "priority": ("low", "medium", "high", "urgent"),
}
TEXTS = ("subject", "description", "nextcap_ticket_id", "nextcap_status")
LONGEST = {"subject": 250, "description": 60_000, "nextcap_ticket_id": 64, "nextcap_status": 64}
LONGEST_NOTE = 20_000
LONGEST_REFERENCE = 200
STAFF = (
    {"id": 1, "email": "Ada@example.com", "name": "Ada Admin", "active": True},
    {"id": 2, "email": "bob@example.com", "name": "Bob Builder", "active": True},
    {"id": 3, "email": "left@example.com", "name": "Long Gone", "active": False},
)


def refuse(status: int, code: str, message: str, field: str | None = None) -> Refusal:
    """The CRM's error body."""
    return Refusal(status, {"error": {"code": code, "message": message, "field": field}})


@dataclass(slots=True)
class Note:
    id: int
    text: str
    public: bool
    author: str
    at: datetime
    from_customer: bool = False
    reference: str = ""

    def view(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "text": self.text,
            "public": self.public,
            "from_customer": self.from_customer,
            "author": self.author,
            "created_at": iso(self.at),
            "reference": self.reference,
        }


@dataclass(slots=True)
class Ticket:
    id: int
    fields: dict[str, Any]
    customer: dict[str, str | None]
    updated_at: datetime
    deleted: bool = False
    merged_into: int | None = None
    notes: list[Note] = field(default_factory=list)

    def view(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "number": f"T-{self.id}",
            "updated_at": iso(self.updated_at),
            "deleted": self.deleted,
            "merged_into": self.merged_into,
            "customer": dict(self.customer),
            "fields": dict(self.fields),
        }


class Desk:
    """All state. `announce(event, ticket, note)` tells the webhooks."""

    def __init__(self, now: Callable[[], datetime], announce: Callable[[str, Ticket, Note | None], None]) -> None:
        self.now, self.announce = now, announce
        self.tickets: dict[int, Ticket] = {}
        self.by_key: dict[str, int] = {}
        self.first: dict[int, dict[str, Any]] = {}
        self.replays = False
        self.rule: Mapping[str, Any] = {}
        self._notes = 0

    def checked(self, values: object) -> dict[str, Any]:
        """The values of a write. Raises a 422 that names the first field that is wrong."""
        if not isinstance(values, dict):
            raise refuse(422, "invalid", "ticket must be an object", "ticket")
        for name, value in values.items():
            self._check(str(name), value)
        return values

    def _check(self, name: str, value: Any) -> None:
        if name in CHOICES:
            if value not in CHOICES[name]:
                raise refuse(422, "not_an_option", f"{name} must be one of {', '.join(CHOICES[name])}", name)
        elif name == "labels":
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                raise refuse(422, "wrong_type", "labels must be a list of texts", name)
        elif name == "owner":
            if value is not None and value not in [one["id"] for one in STAFF if one["active"]]:
                raise refuse(422, "unknown_staff", "owner must be the id of somebody active", name)
        elif name in TEXTS:
            if value is not None and not isinstance(value, str):
                raise refuse(422, "wrong_type", f"{name} must be a text", name)
            if value is not None and len(value) > LONGEST[name]:
                raise refuse(422, "too_long", f"{name} has at most {LONGEST[name]} characters", name)
        else:
            raise refuse(422, "unknown_field", f"there is no field {name}", name)

    def create(
        self, values: Mapping[str, Any], customer: Mapping[str, Any] | None, key: str = ""
    ) -> tuple[Ticket, bool]:
        """A new ticket, or the one that this idempotency key made before; and whether it is new."""
        if key and key in self.by_key:
            return self.tickets[self.by_key[key]], False
        if not values.get("subject"):
            raise refuse(422, "required", "subject is required", "subject")
        blank: dict[str, Any] = dict.fromkeys(TEXTS) | {
            "stage": "new",
            "priority": "medium",
            "labels": [],
            "owner": None,
        }
        who = {name: (customer or {}).get(name) for name in ("email", "name", "phone")}
        made = Ticket(len(self.tickets) + 1, blank | dict(values), who, self.now())
        self.tickets[made.id] = made
        self.first[made.id] = made.view()
        if key:
            self.by_key[key] = made.id
        self.announce("ticket.created", made, None)
        return made, True

    def update(self, ticket: Ticket, values: Mapping[str, Any]) -> Ticket:
        """Change a ticket; a write that changes nothing is no event."""
        if any(ticket.fields[name] != value for name, value in values.items()):
            ticket.fields.update(values)
            self._touch(ticket, "ticket.updated")
        return ticket

    def live(self, ticket_id: object) -> Ticket:
        """A ticket that can be worked with. Raises a 404."""
        found = (
            self.tickets.get(int(str(ticket_id))) if str(ticket_id).isascii() and str(ticket_id).isdecimal() else None
        )
        if found is None or found.deleted or found.merged_into:
            raise refuse(404, "no_such_ticket", "there is no such ticket")
        return found

    def note(
        self,
        ticket: Ticket,
        text: object,
        *,
        public: object,
        author: str,
        from_customer: bool = False,
        reference: object = "",
    ) -> Note:
        if not isinstance(text, str) or not text.strip() or len(text) > LONGEST_NOTE:
            raise refuse(422, "invalid", f"text must have 1 to {LONGEST_NOTE} characters", "text")
        if not isinstance(public, bool):
            raise refuse(422, "wrong_type", "public must be true or false", "public")
        if not isinstance(reference, str) or len(reference) > LONGEST_REFERENCE:
            raise refuse(422, "invalid", f"reference must have at most {LONGEST_REFERENCE} characters", "reference")
        self._notes += 1
        made = Note(self._notes, text, public, author, self.now(), from_customer, reference)
        ticket.notes.append(made)
        ticket.updated_at = self.now()
        self.announce("note.created", ticket, made)
        return made

    def delete(self, ticket: Ticket) -> None:
        ticket.deleted = True
        self._touch(ticket, "ticket.deleted")

    def restore(self, ticket: Ticket) -> None:
        ticket.deleted = False
        self._touch(ticket, "ticket.updated")

    def merge(self, ticket: Ticket, into: Ticket) -> None:
        ticket.merged_into = into.id
        self._touch(ticket, "ticket.merged")

    def _touch(self, ticket: Ticket, event: str) -> None:
        ticket.updated_at = self.now()
        self.announce(event, ticket, None)
