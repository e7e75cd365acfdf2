"""Next Cap's grammar of answers: envelopes, either casing, paging, limits and refusals.

Much of it is not public, so every reader here accepts what the documents leave open: `data` or none, snake_case or
camelCase, `meta` or none, an error as an object or a text.
"""

from __future__ import annotations

import json as jsonlib
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Final, TypeAlias
from urllib.parse import quote
from uuid import UUID, uuid5

from connector.adapters.transport import Query, Rate, Request, Response, Transport, retry_after, vendor_message
from connector.domain.errors import ConnectorError, Gone, NeedsReview, Refused, RetryLater

Raw: TypeAlias = Mapping[str, Any]
"""A JSON object as Next Cap sent it."""

PER_PAGE: Final = 100
USUAL_PAGE_SIZES: Final = (20, 50, PER_PAGE)
SHORTEST_WAIT, LONGEST_WAIT = 1.0, 300.0
NAMESPACE: Final = UUID("6c1d5a0e-2f0c-4f5e-9b1c-3a2c7e4d8f10")
TICKETS: Final = "/external/crm/tickets"
TICKET: Final = f"{TICKETS}/:id"


class Api:
    """Next Cap's calls, as one key makes them."""

    def __init__(self, transport: Transport, *, idempotency: bool = True) -> None:
        self.transport = transport
        self._idempotency = idempotency

    def get(self, path: str, route: str = "", query: Query | None = None) -> Response:
        """One read."""
        return self.transport.send(Request("GET", path, route or path, query=query or {}, shape=object))

    def write(self, method: str, path: str, route: str, *, json: Any = None, effect: str = "") -> Response:
        """One write. A named effect carries an idempotency key, which Next Cap may or may not heed.

        The key is made of the name and the body, so that another body is never answered with an old outcome.
        """
        key = str(uuid5(NAMESPACE, f"{effect}\0{path}\0{jsonlib.dumps(json, sort_keys=True)}"))
        headers = {"idempotency-key": key} if effect and self._idempotency else {}
        return self.transport.send(Request(method, path, route, json=json, headers=headers, shape=object))

    def ticket(self, ticket_id: str) -> Raw:
        """One ticket. Raises Gone where our seat does not see it, RetryLater where the answer holds none."""
        try:
            found = resource(self.get(ticket_path(ticket_id), TICKET), "ticket")
        except Refused as refusal:
            raise hidden(refusal) from refusal
        if pick(found, "id") is None:
            told = f"{self.transport.system} GET {TICKET}: the answer holds no ticket"
            raise RetryLater(told, code="unreadable_answer", scope="record", system=self.transport.system)
        return found

    def pages(self, path: str, route: str = "", query: Query | None = None, *names: str) -> Iterator[Sequence[Raw]]:
        """The pages of a list, without what an earlier page held; ends after the last, whatever says that it is.

        `names` are the keys that may hold the list inside `data`.
        """
        seen: set[str] = set()
        number = 1
        while True:
            found, is_last = self.page(path, route, query, *names, number=number)
            fresh = [one for one in found if _identity(one) not in seen]
            yield fresh
            seen |= {_identity(one) for one in fresh}
            if not fresh or is_last:
                return
            number += 1

    def page(
        self, path: str, route: str = "", query: Query | None = None, *names: str, number: int
    ) -> tuple[Sequence[Raw], bool]:
        """One page of a list, counted from 1, and whether it says that it is the last."""
        paging = {"page": str(number), "per_page": str(PER_PAGE)}
        body = self.get(path, route, {**(query or {}), **paging}).json
        found = listed(body, *names)
        return found, _is_last(body, number, len(found))


def ticket_path(ticket_id: str, action: str = "") -> str:
    """The address of a ticket or of something under it."""
    return f"{TICKETS}/{quote(ticket_id, safe='')}{action}"


def hidden(refusal: Refused) -> Refused:
    """A ticket that another seat may see is as good as gone for ours."""
    if refusal.status == 403 and not isinstance(refusal, Gone):
        return Gone(str(refusal), code="not_visible", status=403)
    return refusal


def lookup(raw: Raw, *names: str) -> tuple[bool, Any]:
    """Whether one of these fields is named, in either casing, and its first value that is not null."""
    is_named = False
    for name in names:
        for key in (name, camel(name)):
            if key in raw:
                is_named = True
                if raw[key] is not None:
                    return True, raw[key]
    return is_named, None


def pick(raw: Raw, *names: str) -> Any:
    """The first of these fields that holds anything."""
    return lookup(raw, *names)[1]


def inner(raw: Raw, name: str) -> Raw:
    """The object in this field; an empty one where there is none."""
    found = pick(raw, name)
    return found if isinstance(found, Mapping) else {}


@cache
def camel(name: str) -> str:
    """`ticket_number` as `ticketNumber`."""
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


