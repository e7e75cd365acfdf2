"""What Capsule's answers mean: refusals by what happens next, and the hour's limit. For the hooks of the transport."""

from __future__ import annotations

from typing import Final

from connector.adapters.answers import about, mapping_of, number_in
from connector.adapters.budget import Limit
from connector.adapters.times import moment, seconds_until
from connector.adapters.transport import Rate, Request, Response, vendor_message
from connector.domain.errors import ConnectorError, Gone, Refused, RetryLater

HOUR: Final = 3600.0
LIMITS: Final = {"default": Limit(4000, HOUR)}
"""Of one Capsule user, whoever calls in its name."""

UNPROCESSABLE: Final = 422


def sort(request: Request, response: Response) -> ConnectorError | None:
    """The error that an answer of 400 or more stands for; None leaves it to the transport."""
    told, body = about("capsule", request, response), mapping_of(response.maybe_json)
    message = vendor_message(body.get("message") or body.get("error_description") or body.get("error") or "")
    if response.status == 429:
        return RetryLater(told, code="rate_limited", after=_reset_in(response))
    if response.status == 403:
        return Refused(f"{told}: {message or 'the token may not do this'}", code="forbidden", status=403)
    if response.status == 404:
        return Gone(f"{told}: {message}")
    if response.status >= 500:
        return None
    listed = body.get("errors")
    errors = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    said = "; ".join(f"{one.get('field')}: {vendor_message(one.get('message'))}" for one in errors) or message
    field = str(errors[0].get("field") or "") if len(errors) == 1 else ""
    code = "refused" if response.status == UNPROCESSABLE else f"http_{response.status}"
    return Refused(f"{told} {said}", code=code, field=field or None, status=response.status)


def rate(response: Response) -> Rate | None:
    """How many calls of this hour are left to the token's user, whoever used the others.

    How many there are in all is not passed on: the hour begins anew at a fixed moment, for which the budget, which
    counts what others used for a whole window, would wait too long.
    """
    remaining = number_in(response, "x-ratelimit-remaining")
    return None if remaining is None else Rate(remaining=remaining, reset_in=_reset_in(response))


def _reset_in(response: Response) -> float | None:
    """Seconds until the hour's count begins anew, by Capsule's own clock. There is no Retry-After."""
    at = moment(response.headers.get("x-ratelimit-reset"))
    return None if at is None else min(max(1.0, seconds_until(at, response.headers)), HOUR)
