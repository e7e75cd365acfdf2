"""Every CRM as its people use it: one set of acts, and one view of what stands there, whatever the vendor calls it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

MAPPINGS = Path(__file__).parents[2] / "mappings"
PRIORITIES = {"low": "Low", "normal": "Normal", "high": "High", "urgent": "Urgent"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One record as people see it: labels, not ids. `ours` is the Next Cap ticket's id, `exact` its status."""

    id: str
    ours: str | None
    subject: str
    status: str
    priority: str | None
    exact: str | None
    entries: tuple[str, ...]


class Desk(ABC):
    """The people of one CRM. `account` is its imitation."""

    name: ClassVar[str]
    """The imitation's, and our connection's."""
    kind: ClassVar[str] = ""
    """What the configuration calls it, where that is another word."""
    mapping: ClassVar[str]
    plenty: ClassVar[Mapping[str, Any]] = {}
    """The imitation's settings under which no limit is met."""
    configured: ClassVar[Mapping[str, Any]] = {}
    """Ours, for the same."""
    statuses: ClassVar[Mapping[str, str]]
    """What each status of Next Cap is here, as the shipped mapping has it."""
    priorities: ClassVar[Mapping[str, str]] = PRIORITIES
    choices: ClassVar[Sequence[str]]
    """The statuses that people choose."""
    assignee: ClassVar[str | None] = None
    """Who must have a ticket, where the CRM's rules ask for somebody."""
    renews: ClassVar[bool] = True
    follows_up: ClassVar[bool] = False
    """Whether a record may be closed for good, so that what is said afterwards goes into another."""

    def __init__(self, account: Any) -> None:
        self.account = account

    @property
    def crm(self) -> str:
        """What the configuration calls it."""
        return self.kind or self.name

    def access(self, connector: str) -> Mapping[str, Any]:
        """What the administrator hands over, once the vendor calls the connector at this address."""
        told: Mapping[str, Any] = self.account.introduce(connector)
        return told

    def mapped(self) -> str:
        """The shipped mapping."""
        return (MAPPINGS / self.mapping).read_text()

    @abstractmethod
    def records(self) -> list[Seen]:
        """Every live record; to be asked under the imitation's lock where others act meanwhile."""

    @abstractmethod
    def open(self, subject: str, email: str) -> None:
        """Somebody makes a record for a customer."""

    @abstractmethod
    def edit(self, record: str, field: str, value: str) -> None:
        """Somebody gives it another `subject` or `priority`."""

    @abstractmethod
    def move(self, record: str, status: str) -> None:
        """Somebody gives it another status."""

    @abstractmethod
    def say(self, record: str, words: str, *, public: bool) -> None:
        """Somebody writes a note, or what is to reach the customer."""

    @abstractmethod
    def customers(self) -> list[str]:
        """The addresses of all customers."""

    def close_for_good(self, record: str) -> None:
        """It takes nothing any more, where there is such a thing."""
        raise NotImplementedError

    def expire(self) -> None:
        """Our access runs out and must be renewed."""
        self.account.expire_tokens()

    def of(self, ticket: str) -> list[Seen]:
        """The records of a Next Cap ticket."""
        with self.account.lock:
            return [one for one in self.records() if one.ours == ticket]

    def record(self, record: str) -> Seen:
        """One of them."""
        with self.account.lock:
            return next(one for one in self.records() if one.id == record)


class HubSpot(Desk):
    name, mapping = "hubspot", "hubspot.yaml"
    plenty: ClassVar = {"burst": 100_000, "association_burst": 100_000, "search_burst": 100_000}
    configured: ClassVar = {"calls_per_10_seconds": 10_000}
    statuses: ClassVar = {
        "new": "New",
        **dict.fromkeys(("open", "in_progress", "waiting_internal", "reopened"), "Waiting on us"),
        "waiting_customer": "Waiting on contact",
        "resolved": "Closed",
        "closed": "Closed",
    }
    priorities: ClassVar = {"low": "LOW", "normal": "MEDIUM", "high": "HIGH", "urgent": "URGENT"}
    choices = ("New", "Waiting on us", "Waiting on contact", "Closed")

    def access(self, connector: str) -> Mapping[str, Any]:
        """By OAuth. A token of less than ten minutes is renewed after half its life: these serve for twenty seconds."""
        told = {**super().access(connector)}
        del told["access_token"]
        self.account.configure(token_lifetime=40)
        held = self.account.credentials
        oauth = {"client_id": held.client_id, "client_secret": self.account.settings.client_secret}
        return {**told, **oauth, "refresh_token": held.refresh_token}

    def expire(self) -> None:
        """Its tokens end by themselves."""

    def records(self) -> list[Seen]:
        return [self._seen(one) for one in self.account.state()["tickets"]]

    def of(self, ticket: str) -> list[Seen]:
        return [self._seen(one) for one in self.account.tickets_of(ticket)]

    def _seen(self, one: Mapping[str, Any]) -> Seen:
        told = one["properties"]
        exact, priority = told.get("nextcap_status"), told.get("hs_ticket_priority")
        notes = tuple(note["body"] for note in one["notes"])
        return Seen(one["id"], told.get("nextcap_ticket_id"), told.get("subject"), one["stage"], priority, exact, notes)

    def open(self, subject: str, email: str) -> None:
        self.account.create_ticket(subject, "It", contact=email)

    def edit(self, record: str, field: str, value: str) -> None:
        native = {"subject": "subject", "priority": "hs_ticket_priority"}[field]
        self.account.set_properties(record, {native: value})

    def move(self, record: str, status: str) -> None:
        self.account.move_stage(record, status)

    def say(self, record: str, words: str, *, public: bool) -> None:
        self.account.write_note(record, f"<p>{'#reply ' if public else ''}{words}</p>")

    def customers(self) -> list[str]:
        return [one["properties"]["email"] for one in self.account.state()["contacts"]]


