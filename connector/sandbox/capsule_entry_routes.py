"""Routes of the timeline: entries, and the files that hang on them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from flask import request

from .capsule_api import Api, ApiCall, Reply, number_of
from .capsule_errors import Fault, Refusal, invalid, malformed, not_found
from .capsule_records import Entry, File, Record
from .capsule_stock import KASES, KINDS, NOTE_ACTIVITY, Kind

ENTRY_EMBEDS = frozenset({"party", "kase", "opportunity", "creator", "activityType"})
ENTRIES_OF_A_RECORD = 50
LARGEST_FILE = 25 * 1024 * 1024


def add_entry_routes(api: Api) -> None:
    """Only notes are made; e-mails and tasks come from elsewhere."""
    for kind in KINDS.values():
        api.add(
            "GET",
            f"/{kind.plural}/<record_id>/entries",
            lambda call, record_id, k=kind: entries_of(call, k, record_id),
        )
    api.add("GET", "/entries", all_entries)
    api.add("POST", "/entries", create_entry)
    api.add("GET", "/entries/<entry_id>", show_entry)
    api.add("PUT", "/entries/<entry_id>", change_entry)
    api.add("DELETE", "/entries/<entry_id>", delete_entry)
    api.add("POST", "/attachments/upload", upload)
    api.add("GET", "/attachments/<file_id>", download)


def entries_of(call: ApiCall, kind: Kind, record_id: str) -> Reply:
    record = call.account.record(kind, number_of(record_id, kind.singular))
    embed = call.embed(ENTRY_EMBEDS)
    found = call.account.entries_of(record)
    return call.page("entries", found, lambda one: call.views.entry(one, embed), most=ENTRIES_OF_A_RECORD)


def all_entries(call: ApiCall) -> Reply:
    """The whole account's, newest place on the timeline first; there is no `since`."""
    embed, tables = call.embed(ENTRY_EMBEDS), call.account.tables
    seen = [one for one in call.account.entries.values() if tables[one.target[0]].find(one.target[1])]
    found = sorted(seen, key=lambda one: (one.entry_at, one.id), reverse=True)
    return call.page("entries", found, lambda one: call.views.entry(one, embed))


def show_entry(call: ApiCall, entry_id: str) -> Reply:
    return Reply(200, {"entry": call.views.entry(_entry(call, entry_id), call.embed(ENTRY_EMBEDS))})


def create_entry(call: ApiCall) -> Reply:
    body = call.envelope("entry")
    if body.get("type") != "note":
        raise invalid(Fault("only notes can be created", "entry", "type"))
    content = _content(body)
    target = _target(call, body)
    activity = _activity(call, body)
    files = [_uploaded(call, one) for one in body.get("attachments") or ()]
    now = call.account.now()
    entry_at = now
    if body.get("entryAt") is not None:
        entry_at = _moment(str(body["entryAt"]))
    for file in files:
        call.account.files[file.id] = file
    made = Entry(
        call.account.new_id(),
        "note",
        content,
        call.account.connector.id,
        (target.kind.plural, target.id),
        now,
        now,
        entry_at,
        activity,
        files=[one.id for one in files],
    )
    call.account.talk(target, made)
    return Reply(201, {"entry": call.views.entry(made)}, {"Location": f"/api/v2/entries/{made.id}"})


def change_entry(call: ApiCall, entry_id: str) -> Reply:
    """The content is changed; a subject is taken and dropped on a note."""
    entry, body = _entry(call, entry_id), call.envelope("entry")
    if "content" in body:
        entry.content = _content(body)
    if "subject" in body and entry.type == "email":
        entry.subject = body["subject"]
    entry.updated_at = call.account.now()
    return Reply(200, {"entry": call.views.entry(entry)})


def delete_entry(call: ApiCall, entry_id: str) -> Reply:
    del call.account.entries[_entry(call, entry_id).id]
    return Reply(204)


def upload(call: ApiCall) -> Reply:
    """The bytes as they are, never a form; the token is good for one entry."""
    name = unquote(request.headers.get("X-Attachment-Filename", ""))
    if not name or request.mimetype == "multipart/form-data":
        raise malformed("send the raw bytes with X-Attachment-Filename")
    if len(call.raw) > LARGEST_FILE:
        raise Refusal(413, {"message": "the file is larger than 25 MB"})
    token = f"u1/{secrets.token_urlsafe(24)}"
    file = File(call.account.new_id(), name, request.mimetype or "application/octet-stream", call.raw)
    call.account.uploads[token] = file
    return Reply(201, {"upload": {"token": token}})


def download(call: ApiCall, file_id: str) -> Reply:
    file = call.account.files.get(number_of(file_id, "attachment"))
    if file is None:
        raise not_found("attachment")
    return Reply(200, file.content, {"Content-Type": file.content_type})


def _entry(call: ApiCall, entry_id: str) -> Entry:
    found = call.account.entries.get(number_of(entry_id, "entry"))
    if found is None or call.account.tables[found.target[0]].find(found.target[1]) is None:
        raise not_found("entry")
    return found


def _content(body: Mapping[str, Any]) -> str:
    content = body.get("content")
    if not isinstance(content, str) or not content.strip():
        raise invalid(Fault("content is required", "entry", "content"))
    return content


def _target(call: ApiCall, body: Mapping[str, Any]) -> Record:
    """The one record of a note."""
    names = {call.account.settings.entry_link if one is KASES else one.singular: one for one in KINDS.values()}
    given = [(kind, body[name]) for name, kind in names.items() if body.get(name) is not None]
    if len(given) != 1 or "parties" in body:
        raise invalid(Fault("entry must be linked to exactly one party, opportunity or project", "entry", "party"))
    kind, told = given[0]
    record_id = told.get("id") if isinstance(told, dict) else told
    found = call.account.tables[kind.plural].find(record_id) if type(record_id) is int else None
    if found is None:
        raise invalid(Fault(f"{kind.singular} not found", "entry", kind.singular))
    return found


def _activity(call: ApiCall, body: Mapping[str, Any]) -> int:
    told = body.get("activityType")
    if told is None:
        return NOTE_ACTIVITY
    activity = told.get("id") if isinstance(told, dict) else told
    if activity not in call.account.activities:
        raise invalid(Fault("activity type not found", "entry", "activityType"))
    return int(activity)


def _uploaded(call: ApiCall, item: Any) -> File:
    token = item.get("token") if isinstance(item, dict) else None
    if token not in call.account.uploads:
        raise invalid(Fault("attachment token not found", "entry", "attachments"))
    return call.account.uploads.pop(token)


def _moment(told: str) -> datetime:
    try:
        moment = datetime.fromisoformat(told.replace("Z", "+00:00"))
    except ValueError as broken:
        raise invalid(Fault("invalid date", "entry", "entryAt")) from broken
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
