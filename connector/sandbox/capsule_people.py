"""What people and administrators do in Capsule's own pages, as actions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .capsule_account import Account
from .capsule_errors import not_found
from .capsule_hooks import Hooks
from .capsule_records import Entry, File, Record
from .capsule_rules import Rules
from .capsule_settings import Settings
from .capsule_stock import KASES, KINDS, NOTE_ACTIVITY, OPPORTUNITIES, PARTIES, Kind
from .kernel import Imitation, action


class People(Imitation):
    """The actions. `by` is a username or e-mail address, `ada` if it is left out.

    `kind` is `kases` or `opportunities`; people are bound by the same rules as the API.
    """

    account: Account
    settings: Settings
    hooks: Hooks

    @action
    def create_project(
        self,
        name: str,
        description: str = "",
        stage: str | None = "New",
        board: str = "Support",
        party: str = "Walk-in Customer",
        email: str = "",
        by: str = "ada",
        fields: Mapping[str, Any] | None = None,
        tags: list[str] | None = None,
    ) -> str:
        """Make a project for a person known or made by e-mail address; returns its id."""
        body: dict[str, Any] = {"name": name, "description": description or None}
        body |= {"party": {"id": self._party(party, email)}, "owner": {"id": self.account.user(by).id}}
        if stage is not None:
            parent = self.account.named(self.account.boards, board).id
            body["stage"] = self.account.step(self.account.stages, stage, parent).id
        return self._create(KASES, body, fields, tags)

    @action
    def create_opportunity(
        self,
        name: str,
        description: str = "",
        milestone: str = "New",
        pipeline: str = "Support deals",
        party: str = "Walk-in Customer",
        email: str = "",
        by: str = "ada",
        fields: Mapping[str, Any] | None = None,
        tags: list[str] | None = None,
    ) -> str:
        """Make an opportunity for a person known or made by e-mail address; returns its id."""
        parent = self.account.named(self.account.pipelines, pipeline).id
        body = {
            "name": name,
            "description": description or None,
            "party": {"id": self._party(party, email)},
            "owner": {"id": self.account.user(by).id},
            "milestone": {"id": self.account.step(self.account.milestones, milestone, parent).id},
        }
        return self._create(OPPORTUNITIES, body, fields, tags)

    @action
    def change(self, record: str, changes: Mapping[str, Any], kind: str = "kases") -> None:
        """Edit members as the API names them: name, description, expectedCloseOn, party …"""
        self._change(self._record(record, kind), changes)

    @action
    def move(self, record: str, stage: str, kind: str = "kases") -> None:
        """Move to another stage or milestone of the same board or pipeline, by name or id."""
        self._move([self._record(record, kind)], stage)

    @action
    def move_all(self, records: list[str], stage: str, kind: str = "kases") -> None:
        """Move several at once, which is told in one delivery."""
        self._move([self._record(one, kind) for one in records], stage)

    @action
    def move_to_board(self, record: str, stage: str, board: str) -> None:
        parent = self.account.named(self.account.boards, board).id
        self._change(self._record(record, "kases"), {"stage": self.account.step(self.account.stages, stage, parent).id})

    @action
    def take_off_board(self, record: str) -> None:
        self._change(self._record(record, "kases"), {"stage": None})

    @action
    def close(self, record: str) -> None:
        """Close a project; its stage stays."""
        self._change(self._record(record, "kases"), {"status": "CLOSED"})

    @action
    def reopen(self, record: str) -> None:
        self._change(self._record(record, "kases"), {"status": "OPEN"})

    @action
    def assign(self, record: str, owner: str | None, team: str | None = None, kind: str = "kases") -> None:
        """Set owner and team together, as the page does; None takes one away."""
        user = owner and self.account.user(owner).id
        group = team and self.account.named(self.account.teams, team).id
        self._change(self._record(record, kind), {"owner": user, "team": group})

    @action
    def set_fields(self, record: str, fields: Mapping[str, Any], kind: str = "kases") -> None:
        """Set custom fields by name; None clears one, also a boolean."""
        found = self._record(record, kind)
        self._change(found, {"fields": self._field_items(found.kind, fields, found)})

    @action
    def set_tags(self, record: str, tags: list[str], kind: str = "kases") -> None:
        """Let the record have exactly these tags."""
        found = self._record(record, kind)
        wanted = {self.account.tag(one) for one in tags}
        gone = [{"id": one, "_delete": True} for one in found.tags if one not in wanted]
        self._change(found, {"tags": [{"id": one} for one in wanted] + gone})

    @action
    def write_note(
        self,
        record: str,
        content: str,
        kind: str = "kases",
        by: str = "ada",
        activity: str | None = None,
        at: str | None = None,
        files: list[str] | None = None,
    ) -> str:
        """Write a note, in Markdown; `files` are names of files to attach. Returns the entry's id."""
        chosen = self.account.named(self.account.activities, activity).id if activity else NOTE_ACTIVITY
        return self._talk(record, kind, "note", content, by, activity=chosen, at=at, files=files)

    @action
    def send_email(self, record: str, subject: str, content: str, kind: str = "kases", by: str = "ada") -> str:
        """A mail to the customer, which shows on the timeline."""
        return self._talk(record, kind, "email", content, by, subject=subject)

    @action
    def complete_task(self, record: str, content: str, kind: str = "kases", by: str = "ada") -> str:
        """A task that was done, which shows on the timeline."""
        return self._talk(record, kind, "task", content, by)

    @action
    def edit_entry(self, entry: str, content: str) -> None:
        found = self.account.entries[int(entry)]
        found.content, found.updated_at = content, self.now()

    @action
    def delete_entry(self, entry: str) -> None:
        del self.account.entries[int(entry)]

    @action
    def delete(self, record: str, kind: str = "kases") -> None:
        """Delete for good; nothing brings it back."""
        self.account.delete(self._record(record, kind))

    @action
    def restrict(self, record: str, kind: str = "kases") -> None:
        """Take the record out of the connector's sight."""
        found = self._record(record, kind)
        found.is_restricted, found.restricted_at = True, self.now()

    @action
    def unrestrict(self, record: str, kind: str = "kases") -> None:
        found = self._record(record, kind)
        found.is_restricted, found.restricted_at = False, None

    @action
    def create_party(
        self, name: str, email: str = "", phone: str = "", organisation: bool = False, by: str = "ada"
    ) -> str:
        """A person, or an organisation; returns its id."""
        return str(self._new_party(name, email, phone, organisation=organisation, by=by))

    @action
    def change_party(self, party: str, changes: Mapping[str, Any]) -> None:
        self._change(self._record(party, "parties"), changes)

    @action
    def add_board(self, name: str, stages: list[str]) -> str:
        return str(self.account.add_board(name, stages).id)

    @action
    def add_stage(self, name: str, board: str = "Support") -> str:
        chosen = self.account.named(self.account.boards, board)
        order = sum(one.parent == chosen.id for one in self.account.stages.values())
        return str(self.account.add_stage(chosen, name, order).id)

    @action
    def rename_stage(self, stage: str, name: str, board: str = "Support") -> None:
        self._stage(stage, board).name = name

    @action
    def archive_stage(self, stage: str, board: str = "Support") -> None:
        """It is shown and offered no more; projects that are on it stay there."""
        self._stage(stage, board).archived = True

    @action
    def archive_board(self, board: str) -> None:
        self.account.named(self.account.boards, board).archived = True

    @action
    def add_field(self, name: str, type: str = "text", options: list[str] | None = None, kind: str = "kases") -> str:
        return str(self.account.define(KINDS[kind], name, type, options=options or []).id)

    @action
    def remove_field(self, name: str, kind: str = "kases") -> None:
        """The definition goes, and with it every value."""
        definition = self._definition(KINDS[kind], name)
        for record in self.account.tables[kind].records.values():
            record.fields.pop(definition, None)
        del self.account.definitions[definition]

    @action
    def set_options(self, name: str, options: list[str], kind: str = "kases") -> None:
        """Change what a list offers; records keep what they have."""
        self.account.definitions[self._definition(KINDS[kind], name)].options = options

    @action
    def add_user(self, username: str, name: str, email: str, teams: list[str] | None = None) -> str:
        user = self.account.add_user(username, name, email)
        for team in teams or ():
            self.account.named(self.account.teams, team).members.add(user.id)
        return str(user.id)

    @action
    def leave_team(self, user: str, team: str) -> None:
        self.account.named(self.account.teams, team).members.discard(self.account.user(user).id)

    @action
    def deactivate_user(self, user: str) -> None:
        self.account.user(user).status = "INVITED"

    # -- how it works

    def _record(self, record: str, kind: str) -> Record:
        """A record as people see it, also one that is out of the connector's sight."""
        found = self.account.tables[kind].records.get(int(record))
        if found is None:
            raise not_found(KINDS[kind].singular)
        return found

    def _create(
        self, kind: Kind, body: Mapping[str, Any], fields: Mapping[str, Any] | None, tags: list[str] | None
    ) -> str:
        lists = {"fields": self._field_items(kind, fields or {}, None), "tags": [{"name": one} for one in tags or ()]}
        values, apply = Rules(self.account).create(kind, {**body, **lists})
        return str(self.account.create(kind, values, apply).id)

    def _change(self, record: Record, body: Mapping[str, Any]) -> None:
        values, apply = Rules(self.account).update(record, body)
        self.account.change(record, values, apply)

    def _move(self, records: list[Record], stage: str) -> None:
        gathered: dict[str, list[Record]] = {}
        announce = self.account.announce

        def gather(event: str, records: list[Record], *, gone: bool = False) -> None:  # noqa: ARG001
            gathered.setdefault(event, []).extend(records)

        self.account.announce = gather
        try:
            for record in records:
                self._change(record, self._step(record, stage))
        finally:
            self.account.announce = announce
        for event, moved in gathered.items():
            announce(event, moved)

    def _step(self, record: Record, name: str) -> dict[str, Any]:
        if record.kind is OPPORTUNITIES:
            parent = self.account.milestones[record.values["milestone"]].parent
            return {"milestone": {"id": self.account.step(self.account.milestones, name, parent).id}}
        held = self.account.stages.get(record.values.get("stage") or 0)
        board = held.parent if held else self.account.named(self.account.boards, "Support").id
        return {"stage": self.account.step(self.account.stages, name, board).id}

    def _stage(self, stage: str, board: str) -> Any:
        return self.account.step(self.account.stages, stage, self.account.named(self.account.boards, board).id)

    def _definition(self, kind: Kind, name: str) -> int:
        found = next((one.id for one in self.account.definitions_of(kind) if one.name == name), None)
        if found is None:
            raise not_found("field")
        return found

    def _field_items(self, kind: Kind, fields: Mapping[str, Any], record: Record | None) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        for name, value in fields.items():
            definition = self._definition(kind, name)
            held = record.fields.get(definition) if record else None
            if value is None and held is not None:
                items.append({"id": held.id, "_delete": True})
            elif value is not None:
                items.append({"definition": {"id": definition}, "value": value})
        return items

    def _party(self, name: str, email: str) -> int:
        for one in self.account.tables[PARTIES.plural].records.values():
            addresses = [held["address"].casefold() for held in one.children.get("emailAddresses", {}).values()]
            if email and email.casefold() in addresses:
                return one.id
        return self._new_party(name, email, "", organisation=False, by="ada")

    def _new_party(self, name: str, email: str, phone: str, *, organisation: bool, by: str) -> int:
        first, _, last = name.partition(" ")
        body: dict[str, Any] = {"type": "organisation", "name": name} if organisation else {"type": "person"}
        body |= {} if organisation else {"firstName": first, "lastName": last or None}
        body["owner"] = {"id": self.account.user(by).id}
        body |= {"emailAddresses": [{"type": "Work", "address": email}]} if email else {}
        body |= {"phoneNumbers": [{"type": "Work", "number": phone}]} if phone else {}
        values, apply = Rules(self.account).create(PARTIES, body)
        return self.account.create(PARTIES, values, apply).id

    def _talk(
        self,
        record: str,
        kind: str,
        type: str,
        content: str,
        by: str,
        *,
        activity: int = NOTE_ACTIVITY,
        subject: str | None = None,
        at: str | None = None,
        files: list[str] | None = None,
    ) -> str:
        target, now = self._record(record, kind), self.now()
        place = now if at is None else datetime.fromisoformat(at)
        kept = [File(self.account.new_id(), name, "text/plain", name.encode()) for name in files or ()]
        self.account.files |= {one.id: one for one in kept}
        author = self.account.user(by).id
        where = (target.kind.plural, target.id)
        entry = Entry(self.account.new_id(), type, content, author, where, now, now, place, activity, subject)
        entry.files = [one.id for one in kept]
        return str(self.account.talk(target, entry).id)