class Salesforce(Desk):
    name, mapping = "salesforce", "salesforce.yaml"
    configured: ClassVar = {"calls_per_10_seconds": 10_000}
    statuses: ClassVar = {
        "new": "New",
        **dict.fromkeys(("open", "in_progress", "reopened", "waiting_customer"), "Working"),
        "waiting_internal": "Escalated",
        "resolved": "Closed",
        "closed": "Closed",
    }
    priorities: ClassVar = {"low": "Low", "normal": "Medium", "high": "High", "urgent": "High"}
    choices = ("New", "Working", "Escalated", "Closed")

    def records(self) -> list[Seen]:
        return [self._seen(one) for one in self.account.state()["cases"] if not one["fields"]["IsDeleted"]]

    def of(self, ticket: str) -> list[Seen]:
        return [self._seen(one) for one in self.account.cases_of(ticket)]

    def _seen(self, one: Mapping[str, Any]) -> Seen:
        told = one["fields"]
        exact, said = told["NextCap_Status__c"], tuple(entry["body"] for entry in one["comments"])
        ours = told["NextCap_Ticket_Id__c"]
        return Seen(one["id"], ours, told["Subject"], told["Status"], told["Priority"], exact, said)

    def open(self, subject: str, email: str) -> None:
        self.account.create_case(subject, "It", contact=email)

    def edit(self, record: str, field: str, value: str) -> None:
        self.account.set_fields(record, {field.capitalize(): value})

    def move(self, record: str, status: str) -> None:
        self.account.move(record, status)

    def say(self, record: str, words: str, *, public: bool) -> None:
        self.account.comment(record, words, public=public)

    def customers(self) -> list[str]:
        return [one["fields"]["Email"] for one in self.account.state()["contacts"]]

    def expire(self) -> None:
        self.account.expire_sessions()


class Zendesk(Desk):
    name, mapping = "zendesk", "zendesk.yaml"
    plenty: ClassVar = {
        "rate_limit": 100_000,
        "update_limit": 100_000,
        "same_ticket_limit": 100_000,
        "export_limit": 1000,
        "job_seconds": 0.0,
    }
    configured: ClassVar = {"calls_per_minute": 100_000, "updates_per_minute": 100_000, "sweep_seconds": 60}
    statuses: ClassVar = {
        "new": "new",
        **dict.fromkeys(("open", "in_progress", "waiting_internal", "reopened"), "open"),
        "waiting_customer": "pending",
        "resolved": "solved",
        "closed": "solved",
    }
    priorities: ClassVar = {one: one for one in PRIORITIES}
    choices = ("open", "pending", "solved")
    assignee = "ada@acme.example"
    follows_up = True

    def records(self) -> list[Seen]:
        return self._newest(self.account.state()["tickets"])

    def of(self, ticket: str) -> list[Seen]:
        return self._newest(self.account.tickets_of(ticket))

    def _newest(self, tickets: Sequence[Mapping[str, Any]]) -> list[Seen]:
        """A ticket that is followed lives on in its follow-up; two of those are two records."""
        by_id = {str(one["id"]): one for one in tickets}
        followed = {str(one["follows"]) for one in tickets}
        return [self._seen(one, by_id) for key, one in by_id.items() if key not in followed]

    def _seen(self, one: Mapping[str, Any], by_id: Mapping[str, Mapping[str, Any]]) -> Seen:
        said, old = tuple(entry["html_body"] for entry in one["comments"][1:]), by_id.get(str(one["follows"]))
        said = (*(self._seen(old, by_id).entries if old else ()), *said)
        exact = one["fields"].get("Next Cap status")
        return Seen(one["id"], one["external_id"], one["subject"], one["status"], one["priority"], exact, said)

    def open(self, subject: str, email: str) -> None:
        self.account.create_ticket(subject, "It", email)

    def edit(self, record: str, field: str, value: str) -> None:
        self.account.change(record, {field: value})

    def move(self, record: str, status: str) -> None:
        self.account.change(record, {"status": status})

    def say(self, record: str, words: str, *, public: bool) -> None:
        (self.account.reply if public else self.account.note)(record, words)

    def close_for_good(self, record: str) -> None:
        self.account.close_ticket(record)

    def customers(self) -> list[str]:
        return [one["email"] for one in self.account.account.users.values()]


