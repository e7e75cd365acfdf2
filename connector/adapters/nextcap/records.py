"""Next Cap's objects as ours: tickets, timeline entries, people."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from connector.adapters import people
from connector.adapters.nextcap.answers import Raw, camel, inner, lookup, pick
from connector.adapters.times import first_of, moment
from connector.domain.text import html_to_text, looks_like_html
from connector.domain.ticket import Attachment, Comment, CommentKind, Person, Record, Value, normal, storable

PLAIN: Final = (
    *("id", "number", "subject", "description", "status", "priority", "category", "tags", "source"),
    *("department_id", "assigned_agent_id", "created_at"),
)
ALSO: Final = {"number": ("ticket_number", "number")}
"""Names under which a field may come that is not called as we call it."""

NESTED: Final = {"department_id": "department", "assigned_agent_id": "assigned_agent"}
OBJECTS: Final = ("custom_fields", "metadata")
WHOLE: Final = ("subject", "description", "status", "priority", "updated_at", *OBJECTS)
"""What a list item or a payload must name to be as good as a GET of the ticket."""

REQUESTER: Final[Mapping[str, tuple[str, ...]]] = {
    "email": ("customer_email", "requester_email"),
    "name": ("customer_name", "requester_name"),
    "phone": ("customer_phone", "requester_phone"),
}
REQUESTERS: Final = ("requester", "customer", "contact", "visitor")

NOTE_WORDS: Final = frozenset({"note", "comment"})
REPLY_WORDS: Final = frozenset({"reply", "replied", "message"})
CUSTOMER_WORDS: Final = frozenset({"customer", "visitor", "user", "requester", "contact", "end"})
UNDONE_WORDS: Final = frozenset({"deleted", "removed", "failed"})
INTERNAL_WORDS: Final = frozenset({"internal", "private", "whisper", "hidden"})


def record_of(raw: Raw, *, whole: bool, web_url: str = "") -> Record:
    """A ticket. In a `whole` reading a field that is not named is empty; elsewhere it is absent.

    The objects `custom_fields` and `metadata` come key by key and, under their own name, as readable lines.
    """
    fields: dict[str, Value] = {}
    for name in PLAIN:
        is_named, value = lookup(raw, *ALSO.get(name, (name,)))
        if not is_named and name in NESTED:
            is_named, value = _nested_id(raw, NESTED[name])
        if is_named or whole:
            fields[name] = _value(value)
    owners = [owner for name in REQUESTERS if (owner := inner(raw, name))]
    parts = {part: _requester_part(raw, part, owners) for part in REQUESTER}
    requester = people.requester_of(parts["email"][1], parts["name"][1], parts["phone"][1])
    fields |= _department_name(raw, fields) | _objects(raw, whole=whole)
    fields |= {f"requester.{part}": getattr(requester, part) for part, told in parts.items() if whole or told[0]}
    ticket_id = str(pick(raw, "id") or "")
    number = "" if fields.get("number") is None else str(fields["number"])
    if number:
        fields["number"] = number
    if web_url:
        url = web_url.replace("{id}", quote(storable(ticket_id), safe=""))
        fields["url"] = url.replace("{number}", quote(number, safe=""))
    return Record(ticket_id, fields, version=moment(pick(raw, "updated_at")), number=number, requester=requester)


def is_whole(raw: Raw) -> bool:
    """Whether a reading names everything that a GET of the ticket would."""
    return all(lookup(raw, name)[0] for name in WHOLE)


def _requester_part(raw: Raw, part: str, owners: Sequence[Raw]) -> tuple[bool, Any]:
    """Whether it is told, and what: by the ticket itself, by one of the objects inside it, or by a bare name."""
    is_named, value = lookup(raw, *REQUESTER[part])
    for owner in owners:
        if value is None:
            also, value = lookup(owner, part)
            is_named |= also
    if value is None and part != "name":
        also, value = lookup(raw, part)
        is_named |= also
    return is_named, value or None


def _nested_id(raw: Raw, name: str) -> tuple[bool, Any]:
    is_named, _ = lookup(raw, name)
    return is_named, pick(inner(raw, name), "id")


def _department_name(raw: Raw, fields: Mapping[str, Value]) -> dict[str, Value]:
    """The department's name; empty where only its id is shown, so that the former department's name does not stay."""
    found = pick(inner(raw, "department"), "name") or pick(raw, "department_name")
    return {"department.name": normal(found)} if found or "department_id" in fields else {}


def _objects(raw: Raw, *, whole: bool) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for name in OBJECTS:
        if not whole and not lookup(raw, name)[0]:
            continue
        values = {str(key): _value(value) for key, value in inner(raw, name).items()}
        fields |= {f"{name}.{key}": value for key, value in values.items()}
        lines = [f"{key}: {_line(value)}" for key, value in sorted(values.items()) if value is not None]
        fields[name] = normal("\n".join(lines))
    return fields


def _value(value: object) -> Value:
    """A JSON value in normal form; an object as compact JSON with sorted keys, a list of objects by their names."""
    if isinstance(value, Mapping):
        return normal(json.dumps(value, ensure_ascii=False, sort_keys=True)) if value else None
    if isinstance(value, list):
        return normal([pick(one, "name", "id") if isinstance(one, Mapping) else one for one in value])
    return normal(value)


def _line(value: Value) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def comment_of(raw: Raw) -> Comment | None:
    """A timeline entry, or None where it is not something that somebody said."""
    kind = _kind(raw)
    said = pick(raw, "content", "body", "message", "text") or pick(inner(raw, "data"), "content")
    content = str(said or pick(inner(raw, "payload"), "content") or "").replace("\r\n", "\n").replace("\r", "\n")
    files = tuple(attachment_of(one) for one in pick(raw, "attachments") or () if isinstance(one, Mapping))
    if kind is None or not (content.strip() or files):
        return None
    is_html = looks_like_html(content)
    return Comment(
        id=str(pick(raw, "id", "event_id") or _made_up_id(raw, content)),
        kind=kind,
        text=html_to_text(content) if is_html else content.strip(),
        created_at=first_of((pick(raw, "created_at", "timestamp"),)),
        author_id=actor_id(raw),
        author_name=str(pick(raw, "actor_name", "author_name") or pick(_actor(raw), "name") or ""),
        html=content if is_html else None,
        attachments=files,
    )


def _kind(raw: Raw) -> CommentKind | None:
    """What an entry is. Anything that is not certainly public is a note."""
    name = str(pick(raw, "type", "event_type", "action", "kind") or "").lower()
    words = set(re.split(r"[^a-z]+", name.removeprefix("ticket.")))
    if words & UNDONE_WORDS or not words & (NOTE_WORDS | REPLY_WORDS):
        return None
    is_internal = True if words & INTERNAL_WORDS else _is_internal(raw)
    if words & NOTE_WORDS:
        return CommentKind.REPLY if is_internal is False else CommentKind.NOTE
    if is_internal:
        return CommentKind.NOTE
    actor = str(pick(raw, "actor_type", "author_type") or pick(_actor(raw), "type") or "").lower()
    return CommentKind.CUSTOMER_REPLY if (words | {actor}) & CUSTOMER_WORDS else CommentKind.REPLY


def _is_internal(raw: Raw) -> bool | None:
    """What the entry says of itself; None where it says nothing. Public only where nothing that it says is otherwise.

    Flags may stand on the entry or on the object inside it that holds the words.
    """
    said = [one for place in (raw, inner(raw, "data"), inner(raw, "payload")) for one in _flags(place)]
    return not all(one is False for one in said) if said else None


def _flags(raw: Raw) -> Iterator[object]:
    """Each thing that is said about visibility: False for certainly public, anything else for internal or unclear."""
    for name in ("is_internal", "internal", "is_private", "private"):
        for key in {name, camel(name)} & raw.keys():
            if raw[key] is not None:
                yield raw[key]
    for name in ("is_public", "public"):
        for key in {name, camel(name)} & raw.keys():
            if raw[key] is not None:
                yield raw[key] is not True
    visibility = pick(raw, "visibility")
    if visibility is not None:
        yield not (isinstance(visibility, str) and visibility.lower() in ("public", "external"))


def actor_id(raw: Raw) -> str | None:
    """Who did it."""
    found = pick(raw, "actor_id") or pick(_actor(raw), "id") or pick(raw, "user_id", "author_id", "created_by")
    return str(found) if isinstance(found, str | int) else None


def _actor(raw: Raw) -> Raw:
    return inner(raw, "actor") or inner(raw, "author")


def _made_up_id(raw: Raw, content: str) -> str:
    """An id for an entry that has none: the same for the same entry."""
    parts = [str(pick(raw, "type", "event_type")), str(actor_id(raw)), str(pick(raw, "created_at")), content]
    return "entry-" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def attachment_of(raw: Raw) -> Attachment:
    """A file, by whichever names."""
    size = pick(raw, "size", "file_size", "size_bytes")
    return Attachment(
        id=str(pick(raw, "id", "attachment_id") or ""),
        name=str(pick(raw, "filename", "file_name", "name", "original_name") or "file"),
        content_type=str(pick(raw, "content_type", "mime_type") or "application/octet-stream"),
        size=size if isinstance(size, int) else None,
    )


def person_of(raw: Raw) -> Person:
    """A seat. One that is disabled cannot be assigned."""
    name, is_active = pick(raw, "name", "chat_display_name"), pick(raw, "disabled_at") is None
    return people.person_of(pick(raw, "id"), pick(raw, "email"), name, active=is_active)
