"""Reading Next Cap's answers: limits and refusals, in every form they may have."""

from __future__ import annotations

import pytest

from connector.adapters.nextcap import rate, sort
from connector.adapters.transport import Rate, Request, Response
from connector.domain.errors import Gone, NeedsReview, Refused, RetryLater

READ = Request("GET", "/external/crm/tickets/7", "/external/crm/tickets/:id")
DATE = "Tue, 07 Apr 2026 14:30:00 GMT"


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (
            {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "59", "x-ratelimit-reset": "1775572230"},
            Rate(60, 59, 30.0),
        ),
        (
            {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1775572230000"},
            Rate(60, 0, 30.0),
        ),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "20"}, Rate(None, 3, 20.0)),
        ({"x-ratelimit-limit": "many"}, None),
        ({}, None),
    ],
)
def test_limit_headers_are_read_by_the_vendors_own_clock(headers: dict[str, str], told: Rate | None) -> None:
    assert rate(Response(200, {"date": DATE, **headers})) == told


@pytest.mark.parametrize(
    ("headers", "body", "after"),
    [
        ({}, b'{"error": {"code": "RATE_LIMITED", "retryAfter": 7}}', 7.0),
        ({"retry-after": "9"}, b'{"error": {"retryAfter": 7}}', 9.0),
        ({"retry-after": "Tue, 07 Apr 2026 14:30:12 GMT"}, b"", 12.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1775572220"}, b"", 20.0),
        ({}, b"<html>", None),
        ({"retry-after": "0"}, b"", 1.0),
        ({"retry-after": "86400"}, b"", 300.0),
    ],
)
def test_a_limit_waits_as_long_as_it_is_told_within_reason(
    headers: dict[str, str], body: bytes, after: float | None
) -> None:
    error = sort(READ, Response(429, {"date": DATE, **headers}, body))

    assert isinstance(error, RetryLater)
    assert (error.scope, error.after) == ("connection", pytest.approx(after))


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "field"),
    [
        (
            400,
            b'{"error": {"code": "VALIDATION_ERROR", "details": [{"field": "priority"}]}}',
            Refused,
            "validation_error",
            "priority",
        ),
        (400, b'{"error": {"code": "X", "details": {"priority": "no"}}}', Refused, "x", "priority"),
        (400, b'{"error": "no"}', Refused, "http_400", None),
        (400, b'{"message": "no", "statusCode": 400}', Refused, "http_400", None),
        (400, b'{"error": {"message": "Invalid status transition"}}', Refused, "illegal_move", "status"),
        (400, b"<html>", Refused, "http_400", None),
        (400, b'{"error": {"details": "text"}}', Refused, "http_400", None),
        (403, b'{"error": {"code": "FORBIDDEN"}}', Gone, "not_visible", None),
        (402, b'{"error": {"code": "quota_exceeded"}}', NeedsReview, "quota_exceeded", None),
        (404, b"", Gone, "gone", None),
        (409, b"[]", Refused, "http_409", None),
    ],
)
def test_refusals_are_understood_in_every_form(
    status: int, body: bytes, kind: type[Exception], code: str, field: str | None
) -> None:
    error = sort(READ, Response(status, {}, body))

    assert type(error) is kind
    assert error.code == code
    assert getattr(error, "field", None) == field


@pytest.mark.parametrize(
    "request_",
    [Request("PATCH", READ.path, READ.route), Request("GET", "/external/crm/tickets", "/external/crm/tickets")],
)
def test_a_write_or_a_list_that_is_forbidden_says_nothing_about_a_ticket(request_: Request) -> None:
    error = sort(request_, Response(403, {}, b"{}"))

    assert type(error) is Refused
    assert error.code == "forbidden"


@pytest.mark.parametrize("status", [408, 425, 500, 503])
def test_what_may_pass_is_left_to_the_transport(status: int) -> None:
    assert sort(READ, Response(status, {}, b'{"error": {"code": "INTERNAL_ERROR"}}')) is None


def test_a_refusals_words_are_cut_and_on_one_line() -> None:
    error = sort(READ, Response(400, {}, b'{"error": {"message": "' + b"x\\n " * 1000 + b'"}}'))

    assert len(str(error)) < 400
    assert "\n" not in str(error)
