"""The index behind filters: records as flat values, and the conditions that look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from .capsule_errors import Fault, invalid, malformed
from .capsule_records import Record
from .capsule_stock import KASES, OPPORTUNITIES, PARTIES, Kind

if TYPE_CHECKING:
    from .capsule_account import Account

TEXT_OPERATORS = ("starts with", "ends with", "contains")
NUMBER_OPERATORS = ("is greater than", "is less than")
DATE_OPERATORS = ("is after", "is before", "is older than", "is within last", "is within next")
OPERATORS = ("is", "is not", *TEXT_OPERATORS, *NUMBER_OPERATORS, *DATE_OPERATORS)


def flat(account: Account, record: Record) -> dict[str, Any]:
    """What can be filtered by, with what each reference is called beside its id."""
    values = record.values
    found: dict[str, Any] = {
        **values,
        "id": record.id,
        "createdAt": record.created_at,
        "updatedAt": record.updated_at,
        "lastContactedAt": record.last_contacted_at,
        "tags": [*record.tags, *(account.tags[one] for one in record.tags)],
        "hasTags": bool(record.tags),
        "isOpen": record.kind is not PARTIES and account.is_open(record),
        "isOwnedByMe": values.get("owner") is not None and values["owner"] == account.connector.id,
    }
    if record.kind is KASES:
        stage = account.stages.get(values.get("stage") or 0)
        found["board"] = stage.parent if stage else None
    elif record.kind is OPPORTUNITIES:
        found["pipeline"] = account.milestones[values["milestone"]].parent
        found["status"] = "OPEN" if found["isOpen"] else "CLOSED"
    else:
        found["email"] = [one["address"] for one in record.children.get("emailAddresses", {}).values()]
        found["phone"] = [one["number"] for one in record.children.get("phoneNumbers", {}).values()]
        if values.get("type") == "person":
            found["name"] = " ".join(filter(None, (values.get("firstName"), values.get("lastName"))))
    for row in record.fields.values():
        found[f"custom:{row.definition}"] = row.value
    return found


def search(account: Account, kind: Kind, body: Any) -> list[Record]:
    """The records that meet all conditions, in no order that could be relied on."""
    wanted = body.get("filter") if isinstance(body, dict) else None
    conditions = wanted.get("conditions") if isinstance(wanted, dict) else None
    if not isinstance(conditions, list) or not conditions:
        raise malformed("filter.conditions must be a list that is not empty")
    for one in conditions:
        _check(account, kind, one)
    found = []
    for record in account.tables[kind.plural].visible():
        known = record.indexed(account.horizon)
        if known is not None and all(_meets(account, kind, known, one) for one in conditions):
            found.append(record)
    return found


def _check(account: Account, kind: Kind, condition: Any) -> None:
    if not isinstance(condition, dict):
        raise malformed("a condition must be an object")
    if "conditions" in condition:
        for one in condition["conditions"]:
            _check(account, kind, one)
        return
    field, operator = condition.get("field"), condition.get("operator")
    custom = {f"custom:{one.id}" for one in account.definitions_of(kind)}
    if field not in kind.filters and field not in custom:
        raise invalid(Fault("invalid field name", "filter", "field"))
    if operator not in OPERATORS or "value" not in condition:
        raise invalid(Fault("invalid operator", "filter", "operator"))


def _meets(account: Account, kind: Kind, known: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    """Conditions side by side are ANDed; those of a group inside are ORed."""
    if "conditions" in condition:
        return any(_meets(account, kind, known, one) for one in condition["conditions"])
    field = condition["field"]
    held = known.get(kind.filters.get(field, field))
    return _holds(held if isinstance(held, list) else [held], condition["operator"], condition["value"], account.now())


def _holds(held: Sequence[Any], operator: str, value: Any, now: datetime) -> bool:
    if operator == "is not":
        return not _holds(held, "is", value, now)
    if operator == "is":
        return any(_text(one) == _text(value) for one in held)
    if operator in TEXT_OPERATORS:
        return any(_in_text(_text(one), operator, _text(value)) for one in held if one is not None)
    if operator in NUMBER_OPERATORS:
        return any(_compared(float(one), operator, float(value)) for one in held if one is not None)
    return any(_in_time(one, operator, value, now) for one in held if one is not None)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value).casefold()


def _in_text(held: str, operator: str, value: str) -> bool:
    match operator:
        case "starts with":
            return held.startswith(value)
        case "ends with":
            return held.endswith(value)
        case _:
            return value in held


def _compared(held: float, operator: str, value: float) -> bool:
    return held > value if operator == "is greater than" else held < value


def _in_time(held: Any, operator: str, value: Any, now: datetime) -> bool:
    day = held.date() if isinstance(held, datetime) else date.fromisoformat(str(held))
    match operator:
        case "is after":
            return day > date.fromisoformat(str(value)[:10])
        case "is before":
            return day < date.fromisoformat(str(value)[:10])
        case "is older than":
            return day < (now - timedelta(days=int(value))).date()
        case "is within last":
            return (now - timedelta(days=int(value))).date() <= day <= now.date()
        case _:
            return now.date() <= day <= (now + timedelta(days=int(value))).date()
