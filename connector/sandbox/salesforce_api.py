"""The path map: every route under its versions, behind token and limits; headers of every answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from flask import Flask, Response, g, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from .kernel_gate import Refusal
from .salesforce_auth import Tokens
from .salesforce_errors import Failure, not_found
from .salesforce_org import Org, Writer
from .salesforce_query import LARGEST_PAGE, SMALLEST_PAGE, Queries

NEWEST = 68
DEPRECATED = 40
LONGEST_URI, LONGEST_HEAD = 16_384, 16_384
DAY = timedelta(days=1)


@dataclass(slots=True)
class Usage:
    """The calls of the last 24 hours, counted by the hour."""

    hours: dict[datetime, int] = field(default_factory=dict)

    def count(self, now: datetime) -> None:
        hour = now.replace(minute=0, second=0, microsecond=0)
        self.hours[hour] = self.hours.get(hour, 0) + 1

    def used(self, now: datetime) -> int:
        return sum(calls for hour, calls in self.hours.items() if now - hour < DAY)


@dataclass(slots=True)
class Account:
    """What one reset makes anew: org, sessions, cursors, the day's count."""

    org: Org
    tokens: Tokens
    queries: Queries
    usage: Usage = field(default_factory=Usage)

    def info(self) -> str:
        return f"api-usage={self.usage.used(self.org.now())}/{self.org.settings.daily}"


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One admitted call, or one part of a composite one."""

    account: Account
    version: str
    query: Mapping[str, str]
    body: Any
    headers: Mapping[str, str]

    @property
    def org(self) -> Org:
        return self.account.org

    @property
    def writer(self) -> Writer:
        """Our user, and what the headers say about rules."""
        rule = self.headers.get("sforce-duplicate-rule-header", "").replace(" ", "").lower()
        return Writer(
            self.org.user_id,
            by_api=True,
            auto_assign=self.headers.get("sforce-auto-assign", "TRUE").strip().upper() != "FALSE",
            allow_duplicates="allowsave=true" in rule,
        )

    @property
    def batch(self) -> int:
        """The rows a page that the client wishes, within what is allowed."""
        wish = self.headers.get("sforce-query-options", "").lower().replace(" ", "").removeprefix("batchsize=")
        return min(max(int(wish), SMALLEST_PAGE), LARGEST_PAGE) if wish.isdecimal() else LARGEST_PAGE

    def record(self) -> dict[str, Any]:
        """The body as one record."""
        if not isinstance(self.body, dict):
            raise Failure("JSON_PARSER_ERROR", "Unexpected JSON: an object is expected")
        return self.body


Reply = tuple[int, Any]
Handler = Callable[..., Reply]


class VersionConverter(BaseConverter):
    """`62.0` in a path."""

    regex = r"\d{1,2}\.0"


class Api:
    """Adds routes to a Flask app, and answers parts of composite calls by the same routes."""

    def __init__(self, app: Flask, account: Callable[[], Account], now: Callable[[], datetime]) -> None:
        self._app = app
        self._account = account
        self._now = now
        self._handlers: dict[str, Handler] = {}
        app.url_map.converters["version"] = VersionConverter
        app.url_map.strict_slashes = False
        app.register_error_handler(Failure, lambda failure: _answer(failure.status, [failure.body()]))
        app.register_error_handler(HTTPException, _as_salesforce_says)
        app.after_request(_add_headers)

    def add(self, method: str, path: str, handler: Handler) -> None:
        """Serve `handler(call, **path)` below every version's address."""
        endpoint = f"{method} {path}"
        self._handlers[endpoint] = handler

        def view(version: str, **parts: str) -> Response:
            call = self._admit(version)
            return _answer(*handler(call, **parts))

        rule = f"/services/data/v<version:version>{path}"
        self._app.add_url_rule(rule, endpoint=endpoint, view_func=view, methods=[method])

    def part(self, outer: ApiCall, method: str, url: str, body: Any, headers: Mapping[str, str]) -> Reply:
        """Answer one part of a composite call; its refusal is its answer."""
        path, _, query = url.partition("?")
        try:
            endpoint, found = self._app.url_map.bind("").match(path, method)
        except HTTPException:
            return 404, [not_found().body()]
        if endpoint not in self._handlers:
            return 404, [not_found().body()]
        parts = dict(found)
        version = parts.pop("version")
        asked = MultiDict(_pairs(query)).to_dict()
        merged = {**outer.headers, **{name.lower(): value for name, value in headers.items()}}
        call = ApiCall(outer.account, version, asked, body, merged)
        try:
            return self._handlers[endpoint](call, **parts)
        except Failure as failure:
            return failure.status, [failure.body()]
        except Refusal as refusal:
            return refusal.status, refusal.body

    def _admit(self, version: str) -> ApiCall:
        account = self._account()
        settings = account.org.settings
        number = int(version.partition(".")[0])
        if number < settings.oldest_version:
            raise Failure("UNSUPPORTED_API_VERSION", f"API version {version} is no longer supported")
        if number > NEWEST:
            raise not_found()
        uri = request.environ["RAW_URI"]
        if len(uri) > LONGEST_URI:
            raise Failure("URI_TOO_LONG", "The URI is too long")
        if len(uri) + sum(len(name) + len(value) for name, value in request.headers.items()) > LONGEST_HEAD:
            raise Failure("URI_TOO_LONG", "The URI and the headers are too long", status=431)
        account.tokens.identify(request.headers.get("Authorization", ""), now=self._now())
        if account.usage.used(self._now()) >= settings.daily:
            raise Failure("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        if settings.running:
            raise Failure("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.")
        account.usage.count(self._now())
        g.headers = {"Sforce-Limit-Info": account.info()}
        if number <= DEPRECATED:
            g.headers["Warning"] = f'299 - "This API is deprecated and will be removed. Version {version}"'
        headers = {name.lower(): value for name, value in request.headers.items()}
        return ApiCall(account, version, request.args.to_dict(), _json(), headers)


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


def _json() -> Any:
    raw = request.get_data()
    if not raw:
        return None
    if request.mimetype != "application/json":
        raise Failure("UNSUPPORTED_MEDIA_TYPE", f"Content-Type not supported: {request.mimetype}")
    try:
        return json.loads(raw)
    except ValueError as wrong:
        raise Failure("JSON_PARSER_ERROR", f"Unexpected character: {wrong}") from wrong


def _answer(status: int, body: Any) -> Response:
    """A JSON answer; a body of None is no body."""
    text = "" if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, content_type="application/json;charset=UTF-8")


def _as_salesforce_says(error: HTTPException) -> Response:
    """What has no route: an unknown path or version, or a method that a path does not have."""
    if error.code == 405:
        told = f"HTTP Method '{request.method}' not allowed. Allowed are HEAD,GET,POST,PATCH,DELETE"
        return _answer(405, [Failure("METHOD_NOT_ALLOWED", told).body()])
    return _answer(error.code or 500, [not_found().body()])


def _add_headers(response: Response) -> Response:
    response.headers.update(g.get("headers", {}))
    return response
