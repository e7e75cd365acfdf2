"""Memo, a CRM that keeps its tickets in memory and is asked without a network: the smallest that can do everything.

It exists to prove the contract suite: `adapter.py` keeps every promise, and `test_promises.py` breaks them one by one.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import unquote, urlencode, urlsplit

from flask import Flask, Response, jsonify, request

from connector.adapters.transport import NoAnswer, NotSent, Request
from connector.adapters.transport import Response as Answered
from connector.sandbox.kernel import Answer, Deliveries, DropConnection, Environ, Imitation, Refusal, iso

TOKEN, SECRET = "memo-token-7a41", "memo-webhook-secret-19fe"
FIELDS: Mapping[str, tuple[str, ...]] = {
    "subject": (),
    "description": (),
    "priority": ("low", "normal", "high"),
    "external_id": (),
}
LONGEST, PAGE = 200, 100


@dataclass
class Ticket:
    """One ticket as Memo keeps it."""

    id: str
    values: dict[str, Any]
    email: str
    changed: datetime
    gone: bool = False
    merged_into: str = ""
    notes: list[dict[str, Any]] = field(default_factory=list)

    def view(self) -> dict[str, Any]:
        """The ticket as the API shows it."""
        told = {"id": self.id, "values": self.values, "email": self.email, "changed": iso(self.changed)}
        return {**told, "gone": self.gone, "merged_into": self.merged_into}


def sign(moment: datetime, body: bytes) -> dict[str, str]:
    """What Memo puts on a webhook."""
    told = str(int(moment.timestamp()))
    made = hmac.new(SECRET.encode(), f"{told}.".encode() + body, hashlib.sha256).hexdigest()
    return {"x-memo-time": told, "x-memo-signature": made}


class Memo(Imitation):
    """The CRM. Its `url` is a name that nobody listens on: `MemoWire` asks it directly."""

    name: ClassVar[str] = "memo"
    url = "http://127.0.0.1:1"

    def __init__(self) -> None:
        super().__init__()
        self.is_up = True
        self.forget()

    def forget(self) -> None:
        self.tickets: dict[str, Ticket] = {}
        self.has_field, self.hook = False, ""

    def make_deliveries(self) -> Deliveries:
        return Deliveries(self.clock, lambda delivery: sign(self.now(), delivery.body), schedule=())

    def state(self) -> Any:
        return [one.view() for one in self.tickets.values()]

    def settings_view(self) -> Mapping[str, Any]:
        return {}

    def configure(self, **changes: Any) -> None:
        if changes:
            raise ValueError("Memo has no settings")

    def start(self) -> None:
        self.is_up = True

    def stop(self) -> None:
        self.is_up = False

    def answer(self, environ: Environ) -> Answer:
        """What one request gets, faults included. Raises DropConnection."""
        return self._gate(environ)

    # -- what people do

    def create(self, values: Mapping[str, Any], email: str = "") -> Ticket:
        one = Ticket(str(len(self.tickets) + 1), {**dict.fromkeys(FIELDS), **values}, email.lower(), self.now())
        self.tickets[one.id] = one
        return one

    def note(self, ticket: str, text: str, **told: Any) -> dict[str, Any]:
        one = self.live(ticket)
        made = {"id": f"{one.id}-{len(one.notes) + 1}", "text": text, "public": False, "key": "", "at": iso(self.now())}
        one.notes.append({**made, "ticket": one.id, **told})
        return one.notes[-1]

    def live(self, ticket: str) -> Ticket:
        one = self.tickets.get(ticket)
        if one is None or one.gone:
            raise Refusal(404, {"error": "no_such_ticket"})
        return one

    # -- its API

    def routes(self, app: Flask) -> None:
        app.before_request(self._admit)
        app.add_url_rule("/tickets", view_func=self._list)
        app.add_url_rule("/tickets/<ticket>", view_func=self._one)
        app.add_url_rule("/write", view_func=self._write, methods=["POST"])
        app.add_url_rule("/notes", view_func=self._notes)
        app.add_url_rule("/notes", view_func=self._add, methods=["POST"], endpoint="add")
        app.add_url_rule("/people", view_func=self._people)
        app.add_url_rule("/set-up", view_func=self._set_up, methods=["GET", "PUT"])

    def _admit(self) -> Response | None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refusal(401, {"error": "unauthorized"})
        return None

    def _list(self) -> Response:
        asked, live = request.args, [one for one in self.tickets.values() if not one.gone]
        if "ids" in asked:
            return jsonify(tickets=[one.view() for one in live if one.id in asked["ids"].split(",")])
        if "field" in asked:
            found = [one.view() for one in live if one.values.get(asked["field"]) in asked.getlist("value")]
            return jsonify(tickets=found)
        news = sorted((iso(one.changed), one.id) for one in live)
        page = [one for one in news if one[0] >= asked["since"] and "|".join(one) > asked.get("after", "")][:PAGE]
        more = "|".join(page[-1]) if len(page) == PAGE else ""
        noted = [note["ticket"] for one in live for note in one.notes if note["at"] >= asked["since"]]
        return jsonify(tickets=[self.tickets[one].view() for _, one in page], after=more, commented=noted)

    def _one(self, ticket: str) -> Response:
        if ticket not in self.tickets:
            raise Refusal(404, {"error": "no_such_ticket"})
        return jsonify(self.tickets[ticket].view())

    def _write(self) -> Response:
        outcomes = []
        for change in request.get_json()["changes"]:
            try:
                one, created = self._apply(change)
                outcomes.append({"key": change["key"], "ticket": one.view(), "created": created})
            except Refusal as refusal:
                outcomes.append({"key": change["key"], **refusal.body})
        return jsonify(outcomes=outcomes)

    def _apply(self, change: Mapping[str, Any]) -> tuple[Ticket, bool]:
        values = change["values"]
        for name, value in values.items():
            is_known = name in FIELDS and (value is None or not FIELDS[name] or value in FIELDS[name])
            if not is_known or len(value or "") > LONGEST:
                raise Refusal(400, {"error": "bad_value", "field": name})
        if change["id"]:
            one = self.live(change["id"])
            if change["version"] and change["version"] != iso(one.changed):
                raise Refusal(409, {"error": "conflict"})
            one.values |= values
            self.clock.advance(0.001)
            one.changed = self.now()
            return one, False
        ours = change["external_id"]
        known = [one for one in self.tickets.values() if one.values["external_id"] == ours and not one.gone]
        return (known[0], False) if known else (self.create({**values, "external_id": ours}, change["email"]), True)

    def _notes(self) -> Response:
        wanted = [self.tickets[one] for one in request.args["tickets"].split(",") if one in self.tickets]
        return jsonify(notes=[note for one in wanted if not one.gone for note in one.notes])

    def _add(self) -> Response:
        told = request.get_json()
        if len(told["text"]) > 100_000:
            raise Refusal(400, {"error": "too_long"})
        self.clock.advance(0.001)
        return jsonify(self.note(told.pop("ticket"), told.pop("text"), **told))

    def _people(self) -> Response:
        return jsonify(people=[{"id": "p1", "email": "Ada@Acme.example", "name": "Ada"}])

    def _set_up(self) -> Response:
        if request.method == "PUT":
            told = request.get_json()
            self.has_field, self.hook = told["has_field"], told["hook"]
        return jsonify(has_field=self.has_field, hook=self.hook)


class MemoWire:
    """Asks Memo in this thread, with all the faults that a wire can meet."""

    def __init__(self, memo: Memo) -> None:
        self.memo = memo

    def send(self, request: Request, *, url: str, headers: Mapping[str, str], timeout: float) -> Answered:
        if not self.memo.is_up:
            raise NotSent("refused")
        body = b"" if request.json is None else json.dumps(request.json).encode()
        path = urlsplit(url).path
        environ = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path),
            "RAW_URI": path,
            "QUERY_STRING": urlencode(request.query, doseq=True),
            "SERVER_NAME": "memo",
            "SERVER_PORT": "1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "wsgi.url_scheme": "http",
            "wsgi.errors": None,
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
        }
        try:
            answer = self.memo.answer(environ)
        except DropConnection:
            raise NoAnswer("dropped") from None
        return Answered(answer.status, {name.lower(): value for name, value in answer.headers}, answer.body)

    def close(self) -> None:
        """There is nothing to let go of."""
