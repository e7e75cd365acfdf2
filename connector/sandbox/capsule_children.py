"""Lists inside records: an item without an id adds, one with an id changes, `_delete` removes, all others stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from .capsule_account import Account
from .capsule_errors import Fault, invalid, not_found
from .capsule_records import Record
from .capsule_stock import CHILDREN, COUNTRIES, FOLDED_COUNTRIES, Definition, Kind

ListChange = Callable[[Record], None]
Item = Mapping[str, Any]


def items_of(kind: str, name: str, value: Any) -> Sequence[Item]:
    """The items of a list in a body."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise invalid(Fault("invalid type for field", kind, name))
    return value


def check_tags(account: Account, kind: Kind, value: Any, record: Record | None) -> ListChange:
    """Tags are added by name or id, and taken away by id."""
    added: list[int | str] = []
    removed: list[int] = []
    for item in items_of(kind.singular, "tags", value):
        if item.get("_delete"):
            if record is None or item.get("id") not in record.tags:
                raise invalid(Fault("tag not found to delete", kind.singular, "tags"))
            removed.append(item["id"])
        elif "id" in item:
            if item["id"] not in account.tags:
                raise invalid(Fault("tag not found", kind.singular, "tags"))
            added.append(item["id"])
        elif isinstance(item.get("name"), str) and item["name"].strip():
            added.append(item["name"].strip())
        else:
            raise invalid(Fault("tag name is required", kind.singular, "tags"))

    def apply(target: Record) -> None:
        for one in added:
            target.tags[account.tag(one) if isinstance(one, str) else one] = None
        for number in removed:
            del target.tags[number]

    return apply


def check_fields(account: Account, kind: Kind, value: Any, record: Record | None) -> ListChange:
    """Custom fields are named by their definition, or by the id of the row that holds the value."""
    rows = {row.id: row for row in record.fields.values()} if record else {}
    changes: list[tuple[Definition, Any, bool]] = []
    for item in items_of(kind.singular, "fields", value):
        row = rows.get(item.get("id") or 0)
        if "id" in item and row is None:
            raise invalid(Fault("field not found", kind.singular, "fields"))
        told = item.get("definition")
        named = row.definition if row else told.get("id") if isinstance(told, dict) else told
        definition = account.definitions.get(named) if type(named) is int else None
        if definition is None or definition.kind != kind.plural:
            raise invalid(Fault("field definition not found", "field", "definition"))
        removes = bool(item.get("_delete"))
        if not removes:
            _check_value(definition, item.get("value"))
        changes.append((definition, item.get("value"), removes))

    def apply(target: Record) -> None:
        for definition, held, removes in changes:
            if removes or held is None or held == "":
                target.fields.pop(definition.id, None)
            elif definition.id in target.fields:
                target.fields[definition.id].value = _stored(definition, held)
            else:
                target.fields[definition.id] = account.new_row(definition.id, _stored(definition, held))

    return apply


def check_children(account: Account, name: str, value: Any, record: Record | None) -> ListChange:
    """E-mail addresses, phone numbers, websites and addresses of a party."""
    held = record.children.get(name, {}) if record else {}
    changes: list[tuple[int | None, dict[str, Any] | None]] = []
    for item in items_of("party", name, value):
        known = item.get("id")
        if known is not None and known not in held:
            raise not_found(name)
        if item.get("_delete"):
            changes.append((known, None))
            continue
        wanted = {part: item[part] for part in CHILDREN[name] if part in item}
        if name == "emailAddresses" and "@" not in str(wanted.get("address", "@" if known else "")):
            raise invalid(Fault("invalid email address", "party", "emailAddresses.address"))
        if wanted.get("country") is not None:
            wanted["country"] = FOLDED_COUNTRIES.get(wanted["country"], wanted["country"])
            if wanted["country"] not in COUNTRIES:
                raise invalid(Fault("unknown country", "party", "addresses.country"))
        changes.append((known, wanted))

    def apply(target: Record) -> None:
        children = target.children.setdefault(name, {})
        for known, wanted in changes:
            if wanted is None:
                children.pop(known or 0, None)
            elif known is not None:
                children[known] |= wanted
            else:
                children[account.new_id()] = {**dict.fromkeys(CHILDREN[name]), **wanted}

    return apply


def _check_value(definition: Definition, value: Any) -> None:
    """Null clears every type but boolean. The refusal does not say which field it was."""
    match definition.type:
        case "boolean":
            fits = isinstance(value, bool)
        case "number":
            fits = value is None or _is_number(value)
        case "date":
            fits = value in (None, "") or is_date(value)
        case "list":
            fits = value is None or value in definition.options
        case _:
            fits = value is None or isinstance(value, str)
    if not fits:
        told = "invalid option" if definition.type == "list" else "invalid type for field"
        raise invalid(Fault(told, "field", "value"))


def _stored(definition: Definition, value: Any) -> Any:
    """Numbers are shown as text."""
    return f"{Decimal(str(value)).normalize():f}" if definition.type == "number" else value


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and Decimal(str(value)).is_finite()
    except InvalidOperation:
        return False


def is_date(value: Any) -> bool:
    """Whether a value is a day as YYYY-MM-DD."""
    try:
        return bool(date.fromisoformat(value).isoformat() == value)
    except (TypeError, ValueError):
        return False