class Capsule(Desk):
    name, mapping = "capsule", "capsule.yaml"
    plenty: ClassVar = {"rate_limit": 100_000, "search_lag": 0.0, "note_touches_record": True}
    statuses: ClassVar = {
        "new": "New",
        "open": "Open",
        "in_progress": "In progress",
        "waiting_internal": "Waiting internally",
        "reopened": "Open",
        "waiting_customer": "Waiting on customer",
        "resolved": "Resolved",
        "closed": "CLOSED",
    }
    choices = ("New", "Open", "In progress", "Waiting internally", "Waiting on customer", "Resolved")

    def access(self, connector: str) -> Mapping[str, Any]:
        """With a refresh token that lasts: one that is replaced and lost on the way is a person's to give anew."""
        self.account.configure(refresh="kept")
        return super().access(connector)

    def records(self) -> list[Seen]:
        return [self._seen(one) for one in self.account.state()["projects"]]

    def of(self, ticket: str) -> list[Seen]:
        return [self._seen(one) for one in self.account.records_of(ticket)]

    def _seen(self, one: Mapping[str, Any]) -> Seen:
        told = one["fields"]
        status = "CLOSED" if one["status"] == "CLOSED" else one["stage"]
        exact = str(told.get("Next Cap status") or "").lower().replace(" ", "_")
        said = tuple(str(entry["content"]).replace("\\", "") for entry in one["entries"])
        priority = told.get("Next Cap priority")
        return Seen(one["id"], told.get("Next Cap ticket ID"), one["name"], status, priority, exact, said)

    def open(self, subject: str, email: str) -> None:
        self.account.create_project(subject, "It", email=email)

    def edit(self, record: str, field: str, value: str) -> None:
        if field == "subject":
            self.account.change(record, {"name": value})
        else:
            self.account.set_fields(record, {"Next Cap priority": value})

    def move(self, record: str, status: str) -> None:
        if self.account.record(record)["status"] == "CLOSED":
            self.account.reopen(record)
        self.account.move(record, status)

    def say(self, record: str, words: str, *, public: bool) -> None:
        self.account.write_note(record, f"{'#reply ' if public else ''}{words}")

    def customers(self) -> list[str]:
        return [address for one in self.account.state()["parties"] for address in one["emails"]]


class Example(Desk):
    name, kind, mapping = "example", "custom", "custom-example.yaml"
    plenty: ClassVar = {"calls": 100_000}
    statuses: ClassVar = {
        "new": "new",
        **dict.fromkeys(("open", "in_progress", "waiting_internal", "reopened"), "working"),
        "waiting_customer": "waiting",
        "resolved": "done",
        "closed": "done",
    }
    priorities: ClassVar = {"low": "low", "normal": "medium", "high": "high", "urgent": "urgent"}
    choices = ("new", "working", "waiting", "done")
    renews = False

    def access(self, connector: str) -> Mapping[str, Any]:
        return {**super().access(connector), "allow_private": True}

    def mapped(self) -> str:
        return super().mapped().replace("calls: 600 ", "calls: 100000 ")

    def records(self) -> list[Seen]:
        return [self._seen(one) for one in self.account.state()["tickets"] if not one["deleted"]]

    def of(self, ticket: str) -> list[Seen]:
        return [self._seen(one) for one in self.account.tickets_of(ticket)]

    def _seen(self, one: Mapping[str, Any]) -> Seen:
        told = one["fields"]
        exact, said = told["nextcap_status"], tuple(note["text"] for note in one["notes"])
        ours = told["nextcap_ticket_id"]
        return Seen(str(one["id"]), ours, told["subject"], told["stage"], told["priority"], exact, said)

    def open(self, subject: str, email: str) -> None:
        self.account.create_ticket(subject, "It", email)

    def edit(self, record: str, field: str, value: str) -> None:
        self.account.edit(record, {field: value})

    def move(self, record: str, status: str) -> None:
        self.account.edit(record, {"stage": status})

    def say(self, record: str, words: str, *, public: bool) -> None:
        self.account.write_note(record, words, public=public)

    def customers(self) -> list[str]:
        return [one["customer"]["email"] for one in self.account.state()["tickets"]]

    def expire(self) -> None:
        """Its token never ends."""


DESKS: Mapping[str, type[Desk]] = {one.name: one for one in (HubSpot, Salesforce, Zendesk, Capsule, Example)}
