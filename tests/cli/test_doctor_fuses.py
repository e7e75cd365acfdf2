"""What `doctor` says of fuses, loops and the heartbeat."""

from __future__ import annotations

import json
from datetime import timedelta

from connector.domain.rules import Direction
from connector.engine import heartbeat
from connector.engine.context import utc_now
from connector.store import cursors, parked, pauses

from .conftest import Connector, Installation, findings


def test_a_fuse_that_tripped_is_a_problem_with_its_command(connector: Connector, ready: Installation) -> None:
    with ready.runtime() as runtime, runtime.db.write() as connection:
        pauses.close(
            connection,
            "hubspot",
            Direction.TO_NEXTCAP,
            code=pauses.MASS_CHANGE,
            reason="more than 200 mass changes in Next Cap within a minute (200 closed)",
            by="the connector's fuse",
            now=utc_now(),
        )

    finding = findings(connector("doctor", "--json"))["hubspot switch"]

    assert finding["state"] == "problem"
    assert "what goes to Next Cap is paused by the connector's fuse: more than 200" in finding["detail"]
    assert finding["advice"].startswith("`connector resume hubspot --direction to_nextcap`")


def test_a_field_in_quarantine_is_a_problem(connector: Connector, ready: Installation) -> None:
    assert findings(connector("doctor", "--json"))["hubspot loops"]["state"] == "ok"
    with ready.runtime() as runtime, runtime.db.write() as connection:
        parked.park(connection, name="hubspot", link_id=1, field="priority", code="loop", reason="it", now=utc_now())

    finding = findings(connector("doctor", "--json"))["hubspot loops"]

    assert finding["state"] == "problem"
    assert "1 field(s) in quarantine" in finding["detail"]
    assert "--code loop" in finding["advice"]


def with_beat(installation: Installation, **values: str) -> None:
    """What the store knows of HubSpot's heartbeat, as if it had been so."""
    with installation.runtime() as runtime, runtime.db.write() as connection:
        cursors.put(connection, "hubspot", heartbeat.CURSOR, json.dumps(values), utc_now())


def test_a_heartbeat_is_looked_at_where_it_is_switched_on(connector: Connector, ready: Installation) -> None:
    assert "hubspot heartbeat" not in findings(connector("doctor", "--json"))

    ready.write(heartbeat__every_minutes=5)

    assert findings(connector("doctor", "--json"))["hubspot heartbeat"]["state"] == "ok"


def test_a_late_heartbeat_is_a_problem_with_its_way(connector: Connector, ready: Installation) -> None:
    ready.write(heartbeat__every_minutes=5)
    long_ago = (utc_now() - timedelta(minutes=20)).isoformat()
    with_beat(ready, ticket_id="t-1", leg="to_crm", since=long_ago, started_at=long_ago, finished_at=long_ago)

    finding = findings(connector("doctor", "--json"))["hubspot heartbeat"]

    assert finding["state"] == "problem"
    assert "late" in finding["detail"]
    assert "on its way to HubSpot" in finding["detail"]
    assert "connector tickets show t-1" in finding["advice"]


def test_what_keeps_a_heartbeat_from_beginning_is_told(connector: Connector, ready: Installation) -> None:
    ready.write(heartbeat__every_minutes=5)
    with_beat(ready, problem="the mapping carries no subject, so nothing can make the round")

    finding = findings(connector("doctor", "--json"))["hubspot heartbeat"]

    assert finding["state"] == "problem"
    assert "carries no subject" in finding["detail"]


def test_a_heartbeat_that_is_too_fast_is_refused(connector: Connector, ready: Installation) -> None:
    ready.write(heartbeat__every_minutes=1)

    result = connector("doctor")

    assert result.exit_code == 2
    assert "heartbeat.every_minutes" in result.stderr
