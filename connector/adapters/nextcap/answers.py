"""Next Cap's grammar of answers: envelopes, either casing, paging, limits and refusals.

Much of it is not public, so every reader here accepts what the documents leave open: `data` or none, snake_case or
camelCase, `meta` or none, an error as an object or a text.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid5

from connector.adapters import calls
from connector.adapters.answers import about, mapping_of
from connector.adapters.calls import Sender
from connector.adapters.times import moment, seconds_until
from connector.adapters.transport import Query, Rate, Request, Response, retry_after, vendor_message
from connector.domain.errors import ConnectorError, Gone, NeedsReview, Refused, RetryLater

Raw: TypeAlias = Mapping[str, Any]
"""A JSON object as Next Cap sent it."""

PER_PAGE: Final = 100
USUAL_PAGE_SIZES: Final = (20, 50, PER_PAGE)
SHORTEST_WAIT, LONGEST_WAIT = 1.0, 300.0
NAMESPACE: Final = UUID("6c1d5a0e-2f0c-4f5e-9b1c-3a2c7e4d8f10")
TICKETS: Final = "/external/crm/tickets"
TICKET: Final = f"{TICKETS}/:id"
A_MOMENT: Final = 1e6
"""A reset of this size or more is a time since 1970, in seconds or milliseconds; a smaller one is seconds from now."""


class Api(calls.Api):
    """Next Cap's calls, as one key makes them."""

    def __init__(self, transport: Sender, *, idempotency: bool = True) -> None:
        super().__init__(transport)
        self._idempotency = idempotency

    def get(self, route: str, *, ids: Mapping[str, str] | None = None, query: Query | None = None) -> Response:
        """One read."""
        return self.send("GET", route, ids=ids, query=query, shape=object)

    def write(
        self, method: str, route: str, *, ids: Mapping[str, str] | None = None, json: Any = None, effect: str = ""
    ) -> Response:
        """One write. A named effect carries an idempotency key, which Next Cap may or may not heed.

        The key is made of the name and the body, so that another body is never answered with an old outcome.
        """
        told = f"{effect}\0{self.path(route, ids or {})}\0{jsonlib.dumps(json, sort_keys=True)}"
        headers = {"idempotency-key": str(uuid5(NAMESPACE, told))} if effect and self._idempotency else {}
        return self.send(method, route, ids=ids, json=json, headers=headers, shape=object)

    def ticket(self, ticket_id: str) -> Raw:
        """One ticket. Raises Gone where our seat does not see it, RetryLater where the answer holds none."""
        found = resource(self.get(TICKET, ids={"id": ticket_id}), "ticket")
        if pick(found, "id") is None:
            told = f"nextcap GET {TICKET}: the answer holds no ticket"
            raise RetryLater(told, code="unreadable_answer", scope="record", system="nextcap")
        return found

    def pages(
        self, route: str, *names: str, ids: Mapping[str, str] | None = None, query: Query | None = None
    ) -> Iterator[Sequence[Raw]]:
        """The pages of a list, without what an earlier page held; ends after the last, whatever says that it is.

        `names` are the keys that may hold the list inside `data`.
        """
        seen: set[str] = set()
        number, is_last = 1, False
        while not is_last:
            found, is_last = self.page(route, *names, number=number, ids=ids, query=query)
            fresh = [one for one in found if _identity(one) not in seen]
            yield fresh
            seen |= {_identity(one) for one in fresh}
            number, is_last = number + 1, is_last or not fresh

    def page(
        self, route: str, *names: str, number: int, ids: Mapping[str, str] | None = None, query: Query | None = None
    ) -> tuple[Sequence[Raw], bool]:
        """One page of a list, counted from 1, and whether it says that it is the last."""
        paging = {"page": str(number), "per_page": str(PER_PAGE)}
        body = self.get(route, ids=ids, query={**(query or {}), **paging}).json
        found = listed(body, *names)
        return found, _is_last(body, number, len(found))


