"""`tickets show` answers why a ticket did or did not sync; `resync` and `replay` look again."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from connector.adapters.base import Delivery
from connector.engine import drain, intake
from connector.engine.context import utc_now
from connector.sandbox.nextcap_signatures import PROFILES
from connector.store import connections, links
from connector.wiring import Runtime

from .conftest import Connector, Installation, told

SECRET = "nextcap-secret"


@pytest.fixture
def ready(installation: Installation, connector: Connector) -> Installation:
    connector("db", "upgrade")
    connector("setup", "hubspot")
    return installation


def synced(installation: Installation, **fields: Any) -> dict[str, Any]:
    """A ticket of a customer that a worker has seen."""
    ticket: dict[str, Any] = installation.sandbox.nextcap.create_ticket(subject="Printer on fire", **fields)
    installation.sync()
    return ticket


def take_in(runtime: Runtime, one: Delivery) -> None:
    """Next Cap posted this."""
    intake.take(runtime.engine, "nextcap", [intake.arrive(runtime.engine, "nextcap", one)])


def delivery(ticket: dict[str, Any], event: str = "ticket.updated") -> Delivery:
    """What Next Cap posts about a ticket."""
    moment = utc_now()
    body = json.dumps({"event": event, "timestamp": moment.isoformat(), "data": ticket}).encode()
    headers = PROFILES["nextcap"].headers(secret=SECRET, body=body, event=event, delivery_id="d-1", moment=moment)
    lower = {name.lower(): value for name, value in headers.items()}
    return Delivery("POST", "/webhooks/nextcap", {**lower, "content-type": "application/json"}, body)


def link_of(runtime: Runtime, ticket: dict[str, Any]) -> links.LinkRow:
    with runtime.db.read() as connection:
        [link] = links.of_ticket(connection, ticket["id"])
    return link


def answer(connector: Connector, ticket: dict[str, Any]) -> str:
    [story] = told(connector("tickets", "show", ticket["ticket_number"], "--json"))
    return str(story["answer"])


def test_a_ticket_is_found_by_number_by_id_and_by_record(connector: Connector, ready: Installation) -> None:
    ticket = synced(ready)
    [record] = ready.sandbox.hubspot.tickets_of(ticket["id"])

    for word in (ticket["ticket_number"], f"#{ticket['ticket_number']}", ticket["id"], record["id"]):
        result = connector("tickets", "show", word)

        assert result.exit_code == 0
        assert result.stdout.startswith(f"#{ticket['ticket_number']}  HubSpot: linked to record {record['id']}")


def test_the_story_says_what_arrived_and_what_was_decided_field_by_field(
    connector: Connector, ready: Installation
) -> None:
    ticket = synced(ready)
    changed = ready.sandbox.nextcap.set_fields(ticket["id"], {"priority": "urgent"})
    with ready.runtime() as runtime:
        take_in(runtime, delivery(changed))
        drain.drain(runtime.engine, "hubspot")

    [story] = told(connector("tickets", "show", ticket["id"], "--json"))
    shown = connector("tickets", "show", ticket["id"]).stdout

    [link] = story["links"]
    assert link["shadows"]["priority"] == ["urgent", "URGENT"]
    assert [event["name"] for event in story["events"]] == ["ticket.updated"]
    assert story["events"][0]["delivery_id"] == 1
    decisions = {one["field"]: one for one in link["journal"][-1]["fields"]}
    assert decisions["priority"]["outcome"] == "to_crm"
    assert "priority: to_crm, Next Cap changed" in shown
    assert "carried a newer reading of the whole ticket" in shown


def test_a_ticket_that_nobody_has_heard_of_is_exit_code_1(connector: Connector, ready: Installation) -> None:
    result = connector("tickets", "show", "4711")

    assert result.exit_code == 1
    assert "nothing is known of 4711" in result.stderr


def test_a_record_that_is_not_carried_says_so(connector: Connector, ready: Installation) -> None:
    """A HubSpot ticket whose event came, and that waits to be placed, has no Next Cap ticket to show."""
    with ready.runtime() as runtime, runtime.db.write() as connection:
        from connector.store import deliveries

        deliveries.store(connection, "hubspot", [("told", b"{}")], utc_now())
        deliveries.add_events(
            connection,
            [
                {"key": "told", "connection": "hubspot", "name": "ticket.creation", "subject": "77", "at": utc_now()}
                | {"ticket_id": None, "outcome": "names a record that no link knows: it will be placed"}
            ],
        )
        deliveries.unplace(connection, "hubspot", "ticket", ["77"], utc_now())

    result = connector("tickets", "show", "77")

    assert result.exit_code == 0
    assert "no link knows this record yet" in result.stdout
    assert "ticket.creation" in result.stdout


def test_a_ticket_that_fails_says_how_often_why_and_when_next(connector: Connector, ready: Installation) -> None:
    ready.sandbox.hubspot.faults.add("status", method="POST", path="batch/upsert", status=500, times=None)

    told_by = answer(connector, synced(ready))

    assert "failed 1 time(s) since" in told_by
    assert "500" in told_by
    assert "tried again at" in told_by


def test_a_paused_connection_is_the_answer(connector: Connector, ready: Installation) -> None:
    ticket = synced(ready)
    connector("pause", "hubspot")
    connector("tickets", "resync", ticket["id"])

    assert "`connector resume hubspot`" in answer(connector, ticket)

    connector("resume", "hubspot")

    assert "due now" in answer(connector, ticket)


@pytest.mark.parametrize(("system", "label"), [("hubspot", "HubSpot"), ("nextcap", "Next Cap")])
def test_a_vendor_that_is_not_called_is_the_answer(
    connector: Connector, ready: Installation, system: str, label: str
) -> None:
    ticket = synced(ready)
    connector("tickets", "resync", ticket["id"])
    until = utc_now() + timedelta(minutes=3)
    with ready.runtime() as runtime, runtime.db.write() as connection:
        connections.fail(connection, system, cause="429 rate_limited", until=until)

    told_by = answer(connector, ticket)

    assert f"waits for {label} until {until:%Y-%m-%d %H:%M:%S} UTC: 429 rate_limited" in told_by


def test_a_ticket_of_another_widget_is_the_answer(connector: Connector, ready: Installation) -> None:
    ready.sandbox.nextcap.configure(widgets=["widget-main"])
    ticket = ready.sandbox.nextcap.create_ticket(subject="Elsewhere", widget="widget-shop")
    with ready.runtime() as runtime:
        take_in(runtime, delivery({"id": ticket["id"]}))
        drain.drain(runtime.engine, "hubspot")

    [story] = told(connector("tickets", "show", ticket["id"], "--json"))

    assert "does not show this ticket to the connector's seat" in story["answer"]


def test_work_that_nobody_takes_is_the_answer(connector: Connector, ready: Installation) -> None:
    ticket = synced(ready)
    with ready.runtime() as runtime, runtime.db.write() as connection:
        [link] = links.of_ticket(connection, ticket["id"])
        links.mark(connection, [link.id], links.Look.ALL, utc_now() - timedelta(minutes=5))

    assert "nobody takes it" in answer(connector, ticket)


def test_resync_marks_both_sides_and_journals_who_asked(
    connector: Connector, ready: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    ticket = synced(ready)

    result = connector("tickets", "resync", ticket["ticket_number"])

    assert result.exit_code == 0
    with ready.runtime() as runtime:
        assert link_of(runtime, ticket).look == links.Look.ALL
    assert "ada asked for both sides to be read" in connector("tickets", "show", ticket["id"]).stdout


def test_resync_of_the_unknown_is_exit_code_1(connector: Connector, ready: Installation) -> None:
    assert connector("tickets", "resync", "4711").exit_code == 1


def test_replay_takes_a_delivery_in_again(connector: Connector, ready: Installation) -> None:
    ticket = synced(ready)
    with ready.runtime() as runtime:
        take_in(runtime, delivery(ready.sandbox.nextcap.ticket(ticket["id"])))

    result = connector("replay", 1)

    assert result.exit_code == 0
    assert "1 event(s) taken in again" in result.stdout
    [story] = told(connector("tickets", "show", ticket["id"], "--json"))
    assert len(story["events"]) == 2


def test_replay_of_what_is_not_kept_is_exit_code_1(connector: Connector, ready: Installation) -> None:
    result = connector("replay", 4711)

    assert result.exit_code == 1
    assert "4711" in result.stderr
    assert "Traceback" not in result.stderr


def test_status_lists_connections_and_what_fails(connector: Connector, ready: Installation) -> None:
    ready.sandbox.hubspot.faults.add("status", method="POST", path="batch/upsert", status=500, times=None)
    ticket = synced(ready)

    shown, listed = connector("status").stdout, told(connector("status", "--json"))

    assert str(ticket["ticket_number"]) in shown
    assert {one["name"] for one in listed["connections"]} == {"hubspot", "nextcap"}
    assert listed["failing"][0]["number"] == str(ticket["ticket_number"])
