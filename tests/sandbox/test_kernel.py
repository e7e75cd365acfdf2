"""The kernel that every imitation is built on."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

import httpx
import pytest
from flask import Flask, jsonify, request

from connector.sandbox.kernel import (
    Clock,
    Deliveries,
    Imitation,
    RateLimit,
    Refusal,
    action,
    iso,
)

from .conftest import Receiver


class Counter(Imitation):
    """The smallest vendor: one number."""

    name: ClassVar[str] = "counter"

    def __init__(self) -> None:
        super().__init__()
        self.forget()

    def make_deliveries(self) -> Deliveries:
        return Deliveries(self.clock, lambda one: {"X-Try": str(one.tries)}, schedule=(0.01, 0.01))

    def forget(self) -> None:
        self.number = 0
        self.step = 1

    def state(self) -> Any:
        return {"number": self.number}

    def settings_view(self) -> Mapping[str, Any]:
        return {"step": self.step}

    def configure(self, **changes: Any) -> None:
        if set(changes) != {"step"}:
            raise ValueError("only step can be set")
        self.step = changes["step"]

    def routes(self, app: Flask) -> None:
        @app.post("/numbers/<name>")
        def count(name: str) -> Any:
            self.number += self.step
            return jsonify(name=name, body=request.get_data(as_text=True))

        @app.get("/numbers")
        def show() -> Any:
            return jsonify(self.number)

    @action
    def set_number(self, to: int) -> int:
        if to < 0:
            raise Refusal(409, {"error": "negative"})
        self.number = to
        return self.number


@pytest.fixture(scope="module")
def started() -> Iterator[Counter]:
    counter = Counter()
    counter.start()
    yield counter
    counter.stop()


@pytest.fixture
def counter(started: Counter) -> Counter:
    started.reset()
    return started


@pytest.fixture
def client(counter: Counter) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=counter.url) as client:
        yield client


def raw_exchange(url: httpx.URL | str, request_bytes: bytes) -> bytes:
    """All bytes that come back on a plain socket until the server closes it."""
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 0), timeout=5) as connection:
        connection.sendall(request_bytes)
        return b"".join(iter(lambda: connection.recv(65536), b""))


# -- clock, limits, counters


def test_the_clock_is_aware_moves_forward_and_counts_milliseconds() -> None:
    clock = Clock()
    before = clock.now()

    clock.advance(3600)

    assert clock.now() - before >= timedelta(hours=1)
    assert clock.now().microsecond % 1000 == 0
    assert iso(before).endswith("Z")
    assert len(iso(before)) == len("2026-04-07T14:30:00.000Z")
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)


@pytest.mark.parametrize("rolling", [False, True])
def test_a_limit_refuses_until_its_window_has_passed(rolling: bool) -> None:
    clock = Clock()
    limit = RateLimit(clock, limit=2, seconds=60, rolling=rolling)

    verdicts = [limit.take("key") for _ in range(3)]
    other = limit.take("another key")
    clock.advance(61)
    later = limit.take("key")

    assert [one.allowed for one in verdicts] == [True, True, False]
    assert [one.remaining for one in verdicts] == [1, 0, 0]
    assert 0 < verdicts[2].retry_after <= 60
    assert other.allowed
    assert later.allowed


def test_calls_are_counted_by_method_template_and_status(counter: Counter, client: httpx.Client) -> None:
    client.post("/numbers/a")
    client.post("/numbers/b")
    client.get("/numbers")
    client.get("/nowhere")

    assert counter.calls.total == 4
    assert counter.calls.count("POST", "/numbers/<name>", 200) == 2
    assert counter.calls.count(template="(none)") == 1
    assert counter.calls.kept()[0].path == "/numbers/a"


# -- the server


def test_a_connection_is_kept_and_answers_at_once(counter: Counter, client: httpx.Client) -> None:
    client.get("/numbers")
    began = time.perf_counter()

    for _ in range(50):
        client.get("/numbers")

    assert (time.perf_counter() - began) / 50 < 0.02


def test_a_chunked_body_arrives_whole(client: httpx.Client) -> None:
    answer = client.post("/numbers/a", content=iter([b"one ", b"two"]))

    assert answer.json()["body"] == "one two"


def test_head_has_no_body_and_the_connection_stays_usable(client: httpx.Client) -> None:
    assert client.head("/numbers").content == b""
    assert client.get("/numbers").json() == 0


def test_an_outage_refuses_and_the_same_port_comes_back_with_its_state(counter: Counter) -> None:
    httpx.post(f"{counter.url}/numbers/a")
    url = counter.url

    counter.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/numbers")
    counter.start()

    assert httpx.get(f"{url}/numbers").json() == 1


# -- faults


def test_a_status_fault_answers_without_applying(counter: Counter, client: httpx.Client) -> None:
    counter.faults.add("status", status=503, headers={"Retry-After": "7"}, body={"error": "busy"})

    refused = client.post("/numbers/a")

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "7")
    assert refused.json() == {"error": "busy"}
    assert counter.number == 0
    assert client.post("/numbers/a").status_code == 200


def test_a_lost_answer_is_applied_and_not_a_byte_comes_back(counter: Counter) -> None:
    counter.faults.add("lost_answer", method="POST")

    received = raw_exchange(counter.url, b"POST /numbers/a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")

    assert received == b""
    assert counter.number == 1
    assert counter.calls.count("POST", "/numbers/<name>", None) == 1
    assert counter.calls.kept()[-1].status is None


def test_a_dropped_request_is_not_applied_and_not_a_byte_comes_back(counter: Counter) -> None:
    counter.faults.add("drop_before")

    received = raw_exchange(counter.url, b"POST /numbers/a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")

    assert received == b""
    assert counter.number == 0


def test_a_lost_answer_reaches_a_client_library_as_a_broken_connection(counter: Counter, client: httpx.Client) -> None:
    client.get("/numbers")
    counter.faults.add("lost_answer", method="POST")

    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/numbers/a")

    assert client.get("/numbers").json() == 1


def test_a_hanging_answer_outlasts_the_clients_patience(counter: Counter, client: httpx.Client) -> None:
    counter.faults.add("lost_answer", method="POST", seconds=0.5)

    with pytest.raises(httpx.ReadTimeout):
        client.post("/numbers/a", timeout=0.05)

    assert counter.number == 1


def test_a_reset_lets_a_delayed_request_vanish(counter: Counter, client: httpx.Client) -> None:
    counter.faults.add("delay", seconds=60)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/numbers/a", timeout=0.05)

    counter.reset()

    assert client.get("/numbers").json() == 0
    assert counter.calls.total == 1


def test_an_error_after_is_applied_and_answered_500(counter: Counter, client: httpx.Client) -> None:
    counter.faults.add("error_after")

    assert client.post("/numbers/a").status_code == 500
    assert counter.number == 1


def test_a_delay_waits_and_then_applies(counter: Counter, client: httpx.Client) -> None:
    counter.faults.add("delay", seconds=0.05)
    began = time.perf_counter()

    answer = client.post("/numbers/a")

    assert answer.status_code == 200
    assert time.perf_counter() - began >= 0.05


def test_a_fault_fires_for_its_method_path_turn_and_number_of_times(counter: Counter, client: httpx.Client) -> None:
    counter.faults.add("status", method="POST", path="^/numbers/b$", nth=2, times=2, status=502)

    statuses = [client.post(f"/numbers/{name}").status_code for name in "abbbb"]

    assert statuses == [200, 200, 502, 502, 200]
    assert counter.faults.view()[0]["fired"] == 2


def test_faults_fire_in_the_order_of_adding(counter: Counter, client: httpx.Client) -> None:
    counter.faults.add("status", status=500)
    counter.faults.add("status", status=429)

    assert [client.get("/numbers").status_code for _ in range(3)] == [500, 429, 200]


@pytest.mark.parametrize("wrong", [{"kind": "explode"}, {"kind": "status", "hits": 3}, {"kind": "status", "a": 1}])
def test_an_unknown_fault_is_refused(counter: Counter, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"kind must be|has no"):
        counter.faults.add(**wrong)


# -- control


def test_the_control_api_shows_and_changes_everything(counter: Counter, client: httpx.Client) -> None:
    client.post("/numbers/a")

    assert client.get("/_control/state").json() == {"number": 1}
    assert client.get("/_control/calls").json()["total"] == 1
    assert client.get("/_control/actions").json() == ["set_number"]
    assert client.post("/_control/settings", json={"step": 5}).json() == {"step": 5}
    assert client.post("/_control/actions/set_number", json={"to": 40}).json() == {"result": 40}
    client.post("/_control/faults", json={"kind": "status", "status": 418})
    assert client.get("/numbers").status_code == 418
    client.post("/_control/faults", json={"kind": "status", "times": None})
    client.delete("/_control/faults")
    client.post("/numbers/a")
    assert counter.number == 45
    client.post("/_control/clock/advance", json={"seconds": 3600})
    assert counter.now() > Clock().now() + timedelta(minutes=59)
    client.post("/_control/reset")
    assert (counter.number, counter.calls.total, counter.step) == (0, 0, 1)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("settings", {"speed": 1}, 400),
        ("faults", {"kind": "nonsense"}, 400),
        ("deliveries/faults", {"lose": 1}, 400),
        ("clock/advance", {}, 400),
        ("actions/set_number", {"number": 4}, 400),
        ("actions/set_number", {"to": -1}, 409),
        ("actions/unknown", {}, 404),
        ("settings", ["step"], 400),
    ],
)
def test_wrong_control_input_is_answered_with_the_reason(
    client: httpx.Client, path: str, body: Any, status: int
) -> None:
    answer = client.post(f"/_control/{path}", json=body)

    assert answer.status_code == status
    assert answer.json()["error"]


def test_control_is_neither_counted_nor_subject_to_faults(counter: Counter, client: httpx.Client) -> None:
    counter.faults.add("drop_before", times=None)

    assert client.get("/_control/state").status_code == 200
    assert counter.calls.total == 0


# -- deliveries


def sent(counter: Counter, receiver: Receiver, *bodies: bytes) -> list[bytes]:
    """Send the bodies, wait until all is quiet; the bodies as they came in."""
    for body in bodies:
        counter.deliveries.send(receiver.url, body, ["number.changed"])
    assert counter.deliveries.wait_idle()
    return [body for _, body in receiver.requests]


def test_deliveries_arrive_in_order_with_the_vendors_headers(counter: Counter, receiver: Receiver) -> None:
    arrived = sent(counter, receiver, b"1", b"2", b"3")

    assert arrived == [b"1", b"2", b"3"]
    assert receiver.requests[0][0]["x-try"] == "0"
    assert counter.deliveries.view()[0]["state"] == "delivered"
    assert counter.deliveries.view()[0]["events"] == ["number.changed"]


def test_a_failed_delivery_is_tried_again_by_the_schedule(counter: Counter, receiver: Receiver) -> None:
    receiver.answers = [500, 503]

    arrived = sent(counter, receiver, b"1")

    delivery = counter.deliveries.all()[0]
    assert arrived == [b"1"] * 3
    assert [one.status for one in delivery.attempts] == [500, 503, 200]
    assert delivery.state == "delivered"


def test_a_delivery_fails_when_its_tries_are_used_up_and_can_be_redelivered(
    counter: Counter, receiver: Receiver
) -> None:
    receiver.answers = [302, 400, 500]
    sent(counter, receiver, b"1")
    before = counter.deliveries.all()[0].state

    counter.deliveries.redeliver()
    counter.deliveries.wait_idle()

    assert before == "failed"
    assert counter.deliveries.all()[0].state == "delivered"


def test_no_connection_is_a_failed_try(counter: Counter, receiver: Receiver) -> None:
    receiver.server.stop()

    sent(counter, receiver, b"1")

    assert [one.error for one in counter.deliveries.all()[0].attempts] == ["ConnectError"] * 3


def test_a_duplicated_delivery_arrives_twice(counter: Counter, receiver: Receiver) -> None:
    counter.deliveries.duplicate(1)

    assert sent(counter, receiver, b"1", b"2") == [b"1", b"1", b"2"]


def test_reordered_deliveries_arrive_last_first(counter: Counter, receiver: Receiver) -> None:
    counter.deliveries.reorder(3)

    assert sent(counter, receiver, b"1", b"2") == []
    assert sent(counter, receiver, b"3", b"4") == [b"3", b"2", b"1", b"4"]


def test_held_deliveries_can_be_released_early(counter: Counter, receiver: Receiver) -> None:
    counter.deliveries.reorder(3)
    sent(counter, receiver, b"1", b"2")

    counter.deliveries.release()

    assert sent(counter, receiver, b"3") == [b"2", b"1", b"3"]


def test_a_dropped_delivery_arrives_only_when_redelivered(counter: Counter, receiver: Receiver) -> None:
    counter.deliveries.drop(1)
    assert sent(counter, receiver, b"1", b"2") == [b"2"]
    assert counter.deliveries.all()[0].state == "dropped"

    assert counter.deliveries.redeliver() == 1

    assert sent(counter, receiver) == [b"2", b"1"]


def test_a_delivered_one_can_be_redelivered_by_id(counter: Counter, receiver: Receiver) -> None:
    sent(counter, receiver, b"1", b"2")

    counter.deliveries.redeliver([counter.deliveries.all()[0].id])

    assert sent(counter, receiver) == [b"1", b"2", b"1"]


def test_a_pause_keeps_deliveries_until_resumed(counter: Counter, receiver: Receiver) -> None:
    counter.deliveries.pause()
    assert sent(counter, receiver, b"1") == []

    counter.deliveries.resume()

    assert sent(counter, receiver) == [b"1"]


def test_delayed_deliveries_wait_for_the_clock(counter: Counter, receiver: Receiver) -> None:
    counter.deliveries.delay(60)
    counter.deliveries.send(receiver.url, b"1", ["number.changed"])
    assert not counter.deliveries.wait_idle(0.05)

    counter.clock.advance(60)

    assert counter.deliveries.wait_idle()
    assert [body for _, body in receiver.requests] == [b"1"]


def test_delivery_faults_by_control(counter: Counter, client: httpx.Client, receiver: Receiver) -> None:
    client.post("/_control/deliveries/faults", json={"drop": 1})
    sent(counter, receiver, b"1")

    answer = client.post("/_control/deliveries/faults", json={"redeliver": None, "wait_idle": 3})

    assert answer.json() == {"redeliver": 1, "wait_idle": True}
    assert client.get("/_control/deliveries").json()[0]["attempts"][0]["status"] == 200


def test_reset_forgets_what_was_still_to_be_sent(counter: Counter, receiver: Receiver) -> None:
    counter.deliveries.delay(60)
    counter.deliveries.send(receiver.url, b"1", ["number.changed"])

    counter.reset()
    counter.clock.advance(120)

    assert counter.deliveries.wait_idle()
    assert receiver.requests == []
    assert counter.deliveries.all() == []
