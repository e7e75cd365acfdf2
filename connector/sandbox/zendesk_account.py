"""One account's tickets and what happens to them: updates with their audits, merges, deletes, automatic closing."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from . import zendesk_rules as rules
from .zendesk_errors import conflict, invalid, not_found
from .zendesk_index import Index
from .zendesk_settings import Settings
from .zendesk_stock import GROUPS, INTEGRATION, SUPPORT, USERS, statuses, system_fields

Raw = dict[str, Any]
Announce = Callable[[str, "Ticket", int, Raw], None]
CLOSED_AFTER = timedelta(days=28)
TAG = re.compile(r"<[^>]+>")


@dataclass(slots=True)
class Comment:
    id: int
    audit_id: int
    author_id: int
    body: str
    html_body: str
    public: bool
    created_at: datetime


@dataclass(slots=True)
class Ticket:
    """`values` hold what may be written; `changed_at` is exact, what is shown of it is cut to seconds."""

    id: int
    values: Raw
    created_at: datetime
    changed_at: datetime
    comments: list[Comment] = field(default_factory=list)
    audits: list[Raw] = field(default_factory=list)
    custom: dict[int, Any] = field(default_factory=dict)
    followups: list[int] = field(default_factory=list)
    deleted: bool = False
    merged_into: int | None = None

    @property
    def status(self) -> str:
        return str(self.values["status"])


class Account:
    """Everything in it; `announce` is told of every event: its type, the ticket, who did it, what changed."""

    def __init__(self, now: Callable[[], datetime], settings: Settings, announce: Announce) -> None:
        self.now, self.settings, self._announce = now, settings, announce
        self._ids = itertools.count(40_001)
        self._ticket_ids = itertools.count(101)
        self.tickets: dict[int, Ticket] = {}
        self.users: dict[int, Raw] = {one["id"]: {"suspended": False, "active": True, **one} for one in USERS}
        self.groups = dict(GROUPS)
        self.custom_fields: dict[int, Raw] = {}
        self.statuses = {one["id"]: one for one in statuses()}
        self.mails: list[Raw] = []
        self.index = Index(now, lambda: settings.search_lag)

    def new_id(self) -> int:
        return next(self._ids)

    def fields(self) -> list[Raw]:
        """All ticket fields."""
        return [*system_fields(hold=self.settings.hold, bare=self.settings.bare_statuses), *self.custom_fields.values()]

    def ticket(self, ticket_id: object) -> Ticket:
        """A ticket that is there; otherwise 404."""
        found = self.tickets.get(int(str(ticket_id))) if str(ticket_id).isdecimal() else None
        if found is None or found.deleted:
            raise not_found()
        self._age(found)
        return found

    def live(self) -> list[Ticket]:
        """Every ticket that is not deleted."""
        found = [one for one in self.tickets.values() if not one.deleted]
        for one in found:
            self._age(one)
        return found

    def user_of(self, told: Mapping[str, Any]) -> int:
        """The end user with this address, made where it is new; one without an address is always new."""
        email = str(told.get("email") or "").strip().lower()
        for one in self.users.values():
            if email and str(one.get("email") or "").lower() == email:
                return int(one["id"])
        user_id = self.new_id()
        user = {"id": user_id, "name": told.get("name") or email, "email": email or None, "role": "end-user"}
        self.users[user_id] = {"suspended": False, "active": True, "phone": told.get("phone"), **user}
        return user_id

    # -- writing

    def create(self, told: Mapping[str, Any], actor: int, channel: str = "api") -> tuple[Ticket, Raw]:
        """Make a ticket; its comment becomes the description."""
        rules.check_create(self, told)
        now = self.now()
        source = rules.followup_source(self, told)
        requester = told.get("requester")
        requester_id = self.user_of(requester) if requester else int(told.get("requester_id") or actor)
        values: Raw = {
            **dict.fromkeys(rules.PLAIN),
            "status": "new",
            "tags": sorted(source.values["tags"]) if source else [],
            "requester_id": requester_id,
            "submitter_id": actor,
            "group_id": SUPPORT,
            "channel": channel,
        }
        ticket = Ticket(next(self._ticket_ids), values, now, now)
        ticket.values["via_followup_source_id"] = source.id if source else None
        self.tickets[ticket.id] = ticket
        if source:
            source.followups.append(ticket.id)
        first = {"body": told.get("description") or "", "author_id": requester_id, **(told.get("comment") or {})}
        told = {name: value for name, value in told.items() if name not in ("requester", "requester_id")}
        audit = self._apply(ticket, {**told, "comment": first}, actor, is_new=True, channel=channel)
        return ticket, audit

    def update(self, ticket: Ticket, told: Mapping[str, Any], actor: int, channel: str = "api") -> Raw:
        """Change a ticket by the rules; the audit of what changed."""
        if told.get("safe_update"):
            stamp = str(told.get("updated_stamp") or "")
            if rules.parsed(stamp) != ticket.changed_at.replace(microsecond=0):
                raise conflict()
        rules.check_update(self, ticket, told)
        return self._apply(ticket, told, actor, is_new=False, channel=channel)

    def _apply(self, ticket: Ticket, told: Mapping[str, Any], actor: int, *, is_new: bool, channel: str) -> Raw:
        now = self.now()
        audit: Raw = {
            "id": self.new_id(),
            "ticket_id": ticket.id,
            "created_at": rules.seconds(now),
            "author_id": actor,
            "metadata": {"system": {}, "custom": dict(told.get("metadata") or {})},
            "via": {"channel": channel, "source": {"from": {}, "to": {}, "rel": None}},
            "events": [],
        }
        before = rules.snapshot(ticket)
        rules.put_values(self, ticket, told)
        comment = self._comment(ticket, told.get("comment"), audit, actor, now)
        rules.follow_status(self, ticket, before, told, comment, actor)
        changes = rules.differences(before, rules.snapshot(ticket))
        kind = "Create" if is_new else "Change"
        for name, (old, new) in changes.items():
            event = {"id": self.new_id(), "type": kind, "field_name": name, "value": new}
            audit["events"].append(event if is_new else {**event, "previous_value": old})
        if audit["events"]:
            ticket.changed_at = max(now, ticket.changed_at)
            ticket.audits.append(audit)
            self.index.note(ticket.id, rules.snapshot(ticket))
        self._tell(ticket, changes, comment, actor, is_new=is_new)
        if audit["events"] and channel != "rule":
            self._run_triggers(ticket)
        return audit

    def _comment(self, ticket: Ticket, told: Any, audit: Raw, actor: int, now: datetime) -> Comment | None:
        if not told:
            return None
        html = told.get("html_body")
        body = told.get("body") or told.get("value") or (TAG.sub("", html) if html else "")
        author = int(told.get("author_id") or actor)
        made = Comment(
            self.new_id(), audit["id"], author, body, html or f"<p>{body}</p>", bool(told.get("public", True)), now
        )
        ticket.comments.append(made)
        event = {"id": made.id, "type": "Comment", "author_id": author, "body": made.body, "html_body": made.html_body}
        audit["events"].append({**event, "public": made.public, "audit_id": audit["id"]})
        if made.public and self.users[author]["role"] != "end-user" and len(ticket.comments) > 1:
            to = self.users[ticket.values["requester_id"]]
            self.mails.append({"ticket_id": str(ticket.id), "to": to.get("email"), "body": made.body})
        return made

    def _tell(
        self, ticket: Ticket, changes: Mapping[str, Any], comment: Comment | None, actor: int, *, is_new: bool
    ) -> None:
        if is_new:
            self._announce("created", ticket, actor, {})
            return
        if comment:
            author = self.users[comment.author_id]
            by = {"id": str(author["id"]), "is_staff": author["role"] != "end-user", "name": author["name"]}
            shown = {"id": str(comment.id), "body": comment.body, "is_public": comment.public, "author": by}
            self._announce("comment_added", ticket, actor, {"comment": shown})
        for name, (old, new) in changes.items():
            event = rules.EVENT_OF.get(name, "custom_field_changed")
            told: Raw = {"current": new, "previous": old}
            if event == "custom_field_changed":
                told["field"] = {"id": name}
            if event == "tags_changed":
                told = {"tags_added": sorted(set(new) - set(old)), "tags_removed": sorted(set(old) - set(new))}
            if event == "status_changed":
                told = {one: str(value).upper() for one, value in told.items()}
            self._announce(event, ticket, actor, told)

    def _run_triggers(self, ticket: Ticket) -> None:
        """Business rules of the account, as updates of their own by nobody in particular."""
        for rule in self.settings.triggers:
            if all(ticket.values.get(name) == value for name, value in rule["when"].items()):
                self._apply(ticket, rule["set"], -1, is_new=False, channel="rule")

    # -- endings

    def delete(self, ticket: Ticket, actor: int) -> None:
        ticket.deleted, ticket.changed_at = True, self.now()
        self.index.note(ticket.id, None)
        self._announce("soft_deleted", ticket, actor, {})

    def restore(self, ticket: Ticket, actor: int) -> None:
        ticket.deleted, ticket.changed_at = False, self.now()
        self.index.note(ticket.id, rules.snapshot(ticket))
        self._announce("undeleted", ticket, actor, {})

    def merge(self, source: Ticket, target: Ticket, actor: int) -> None:
        """The source is closed and tagged, and its last comment names the target; nobody outside sees the comments.

        Nothing else of the source tells of it, but for the audit's `via` where `merge_via` is on.
        """
        told = {"status": "closed", "tags": sorted({*source.values["tags"], "closed_by_merge"})}
        words = f'This request was closed and merged into request #{target.id} "{target.values["subject"]}".'
        if self.settings.merge_via:
            words = "Merged."
        source.merged_into = target.id
        comment = {"body": words, "public": False}
        audit = self._apply(source, {**told, "comment": comment}, actor, is_new=False, channel="web")
        if self.settings.merge_via:
            audit["via"]["source"] |= {"rel": "merge", "to": {"ticket_id": target.id}}
        words = f"Request #{source.id} was closed and merged into this request."
        self._apply(target, {"comment": {"body": words, "public": False}}, actor, is_new=False, channel="web")
        self._announce("merged", source, actor, {"target_ticket_id": target.id, "source_ticket_ids": [source.id]})

    def _age(self, ticket: Ticket) -> None:
        if ticket.status == "solved" and self.now() - ticket.changed_at >= CLOSED_AFTER:
            self._apply(ticket, {"status": "closed"}, -1, is_new=False, channel="rule")

    def agents(self) -> Iterable[Raw]:
        return [one for one in self.users.values() if one["role"] != "end-user"]

    def check_field(self, told: Mapping[str, Any]) -> Raw:
        """Make a custom ticket field."""
        if told.get("type") not in ("text", "textarea", "tagger", "checkbox", "integer", "date", "multiselect"):
            raise invalid({"type": ("Type: is invalid", "InvalidValue")})
        if not told.get("title"):
            raise invalid({"title": ("Title: cannot be blank", "BlankValue")})
        made = {"id": 360_000_000_000 + self.new_id(), "active": True, "removable": True, "required": False, **told}
        self.custom_fields[made["id"]] = made
        return made


API_USER = INTEGRATION
