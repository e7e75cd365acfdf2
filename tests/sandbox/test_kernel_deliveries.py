"""The kernel's webhook sender: order, repeats and faults on request."""

from __future__ import annotations

import httpx

from .conftest import Receiver
from .counter import Counter


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
