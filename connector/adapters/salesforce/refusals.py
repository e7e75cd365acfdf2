"""What Salesforce's refusals and limits mean: one reading of its three forms of error, by what happens next."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from connector.adapters.answers import about, first_mapping, mapping_of
from connector.adapters.transport import Rate, Request, Response, vendor_message
from connector.domain.errors import ConnectorError, Gone, NeedsReview, Refused, RetryLater, Scope

DAILY_WAIT: Final = 900.0
USAGE = re.compile(r"(?<!-)api-usage=(\d+)/(\d+)")
COLUMN = re.compile(r"(?:No such column '|fields: |field ')([A-Za-z][A-Za-z0-9_]*)")

FAMILIES: Final[Mapping[tuple[Scope, float], Sequence[str]]] = {
    ("record", 2.0): ["UNABLE_TO_LOCK_ROW"],
    ("record", 5.0): ["QUERY_TIMEOUT", "REQUEST_RUNNING_TOO_LONG", "UNKNOWN_EXCEPTION"],
    ("record", 600.0): ["ENTITY_IS_LOCKED"],
    ("connection", 30.0): [
        *("SERVER_UNAVAILABLE", "TOO_MANY_APEX_REQUESTS", "ORG_IN_MAINTENANCE"),
        *("INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE"),
    ],
    ("connection", 300.0): [
        *("API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "UNSUPPORTED_API_VERSION", "INVALID_LOGIN"),
        *("PASSWORD_LOCKOUT", "MUTUAL_AUTHENTICATION_FAILED", "TXN_SECURITY_NO_ACCESS", "STORAGE_LIMIT_EXCEEDED"),
    ],
}
"""Codes that heal: whom each stops and the seconds to wait. The last family stops until a person mends something."""

WAITS: Final = {code: family for family, codes in FAMILIES.items() for code in codes}
THEIR_CODE: Final = (
    *("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "CANNOT_EXECUTE_FLOW_TRIGGER", "SELF_REFERENCE_FROM_TRIGGER"),
    "APEX_FAILED",
)
"""Triggers and flows of the org; one that met a lock or a time-out says so in its message, and heals."""

HEALS: Final[tuple[Scope, float]] = ("record", 5.0)
NESTED_BUSY: Final = ("UNABLE_TO_LOCK_ROW", "TIME_OUT", "TIMEOUT", "TIMED OUT")
WORDS_OF_CUSTOMERS: Final = frozenset({"STRING_TOO_LONG", "INVALID_EMAIL_ADDRESS", "JSON_PARSER_ERROR"})
"""Their messages repeat what was written, which belongs in no log."""

ROLLED_BACK: Final = "ALL_OR_NONE_OPERATION_ROLLED_BACK"


def sort(request: Request, response: Response) -> ConnectorError | None:
    """The error that an answer of 400 or more stands for; None leaves it to the transport."""
    first = first_of(response.maybe_json)
    scope, _ = WAITS.get(str(first.get("errorCode")), HEALS)
    if not first or (response.status >= 500 and not request.is_read and scope == "record"):
        return None
    return refusal(first, told=about("salesforce", request, response), status=response.status)


def rate(response: Response) -> Rate | None:
    """The day's calls, which all parties of the org share."""
    found = USAGE.search(response.headers.get("sforce-limit-info", ""))
    if found is None:
        return None
    used, limit = int(found[1]), int(found[2])
    return Rate(day_limit=limit, day_remaining=max(0, limit - used))


def first_of(told: Any) -> Mapping[str, Any]:
    """The first error of a body: a list, one object, or the two words of OAuth; empty where there is none."""
    return first_mapping(told) or mapping_of(told)


def cause_of(item: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What a record of a collection was refused for; where it was rolled back for another's sake, that one's error."""
    errors = [*(item.get("errors") or [{}]), *(error for one in items for error in one.get("errors") or ())]
    return next((one for one in errors if one.get("statusCode") != ROLLED_BACK), {})


def refusal(error: Mapping[str, Any], *, told: str, status: int) -> ConnectorError:
    """One error, by what happens next. `status` is 200 for a record of a collection."""
    code = str(error.get("errorCode") or error.get("statusCode") or error.get("error") or f"http_{status}").upper()
    message = str(error.get("message") or error.get("error_description") or "")
    told = f"{told} {code}" + ("" if code in WORDS_OF_CUSTOMERS else f": {vendor_message(message)}")
    if code == "REQUEST_LIMIT_EXCEEDED":
        after = DAILY_WAIT if "TOTALREQUESTS" in message.upper() else 5.0
        return RetryLater(told, code="rate_limited", after=after)
    if code in WAITS or (code in THEIR_CODE and any(one in message.upper() for one in NESTED_BUSY)):
        scope, after = WAITS.get(code, HEALS)
        system = "salesforce" if scope == "record" else ""
        return RetryLater(told, code=code.lower(), scope=scope, after=after, system=system)
    if code == "NOT_FOUND" and "external id field" in message.lower():
        return RetryLater(f"{told}: run `connector setup`", code="not_set_up")
    fields = [str(one) for one in error.get("fields") or ()]
    if code in ("NOT_FOUND", "ENTITY_IS_DELETED") or (code == "INVALID_CROSS_REFERENCE_KEY" and not fields):
        return Gone(told)
    if code == "DUPLICATE_EXTERNAL_ID":
        return NeedsReview(f"{told}: several records carry our id", code="ambiguous")
    named = COLUMN.search(message) if code.startswith("INVALID_FIELD") else None
    field = fields[0] if fields else named[1] if named else None
    return Refused(told, code=code.lower(), field=field, status=status)
