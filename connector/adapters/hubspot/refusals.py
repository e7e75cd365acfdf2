"""What HubSpot's refusals and limits mean: the adapter's reading of an answer, for the transport."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from connector.adapters.answers import LONGEST_WAIT, about, first_mapping, mapping_of, number_in
from connector.adapters.budget import Limit
from connector.adapters.transport import Rate, Request, Response, retry_after, vendor_message
from connector.domain.errors import ConnectorError, Gone, Refused, RetryLater, Scope

LIMITS: Final = {"default": Limit(100, 10.0), "associations": Limit(100, 10.0), "search": Limit(5, 1.0)}
"""The smallest plan's limits by bucket; answers teach the real ones, except for search, which tells none."""

WAITS: Final = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 2.0, "DAILY": 900.0}
PAUSES: Final[Mapping[int, tuple[str, Scope, float]]] = {
    423: ("locked", "record", 2.0),
    477: ("account_moving", "connection", 60.0),
}
"""Statuses of HubSpot's own: what they say, of whom, and the shortest wait."""

VERDICTS = re.compile(r"\[\{.*\}\]", re.DOTALL)
NAMED = re.compile(r"""propert(?:y|ies)\b[^"'\[]*["'\[]([A-Za-z0-9_]+)["'\],]""", re.IGNORECASE)


def sort(request: Request, response: Response) -> ConnectorError | None:
    """The error that an answer of 400 or more stands for; None leaves it to the transport."""
    body, status, told = mapping_of(response.maybe_json), response.status, about("hubspot", request, response)
    asked = retry_after(response)
    if status == 429:
        policy = str(body.get("policyName") or "")
        after = asked or WAITS.get(policy, WAITS["TEN_SECONDLY_ROLLING"])
        return RetryLater(f"{told} {policy}".rstrip(), code="rate_limited", after=min(after, LONGEST_WAIT))
    if status in PAUSES:
        code, scope, least = PAUSES[status]
        return RetryLater(told, code=code, scope=scope, after=min(max(asked or least, least), LONGEST_WAIT))
    if status >= 500:
        return None
    if status == 404 and not body:
        return Refused(f"{told}: HubSpot knows no such address", code="no_such_address", status=status)
    return refusal(body, told=told, status=status)


def refusal(body: Mapping[str, Any], *, told: str, status: int) -> Refused:
    """What an error body, or one error of a 207, says: Gone, or Refused with the field where one is named."""
    category = str(body.get("category") or "").upper()
    message = str(body.get("message") or "")
    first = _first_complaint(body, message)
    context = {**mapping_of(body.get("context")), **mapping_of(first.get("context"))}
    if category == "OBJECT_NOT_FOUND":
        return Gone(f"{told}: {vendor_message(message)}")
    if category == "MISSING_SCOPES":
        scopes = ", ".join(str(one) for one in context.get("requiredGranularScopes") or ()) or "unnamed"
        return Refused(f"{told}: the token lacks a scope: {scopes}", code="missing_scopes", status=status)
    code = str(first.get("error") or first.get("code") or category or f"http_{status}")
    told = f"{told} {code}: {vendor_message(first.get('message') or message)}"
    if trace := body.get("correlationId"):
        told = f"{told} (correlation {trace})"
    return Refused(told, code=code.lower(), field=_field(first, context, message), status=status)


def rate(response: Response) -> Rate | None:
    """The limits as the answer tells them (none of searches); places of the rolling one are free again in a second."""
    names = ("max", "remaining", "daily", "daily-remaining")
    limit, remaining, daily, left = (number_in(response, f"x-hubspot-ratelimit-{name}") for name in names)
    is_search = response.request is not None and response.request.bucket == "search"
    if is_search or (limit is None and remaining is None):
        return None
    return Rate(limit, remaining, reset_in=1.0, day_limit=daily, day_remaining=left)


def _first_complaint(body: Mapping[str, Any], message: str) -> Mapping[str, Any]:
    """HubSpot lists what is wrong under `errors`, or as JSON inside the text of the message."""
    listed: object = body.get("errors")
    if inside := VERDICTS.search(message):
        with suppress(ValueError):
            listed = json.loads(inside[0])
    return first_mapping(listed)


def _field(first: Mapping[str, Any], context: Mapping[str, Any], message: str) -> str | None:
    told = context.get("propertyName") or context.get("properties")
    named = first.get("name") or (told[0] if isinstance(told, list) and told else told) or first.get("in")
    if not named and (found := NAMED.search(message)):
        named = found[1]
    return str(named) if named else None
