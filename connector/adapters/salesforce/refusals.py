"""What Salesforce's refusals and limits mean: one reading of its three forms of error, by what happens next."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from connector.adapters.transport import Rate, Request, Response, vendor_message
from connector.domain.errors import ConnectorError, Gone, NeedsReview, Refused, RetryLater

DAILY_WAIT: Final = 900.0
USAGE = re.compile(r"(?<!-)api-usage=(\d+)/(\d+)")
COLUMN = re.compile(r"(?:No such column '|fields: |field ')([A-Za-z][A-Za-z0-9_]*)")
BUSY: Final = {"UNABLE_TO_LOCK_ROW": 2.0, "ENTITY_IS_LOCKED": 600.0, "QUERY_TIMEOUT": 5.0} | dict.fromkeys(
    ("REQUEST_RUNNING_TOO_LONG", "UNKNOWN_EXCEPTION"), 5.0
)
"""Codes that heal for this record, and the seconds to wait."""

AWAY: Final = dict.fromkeys(
    (
        *("SERVER_UNAVAILABLE", "TOO_MANY_APEX_REQUESTS", "ORG_IN_MAINTENANCE"),
        *("INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE"),
    ),
    30.0,
) | dict.fromkeys(
    (
        *("API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "UNSUPPORTED_API_VERSION", "INVALID_LOGIN"),
        *("PASSWORD_LOCKOUT", "MUTUAL_AUTHENTICATION_FAILED", "TXN_SECURITY_NO_ACCESS", "STORAGE_LIMIT_EXCEEDED"),
    ),
    300.0,
)
"""Codes that stop the whole connection, the later ones until a person mends something."""

THEIR_CODE: Final = frozenset(
    {"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "CANNOT_EXECUTE_FLOW_TRIGGER", "SELF_REFERENCE_FROM_TRIGGER"}
    | {"APEX_FAILED"}
)
NESTED_BUSY: Final = ("UNABLE_TO_LOCK_ROW", "TIME_OUT", "TIMEOUT", "TIMED OUT")
WORDS_OF_CUSTOMERS: Final = frozenset({"STRING_TOO_LONG", "INVALID_EMAIL_ADDRESS", "JSON_PARSER_ERROR"})
"""Their messages repeat what was written, which belongs in no log."""

ROLLED_BACK: Final = "ALL_OR_NONE_OPERATION_ROLLED_BACK"


def sort(request: Request, response: Response) -> ConnectorError | None:
    """The error that an answer of 400 or more stands for; None leaves it to the transport."""
    told = f"salesforce {request.method} {request.route}: {response.status}"
    first = first_of(response.maybe_json)
    if not first or (response.status >= 500 and not request.is_read and first.get("errorCode") not in AWAY):
        return None
    return refusal(first, told=told, status=response.status)


def rate(response: Response) -> Rate | None:
    """The day's calls, which all parties of the org share."""
    found = USAGE.search(response.headers.get("sforce-limit-info", ""))
    if found is None:
        return None
    used, limit = int(found[1]), int(found[2])
    return Rate(day_limit=limit, day_remaining=max(0, limit - used))


def first_of(told: Any) -> Mapping[str, Any]:
    """The first error of a body: a list, one object, or the two words of OAuth; empty where there is none."""
    first = told[0] if isinstance(told, list) and told else told
    return first if isinstance(first, dict) and ("errorCode" in first or "error" in first) else {}


def cause_of(errors: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Of a record's errors the one that is to blame."""
    return next((one for one in errors if one.get("statusCode") != ROLLED_BACK), errors[0] if errors else {})


def refusal(error: Mapping[str, Any], *, told: str, status: int) -> ConnectorError:
    """One error, by what happens next. `status` is 200 for a record of a collection."""
    code = str(error.get("errorCode") or error.get("statusCode") or error.get("error") or f"http_{status}").upper()
    message = str(error.get("message") or error.get("error_description") or "")
    told = f"{told} {code}" + ("" if code in WORDS_OF_CUSTOMERS else f": {vendor_message(message)}")
    if code == "REQUEST_LIMIT_EXCEEDED":
        after = DAILY_WAIT if "TOTALREQUESTS" in message.upper() else 5.0
        return RetryLater(told, code="rate_limited", after=after)
    if code in AWAY:
        return RetryLater(told, code=code.lower(), after=AWAY[code])
    if code in BUSY or (code in THEIR_CODE and any(one in message.upper() for one in NESTED_BUSY)):
        after = BUSY.get(code, 5.0)
        return RetryLater(told, code=code.lower(), scope="record", after=after, system="salesforce")
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
