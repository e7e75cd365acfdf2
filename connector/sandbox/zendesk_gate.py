"""What stands before Zendesk's routes: who calls, with which scopes, within which limits."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Flask, Response, g, jsonify, request

from .kernel import Clock, RateLimit
from .zendesk_auth import Tokens
from .zendesk_errors import bad_request, forbidden, limited
from .zendesk_settings import Settings

View = Callable[..., Any]


class Limits:
    """The account's calls and updates per minute, updates of one ticket per ten minutes, exports per minute."""

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self.settings, self.clock = settings, clock
        self.calls = RateLimit(clock, limit=0, seconds=60.0)
        self.updates = RateLimit(clock, limit=0, seconds=60.0)
        self.same_ticket = RateLimit(clock, limit=0, seconds=600.0, rolling=True)
        self.exports = RateLimit(clock, limit=0, seconds=60.0, rolling=True)

    def take(self, limit: RateLimit, key: str, allowed: int, headers: dict[str, str] | None = None) -> None:
        """Count a call, or refuse it with 429."""
        limit.limit = allowed
        verdict = limit.take(key)
        if not verdict.allowed:
            raise limited(verdict.retry_after, headers or {})

    def account(self) -> None:
        """One call of the account; its headers are kept for the answer."""
        self.calls.limit = self.settings.rate_limit
        verdict = self.calls.take("account")
        told = {"X-Rate-Limit": verdict.limit, "X-Rate-Limit-Remaining": verdict.remaining}
        reset = max(0, round(verdict.reset_at - self.clock.now().timestamp()))
        told |= {"ratelimit-limit": verdict.limit, "ratelimit-remaining": verdict.remaining, "ratelimit-reset": reset}
        g.limit_headers = {name: str(value) for name, value in told.items()}
        if not verdict.allowed:
            raise limited(verdict.retry_after, g.limit_headers)


class Api:
    """Adds routes under /api/v2, with and without `.json` at the end; each names the resource whose scope it needs."""

    def __init__(self, app: Flask, tokens: Callable[[], Tokens], limits: Callable[[], Limits]) -> None:
        self._app, self._tokens, self._limits = app, tokens, limits
        app.after_request(_with_limits)

    def route(self, method: str, path: str, resource: str, *, admin: bool = False) -> Callable[[View], View]:
        """A decorator for the view of one route."""

        def decorate(view: View) -> View:
            @wraps(view)
            def checked(**ids: str) -> Any:
                tokens = self._tokens()
                scopes = tokens.identify(request.headers.get("Authorization", ""), now=self._limits().clock.now())
                self._limits().account()
                tokens.need(scopes, resource, writes=method != "GET")
                if admin and tokens.settings.role != "admin":
                    raise forbidden("You do not have access to this page. Only administrators do.")
                return view(**ids)

            for place, suffix in enumerate(("", ".json")):
                name = f"{method} {path} {place}".replace(".", "_")
                self._app.add_url_rule(f"/api/v2{path}{suffix}", name, checked, methods=[method])
            return view

        return decorate


def body_of(name: str) -> Any:
    """The object under this name in the JSON body; 400 where there is none."""
    if "json" not in (request.content_type or ""):
        raise bad_request("UnsupportedContentType", "Content-Type must be application/json")
    told = request.get_json(silent=True)
    if not isinstance(told, dict) or name not in told:
        raise bad_request("MissingParameters", f"Parameter {name} is required")
    return told[name]


def paged(name: str, items: list[Any], **more: Any) -> Response:
    """One page of a list, by cursor."""
    size = min(int(request.args.get("page[size]") or 100), 100)
    start = int(request.args.get("page[after]") or 0)
    page, has_more = items[start : start + size], len(items) > start + size
    meta = {"has_more": has_more, "after_cursor": str(start + size) if has_more else None, "before_cursor": None}
    return jsonify({name: page, "meta": meta, **more})


def _with_limits(response: Response) -> Response:
    response.headers.extend(g.get("limit_headers", {}))
    return response
