"""`/healthz`, `/readyz` and `/metrics`: whether we live, whether we can work, and how it goes."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence

from flask import Blueprint, Response, jsonify, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

from connector.adapters.transport import is_loopback
from connector.engine import heartbeat, status
from connector.engine.budget import Bucket
from connector.engine.status import ConnectionFigures, Figures
from connector.events.figures import EndpointFigures
from connector.store.database import StoreAway
from connector.wiring import Runtime

STUCK = ("waits", "fails")

FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Via")


def blueprint(runtime: Runtime) -> Blueprint:
    """The routes that platforms and monitors ask."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @routes.get("/readyz")
    def readyz() -> tuple[Response, int]:
        return _ready(runtime)

    @routes.get("/metrics")
    def metrics() -> Response:
        return _metrics(runtime)

    return routes


def _ready(runtime: Runtime) -> tuple[Response, int]:
    """Ready: the database answers and every migration is in. A broker that is away is a degradation, no more."""
    try:
        current = runtime.db.is_current()
    except StoreAway:
        return jsonify(status="not ready", reason="the database does not answer"), 503
    if not current:
        return jsonify(status="not ready", reason="migrations are missing: run `connector db upgrade`"), 503
    broker = runtime.broker_answers()
    return jsonify(status="ok" if broker else "degraded", broker="ok" if broker else "away"), 200


def _may_ask(runtime: Runtime) -> bool:
    """Whoever has the token; without one configured, this machine alone, and nobody whom a proxy speaks for."""
    token = runtime.settings.metrics_token
    if token is None:
        return is_loopback(request.remote_addr or "") and not any(name in request.headers for name in FORWARDED)
    given = request.headers.get("Authorization", "").encode()
    return hmac.compare_digest(given, f"Bearer {token.get_secret_value()}".encode())


