"""Search: filters over an index that is late and does not hold archived records."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from .hubspot_body import Body, objects, optional_text, required_text, texts
from .hubspot_errors import bad_request
from .hubspot_portal import Portal
from .hubspot_records import Record
from .hubspot_schema import Property
from .hubspot_stock import BY_NAME, TYPES, ObjectType
from .hubspot_values import parse_moment
from .kernel_clock import iso

GROUP_LIMIT = 5
FILTER_LIMIT = 6
TOTAL_FILTER_LIMIT = 18
PAGE_LIMIT = 200
RESULT_LIMIT = 10_000
BODY_LIMIT = 3_000
LINK_PREFIX = "associations."

Shown = Mapping[str, str]
Comparable = Decimal | str


@dataclass(frozen=True, slots=True)
class Found:
    """One page of hits, each with its properties as the index knows them."""

    total: int
    hits: list[tuple[Record, Shown]]
    after: str | None


def search(portal: Portal, kind: ObjectType, body: Body, *, size: int) -> Found:
    """Run a search request of `size` characters, or refuse it as HubSpot does."""
    if size > BODY_LIMIT:
        raise bad_request(f"The request body is {size} characters long; the limit is {BODY_LIMIT}")
    groups = _groups(portal, kind, body)
    limit = _number(body, "limit", 10)
    if not 1 <= limit <= PAGE_LIMIT:
        raise bad_request(f"limit must be between 1 and {PAGE_LIMIT}")
    start = _number(body, "after", 0)
    if start + limit > RESULT_LIMIT:
        raise bad_request(f"Paging ends at {RESULT_LIMIT} results")
    order = _order(portal, kind, body)
    words = (optional_text(body, "query") or "").casefold()
    hits = [
        (record, shown)
        for record in portal.tables[kind.name].live()
        if (shown := record.indexed(portal.horizon)) is not None
        and _mentions(kind, shown, words)
        and (not groups or any(all(test(record, shown) for test in group) for group in groups))
    ]
    hits = order(hits)
    page = hits[start : start + limit]
    end = start + len(page)
    return Found(len(hits), page, str(end) if end < len(hits) else None)


Test = Callable[[Record, Shown], bool]


def _number(body: Body, key: str, default: int) -> int:
    value = body.get(key)
    if value in (None, ""):
        return default
    if isinstance(value, bool) or not str(value).isdecimal():
        raise bad_request(f"{key} must be an integer")
    return int(value)


def _groups(portal: Portal, kind: ObjectType, body: Body) -> list[list[Test]]:
    groups = [objects(group, "filters") for group in objects(body, "filterGroups")]
    if len(groups) > GROUP_LIMIT:
        raise bad_request(f"A search takes at most {GROUP_LIMIT} filterGroups")
    if any(len(group) > FILTER_LIMIT for group in groups):
        raise bad_request(f"A filterGroup takes at most {FILTER_LIMIT} filters")
    if sum(len(group) for group in groups) > TOTAL_FILTER_LIMIT:
        raise bad_request(f"A search takes at most {TOTAL_FILTER_LIMIT} filters")
    return [[_test(portal, kind, one) for one in group] for group in groups]


def _test(portal: Portal, kind: ObjectType, wanted: Body) -> Test:
    name = required_text(wanted, "propertyName")
    operator = required_text(wanted, "operator")
    if name.startswith(LINK_PREFIX):
        return _link_test(portal, name.removeprefix(LINK_PREFIX), operator, wanted)
    prop = portal.tables[kind.name].schema.find(name)
    if prop is None:
        raise bad_request(f'There was a problem with the request. Property "{name}" does not exist')
    decide = _decider(prop, operator, wanted)
    return lambda _record, shown: decide(shown.get(name))


def _link_test(portal: Portal, singular: str, operator: str, wanted: Body) -> Test:
    targets = {one.singular: one.name for one in TYPES}
    if singular not in targets:
        raise bad_request(f'Property "{LINK_PREFIX}{singular}" does not exist')
    if operator not in {"EQ", "IN"}:
        raise bad_request(f"{operator} cannot be used with {LINK_PREFIX}{singular}")
    ids = set(texts(wanted, "values") if operator == "IN" else [required_text(wanted, "value")])
    target = BY_NAME[targets[singular]]
    return lambda record, _shown: any(end.id in ids for end, _ in portal.linked(record, target))


def _decider(prop: Property, operator: str, wanted: Body) -> Callable[[str | None], bool]:
    """The decision of one filter on the property's value, None when it has none."""
    if operator == "HAS_PROPERTY":
        return lambda held: held is not None
    if operator == "NOT_HAS_PROPERTY":
        return lambda held: held is None
    if operator in {"IN", "NOT_IN"}:
        return _member_decider(prop, operator, wanted)
    value = required_text(wanted, "value")
    if operator in {"CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"}:
        has = operator == "CONTAINS_TOKEN"
        return lambda held: _has_token(held, value) is has
    if operator == "BETWEEN":
        from_low = _comparison(prop, "GTE", _wanted(prop, value))
        to_high = _comparison(prop, "LTE", _wanted(prop, required_text(wanted, "highValue")))
        return lambda held: from_low(held) and to_high(held)
    return _comparison(prop, operator, _wanted(prop, value))


