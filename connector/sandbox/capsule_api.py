"""What every call passes: the token, the hour's limit, the body's envelope; and how pages are answered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, g, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from .capsule_account import Account
from .capsule_auth import Caller, Tokens
from .capsule_errors import Fault, Refusal, forbidden, invalid, malformed, not_found, rate_limited
from .capsule_hooks import Hooks
from .capsule_rules import Rules
from .capsule_settings import Settings
from .capsule_stock import Kind
from .capsule_views import Views
from .kernel import Clock, RateLimit

BASE = "/api/v2"
MOST_IDS = 10
PER_PAGE = 100
HOUR = 3600.0


@dataclass(slots=True)
class Reply:
    """An answer; a body of None is no body."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One admitted request."""

    account: Account
    hooks: Hooks
    caller: Caller
    query: MultiDict[str, str]
    raw: bytes

    @property
    def views(self) -> Views:
        return Views(self.account)

    @property
    def rules(self) -> Rules:
        return Rules(self.account)

    def envelope(self, name: str) -> Mapping[str, Any]:
        """The object under the one key that a body must have."""
        body = self.json()
        if not isinstance(body, dict) or not isinstance(body.get(name), dict):
            raise malformed(f"the body must be an object with the property {name}")
        inside: Mapping[str, Any] = body[name]
        return inside

    def json(self) -> Any:
        if request.mimetype != "application/json":
            raise Refusal(415, {"message": "send application/json"})
        try:
            return json.loads(self.raw)
        except ValueError as broken:
            raise malformed("the body is not valid JSON") from broken

    def embed(self, kind: Kind | frozenset[str]) -> frozenset[str]:
        """What the caller wants to see; names that this place does not have are passed over."""
        known = kind if isinstance(kind, frozenset) else kind.embeds
        return frozenset(self.query.get("embed", "").split(",")) & known

    def since(self, *, required: bool = False) -> datetime | None:
        told = self.query.get("since")
        if told is None:
            if required:
                raise invalid(Fault("since is required", "request", "since"))
            return None
        try:
            moment = datetime.fromisoformat(told.replace("Z", "+00:00"))
        except ValueError as broken:
            raise invalid(Fault("since must be a date in ISO 8601", "request", "since")) from broken
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def number(self, name: str, *, default: int, most: int | None = None) -> int:
        told = self.query.get(name, str(default))
        if not told.isdecimal() or int(told) < 1 or (most is not None and int(told) > most):
            raise invalid(Fault(f"{name} is out of range", "request", name))
        return int(told)

    def page(self, key: str, found: Iterable[Any], show: Callable[[Any], Any], *, most: int = PER_PAGE) -> Reply:
        """One page, with a Link to the next where there is one."""
        items: Sequence[Any] = list(found)
        page, per_page = self.number("page", default=1), self.number("perPage", default=50, most=most)
        end = page * per_page
        has_more = len(items) > end
        headers = {"X-Pagination-Has-More": str(has_more).lower()}
        if has_more:
            query = urlencode({**self.query.to_dict(), "page": page + 1, "perPage": per_page})
            headers["Link"] = f'<{request.base_url}?{query}>; rel="next"'
        return Reply(200, {key: [show(one) for one in items[end - per_page : end]]}, headers)


Handler = Callable[..., Reply]


class Api:
    """Adds routes to a Flask app; what a reset replaces is asked for at each request."""

    def __init__(self, app: Flask, *, parts: Callable[[], tuple[Account, Hooks, Tokens, Limit]]) -> None:
        self._app = app
        self._parts = parts
        app.register_error_handler(HTTPException, _as_capsule_says)
        app.after_request(_add_headers)

    def add(self, method: str, path: str, handler: Handler, *, scope: str | None = None) -> None:
        """Serve `handler` under the API's base; reading needs the scope `read`, all else `write`."""
        needed = scope or ("read" if method == "GET" else "write")

        def view(**values: Any) -> Response:
            account, hooks, tokens, limit = self._parts()
            caller = tokens.identify(request.headers.get("Authorization", ""), now=account.now())
            g.headers = limit.take(str(account.connector.id))
            caller.need(needed)
            call = ApiCall(account, hooks, caller, request.args, request.get_data())
            reply = handler(call, **values)
            return answer(reply.status, reply.body, reply.headers)

        self._app.add_url_rule(BASE + path, endpoint=f"{method} {path}", view_func=view, methods=[method])


class Limit:
    """So many calls an hour for each user."""

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self._settings = settings
        self._limit = RateLimit(clock, limit=settings.rate_limit, seconds=HOUR)

    def take(self, user: str) -> dict[str, str]:
        """The headers of an answer; 429 with the same headers over the limit."""
        self._limit.limit = self._settings.rate_limit
        verdict = self._limit.take(user)
        headers = {
            "X-RateLimit-Limit": str(verdict.limit),
            "X-RateLimit-Remaining": str(verdict.remaining),
            "X-RateLimit-Reset": str(int(verdict.reset_at)),
        }
        if not verdict.allowed:
            raise rate_limited(headers)
        return headers


def number_of(told: str, what: str = "resource") -> int:
    """An id of a path: digits, or there is no such thing."""
    if not re.fullmatch(r"[0-9]{1,18}", told):
        raise not_found(what)
    return int(told)


def numbers_of(told: str, what: str) -> list[int]:
    """Ids of a path, joined by commas: at most ten."""
    ids = [number_of(one, what) for one in told.split(",")]
    if len(ids) > MOST_IDS:
        raise Refusal(422, {"message": "too many ids"})
    return ids


def answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Bytes as they are, all else as JSON; None is no body."""
    if isinstance(body, bytes):
        return Response(body, status, dict(headers or {}))
    text = "" if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, dict(headers or {}), content_type="application/json;charset=utf-8")


def need_admin(call: ApiCall) -> None:
    """Some settings are the administrators' alone."""
    if not call.caller.is_admin:
        raise forbidden("Only administrators may do this")


def _as_capsule_says(error: HTTPException) -> Response:
    """What has no route."""
    told = "Could not find resource" if error.code == 404 else error.description
    return answer(error.code or 500, {"message": told})


def _add_headers(response: Response) -> Response:
    if response.status_code < 400:
        response.headers.update(g.get("headers", {}))
    return response