def _metrics(runtime: Runtime) -> Response:
    if not _may_ask(runtime):
        return Response("configure metrics_token, and send it as a bearer token\n", status=401, mimetype="text/plain")
    registry = CollectorRegistry()
    registry.register(_StoreCollector(runtime))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _StoreCollector(Collector):
    """Reads the store, so that every process of an installation tells the same figures."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> list[Metric]:
        """The gauges of each connection, and the counters that all processes add to."""
        figures = status.figures(self._runtime.engine)
        families: list[Metric] = []
        for name, text, attribute in (
            ("connector_due_links", "Links with work that is due", "due"),
            ("connector_oldest_due_seconds", "Age of the oldest change that has not crossed", "oldest_seconds"),
            ("connector_parked_items", "What waits for a person", "parked"),
            ("connector_alone_links", "Tickets that failed for their own reason", "alone"),
            ("connector_circuit_open", "1 while the vendor is not called because it failed", "closed"),
            ("connector_paused", "1 while a person has paused the connection", "paused"),
            ("connector_quarantined_fields", "Fields that a loop put into quarantine", "quarantined"),
        ):
            family = GaugeMetricFamily(name, text, labels=["connection"])
            for figure in figures.connections:
                family.add_metric([figure.name], float(getattr(figure, attribute)))
            families.append(family)
        families += [*_limits(figures.limits), *_looking(figures)]
        families += _pauses(figures.connections)
        families += _heartbeats(self._runtime)
        families += _listeners(self._runtime.listeners()) if self._runtime.couriers else []
        for counter, values in figures.counters.items():
            total = CounterMetricFamily(f"connector_{counter}", counter.replace("_", " "), labels=["label"])
            for label, value in values.items():
                total.add_metric([label], value)
            families.append(total)
        return families


def _limits(buckets: Sequence[Bucket]) -> list[Metric]:
    """What is used of every limit, and when it will be used up: a forecast is there only while there is one."""
    told: dict[tuple[str, str], list[tuple[list[str], float]]] = {}

    def tell(name: str, text: str, labels: list[str], value: float | None) -> None:
        if value is not None:
            told.setdefault((name, text), []).append((labels, value))

    for one in buckets:
        where, usage = [one.system, one.name], one.usage
        tell("connector_limit_paused", "1 while a vendor asked for a pause", where, float(one.paused_until is not None))
        if usage is None:
            continue
        tell("connector_calls_counted", "Calls in the vendor's present window", where, usage.used)
        tell("connector_calls_allowed", "Calls that may be ours in one window", where, usage.ceiling)
        tell("connector_calls_full_seconds", "Until the window is used up at this pace", where, usage.full_in)
        if usage.day is not None:
            tell("connector_day_calls_limit", "Calls of the vendor's day", where, usage.day.limit)
            tell("connector_day_calls_remaining", "Calls that remain of the day", where, usage.day.remaining)
            tell("connector_day_calls_empty_seconds", "Until the day's calls are used up", where, usage.day.empty_in)
    return [_gauge(name, text, ["system", "bucket"], rows) for (name, text), rows in told.items()] + [_lanes(buckets)]


def _looking(figures: Figures) -> list[Metric]:
    """How far the rotations are. What they found is the counter `connector_drift`."""
    rounds = figures.rounds
    oldest = [([one.side], one.oldest_hours * 3600) for one in rounds if one.oldest_hours is not None]
    asked = [([one.side], one.looked_at.timestamp()) for one in rounds if one.looked_at is not None]
    side = ["system"]
    return [
        _gauge("connector_rotation_records", "What is compared in turn", side, [([o.side], o.total) for o in rounds]),
        _gauge("connector_rotation_never", "Of it, never compared yet", side, [([o.side], o.never) for o in rounds]),
        _gauge("connector_rotation_oldest_seconds", "Since the one compared longest ago", side, oldest),
        _gauge("connector_looked_at_seconds", "When it was last asked what changed, Unix time", side, asked),
    ]


def _lanes(buckets: Sequence[Bucket]) -> Metric:
    rows = [
        ([one.system, one.name, lane], float(count))
        for one in buckets
        if one.usage is not None
        for lane, count in one.usage.lanes.items()
    ]
    return _gauge(
        "connector_lane_calls_counted", "Calls in the present window by lane", ["system", "bucket", "lane"], rows
    )


def _gauge(name: str, text: str, labels: list[str], rows: Sequence[tuple[list[str], float]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def _listeners(figures: Sequence[EndpointFigures]) -> list[Metric]:
    """How those fare who listen to outgoing events. How many were sent is the counter `connector_events_sent`."""
    label = ["endpoint"]
    taken = [([one.name], one.answered_at.timestamp()) for one in figures if one.answered_at is not None]
    rows: dict[tuple[str, str], Callable[[EndpointFigures], float]] = {
        ("connector_events_waiting", "Outgoing events that wait to be sent"): lambda one: one.waiting,
        ("connector_events_oldest_seconds", "Age of the oldest of them"): lambda one: one.oldest_seconds,
        ("connector_events_failed", "Outgoing events that were given up"): lambda one: one.failed,
        ("connector_events_failing", "1 while the endpoint does not take them"): lambda one: one.state in STUCK,
        ("connector_events_off", "1 while the endpoint is turned off"): lambda one: one.state == "off",
    }
    found = [
        _gauge(name, text, label, [([one.name], float(figure(one))) for one in figures])
        for (name, text), figure in rows.items()
    ]
    return [*found, _gauge("connector_events_taken_at_seconds", "When it last took one, Unix time", label, taken)]


def _heartbeats(runtime: Runtime) -> list[Metric]:
    """How long ago a synthetic ticket last made the round trip, and how long it took."""
    age = GaugeMetricFamily("connector_heartbeat_age_seconds", "Since the last whole round trip", labels=["connection"])
    took = GaugeMetricFamily(
        "connector_heartbeat_duration_seconds", "How long the last round trip took", labels=["connection"]
    )
    for name, beat in heartbeat.beats(runtime.engine).items():
        seconds = beat.age(runtime.engine.now())
        if seconds is not None:
            age.add_metric([name], seconds)
            took.add_metric([name], beat.seconds)
    return [age, took]


def _pauses(figures: Sequence[ConnectionFigures]) -> list[Metric]:
    """Which directions are paused, and what waits for each."""
    paused = GaugeMetricFamily(
        "connector_direction_paused", "1 while nothing is written that way", labels=["connection", "direction", "by"]
    )
    waiting = GaugeMetricFamily(
        "connector_held_back_links", "Tickets that wait for a paused direction", labels=["connection", "direction"]
    )
    for figure in figures:
        for one in figure.pauses:
            paused.add_metric([figure.name, one.direction, "fuse" if one.by_fuse else "person"], 1.0)
            waiting.add_metric([figure.name, one.direction], float(one.waiting))
    return [paused, waiting]