def _member_decider(prop: Property, operator: str, wanted: Body) -> Callable[[str | None], bool]:
    """IN compares texts as they are with the lower-cased value held: lists must be lower-case."""
    members = texts(wanted, "values")
    if not members:
        raise bad_request(f"values is required for operator {operator}")
    is_text = prop.type == "string"

    def is_member(held: str | None) -> bool:
        if held is None:
            return False
        parts = held.split(";") if prop.is_multiple else [held.lower() if is_text else held]
        return any(part in members for part in parts)

    if operator == "IN":
        return is_member
    return lambda held: held is not None and not is_member(held)


def _comparison(prop: Property, operator: str, wanted: Comparable) -> Callable[[str | None], bool]:
    compare: Mapping[str, Callable[[Any], bool]] = {
        "EQ": lambda held: bool(held == wanted),
        "NEQ": lambda held: bool(held != wanted),
        "LT": lambda held: bool(held < wanted),
        "LTE": lambda held: bool(held <= wanted),
        "GT": lambda held: bool(held > wanted),
        "GTE": lambda held: bool(held >= wanted),
    }
    if operator not in compare:
        raise bad_request(f"{operator} is not a valid operator")
    decide = compare[operator]
    return lambda held: held is not None and decide(_held(prop, held))


def _wanted(prop: Property, value: str) -> Comparable:
    """A filter's value in the form in which `_held` shows the property's."""
    if prop.type in {"date", "datetime"}:
        moment = parse_moment(value)
        if moment is None:
            raise bad_request(f"{value} is not a valid date for {prop.name}")
        return iso(moment) if prop.type == "datetime" else iso(moment)[:10]
    try:
        return _held(prop, value)
    except InvalidOperation:
        raise bad_request(f"{value} is not a valid number for {prop.name}") from None


def _held(prop: Property, value: str) -> Comparable:
    """A kept value as it is compared: texts ignore case, enumerations do not, dates sort as they are."""
    if prop.type == "number":
        return Decimal(value)
    return value.casefold() if prop.type == "string" else value


def _has_token(held: str | None, wanted: str) -> bool:
    tokens = (held or "").casefold().replace(";", " ").split()
    return any(fnmatch.fnmatchcase(token, wanted.casefold()) for token in tokens)


def _mentions(kind: ObjectType, shown: Shown, words: str) -> bool:
    if not words:
        return True
    text = " ".join(shown.get(name, "") for name in kind.searched).casefold()
    return all(word in text for word in words.split())


def _order(
    portal: Portal, kind: ObjectType, body: Body
) -> Callable[[list[tuple[Record, Shown]]], list[tuple[Record, Shown]]]:
    """One sort at most; without any, the oldest record comes first."""
    name, descending = _sort(body)
    if name is None:
        return lambda hits: sorted(hits, key=lambda hit: int(hit[0].id))
    prop = portal.tables[kind.name].schema.find(name)
    if prop is None:
        raise bad_request(f'Cannot sort by "{name}": the property does not exist')

    def key(hit: tuple[Record, Shown]) -> tuple[bool, Any]:
        held = hit[1].get(name)
        return (held is not None, 0 if held is None else _held(prop, held))

    return lambda hits: sorted(hits, key=key, reverse=descending)


def _sort(body: Body) -> tuple[str | None, bool]:
    wanted: Iterable[Any] = body.get("sorts") or []
    if not isinstance(wanted, list) or len(wanted) > 1:
        raise bad_request("sorts takes at most one entry")
    if not wanted:
        return None, False
    if isinstance(wanted[0], str):
        return wanted[0].removeprefix("-"), wanted[0].startswith("-")
    if not isinstance(wanted[0], dict):
        raise bad_request(f"sorts cannot be {json.dumps(wanted[0])}")
    direction = optional_text(wanted[0], "direction") or "ASCENDING"
    if direction not in {"ASCENDING", "DESCENDING"}:
        raise bad_request("direction must be ASCENDING or DESCENDING")
    return required_text(wanted[0], "propertyName"), direction == "DESCENDING"
