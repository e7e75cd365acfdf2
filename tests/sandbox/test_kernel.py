"""The kernel that every imitation is built on: clock, limits, server, faults, control."""

from __future__ import annotations

import socket
import time
from datetime import timedelta
from typing import Any

import httpx
import pytest

from connector.sandbox.kernel import Clock, RateLimit, iso

from .counter import Counter


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
