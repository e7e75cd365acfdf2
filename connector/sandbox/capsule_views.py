"""Records, entries and the account's things as Capsule's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .capsule_account import Account
from .capsule_records import Entry, File, Record, seconds
from .capsule_stock import CHILDREN, KASES, OPPORTUNITIES, PARTIES, Step, User

Json = dict[str, Any]
NO_EMBED: frozenset[str] = frozenset()
PARTY_TEXTS: Mapping[str, tuple[str, ...]] = {
    "person": ("title", "firstName", "lastName", "jobTitle"),
    "organisation": ("name",),
}


class Views:
    """Shows what an account holds. `embed` names what is shown beyond the usual."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def record(self, record: Record, embed: frozenset[str] = NO_EMBED) -> Json:
        """A record in the shape of a read."""
        shown = self._party(record, embed) if record.kind is PARTIES else self._case(record, embed)
        if "tags" in embed:
            shown["tags"] = [{"id": one, "name": self._account.tags[one], "dataTag": False} for one in record.tags]
        if "fields" in embed:
            shown["fields"] = [self._field(row) for row in record.fields.values()]
        if "missingImportantFields" in embed:
            important = {one.id for one in self._account.definitions_of(record.kind) if one.important}
            shown["missingImportantFields"] = not important <= record.fields.keys()
        if self._account.settings.surplus_members:
            shown |= {"enrichment": {"of": "no known version"}}
        return shown

    def nested_party(self, party_id: int | None) -> Json | None:
        """A party as other records show it; one that is out of sight is restricted."""
        party = self._account.tables[PARTIES.plural].records.get(party_id or 0)
        if party is None:
            return None
        if party.is_restricted:
            return {"id": party.id, "isRestricted": True}
        kind = str(party.values["type"])
        names = {
            name: party.values.get(name) for name in PARTY_TEXTS[kind] if name in ("firstName", "lastName", "name")
        }
        return {"id": party.id, "type": kind, **names, "pictureURL": f"https://capsule.example/pictures/{party.id}"}

    def _case(self, record: Record, embed: frozenset[str]) -> Json:
        values, account = record.values, self._account
        shown: Json = {
            "id": record.id,
            "party": self._embedded_party(values["party"], embed),
            "owner": self._user(values.get("owner")),
            "team": self._named("teams", values.get("team")),
            "name": values["name"],
            "description": values.get("description"),
            "createdAt": seconds(record.created_at),
            "updatedAt": seconds(record.updated_at),
            "closedOn": values.get("closedOn"),
            "expectedCloseOn": values.get("expectedCloseOn"),
            "lastContactedAt": seconds(record.last_contacted_at) if record.last_contacted_at else None,
        }
        if record.kind is KASES:
            stage = account.stages.get(values.get("stage") or 0)
            shown |= {"status": values["status"], "stage": self._nested_step(stage, "board")}
            shown["opportunity"] = self._other(OPPORTUNITIES.plural, values.get("opportunity"))
            return shown
        last = account.milestones.get(values.get("lastOpenMilestone") or 0)
        return shown | {
            "milestone": self._nested_step(account.milestones[values["milestone"]], "pipeline"),
            "lastOpenMilestone": self._nested_step(last, "pipeline"),
            "lostReason": None,
            "value": values.get("value"),
            "probability": values.get("probability"),
            "duration": values.get("duration"),
            "durationBasis": values.get("durationBasis", "FIXED"),
        }

    def _nested_step(self, step: Step | None, parent: str) -> Json | None:
        if step is None or not self._account.settings.bare_steps:
            return self.step(step, parent) if step else None
        return {"id": step.id, "name": step.name}

    def _party(self, record: Record, embed: frozenset[str]) -> Json:
        values = record.values
        kind = str(values["type"])
        shown: Json = {"id": record.id, "type": kind, **{name: values.get(name) for name in PARTY_TEXTS[kind]}}
        if kind == "person":
            shown["organisation"] = self._embedded_party(values.get("organisation"), embed, "organisation")
        children = {
            name: [{"id": one, **held} for one, held in record.children.get(name, {}).items()] for name in CHILDREN
        }
        return shown | {
            "about": values.get("about"),
            "owner": self._user(values.get("owner")),
            "team": self._named("teams", values.get("team")),
            "createdAt": seconds(record.created_at),
            "updatedAt": seconds(record.updated_at),
            "lastContactedAt": seconds(record.last_contacted_at) if record.last_contacted_at else None,
            "pictureURL": f"https://capsule.example/pictures/{record.id}",
            **children,
        }

    def _embedded_party(self, party_id: int | None, embed: frozenset[str], name: str = "party") -> Json | None:
        party = self._account.tables[PARTIES.plural].find(party_id or 0)
        if name in embed and party is not None:
            return self._party(party, NO_EMBED)
        return self.nested_party(party_id)

    def _other(self, plural: str, record_id: int | None) -> Json | None:
        found = self._account.tables[plural].find(record_id or 0)
        return {"id": found.id, "name": found.values["name"]} if found else None

    def _user(self, user_id: int | None) -> Json | None:
        return self._account.users[user_id].nested() if user_id else None

    def _named(self, things: str, one: int | None) -> Json | None:
        return getattr(self._account, things)[one].nested() if one else None

    def _field(self, row: Any) -> Json:
        definition = self._account.definitions[row.definition]
        return {
            "id": row.id,
            "definition": {"id": definition.id, "name": definition.name},
            "value": row.value,
            "tagId": definition.tag,
        }

    # -- the account's things

    def step(self, step: Step, parent: str) -> Json:
        """A stage with its board, or a milestone with its pipeline."""
        holder = getattr(self._account, f"{parent}s")[step.parent]
        shown: Json = {"id": step.id, "name": step.name, "description": None, parent: holder.nested()}
        if parent == "board":
            return shown | {"displayOrder": step.order}
        return shown | {"complete": step.complete, "probability": step.probability}

    def user(self, user: User, embed: frozenset[str] = NO_EMBED) -> Json:
        return {
            **user.nested(),
            "locale": "en_GB",
            "currency": "EUR",
            "timezone": "Europe/London",
            "taskReminder": True,
            "role": user.role,
            "status": user.status,
            "party": self._embedded_party(user.party_id, embed),
        }

    def entry(self, entry: Entry, embed: frozenset[str] = NO_EMBED) -> Json:
        """An entry; what it hangs on is told by id and name, in full with `embed`."""
        plural, record_id = entry.target
        target = self._account.tables[plural].records[record_id]
        places: Json = {"party": None, "kase": None, "opportunity": None}
        kind = target.kind
        if kind.singular in embed:
            places[kind.singular] = self.record(target)
        else:
            shown = self.nested_party(target.id) if kind is PARTIES else self._other(plural, target.id)
            places[kind.singular] = shown
        kind_of_activity = self._account.activities[entry.activity]
        return {
            "id": entry.id,
            "type": entry.type,
            "content": entry.content,
            "subject": entry.subject,
            "createdAt": seconds(entry.created_at),
            "updatedAt": seconds(entry.updated_at),
            "entryAt": seconds(entry.entry_at),
            "creator": self._user(entry.creator),
            "activityType": kind_of_activity.nested() if entry.type == "note" else None,
            "attachments": [self.file(self._account.files[one]) for one in entry.files],
            **places,
        }

    def file(self, file: File) -> Json:
        """A stored file; its size comes as text."""
        size = str(len(file.content))
        return {"id": file.id, "filename": file.name, "contentType": file.content_type, "size": size}
