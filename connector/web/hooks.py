"""`POST /webhooks/<source>`: raw bytes in, one transaction, the answer that the sender takes for "got it"."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from flask import Blueprint, Response, request
from gunicorn.http.errors import ParseException

from connector import log
from connector.adapters.base import Delivery
from connector.adapters.signing import WRONG_PATH
from connector.domain.errors import BadDelivery
from connector.engine import intake
from connector.engine.context import NEXTCAP
from connector.engine.together import Together
from connector.store.database import StoreAway
from connector.wiring import Runtime

logger = log.get(__name__)

Door = Together[intake.Arrival, intake.Receipt]


def blueprint(runtime: Runtime) -> Blueprint:
    """The routes that vendors post to."""
    routes = Blueprint("hooks", __name__)
    doors = {source: _door(runtime, source) for source in (NEXTCAP, *runtime.engine.crms)}

    @routes.post("/webhooks/<source>")
    @routes.post("/webhooks/<source>/<token>")
    def receive(source: str, token: str = "") -> Response:  # noqa: ARG001 - the adapter reads it in the raw path
        return _receive(runtime, doors, source)

    return routes


def _door(runtime: Runtime, source: str) -> Door:
    """Where one source's deliveries are stored, those of several requests at once. The engine may be replaced later."""
    return Together(lambda arrivals: intake.take(runtime.engine, source, arrivals))


def _receive(runtime: Runtime, doors: Mapping[str, Door], source: str) -> Response:
    """What the vendor takes for "got it" once stored (an unknown kind and an unreadable body too; 202 as a rule).

    400 a body that breaks off or is no HTTP, 401 not the vendor's, 404 nobody or a wrong path token, 503 try again.
    """
    if source not in doors:
        return _answer(404)
    try:
        body = request.get_data(cache=False, parse_form_data=False)
    except ParseException:
        return _answer(400)
    delivery = Delivery(
        method=request.method,
        path=_raw_path(),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
    )
    try:
        receipt = doors[source](intake.arrive(runtime.engine, source, delivery))
    except BadDelivery as problem:
        logger.warning("delivery_refused", source=source, code=problem.code, header_names=sorted(delivery.headers))
        return _answer(404 if problem.code == WRONG_PATH else 401)
    except StoreAway as problem:
        logger.error("store_away", source=source, code=problem.code, reason=str(problem))
        response = _answer(503)
        response.headers["Retry-After"] = "5"
        return response
    if receipt.problem:
        logger.warning("delivery_parked", source=source, code=receipt.problem, bytes=len(delivery.body))
    answer = runtime.engine.system(source).answer(delivery)
    return Response(answer.body, status=answer.status, content_type=answer.content_type)


def _answer(status: int) -> Response:
    return Response(status=status)


def _raw_path() -> str:
    """Path and query as they were called, escapes untouched; servers differ in where they keep them."""
    raw = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI")
    if isinstance(raw, str) and raw:
        return raw if raw.startswith("/") else "/" + raw.partition("://")[2].partition("/")[2]
    path = quote(request.environ.get("PATH_INFO", "/").encode("latin-1"), safe="/:@!$&'()*+,;=-._~")
    query = request.environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path
