"""What Zendesk's refusals and limits mean: the adapter's reading of an answer, for the transport."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connector.adapters.answers import LONGEST_WAIT, about, mapping_of, number_in
from connector.adapters.budget import Limit
from connector.adapters.transport import Rate, Request, Response, retry_after, vendor_message
from connector.domain.errors import ConnectorError, Gone, Refused, RetryLater

LIMITS: Final = {
    "default": Limit(200, 60.0),
    "updates": Limit(100, 60.0),
    "exports": Limit(10, 60.0),
    "oauth": Limit(30, 60.0),
}
"""The smallest plan's calls, and what all plans have alike. Only the first is told by answers."""

NATIVE: Final = {"assignee": "assignee_id", "group": "group_id", "requester": "requester_id", "base": "description"}
GONE: Final = frozenset({"RecordNotFound", "TicketNotFound", "InvalidEndpoint"})
CONFLICT: Final = "UpdateConflict"


def sort(request: Request, response: Response) -> ConnectorError | None:
    """The error that an answer of 400 or more stands for; None leaves it to the transport."""
    body, status, told = mapping_of(response.maybe_json), response.status, about("zendesk", request, response)
    wait = retry_after(response)
    if status == 429 or (status == 503 and wait and request.is_read):
        return RetryLater(told, code="rate_limited", after=min(wait, LONGEST_WAIT) if wait else None)
    if status >= 500:
        return None
    if status == 409:
        return conflict(told)
    return refusal(body, told=told, status=status)


def conflict(told: str) -> RetryLater:
    """Somebody changed the ticket since it was read: read it again, decide again."""
    return RetryLater(f"{told}: changed since it was read", code="conflict", scope="record", system="zendesk")


def refusal(body: Mapping[str, Any], *, told: str, status: int) -> Refused:
    """What an error body says: Gone, or Refused with the field where one is named."""
    error = body.get("error")
    code = str(error.get("title") if isinstance(error, dict) else error or f"http_{status}")
    if status in (404, 410):
        return Gone(told, status=status)
    if status == 403:
        return Refused(
            f"{told}: the token's scope, the user's role or the plan forbids it", code="forbidden", status=403
        )
    details = body.get("details")
    named, complaints = next(iter(details.items()), (None, [])) if isinstance(details, dict) else (None, [])
    first = complaints[0] if isinstance(complaints, list) and complaints and isinstance(complaints[0], dict) else {}
    words = vendor_message(first.get("description") or body.get("description") or body.get("error_description") or "")
    code = str(first.get("error") or code)
    text = f"{told} {code}: {words}" if words else f"{told} {code}"
    return Refused(text, code=code.lower(), field=NATIVE.get(named, named) if named else None, status=status)


def rate(response: Response) -> Rate | None:
    """The account's limit as the answer tells it."""
    names = ("x-rate-limit", "x-rate-limit-remaining", "ratelimit-reset")
    limit, remaining, reset = (number_in(response, one) for one in names)
    if response.request is None or response.request.bucket != "default" or limit is None:
        return None
    return Rate(limit, remaining, reset_in=float(reset) if reset is not None else None)