def lookup(raw: Raw, *names: str) -> tuple[bool, Any]:
    """Whether one of these fields is named, in either casing, and its first value that is not null."""
    is_named = False
    for key in _spellings(names):
        if key in raw:
            is_named = True
            if raw[key] is not None:
                return True, raw[key]
    return is_named, None


@cache
def _spellings(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for name in names for key in (name, camel(name))))


def pick(raw: Raw, *names: str) -> Any:
    """The first of these fields that holds anything."""
    return lookup(raw, *names)[1]


def inner(raw: Raw, name: str) -> Raw:
    """The object in this field; an empty one where there is none."""
    found = pick(raw, name)
    return found if isinstance(found, dict) else {}


@cache
def camel(name: str) -> str:
    """`ticket_number` as `ticketNumber`."""
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


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
    limit, remaining = (_number(response.headers.get(f"x-ratelimit-{name}")) for name in ("limit", "remaining"))
    if limit is None and remaining is None:
        return None
    return Rate(
        limit=None if limit is None else int(limit),
        remaining=None if remaining is None else int(remaining),
        reset_in=_reset_in(response),
    )


def sort(request: Request, response: Response) -> ConnectorError | None:
    """What a refusal of Next Cap means; None leaves it to the transport."""
    status = response.status
    error = _error(response)
    details = _details(error)
    code, field = str(pick(error, "code") or f"http_{status}").lower(), next((one for one, _ in details if one), None)
    told = f"{about('nextcap', request, response)} {code}{_words(error, details)}"
    if code == "quota_exceeded":
        return NeedsReview(told, code=code)
    if status == 429 or code == "rate_limited":
        return RetryLater(told, code="rate_limited", after=_wait(error, response), system="nextcap")
    if status >= 500 or status in (408, 425):
        return None
    if status in (404, 410):
        return Gone(told, status=status)
    if status == 403 and request.is_read and request.route.startswith(TICKET):
        return Gone(told, code="not_visible", status=status)  # What another seat may see is as good as gone for ours.
    if status == 403:
        return Refused(told, code="forbidden", status=status)
    if status == 400 and (field == "status" or "transition" in told.lower()):
        return Refused(told, code="illegal_move", field="status", status=status)
    return Refused(told, code=code, field=field, status=status)


def _error(response: Response) -> Raw:
    """The error of an answer as an object, whatever form it has."""
    body = mapping_of(response.maybe_json)
    error = body.get("error", body)
    return error if isinstance(error, Mapping) else {"message": error, **body}


def _details(error: Raw) -> list[tuple[str, object]]:
    """Each field that the refusal names, or an empty text, and what is wrong with it."""
    details = error.get("details")
    if isinstance(details, Mapping):
        return [(str(field), message) for field, message in details.items()]
    listed = [one for one in details if isinstance(one, Mapping)] if isinstance(details, list) else []
    return [(str(pick(one, "field") or ""), pick(one, "message")) for one in listed]


def _words(error: Raw, details: Sequence[tuple[str, object]]) -> str:
    parts = [str(pick(error, "message") or ""), *(f"{field}: {message}" for field, message in details)]
    words = "; ".join(part for part in parts if part)
    return f" ({vendor_message(words)})" if words else ""


def _wait(error: Raw, response: Response) -> float | None:
    """The longest of what the answer asks for, within reason; None where it does not say."""
    told = [_number(pick(error, "retry_after")), retry_after(response)]
    if response.headers.get("x-ratelimit-remaining", "0") == "0":
        told.append(_reset_in(response))
    waits = [one for one in told if one is not None]
    return min(max(max(waits), SHORTEST_WAIT), LONGEST_WAIT) if waits else None


def _reset_in(response: Response) -> float | None:
    """Seconds until calls are free again, where the answer tells that."""
    reset = _number(response.headers.get("x-ratelimit-reset"))
    if reset is None or reset < A_MOMENT:
        return reset
    at = moment(reset)
    return None if at is None else max(0.0, seconds_until(at, response.headers))


def _number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, str | int | float) else None
    except ValueError:
        return None
