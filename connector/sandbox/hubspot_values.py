"""Property values: what HubSpot accepts and in which form it keeps it. All values are texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from .hubspot_errors import PropertyFault
from .hubspot_schema import Property
from .kernel_clock import iso

TEXT_LIMIT = 65_536
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS = re.compile(r"-?\d{1,15}")
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
EMAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;.]+")


class BadValue(Exception):
    """A value that its property does not take."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def about(self, name: str) -> PropertyFault:
        return PropertyFault(name, self.code, self.message)


def kept_form(prop: Property, raw: object, present: str | None) -> str:
    """The text HubSpot keeps for `raw`, which is empty when the property is cleared.

    `present` is the value now held: a multiple choice that begins with `;` adds to it. Values of
    external properties (owners, pipelines, stages) are checked by the portal, which knows them.
    """
    if not isinstance(raw, str):
        raise BadValue("INVALID_TYPE", f"Cannot deserialize the value of {prop.name}: it must be a text")
    if raw == "" or prop.external:
        return raw
    return KEEPERS[prop.type](prop, raw, present)


def parse_moment(text: str) -> datetime | None:
    """A moment written as epoch milliseconds or as ISO 8601 in UTC; None for anything else."""
    if MILLISECONDS.fullmatch(text):
        return EPOCH + timedelta(milliseconds=int(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if ISO_DATE.fullmatch(text):
        return moment.replace(tzinfo=UTC)
    return moment if moment.utcoffset() == timedelta(0) else None


def _keep_text(prop: Property, raw: str, _present: str | None) -> str:
    if len(raw) > TEXT_LIMIT:
        raise BadValue(
            "VALUE_TOO_LONG",
            f"{prop.name} has {len(raw)} characters; the limit is {TEXT_LIMIT}",
        )
    return raw


def _keep_number(_prop: Property, raw: str, _present: str | None) -> str:
    try:
        number = Decimal(raw)
    except InvalidOperation:
        raise BadValue("INVALID_NUMBER", f"{raw} was not a valid number.") from None
    if not number.is_finite():
        raise BadValue("INVALID_NUMBER", f"{raw} was not a valid number.")
    return format(number, "f")


def _keep_bool(_prop: Property, raw: str, _present: str | None) -> str:
    if raw not in {"true", "false"}:
        raise BadValue("INVALID_OPTION", f"{raw} was not one of the allowed options: [true, false]")
    return raw


def _keep_date(_prop: Property, raw: str, _present: str | None) -> str:
    moment = parse_moment(raw)
    if moment is None:
        raise BadValue("INVALID_DATE", f"{raw} was not a valid date.")
    if not ISO_DATE.fullmatch(raw) and iso(moment)[10:] != "T00:00:00.000Z":
        raise BadValue("INVALID_DATE", f"{raw} is at {iso(moment)[11:]}, not midnight UTC.")
    return date.isoformat(moment.date())


def _keep_datetime(_prop: Property, raw: str, _present: str | None) -> str:
    moment = parse_moment(raw)
    if moment is None:
        raise BadValue("INVALID_DATE", f"{raw} was not a valid date time in UTC.")
    return iso(moment)


def _keep_choice(prop: Property, raw: str, present: str | None) -> str:
    if not prop.is_multiple:
        _check_option(prop, raw)
        return raw
    adds = raw.startswith(";")
    chosen = raw.removeprefix(";").split(";")
    for one in chosen:
        _check_option(prop, one)
    before = present.split(";") if adds and present else []
    return ";".join(dict.fromkeys([*before, *chosen]))


def _check_option(prop: Property, value: str) -> None:
    allowed = [option.value for option in prop.options]
    if value not in allowed:
        raise BadValue("INVALID_OPTION", f"{value} was not one of the allowed options: [{', '.join(allowed)}]")


KEEPERS: Mapping[str, Callable[[Property, str, str | None], str]] = {
    "string": _keep_text,
    "number": _keep_number,
    "bool": _keep_bool,
    "date": _keep_date,
    "datetime": _keep_datetime,
    "enumeration": _keep_choice,
}
