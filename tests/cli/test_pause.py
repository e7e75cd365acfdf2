"""`pause` and `resume`, whole and one way, as an operator uses them."""

from __future__ import annotations

from connector.store import connections

from .conftest import Connector, Installation, findings, told


def test_one_direction_is_paused_and_resumed(connector: Connector, installation: Installation) -> None:
    """`status` and `doctor` say which, by whom and why, and the command that goes on."""
    connector("db", "upgrade")

    paused = connector("pause", "hubspot", "--direction", "to_nextcap", "--reason", "an import")

    assert paused.stdout == "hubspot: what goes to Next Cap is paused\n"
    [own] = [one for one in told(connector("status", "--json"))["connections"] if one["name"] == "hubspot"]
    assert [one["direction"] for one in own["pauses"]] == ["to_nextcap"]
    assert "partly paused" in connector("status").stdout
    switch = findings(connector("doctor", "--json"))["hubspot switch"]
    assert switch["state"] == "problem"
    assert "an import" in switch["detail"]
    assert switch["advice"] == "`connector resume hubspot --direction to_nextcap`"

    assert connector("resume", "hubspot", "--direction", "to_nextcap").exit_code == 0
    assert "partly" not in connector("status").stdout


def test_resume_without_a_direction_ends_every_pause(connector: Connector, installation: Installation) -> None:
    connector("db", "upgrade")
    for direction in ("to_crm", "to_nextcap", "both"):
        connector("pause", "hubspot", "--direction", direction)

    connector("resume", "hubspot")

    [own] = [one for one in told(connector("status", "--json"))["connections"] if one["name"] == "hubspot"]
    assert (own["paused"], own["pauses"]) == (False, [])


def test_a_direction_that_is_none_is_refused(connector: Connector, installation: Installation) -> None:
    assert connector("pause", "hubspot", "--direction", "sideways").exit_code == 2


def test_status_shows_the_configured_connections_alone(connector: Connector, installation: Installation) -> None:
    """The store keeps more under such names: the lease on a token, a connection that was taken out."""
    connector("db", "upgrade")
    with installation.runtime() as runtime, runtime.db.write() as transaction:
        connections.ensure(transaction, ["token:hubspot", "former"])

    shown = told(connector("status", "--json"))["connections"]

    assert {one["name"] for one in shown} == {"hubspot", "nextcap"}
