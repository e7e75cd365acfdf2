"""The account as tests and the demo look at it: names instead of ids, entries under their records."""

from __future__ import annotations

from typing import Any

from .capsule_account import Account
from .capsule_records import Entry, Record, seconds
from .capsule_stock import KASES, OPPORTUNITIES, PARTIES

View = dict[str, Any]


def account_view(account: Account) -> View:
    """Everything that is in the account."""
    return {
        "projects": [record_view(account, one) for one in account.tables[KASES.plural].records.values()],
        "opportunities": [record_view(account, one) for one in account.tables[OPPORTUNITIES.plural].records.values()],
        "parties": [party_view(account, one) for one in account.tables[PARTIES.plural].records.values()],
        "users": [{"id": str(one.id), "username": one.username, "email": one.email} for one in account.users.values()],
        "fields": {plural: _fields_of(account, plural) for plural in account.tables},
        "boards": {
            board.name: [one.name for one in account.stages.values() if one.parent == board.id and not one.archived]
            for board in account.boards.values()
        },
        "deleted": {plural: [one.id for one in table.deleted] for plural, table in account.tables.items()},
    }


def record_view(account: Account, record: Record) -> View:
    """A project or opportunity."""
    values = record.values
    steps, parents = (
        (account.milestones, account.pipelines) if record.kind is OPPORTUNITIES else (account.stages, account.boards)
    )
    step = steps.get(values.get("stage") or values.get("milestone") or 0)
    owner, team = account.users.get(values.get("owner") or 0), account.teams.get(values.get("team") or 0)
    return {
        "id": str(record.id),
        "name": values["name"],
        "description": values.get("description"),
        "status": values.get("status") or ("OPEN" if account.is_open(record) else "CLOSED"),
        "stage": step.name if step else None,
        "board": parents[step.parent].name if step else None,
        "owner": owner.username if owner else None,
        "team": team.name if team else None,
        "expectedCloseOn": values.get("expectedCloseOn"),
        "party": str(values["party"]),
        "fields": _fields(account, record),
        "tags": sorted(account.tags[one] for one in record.tags),
        "entries": [entry_view(account, one) for one in reversed(account.entries_of(record))],
        "created": seconds(record.created_at),
        "updated": seconds(record.updated_at),
    }


def party_view(account: Account, record: Record) -> View:
    """A person or an organisation."""
    values = record.values
    name = values.get("name") or " ".join(filter(None, (values.get("firstName"), values.get("lastName"))))
    return {
        "id": str(record.id),
        "type": values["type"],
        "name": name,
        "about": values.get("about"),
        "emails": [one["address"] for one in record.children.get("emailAddresses", {}).values()],
        "phones": [one["number"] for one in record.children.get("phoneNumbers", {}).values()],
        "tags": sorted(account.tags[one] for one in record.tags),
    }


def entry_view(account: Account, entry: Entry) -> View:
    """An entry, with who wrote it."""
    return {
        "id": str(entry.id),
        "type": entry.type,
        "content": entry.content,
        "subject": entry.subject,
        "creator": account.users[entry.creator].username,
        "activity": account.activities[entry.activity].name,
        "entry_at": seconds(entry.entry_at),
        "files": [account.files[one].name for one in entry.files],
    }


def _fields(account: Account, record: Record) -> View:
    return {account.definitions[row.definition].name: row.value for row in record.fields.values()}


def _fields_of(account: Account, plural: str) -> list[View]:
    held = [one for one in account.definitions.values() if one.kind == plural]
    return [{"name": one.name, "type": one.type, "options": list(one.options)} for one in held]
