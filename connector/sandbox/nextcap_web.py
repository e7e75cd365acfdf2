"""The HTTP manners of Next Cap's API: admission, envelopes, headers; the same for every route."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from .kernel import Refusal
from .nextcap_access import presented_key
from .nextcap_casing import cased
from .nextcap_errors import Check, check_fields, refuse
from .nextcap_lists import Page

if TYPE_CHECKING:
    from .nextcap_core import Core

BASE = "/api/v1"
CRM = f"{BASE}/external/crm"
DATA = f"{BASE}/external"
WRITES = ("POST", "PATCH")


def add_manners(app: Flask, core: Core) -> None:
    """Admit requests before routes, and dress answers and refusals after them."""
    app.before_request(lambda: _admit(core))
    app.after_request(lambda response: _dress(core, response))
    app.register_error_handler(Refusal, lambda refusal: _refused(core, refusal))
    app.register_error_handler(HTTPException, lambda error: _refused(core, _as_refusal(error)))


def _admit(core: Core) -> Response | None:
    """Count the call, then refuse browsers, wrong keys and too many calls, in that order."""
    headers = request.headers
    key = presented_key(headers.get("X-Api-Key", ""), headers.get("Authorization", ""))
    g.verdict = core.rate.take(key or "")
    if "Origin" in request.headers:
        raise refuse(403, "Browser requests are not allowed")
    core.access.check_key(key, is_crm=request.path.startswith(f"{CRM}/"))
    if not g.verdict.allowed:
        raise refuse(429, "Rate limit exceeded", retryAfter=math.ceil(g.verdict.retry_after))
    core.files.expire()
    return _answered_before(core)


def _answered_before(core: Core) -> Response | None:
    """The first answer to this Idempotency-Key, where the settings honour it."""
    before = core.answered.get(_idempotency())
    return Response(before[1], before[0], mimetype="application/json") if before else None


def _idempotency() -> tuple[str, ...]:
    return request.method, request.path, request.headers.get("Idempotency-Key", "")


def _dress(core: Core, response: Response) -> Response:
    verdict = g.verdict
    response.headers["X-RateLimit-Limit"] = str(verdict.limit)
    response.headers["X-RateLimit-Remaining"] = str(verdict.remaining)
    response.headers["X-RateLimit-Reset"] = str(math.ceil(verdict.reset_at))
    if response.status_code == 429 and core.settings.retry_after_header:
        response.headers["Retry-After"] = str(math.ceil(verdict.retry_after))
    if request.method in WRITES and response.status_code < 300:
        if core.settings.idempotency and request.headers.get("Idempotency-Key"):
            core.answered.setdefault(_idempotency(), (response.status_code, response.get_data()))
        if core.settings.empty_answers:
            response.set_data(b"")
    return response


def _refused(core: Core, refusal: Refusal) -> Response:
    if core.settings.errors_as_text:
        message = refusal.body["error"]["message"]
        refusal = Refusal(refusal.status, {"success": False, "error": message})
    return refusal.response()


def _as_refusal(error: HTTPException) -> Refusal:
    return refuse(error.code or 500, error.description or error.name)


def answer(core: Core, value: Mapping[str, Any], status: int = 200) -> tuple[Response, int]:
    """One resource under `data`."""
    return jsonify({"data": cased(value, core.settings.casing)}), status


def answer_list(core: Core, page: Page) -> Response:
    """A list under `data`, with its `meta` unless the settings leave it out."""
    body: dict[str, Any] = {"data": cased(page.items, core.settings.casing)}
    return jsonify({**body, "meta": page.meta} if core.settings.list_meta else body)


def read_body(checks: Mapping[str, Check] | None = None, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """The request's JSON object, checked where checks are given; a refusal for anything else."""
    if request.mimetype != "application/json":
        raise refuse(400, "The body must be application/json")
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise refuse(400, "The body must be a JSON object")
    return body if checks is None else check_fields(body, checks, required)


def no_body() -> None:
    """Refuse an empty body that is declared as JSON, and any body but an empty object."""
    if request.mimetype == "application/json" or request.get_data():
        read_body({})
