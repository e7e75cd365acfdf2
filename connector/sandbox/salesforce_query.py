"""Answers queries over one org's records: conditions, order, parents' fields, pages with a locator."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from operator import ge, gt, le, lt
from typing import Any

from .salesforce_errors import Failure
from .salesforce_ids import long_id, looks_like_id
from .salesforce_org import Org, Record
from .salesforce_rights import check_query
from .salesforce_soql import Condition, Group, Query, parse
from .salesforce_stock import Field, SObject
from .salesforce_values import shown

LARGEST_PAGE, SMALLEST_PAGE = 2000, 200
Claim = Callable[[Record], bool]
CURSOR_LIFE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Cursor:
    """What is left of a query's answer."""

    rows: list[dict[str, Any]]
    made_at: datetime


@dataclass(slots=True)
class Queries:
    """The queries of one org."""

    org: Org
    cursors: dict[str, Cursor] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def answer(self, text: str, *, version: str, all_rows: bool, batch: int) -> dict[str, Any]:
        """The first page. Raises MALFORMED_QUERY, INVALID_TYPE or INVALID_FIELD."""
        query = parse(text)
        kind = self._kind(query.kind)
        columns = [self._path(kind, name) for name in query.fields]
        found = self._found(kind, query, all_rows=all_rows)
        if not query.fields:
            return {"totalSize": len(found), "done": True, "records": []}
        rows = [self._row(record, columns, version) for record in found]
        locator = f"01g{next(self._numbers):012d}AAA"
        self.cursors[locator] = Cursor(rows, self.org.now())
        return self._page(locator, 0, version, batch)

    def more(self, locator: str, *, version: str, batch: int) -> dict[str, Any]:
        """A further page."""
        key, _, start = locator.partition("-")
        cursor = self.cursors.get(key)
        if cursor is None or not start.isdecimal() or self.org.now() - cursor.made_at > CURSOR_LIFE:
            raise Failure("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(key, int(start), version, batch)

    def _page(self, locator: str, start: int, version: str, batch: int) -> dict[str, Any]:
        rows = self.cursors[locator].rows
        size = min(batch, self.org.settings.query_page)
        end = start + size
        page: dict[str, Any] = {"totalSize": len(rows), "done": end >= len(rows), "records": rows[start:end]}
        if end < len(rows):
            page["nextRecordsUrl"] = f"/services/data/v{version}/query/{locator}-{end}"
        return page

    def _found(self, kind: SObject, query: Query, *, all_rows: bool) -> list[Record]:
        rows = self.org.all(kind.name) if all_rows else self.org.live(kind.name)
        claim = self._compiled(query.where, kind) if query.where else None
        found = rows if claim is None else [one for one in rows if claim(one)]
        for name, descends in reversed(query.order):
            path = self._path(kind, name, filters=True)
            found.sort(key=partial(self._rank, path), reverse=descends)
        return found[query.offset :][: query.limit]

    def _kind(self, name: str) -> SObject:
        try:
            found = self.org.schema.object(name)
            check_query(found, self.org.settings.rights)
            return found
        except Failure as error:
            if error.code != "NOT_FOUND":
                raise
            told = f"sObject type '{name}' is not supported."
            raise Failure("INVALID_TYPE", told) from error

    def _path(self, kind: SObject, name: str, *, filters: bool = False) -> list[Field]:
        """The lookups and the field at their end."""
        *parents, last = name.split(".")
        path: list[Field] = []
        for parent in parents:
            step = next((one for one in kind.fields.values() if one.relation.casefold() == parent.casefold()), None)
            if step is None:
                raise Failure("INVALID_FIELD", f"Didn't understand relationship '{parent}' in field path.")
            path.append(step)
            targets = [one for one in self.org.schema.objects.values() if one.prefix in step.to]
            kind = next((one for one in targets if one.field(last)), targets[0])
        found = self.org.schema.visible(kind, last)
        if found is None:
            raise Failure("INVALID_FIELD", f"No such column '{last}' on entity '{kind.name}'.")
        if filters and not found.filterable:
            raise Failure("INVALID_FIELD", f"field '{found.name}' can not be filtered in a query call")
        return [*path, found]

    def _rank(self, path: list[Field], record: Record) -> tuple[bool, Any]:
        return _order(self._value(record, path))

    def _value(self, record: Record | None, path: list[Field]) -> Any:
        for step in path[:-1]:
            record = self.org.records.get(str(record.values.get(step.name))) if record else None
        return record.values.get(path[-1].name) if record else None

    def _row(self, record: Record, columns: list[list[Field]], version: str) -> dict[str, Any]:
        row = {"attributes": attributes(record, version)}
        for path in columns:
            place: dict[str, Any] | None = row
            parent: Record | None = record
            for step in path[:-1]:
                parent = self.org.records.get(str(parent.values.get(step.name))) if parent else None
                if place is not None and place.get(step.relation) is None:
                    place[step.relation] = {"attributes": attributes(parent, version)} if parent else None
                place = place[step.relation] if place is not None else None
            if place is not None and parent is not None:
                place[path[-1].name] = shown(parent.values.get(path[-1].name))
        return row

    # -- conditions

    def _compiled(self, where: Condition | Group, kind: SObject) -> Claim:
        """A condition as a function of a record; its mistakes are found before any row is looked at."""
        if isinstance(where, Group):
            parts = [self._compiled(one, kind) for one in where.parts]
            if where.joint == "NOT":
                return lambda record: not parts[0](record)
            joined = all if where.joint == "AND" else any
            return lambda record: joined(part(record) for part in parts)
        path = self._path(kind, where.field, filters=True)
        literals = [_operand(path[-1], one.value, quoted=one.quoted) for one in where.literals]
        test = _test(where.operator, literals)
        fold = path[-1].type not in ("id", "reference") and not path[-1].external_id

        def claim(record: Record) -> bool:
            held = self._value(record, path)
            return test(held.casefold() if fold and isinstance(held, str) else held)

        return claim


def attributes(record: Record, version: str) -> dict[str, str]:
    """What every record's JSON begins with."""
    return {"type": record.kind.name, "url": f"/services/data/v{version}/sobjects/{record.kind.name}/{record.id}"}


def _operand(field: Field, value: Any, *, quoted: bool) -> Any:
    """A literal as the field compares it. Raises INVALID_FIELD where it is of another kind."""
    if value is None:
        return None
    wrong = f"value of filter criterion for field '{field.name}' must be of type"
    if field.type == "datetime":
        if not isinstance(value, datetime):
            raise Failure("INVALID_FIELD", f"{wrong} dateTime and should not be enclosed in quotes")
        return value
    if field.type == "boolean":
        if not isinstance(value, bool):
            raise Failure("INVALID_FIELD", f"{wrong} boolean and should not be enclosed in quotes")
        return value
    if field.type == "double":
        if not isinstance(value, float):
            raise Failure("INVALID_FIELD", f"{wrong} double and should not be enclosed in quotes")
        return value
    if not quoted:
        raise Failure("INVALID_FIELD", f"{wrong} string and should be enclosed in quotes")
    if field.type in ("id", "reference"):
        if not looks_like_id(value):
            raise Failure("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {value}")
        return long_id(value[:15])
    return value if field.external_id else str(value).casefold()


def _test(operator: str, literals: list[Any]) -> Callable[[Any], bool]:
    wanted, listed = literals[0], frozenset(literals)
    if operator == "LIKE":
        pattern = re.compile(_pattern(str(wanted)), re.IGNORECASE | re.DOTALL)
        return lambda held: held is not None and pattern.fullmatch(str(held)) is not None
    if operator in ("IN", "="):
        return lambda held: held in listed
    if operator in ("NOT IN", "!="):
        return lambda held: held not in listed
    compare = {"<": lt, "<=": le, ">": gt, ">=": ge}[operator]
    return lambda held: held is not None and wanted is not None and bool(compare(held, wanted))


def _pattern(text: str) -> str:
    parts = re.split(r"(\\[%_]|%|_)", text)
    signs = {"%": ".*", "_": ".", "\\%": "%", "\\_": "_"}
    return "".join(signs.get(part, re.escape(part)) for part in parts)


def _order(value: Any) -> tuple[bool, Any]:
    """Nulls come first; texts are ordered without regard to case."""
    if value is None:
        return (False, 0)
    return (True, value.casefold() if isinstance(value, str) and not looks_like_id(value) else value)
