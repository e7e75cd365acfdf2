"""Routes of OAuth: authorise (British spelling), token, revoke."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, redirect, request

from .capsule_api import answer
from .capsule_auth import Tokens
from .capsule_errors import malformed


def add_oauth_routes(app: Flask, *, tokens: Callable[[], Tokens], now: Callable[[], datetime]) -> None:
    """The token's parameters come as a form or as JSON, never in the address."""

    @app.get("/oauth/authorise")
    def authorise() -> Any:
        code = tokens().authorise(request.args)
        target = request.args.get("redirect_uri", "")
        if not target:
            raise malformed("redirect_uri is required")
        return redirect(f"{target}?{urlencode({'code': code, 'state': request.args.get('state', '')})}")

    @app.post("/oauth/token")
    def token() -> Response:
        return answer(200, tokens().grant(_given(), now=now()))

    @app.post("/oauth/token/revoke")
    def revoke() -> Response:
        tokens().revoke(_given())
        return answer(200, None)


def _given() -> dict[str, str]:
    if request.mimetype == "application/json":
        told = request.get_json(silent=True)
        if not isinstance(told, dict):
            raise malformed("the body is not valid JSON")
        return {str(name): str(value) for name, value in told.items()}
    return request.form.to_dict()
