"""What can be wrong with an `adapter:` block although each of its keys has the right shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connector.mapping.grammar import Call, Comments, Grammar
from connector.mapping.load import Document
from connector.mapping.places import slots
from connector.mapping.problems import Report, listed

CUSTOM = "custom"

ID = frozenset({"id"})
COMMENT = frozenset({"id", "text", "html", "is_public", "visibility", "author", "key"})
SINCE = frozenset({"since"})


def check_grammar(document: Document, report: Report) -> None:
    """Report an `adapter:` block that is missing, is not wanted, or could not do what it promises."""
    grammar, crm = document.file.adapter, document.file.crm
    if grammar is None:
        if crm == CUSTOM:
            report.add("M701", "crm: custom needs the block 'adapter', which says how the CRM is spoken to", "crm")
        return
    if crm != CUSTOM:
        report.add_at_key("M701", f"the connector knows {crm}: 'adapter' is for crm: custom alone", "adapter")
    _check_calls(grammar, report)
    _check_creation(grammar, report)
    _check_fields(document, grammar, report)
    _check_comments(grammar.comments, report)
    if grammar.changes and grammar.changes.paging and grammar.changes.paging.kind in ("page", "offset"):
        told = "a ticket that changes while these pages are read can push another past us; a cursor is safer"
        report.add("M706", told, "adapter", "changes", "paging", "kind")


def _check_calls(grammar: Grammar, report: Report) -> None:
    """Each placeholder must be one that is filled there, and the one that matters must be used."""
    for path, call, known, needed in _calls(grammar):
        parts: dict[str, Any] = {"path": call.path, "query": call.query, "headers": call.headers, "body": call.body}
        used: set[str] = set()
        for key, part in parts.items():
            used |= slots(part)
            for name in sorted(slots(part) - known):
                there = listed([f"{{{one}}}" for one in sorted(known)], last="or") or "none"
                message = f"there is no placeholder {{{name}}} here; there are: {there}"
                report.add("M702", message, "adapter", *path, key, suggestion=report.guess(name, known))
        if needed and not used & needed:
            wanted = listed([f"{{{one}}}" for one in sorted(needed)], last="or")
            report.add("M703", f"the call must say {wanted}", "adapter", *path, "path")
        if call.method == "GET" and call.body is not None:
            report.add_at_key("M704", "a GET has no body; use 'query', or another method", "adapter", *path, "body")


def _check_comments(block: Comments | None, report: Report) -> None:
    """A note must never reach a customer, and a comment of ours must be known again."""
    if block is None or block.add is None:
        return
    here, used, words = ("adapter", "comments", "add"), slots(block.add.parts), block.add.visibility
    if block.is_public and not block.add.tells_visibility:
        told = "where customers see comments, a new one must say {is_public} or {visibility}: no note may reach them"
        report.add("M703", told, *here)
    if ("visibility" in used) != (words is not None):
        told = "{visibility} and the key 'visibility', which says what it becomes, go together"
        report.add("M704", told, *here, *(("visibility",) if words else ()))
    if words and words.public == words.note:
        report.add("M704", "a note would be as public as a reply: two words are needed", *here, "visibility")
    if block.reference and "key" not in used:
        told = "known by what? with 'reference', a new comment must say {key} in the field that it names"
        report.add("M703", told, *here)


def _calls(grammar: Grammar) -> Iterator[tuple[tuple[str, ...], Call, frozenset[str], frozenset[str]]]:
    """Where each call stands, the placeholders that are filled in it, and those of which it needs one."""
    made = frozenset({"values", "external_id", "key", "email", "name", "phone"})
    yield ("read",), grammar.read, frozenset({"id", "ids"}), frozenset({"id", "ids"})
    yield ("update",), grammar.update, frozenset({"id", "values", "key"}), ID
    if grammar.find:
        yield ("find",), grammar.find, frozenset({"field", "value"}), frozenset({"value"})
    if grammar.create:
        yield ("create",), grammar.create, made, frozenset({"values"})
    if grammar.update_many:
        yield ("update_many",), grammar.update_many, frozenset({"changes", "key"}), frozenset({"changes"})
    if grammar.changes:
        yield ("changes",), grammar.changes, SINCE, SINCE
    if grammar.deleted:
        yield ("deleted",), grammar.deleted, SINCE, frozenset()
    if grammar.people:
        yield ("people",), grammar.people, frozenset(), frozenset()
    if grammar.comments:
        yield ("comments", "list"), grammar.comments.list, ID, ID
    if grammar.comments and grammar.comments.add:
        yield ("comments", "add"), grammar.comments.add, COMMENT, frozenset({"text", "html"})


def _check_creation(grammar: Grammar, report: Report) -> None:
    """A create whose answer is lost must be repeatable, or be found: nothing may be made twice."""
    create, our_id = grammar.create, grammar.record.external_id
    if our_id and our_id not in grammar.fields:
        meant = report.guess(our_id, grammar.fields)
        report.add("M705", f"'{our_id}' is not among 'fields'", "adapter", "record", "external_id", suggestion=meant)
    if create is None:
        return
    if not our_id:
        told = "a ticket that is made must carry the Next Cap ticket's id: name its field in record: external_id"
        report.add_at_key("M707", told, "adapter", "create")
    if create.is_repeatable and "external_id" not in slots(create.parts):
        told = "repeatable by what? the call must say {external_id}, in its body or in an idempotency header"
        report.add("M707", told, "adapter", "create", "is_repeatable")
    if not create.is_repeatable and grammar.find is None:
        told = "a create whose answer is lost could be made twice: say is_repeatable, or declare 'find'"
        report.add_at_key("M707", told, "adapter", "create")
    if create.is_repeatable and grammar.find is None:
        told = "a create whose answer is lost is sent again, unseen: if it is an upsert, that takes back what people "
        told += "changed meanwhile; if by a key, the CRM may have forgotten it by then. Declare 'find'"
        report.add("M708", told, "adapter", "create", "is_repeatable")
    if create.item is None and create.id is None:
        report.add_at_key("M704", "say where the answer shows the new ticket: item, or id", "adapter", "create")


def _check_fields(document: Document, grammar: Grammar, report: Report) -> None:
    """The mapping's CRM fields are those that are declared here."""
    file = document.file
    named: list[tuple[str, tuple[str | int, ...]]] = [(file.status.field, ("status", "field"))]
    named += [(block.crm, ("fields", name, "crm")) for name, block in file.fields.items()]
    named += [(one.crm, ("find", place, "crm")) for place, one in enumerate(file.find)]
    for name, path in named:
        if name not in grammar.fields:
            meant = report.guess(name, grammar.fields)
            report.add("M705", f"'{name}' is not among the fields of the adapter", *path, suggestion=meant)
