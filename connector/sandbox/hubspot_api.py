"""The path map: every route under its numbered and its dated versions, behind the gate."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from flask import Flask, Response, g, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from .hubspot_body import Body
from .hubspot_errors import Refusal, bad_request
from .hubspot_gate import Admission, Gate
from .hubspot_portal import Portal
from .hubspot_records import Source, View
from .hubspot_stock import BY_NAME, EMAIL_CONTENT, EMAILS, ObjectType

DATES = ("2026-03", "2026-09")
AREAS: Mapping[str, tuple[str, str]] = {
    "objects": ("/crm/v3/objects", "/crm/objects"),
    "one association": ("/crm/v4/objects", "/crm/objects"),
    "associations": ("/crm/v4/associations", "/crm/associations"),
    "properties": ("/crm/v3/properties", "/crm/properties"),
    "pipelines": ("/crm/v3/pipelines", "/crm/pipelines"),
    "owners": ("/crm/v3/owners", "/crm/owners"),
    "files": ("/files/v3", "/files"),
    "account": ("/account-info/v3", "/account-info"),
    "oauth": ("/oauth/v3", "/oauth"),
}
"""Of each API the numbered path, and the dated one without its date."""

URL_LIMIT = 8_000


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One admitted request."""

    portal: Portal
    admission: Admission
    source: Source
    version: str
    query: MultiDict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; an empty one is an empty object."""
        if not self.raw:
            return {}
        if request.mimetype != "application/json":
            raise Refusal(415, "VALIDATION_ERROR", "Unsupported media type: send application/json")
        try:
            return json.loads(self.raw)
        except ValueError as malformed:
            raise bad_request(f"Invalid input JSON: {malformed}") from malformed

    @property
    def body(self) -> Body:
        parsed = self.json
        if not isinstance(parsed, dict):
            raise bad_request("Invalid input JSON: an object is expected")
        return parsed

    def need(self, *alternatives: tuple[str, ...]) -> None:
        self.admission.need(*alternatives)

    def listed(self, key: str) -> list[str]:
        """A query parameter that may be repeated and holds names joined by commas."""
        return [name for joined in self.query.getlist(key) for name in joined.split(",") if name]

    def flag(self, key: str) -> bool:
        value = self.query.get(key, "false")
        if value not in {"true", "false"}:
            raise bad_request(f"{key} must be true or false")
        return value == "true"

    def number(self, key: str, *, default: int, most: int) -> int:
        value = self.query.get(key, str(default))
        if not value.isdecimal() or not 1 <= int(value) <= most:
            raise bad_request(f"{key} must be between 1 and {most}")
        return int(value)

    def view(self, kind: ObjectType, names: list[str], histories: list[str] | None = None) -> View:
        """How this caller sees records of that kind: the bodies of mails need a scope of their own."""
        settings = self.portal.settings
        hides = kind is EMAILS and "sales-email-read" not in self.admission.scopes
        return View(
            names,
            histories or [],
            withheld=EMAIL_CONTENT if hides else frozenset(),
            unset=settings.unset,
            surplus=settings.surplus_fields,
            portal_id=self.portal.portal_id,
        )


Reply = tuple[int, Any]
Handler = Callable[..., Reply]


class KindConverter(BaseConverter):
    """An object type in a path, by plural name or type id."""

    regex = "|".join(BY_NAME)

    def to_python(self, value: str) -> ObjectType:
        return BY_NAME[value]


def versions_of(area: str) -> Iterator[tuple[str, str]]:
    """Each version of an API with the beginning of its paths."""
    numbered, dated = AREAS[area]
    yield numbered.split("/")[2], numbered
    for date in DATES:
        yield date, f"{dated}/{date}"


class Api:
    """Adds routes to a Flask app. `portal` and `gate` are asked at each request: a reset replaces them."""

    def __init__(self, app: Flask, *, portal: Callable[[], Portal], gate: Callable[[], Gate], source: Source) -> None:
        self._app = app
        self._portal = portal
        self._gate = gate
        self._source = source
        app.url_map.converters["kind"] = KindConverter
        app.register_error_handler(HTTPException, _as_hubspot_says)
        app.after_request(_add_headers)

    def add(self, method: str, area: str, path: str, handler: Handler, *, bucket: str = "burst") -> None:
        """Serve `handler` at every version of the area's path."""
        for version, prefix in versions_of(area):
            self._app.add_url_rule(
                prefix + path,
                endpoint=f"{method} {prefix}{path}",
                view_func=self._view(handler, version, bucket),
                methods=[method],
            )

    def _view(self, handler: Handler, version: str, bucket: str) -> Callable[..., Response]:
        def view(**path: Any) -> Response:
            if len(request.environ["RAW_URI"]) > URL_LIMIT:
                raise Refusal(414, "VALIDATION_ERROR", "The URI is too long")
            admission = self._gate().admit(request.headers.get("Authorization", ""), bucket)
            g.headers = admission.headers
            call = ApiCall(self._portal(), admission, self._source, version, request.args, request.get_data())
            return answer(*handler(call, **path))

        return view


def answer(status: int, body: Any) -> Response:
    """A JSON answer; a body of None is no body."""
    text = "" if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, content_type="application/json;charset=utf-8")


def _as_hubspot_says(error: HTTPException) -> Response:
    """What has no route: an unknown path or version, or a method that a path does not have."""
    status = error.code or 500
    body = {"status": "error", "message": error.description, "correlationId": str(uuid4())}
    return answer(status, body)


def _add_headers(response: Response) -> Response:
    response.headers.update(g.get("headers", {}))
    return response