def moment_of(value: object) -> datetime | None:
    """A time as Next Cap or a kin of it writes one: ISO 8601, Unix seconds or milliseconds."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if found is None else found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def resource(response: Response, *names: str) -> Raw:
    """The object of an answer, out of `data` and out of a field of one of these names; empty where there is none."""
    if not response.content.strip():
        return {}
    body = response.json
    found = body.get("data", body) if isinstance(body, Mapping) else None
    if not isinstance(found, Mapping):
        return {}
    return next((found[name] for name in names if isinstance(found.get(name), Mapping)), found)


def listed(body: object, *names: str) -> list[Raw]:
    """The list of an answer: `data`, a field of it, or the whole body."""
    found = body.get("data", body) if isinstance(body, Mapping) else body
    if isinstance(found, Mapping):
        found = next((found[name] for name in (*names, "items") if isinstance(found.get(name), list)), [])
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _is_last(body: object, number: int, count: int) -> bool:
    """By `meta` where it is; else a page is the last unless it is exactly as long as a full one would be."""
    meta = inner(body, "meta") if isinstance(body, Mapping) else {}
    total = pick(meta, "total_pages")
    if isinstance(total, int):
        return number >= total
    return count not in USUAL_PAGE_SIZES


def _identity(raw: Raw) -> str:
    return str(pick(raw, "id") or raw)


def rate(response: Response) -> Rate | None:
    """What the `X-RateLimit-*` headers say; the reset is told as a moment, or as seconds from now."""
    limit, remaining, reset = (
        _number(response.headers.get(f"x-ratelimit-{name}")) for name in ("limit", "remaining", "reset")
    )
    if limit is None and remaining is None:
        return None
    return Rate(
        limit=None if limit is None else int(limit),
        remaining=None if remaining is None else int(remaining),
        reset_in=None if reset is None else _seconds_until(reset, response),
    )


def sort(request: Request, response: Response) -> ConnectorError | None:
    """What a refusal of Next Cap means; None leaves it to the transport."""
    status = response.status
    error = _error(response)
    code, field = str(pick(error, "code") or f"http_{status}").lower(), _field(error)
    told = f"nextcap {request.method} {request.route}: {status} {code}{_words(error)}"
    if code == "quota_exceeded":
        return NeedsReview(told, code=code)
    if status == 429 or code == "rate_limited":
        return RetryLater(told, code="rate_limited", after=_wait(error, response), system="nextcap")
    if status >= 500 or status in (408, 425):
        return None
    if status in (404, 410):
        return Gone(told, status=status)
    if status == 403:
        return Refused(told, code="forbidden", status=status)
    if status == 400 and (field == "status" or "transition" in told.lower()):
        return Refused(told, code="illegal_move", field="status", status=status)
    return Refused(told, code=code, field=field, status=status)


def _error(response: Response) -> Raw:
    """The error of an answer as an object, whatever form it has."""
    body = response.maybe_json
    if not isinstance(body, Mapping):
        return {}
    error = body.get("error", body)
    return error if isinstance(error, Mapping) else {"message": error, **body}


def _words(error: Raw) -> str:
    details = error.get("details")
    pairs = (
        details.items()
        if isinstance(details, Mapping)
        else [(pick(one, "field"), pick(one, "message")) for one in details or () if isinstance(one, Mapping)]
    )
    parts = [str(pick(error, "message") or ""), *(f"{field}: {message}" for field, message in pairs)]
    words = "; ".join(part for part in parts if part)
    return f" ({vendor_message(words)})" if words else ""


def _field(error: Raw) -> str | None:
    """The first field that the refusal names."""
    details = error.get("details")
    if isinstance(details, Mapping):
        return next((str(name) for name in details), None)
    named = [pick(one, "field") for one in details or () if isinstance(one, Mapping)]
    return next((str(name) for name in named if name), None)


def _wait(error: Raw, response: Response) -> float | None:
    """The longest of what the answer asks for, within reason; None where it does not say."""
    told = [
        _number(pick(error, "retry_after")),
        retry_after(response),
        _until_date(response),
    ]
    reset = _number(response.headers.get("x-ratelimit-reset"))
    if reset is not None and response.headers.get("x-ratelimit-remaining", "0") == "0":
        told.append(_seconds_until(reset, response))
    waits = [one for one in told if one is not None]
    return min(max(max(waits), SHORTEST_WAIT), LONGEST_WAIT) if waits else None


def _until_date(response: Response) -> float | None:
    at = _http_date(response.headers.get("retry-after"))
    return None if at is None else at - _now_of(response)


def _seconds_until(reset: float, response: Response) -> float:
    """A Unix time in seconds or milliseconds, or already a number of seconds, as seconds from the answer on."""
    if reset < 1e6:
        return reset
    return max(0.0, (reset / 1000 if reset > 1e11 else reset) - _now_of(response))


def _now_of(response: Response) -> float:
    """When the answer was made, by the clock of the one who made it."""
    return _http_date(response.headers.get("date")) or time.time()


def _http_date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except ValueError:
        return None


def _number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, str | int | float) else None
    except ValueError:
        return None
