"""The example CRM's API, below /api."""

from __future__ import annotations

import hmac
import json
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Flask, Response, jsonify, request

from .example_desk import STAFF, Desk, Ticket, refuse
from .kernel import RateLimit, Refusal

MOST_IDS = 50
MOST_CHANGES = 50
CHANGED_PAGE = 100
NOTES_PAGE = 20


def add_routes(app: Flask, *, desk: Callable[[], Desk], token: str, limit: Callable[[], RateLimit]) -> None:
    """All routes, each behind the token and the limit."""
    _add_gate(app, token, limit)
    _add_reading(app, desk)
    _add_writing(app, desk)
    _add_notes(app, desk)

    @app.get("/api/staff")
    def staff() -> Response:
        return jsonify({"staff": list(STAFF)})


def _add_gate(app: Flask, token: str, limit: Callable[[], RateLimit]) -> None:
    @app.before_request
    def check() -> None:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            raise refuse(401, "unauthorized", "the token is missing or wrong")
        verdict = limit().take("account")
        if not verdict.allowed:
            headers = {"Retry-After": str(math.ceil(verdict.retry_after))}
            raise Refusal(429, {"error": {"code": "too_many", "message": "slow down", "field": None}}, headers)
        request.environ["example.remaining"] = verdict.remaining

    @app.after_request
    def tell(response: Response) -> Response:
        response.headers["X-RateLimit-Limit"] = str(limit().limit)
        if "example.remaining" in request.environ:
            response.headers["X-RateLimit-Remaining"] = str(request.environ["example.remaining"])
            response.headers["X-RateLimit-Reset"] = str(math.ceil(limit().seconds))
        return response


def _add_reading(app: Flask, desk: Callable[[], Desk]) -> None:
    @app.get("/api/tickets")
    def listed() -> Response:
        """By ids, or by one filter; never all."""
        if "ids" in request.args:
            ids = request.args["ids"].split(",")
            if len(ids) > MOST_IDS:
                raise refuse(400, "too_many_ids", f"at most {MOST_IDS} ids")
            found = [
                desk().tickets[int(one)]
                for one in ids
                if one.isascii() and one.isdecimal() and int(one) in desk().tickets
            ]
            return jsonify({"data": [one.view() for one in found if not one.deleted]})
        filters = {key[7:-1]: value for key, value in request.args.items() if key.startswith("filter[")}
        if len(filters) != 1:
            raise refuse(400, "no_filter", "give ids, or one filter[field]")
        ((name, value),) = filters.items()
        live = [one for one in desk().tickets.values() if not one.deleted and not one.merged_into]
        return jsonify({"data": [one.view() for one in live if str(one.fields.get(name)) == value]})

    @app.get("/api/tickets/changed")
    def changed() -> Response:
        """In the order of change, deleted and merged ones too; the cursor is the last one's place."""
        cursor = request.args.get("cursor")
        try:
            since = datetime.fromisoformat(request.args["since"])
            after = json.loads(cursor) if cursor else ["", 0]
        except (KeyError, ValueError) as wrong:
            raise refuse(400, "wrong_since", "since must be a time, cursor one of ours") from wrong
        places = sorted(
            (one.view()["updated_at"], one.id) for one in desk().tickets.values() if one.updated_at >= since
        )
        rest = [place for place in places if list(place) > after]
        page = rest[:CHANGED_PAGE]
        going_on = json.dumps(list(page[-1])) if len(rest) > len(page) else None
        return jsonify({"data": [desk().tickets[place[1]].view() for place in page], "next": going_on})


def _add_writing(app: Flask, desk: Callable[[], Desk]) -> None:
    @app.post("/api/tickets")
    def create() -> tuple[Response, int]:
        body = _body("ticket", "customer")
        values = desk().checked(body.get("ticket"))
        made, is_new = desk().create(values, body.get("customer"), request.headers.get("Idempotency-Key", ""))
        as_first = is_new or desk().replays
        answer = jsonify({"data": desk().first[made.id] if as_first else made.view()})
        if is_new:
            desk().update(made, desk().rule)
        return answer, 201 if as_first else 200

    @app.patch("/api/tickets/<ticket>")
    def update(ticket: str) -> Response:
        values = desk().checked(_body("ticket").get("ticket"))
        return jsonify({"data": desk().update(desk().live(ticket), values).view()})

    @app.post("/api/tickets/batch")
    def batch() -> tuple[Response, int]:
        changes = _body("changes").get("changes")
        if not isinstance(changes, list) or not 1 <= len(changes) <= MOST_CHANGES:
            raise refuse(400, "wrong_batch", f"changes must be a list of 1 to {MOST_CHANGES}")
        return jsonify({"results": [_outcome(desk(), one) for one in changes]}), 207


def _outcome(desk: Desk, change: Any) -> dict[str, Any]:
    if not isinstance(change, dict) or set(change) != {"id", "ticket"}:
        return {"id": None, "status": 400, "error": {"code": "invalid", "message": "id and ticket", "field": None}}
    try:
        ticket: Ticket = desk.update(desk.live(change["id"]), desk.checked(change["ticket"]))
    except Refusal as refused:
        return {"id": change["id"], "status": refused.status, "error": refused.body["error"]}
    return {"id": change["id"], "status": 200, "data": ticket.view()}


def _add_notes(app: Flask, desk: Callable[[], Desk]) -> None:
    @app.get("/api/tickets/<ticket>/notes")
    def notes(ticket: str) -> Response:
        page = request.args.get("page", "1")
        if not page.isdecimal() or page == "0":
            raise refuse(400, "wrong_page", "page counts from 1")
        all_notes = desk().live(ticket).notes
        end = int(page) * NOTES_PAGE
        answer = jsonify({"notes": [one.view() for one in all_notes[end - NOTES_PAGE : end]]})
        if len(all_notes) > end:
            answer.headers["Link"] = f'<{request.base_url}?page={int(page) + 1}>; rel="next"'
        return answer

    @app.post("/api/tickets/<ticket>/notes")
    def write(ticket: str) -> tuple[Response, int]:
        body = _body("text", "public", "author", "reference")
        author, reference = str(body.get("author") or "API"), body.get("reference", "")
        made = desk().note(
            desk().live(ticket), body.get("text"), public=body.get("public"), author=author, reference=reference
        )
        return jsonify({"note": made.view()}), 201


def _body(*known: str) -> dict[str, Any]:
    """The JSON object that was sent, with no key but these."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise refuse(400, "not_json", "the body must be a JSON object")
    for name in body:
        if name not in known:
            raise refuse(400, "unknown_key", f"there is no {name} here")
    return body
