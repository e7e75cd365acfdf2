"""The routes of tickets: reading, writing, jobs, comments, audits, exports."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask import jsonify, request

from .zendesk_account import API_USER, Account, Ticket
from .zendesk_errors import bad_request
from .zendesk_gate import Api, Limits, body_of, paged
from .zendesk_jobs import Jobs
from .zendesk_views import comment_view, ticket_view, user_view

KEY_LIVES = timedelta(hours=2)


@dataclass(slots=True)
class Office:
    """The parts that routes need; a reset makes new ones."""

    account: Account
    limits: Limits
    jobs: Jobs
    address: Callable[[], str]
    keys: dict[str, tuple[str, datetime, int]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.address()


def add_ticket_routes(api: Api, office: Callable[[], Office]) -> None:
    """Tickets one by one and by ids."""

    @api.route("GET", "/tickets/show_many", "tickets")
    def show_many() -> Any:
        ids = [one for one in request.args.get("ids", "").split(",") if one]
        if len(ids) > 100:
            raise bad_request("TooManyIds", "at most 100 ids")
        here = {str(one.id): one for one in office().account.live()}
        return jsonify({"tickets": [ticket_view(here[one]) for one in dict.fromkeys(ids) if one in here]})

    @api.route("GET", "/tickets", "tickets")
    def listed() -> Any:
        wanted = request.args.get("external_id")
        found = [one for one in office().account.live() if wanted in (None, one.values["external_id"])]
        return paged("tickets", [ticket_view(one) for one in found])

    @api.route("GET", "/search", "tickets")
    def search() -> Any:
        found = office().account.index.search(request.args.get("query", ""))
        size = min(int(request.args.get("per_page") or 100), 100)
        return jsonify({"results": found[:size], "count": len(found), "next_page": None, "previous_page": None})

    @api.route("GET", "/tickets/<ticket_id>", "tickets")
    def show(ticket_id: str) -> Any:
        return jsonify({"ticket": ticket_view(office().account.ticket(ticket_id))})


def add_writing_routes(api: Api, office: Callable[[], Office]) -> None:
    """Making and changing tickets, one by one."""

    @api.route("POST", "/tickets", "tickets")
    def create() -> Any:
        told = body_of("ticket")
        here, key = office(), request.headers.get("Idempotency-Key", "")
        if known := _replayed(here, key):
            shown = {"ticket": ticket_view(known), "audit": known.audits[0]}
            return jsonify(shown), 201, {"x-idempotency-lookup": "hit"}
        ticket, audit = here.account.create(told, API_USER)
        if key:
            here.keys[key] = (_digest(), here.account.now(), ticket.id)
        where = f"{here.url}/api/v2/tickets/{ticket.id}.json"
        headers = {"Location": where, **({"x-idempotency-lookup": "miss"} if key else {})}
        return jsonify({"ticket": ticket_view(ticket), "audit": audit}), 201, headers

    @api.route("PUT", "/tickets/<ticket_id>", "tickets")
    def update(ticket_id: str) -> Any:
        here, told = office(), body_of("ticket")
        limits, settings = here.limits, here.account.settings
        limits.take(limits.updates, "updates", settings.update_limit)
        limits.take(limits.same_ticket, ticket_id, settings.same_ticket_limit)
        ticket = here.account.ticket(ticket_id)
        audit = here.account.update(ticket, told, API_USER)
        return jsonify({"ticket": ticket_view(ticket), "audit": audit})


def add_job_routes(api: Api, office: Callable[[], Office]) -> None:
    """Changing many at once."""

    @api.route("PUT", "/tickets/update_many", "tickets")
    def update_many() -> Any:
        here = office()
        job = here.jobs.update_many(body_of("tickets"))
        return jsonify({"job_status": here.jobs.view(job.id, here.url)})

    @api.route("GET", "/job_statuses/show_many", "tickets")
    def jobs_shown() -> Any:
        here = office()
        ids = request.args.get("ids", "").split(",")
        return jsonify({"job_statuses": [here.jobs.view(one, here.url) for one in ids if one in here.jobs.all]})

    @api.route("GET", "/job_statuses/<job_id>", "tickets")
    def job(job_id: str) -> Any:
        return jsonify({"job_status": office().jobs.view(job_id, office().url)})


def add_timeline_routes(api: Api, office: Callable[[], Office]) -> None:
    """Comments, audits, deleted tickets."""

    @api.route("GET", "/tickets/<ticket_id>/comments", "tickets")
    def comments(ticket_id: str) -> Any:
        account = office().account
        found = account.ticket(ticket_id).comments
        if request.args.get("sort", "") == "-created_at":
            found = found[::-1]
        authors = {one.author_id for one in found} if request.args.get("include") == "users" else set()
        users = [user_view(account.users[one]) for one in sorted(authors)]
        return paged("comments", [comment_view(one) for one in found], users=users)

    @api.route("GET", "/tickets/<ticket_id>/audits", "tickets")
    def audits(ticket_id: str) -> Any:
        return paged("audits", office().account.ticket(ticket_id).audits)

    @api.route("GET", "/deleted_tickets", "tickets")
    def deleted() -> Any:
        found = [one for one in office().account.tickets.values() if one.deleted]
        return paged("deleted_tickets", [{"id": one.id, "subject": one.values["subject"]} for one in found])


def add_export_routes(api: Api, office: Callable[[], Office]) -> None:
    """Incremental exports: what changed, but for the newest minute."""

    @api.route("GET", "/incremental/tickets/cursor", "tickets", admin=True)
    def export() -> Any:
        here = office()
        start, passed = _place(here, request.args)
        found = _exported(here, start)[passed:]
        page = found[: here.account.settings.export_page]
        cursor = f"{start}.{passed + len(page)}"
        after = f"{here.url}/api/v2/incremental/tickets/cursor.json?cursor={cursor}"
        ends = {"after_url": after, "after_cursor": cursor, "end_of_stream": len(page) == len(found)}
        return jsonify({"tickets": [ticket_view(one) for one in page], **ends})

    @api.route("GET", "/incremental/ticket_events", "tickets", admin=True)
    def events() -> Any:
        here = office()
        start = _start(here, request.args.get("start_time"))
        told = []
        for ticket in _exported(here, start):
            for audit in ticket.audits:
                at = int(datetime.fromisoformat(audit["created_at"]).timestamp())
                if at >= start:
                    told.append({"id": audit["id"], "ticket_id": ticket.id, "timestamp": at, **_children(audit)})
        told.sort(key=lambda one: (one["timestamp"], one["id"]))
        page = told[: here.account.settings.export_page]
        end = page[-1]["timestamp"] if page else start
        return jsonify(
            {"ticket_events": page, "count": len(page), "end_time": end, "end_of_stream": len(page) == len(told)}
        )


def _exported(here: Office, start: int) -> list[Ticket]:
    """What changed since then, oldest first; counts as one export."""
    here.limits.take(here.limits.exports, "exports", here.account.settings.export_limit)
    newest = here.account.now() - timedelta(seconds=here.account.settings.export_age)
    found = [one for one in here.account.tickets.values() if start <= one.changed_at.timestamp()]
    return sorted((one for one in found if one.changed_at <= newest), key=lambda one: (one.changed_at, one.id))


def _start(here: Office, told: str | None) -> int:
    if told is None or not told.isdecimal():
        raise bad_request("InvalidValue", "start_time is required, in seconds")
    if int(told) > here.account.now().timestamp() - 60:
        raise bad_request("InvalidValue", "Too recent start_time. Use a start_time older than 60 seconds")
    return int(told)


def _place(here: Office, args: Any) -> tuple[int, int]:
    if "cursor" in args:
        start, _, passed = args["cursor"].partition(".")
        if not (start.isdecimal() and passed.isdecimal()):
            raise bad_request("InvalidValue", "the cursor is invalid")
        return int(start), int(passed)
    return _start(here, args.get("start_time")), 0


def _children(audit: dict[str, Any]) -> dict[str, Any]:
    children = [
        {"event_type": one["type"], "id": one["id"], **({"public": one["public"]} if one["type"] == "Comment" else {})}
        for one in audit["events"]
    ]
    return {"child_events": children, "updater_id": audit["author_id"]}


def _digest() -> str:
    return hashlib.sha256(json.dumps(request.get_json(), sort_keys=True).encode()).hexdigest()


def _replayed(here: Office, key: str) -> Ticket | None:
    """The ticket that was made with this key; 400 where it came with other parameters."""
    known = here.keys.get(key) if key else None
    if len(key) > 255:
        raise bad_request("IdempotentRequestError", "Idempotency-Key is too long")
    if known is None or here.account.now() - known[1] > KEY_LIVES:
        return None
    if known[0] != _digest():
        text = "Request parameters do not match those of the first request with this key"
        raise bad_request("IdempotentRequestError", text)
    return here.account.tickets[known[2]]
