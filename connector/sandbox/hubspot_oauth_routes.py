"""Routes of OAuth, which take forms and no token: grant, introspect, revoke."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import Flask, Response, request

from .hubspot_api import answer, versions_of
from .hubspot_auth import Tokens
from .hubspot_errors import Refusal

Ask = Callable[[Tokens, dict[str, str], datetime], object]


def add_oauth_routes(app: Flask, *, tokens: Callable[[], Tokens], now: Callable[[], datetime]) -> None:
    """Serve the three calls at every version; secrets must come in the form, never in the address."""
    calls: dict[str, Ask] = {
        "token": lambda held, form, moment: held.grant(form, now=moment),
        "token/introspect": lambda held, form, moment: held.introspect(form, now=moment),
        "token/revoke": lambda held, form, _: held.revoke(form),
    }

    def view(ask: Ask) -> Callable[[], Response]:
        def answered() -> Response:
            if request.mimetype != "application/x-www-form-urlencoded":
                raise Refusal(415, "VALIDATION_ERROR", "Unsupported media type: send a form")
            return answer(200, ask(tokens(), request.form.to_dict(), now()))

        return answered

    for _, prefix in versions_of("oauth"):
        for path, ask in calls.items():
            rule = f"{prefix}/{path}"
            app.add_url_rule(rule, endpoint=rule, view_func=view(ask), methods=["POST"])
