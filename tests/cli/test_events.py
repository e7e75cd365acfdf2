"""`events`, and what `doctor`, `status` and the metrics say of listeners."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from connector.engine.context import utc_now
from connector.store import tables
from tests.engine.listening import listening, secret
from tests.engine.receiver import Receiver, Says

from .conftest import Connector, Installation, findings, told


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as made:
        yield made


@pytest.fixture
def listened(installation: Installation, connector: Connector, receiver: Receiver) -> Installation:
    """A ticket was made while somebody listened; nothing was sent yet."""
    installation.write(
        events__listener__url=receiver.url,
        events__listener__secrets=[secret("a")],
        events__listener__types=["ticket.created"],
        events__listener__allow_private=True,
    )
    connector("db", "upgrade")
    connector("setup", "hubspot")
    connector("status")
    installation.sandbox.nextcap.create_ticket(subject="Printer on fire")
    installation.sync()
    return installation


def send(installation: Installation) -> None:
    with installation.runtime() as runtime:
        runtime.couriers["listener"].run()


def make_older(installation: Installation, age: timedelta) -> None:
    with installation.runtime() as runtime, runtime.db.write() as connection:
        connection.execute(tables.outbox.update().values(created_at=utc_now() - age))


def test_what_waits_is_told_everywhere(connector: Connector, listened: Installation, receiver: Receiver) -> None:
    (waiting,) = told(connector("events", "list", "--json"))
    send(listened)
    (done,) = told(connector("events", "list", "--endpoint", "listener", "--state", "delivered", "--json"))
    status = told(connector("status", "--json"))

    assert (waiting["state"], waiting["type"], waiting["endpoint"]) == ("waiting", "ticket.created", "listener")
    assert "body" not in waiting
    assert [one.id for one in receiver.got] == [done["message_id"]] == [waiting["message_id"]]
    assert receiver.got[0].is_signed_with(secret("a"))
    assert status["counters"]["events_sent"] == {"listener:taken": 1}
    (endpoint,) = status["events"]
    assert (endpoint["name"], endpoint["waiting"], endpoint["failed"]) == ("listener", 0, 0)
    assert "listener" in connector("status").stdout
    assert told(connector("events", "show", done["id"])) == receiver.got[0].json


def test_doctor_says_how_a_listener_fares(connector: Connector, listened: Installation, receiver: Receiver) -> None:
    """Well; late; failing; off: each with what to do, and never with the address's path or query."""
    where = f"events.listener {receiver.url.split('/')[2]}"

    def line() -> dict[str, str]:
        result = connector("doctor", "--json")
        assert "/hooks" not in result.stdout
        assert "team=support" not in result.stdout
        return findings(result)[where]

    well = line()
    make_older(listened, timedelta(minutes=5))
    late = line()
    receiver.say(Says(500))
    send(listened)
    failing = line()
    connector("events", "off", "listener", "--reason", "moving house")
    off = line()
    connector("events", "on", "listener")
    send(listened)

    assert (well["state"], late["state"], failing["state"], off["state"]) == ("ok", "problem", "problem", "problem")
    assert "1 wait, the oldest for 30" in late["detail"]
    assert "the listener answered 500" in failing["detail"]
    assert "connector events test listener" in failing["advice"]
    assert "moving house" in off["detail"]
    assert "connector events on listener" in off["advice"]
    assert line()["state"] == "ok"


def test_what_was_given_up_is_a_problem_until_it_is_sent_again(
    connector: Connector, listened: Installation, receiver: Receiver
) -> None:
    receiver.say(Says(500))
    make_older(listened, timedelta(days=4))
    send(listened)
    given_up = findings(connector("doctor", "--json"))["events.listener failed"]
    (failed,) = told(connector("events", "list", "--state", "failed", "--json"))

    assert given_up["state"] == "problem"
    assert "events retry-all" in given_up["advice"]
    assert connector("events", "retry", failed["id"], 999).exit_code == 1
    assert connector("events", "retry-all", "listener").stdout == "0 message(s) are sent again\n"
    connector("events", "on", "listener")
    send(listened)
    assert findings(connector("doctor", "--json"))["events.listener failed"]["state"] == "ok"
    assert [one.id for one in receiver.got] == [failed["message_id"]] * 2


def test_a_listener_can_be_asked(connector: Connector, listened: Installation, receiver: Receiver) -> None:
    well = connector("events", "test", "listener")
    receiver.say(Says(404))
    ill = connector("events", "test", "listener")

    assert (well.exit_code, well.stdout) == (0, "listener: taken\n")
    assert (ill.exit_code, ill.stderr) == (1, "listener: the listener answered 404\n")
    assert receiver.types() == ["connector.test"] * 2
    unknown = connector("events", "test", "nobody")
    assert unknown.exit_code == 2
    assert "configured: listener" in unknown.stderr


def test_a_private_address_is_refused_unless_it_is_allowed(
    connector: Connector, listened: Installation, receiver: Receiver
) -> None:
    listened.write(events__listener__url="https://localhost:9/", events__listener__allow_private=False)

    refused = connector("events", "test", "listener")

    assert refused.exit_code == 1
    assert "PrivateAddress" in refused.stderr
    assert receiver.got == []


def test_metrics_tell_how_a_listener_fares(listened: Installation, receiver: Receiver) -> None:
    from connector.web.app import create_app

    receiver.say(Says(500))
    send(listened)
    with listened.runtime() as runtime:
        text = create_app(runtime).test_client().get("/metrics").text

    for line in (
        'connector_events_waiting{endpoint="listener"} 1.0',
        'connector_events_failing{endpoint="listener"} 1.0',
        'connector_events_off{endpoint="listener"} 0.0',
        'connector_events_failed{endpoint="listener"} 0.0',
        'connector_events_sent_total{label="listener:not_taken"} 1.0',
    ):
        assert line in text
