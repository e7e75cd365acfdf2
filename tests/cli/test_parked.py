"""`parked …`: a person's decisions, each journaled with a name, each refused in words where it does not fit."""

from __future__ import annotations

from typing import Any

import pytest

from connector.engine import drain
from connector.engine.context import utc_now
from connector.store import links, parked

from .conftest import Connector, Installation, told


@pytest.fixture
def conflict(installation: Installation, connector: Connector) -> Installation:
    """A subject that both sides changed, under a mapping that asks."""
    text = installation.mapping.read_text()
    assert "\n  subject:\n" in text
    installation.mapping.write_text(text.replace("\n  subject:\n", "\n  subject:\n    owner: ask\n"))
    connector("db", "upgrade")
    connector("setup", "hubspot")
    nextcap, hubspot = installation.sandbox.nextcap, installation.sandbox.hubspot
    ticket = nextcap.create_ticket(subject="Printer on fire")["id"]
    installation.sync()
    nextcap.set_fields(ticket, {"subject": "From Next Cap"})
    hubspot.set_properties(record(installation)["id"], {"subject": "From HubSpot"})
    connector("tickets", "resync", ticket)
    installation.sync()
    return installation


def record(installation: Installation) -> dict[str, Any]:
    [found] = installation.sandbox.hubspot.state()["tickets"]
    return dict(found)


def subjects(installation: Installation) -> tuple[str, str]:
    [ticket] = installation.sandbox.nextcap.state()["tickets"]
    return ticket["subject"], record(installation)["properties"]["subject"]


def work(installation: Installation) -> None:
    with installation.runtime() as runtime:
        drain.drain(runtime.engine, "hubspot")


def the_item(connector: Connector) -> dict[str, Any]:
    [item] = told(connector("parked", "list", "--json"))
    return dict(item)


def test_the_list_shows_both_candidates(connector: Connector, conflict: Installation) -> None:
    item = the_item(connector)

    assert (item["field"], item["nextcap"], item["crm"]) == ("subject", "From Next Cap", "From HubSpot")
    shown = connector("parked", "list").stdout
    assert "From Next Cap" in shown
    assert "From HubSpot" in shown


def test_the_list_can_be_narrowed(connector: Connector, conflict: Installation) -> None:
    code = the_item(connector)["code"]

    assert told(connector("parked", "list", "--code", code, "--connection", "hubspot", "--json"))
    assert told(connector("parked", "list", "--code", "something_else", "--json")) == []
    assert connector("parked", "list", "--connection", "other").stdout == "nothing waits\n"


@pytest.mark.parametrize(("side", "expected"), [("nextcap", "From Next Cap"), ("crm", "From HubSpot")])
def test_resolve_takes_one_sides_value(connector: Connector, conflict: Installation, side: str, expected: str) -> None:
    result = connector("parked", "resolve", the_item(connector)["id"], "--take", side)
    work(conflict)

    assert result.exit_code == 0
    assert subjects(conflict) == (expected, expected)
    assert told(connector("parked", "list", "--json")) == []


def test_discard_leaves_both_sides_and_keeps_the_reason(
    connector: Connector, conflict: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ada")

    result = connector("parked", "discard", the_item(connector)["id"], "--reason", "both are right")
    work(conflict)

    assert result.exit_code == 0
    assert subjects(conflict) == ("From Next Cap", "From HubSpot")
    assert "ada discarded subject: both are right" in connector("tickets", "show", record(conflict)["id"]).stdout


def test_discard_wants_a_reason(connector: Connector, conflict: Installation) -> None:
    assert connector("parked", "discard", the_item(connector)["id"]).exit_code == 2


def test_retry_plans_the_ticket_anew(connector: Connector, conflict: Installation) -> None:
    conflict.sandbox.hubspot.set_properties(record(conflict)["id"], {"subject": "From Next Cap"})

    result = connector("parked", "retry", the_item(connector)["id"])
    work(conflict)

    assert result.exit_code == 0
    assert told(connector("parked", "list", "--json")) == []


def test_retry_of_what_does_not_wait_is_exit_code_1(connector: Connector, conflict: Installation) -> None:
    result = connector("parked", "retry", 4711)

    assert result.exit_code == 1
    assert "are not waiting" in result.stderr


def test_retry_all_names_a_cause(connector: Connector, conflict: Installation) -> None:
    code = the_item(connector)["code"]

    assert connector("parked", "retry-all").exit_code == 2
    assert "0 item(s)" in connector("parked", "retry-all", "--code", "something_else").stdout
    assert "1 item(s)" in connector("parked", "retry-all", "--code", code, "--connection", "hubspot").stdout


def test_what_does_not_fit_is_refused_in_words(connector: Connector, conflict: Installation) -> None:
    for arguments in (("resolve", 4711, "--take", "crm"), ("relink", 4711, "1"), ("discard", 4711, "--reason", "x")):
        result = connector("parked", *arguments)

        assert result.exit_code == 1
        assert "4711" in result.stderr


def test_relink_joins_a_ticket_to_a_record(connector: Connector, installation: Installation) -> None:
    connector("db", "upgrade")
    chosen = installation.sandbox.hubspot.create_ticket("Made by hand")
    with installation.runtime() as runtime, runtime.db.write() as connection:
        links.ensure(connection, ["t-1"], ["hubspot"])
        [link] = links.of_ticket(connection, "t-1")
        parked.park(
            connection,
            name="hubspot",
            link_id=link.id,
            code="ambiguous",
            reason="2 records match",
            candidates=[chosen, "2"],
            now=utc_now(),
        )

    result = connector("parked", "relink", the_item(connector)["id"], chosen)

    assert result.exit_code == 0
    with installation.runtime() as runtime, runtime.db.read() as connection:
        assert links.by_record(connection, "hubspot", [chosen])[chosen].id == link.id
