"""`setup` and `webhooks register` make what is missing, once, and say what a person must do."""

from __future__ import annotations

from connector.wiring import HANDED_OUT

from .conftest import Connector, Installation


def our_properties(installation: Installation) -> set[str]:
    return {name for name in installation.sandbox.hubspot.state()["properties"] if name.startswith("nextcap_")}


def test_a_dry_run_makes_nothing(connector: Connector, installation: Installation) -> None:
    connector("db", "upgrade")

    result = connector("setup", "hubspot", "--dry-run")

    assert result.exit_code == 0
    assert "would   ticket property nextcap_ticket_id" in result.stdout
    assert not any(call.method != "GET" for call in installation.sandbox.hubspot.calls.kept())


def test_setup_makes_our_fields_and_may_be_repeated(connector: Connector, installation: Installation) -> None:
    connector("db", "upgrade")

    first, second = connector("setup", "hubspot"), connector("setup", "hubspot")

    assert first.exit_code == second.exit_code == 0
    assert "done    ticket property nextcap_ticket_id" in first.stdout
    assert "done" not in second.stdout
    assert "http://127.0.0.1:9/webhooks/hubspot" in first.stdout


def test_the_first_setup_subscribes_to_what_the_mapping_names_before_any_process_ran(
    connector: Connector, installation: Installation
) -> None:
    assert installation.mapping.is_file()
    connector("db", "upgrade")

    result = connector("setup", "hubspot", "--dry-run")

    assert '"propertyName": "nextcap_tags"' in result.stdout
    assert '"propertyName": "nextcap_department"' in result.stdout


def test_a_step_that_fails_is_exit_code_1(connector: Connector, installation: Installation) -> None:
    connector("db", "upgrade")
    installation.sandbox.hubspot.configure(scopes=["oauth"])

    result = connector("setup", "hubspot")

    assert result.exit_code == 1


def test_a_vendor_that_does_not_let_us_in_sends_to_the_doctor(connector: Connector, installation: Installation) -> None:
    installation.write(connections__hubspot__access_token="pat-na1-wrong")
    connector("db", "upgrade")

    result = connector("setup", "hubspot")

    assert result.exit_code == 1
    assert "401" in result.stderr
    assert "`connector doctor`" in result.stderr


def test_the_data_key_registers_the_webhook_and_keeps_its_secret(
    connector: Connector, installation: Installation
) -> None:
    installation.write(nextcap__webhook_secrets=[])
    connector("db", "upgrade")

    first, second = connector("webhooks", "register"), connector("setup", "nextcap")

    assert first.exit_code == second.exit_code == 0
    hooks = installation.sandbox.nextcap.state()["webhooks"]
    assert [hook["url"] for hook in hooks] == ["http://127.0.0.1:9/webhooks/nextcap"]
    with installation.runtime() as runtime:
        assert runtime.secrets.get(HANDED_OUT)


def test_a_dry_run_registers_nothing(connector: Connector, installation: Installation) -> None:
    installation.write(nextcap__webhook_secrets=[])
    connector("db", "upgrade")

    result = connector("webhooks", "register", "--dry-run")

    assert result.exit_code == 0
    assert "would" in result.stdout
    assert installation.sandbox.nextcap.state()["webhooks"] == []


def test_without_a_data_key_a_person_is_told_what_to_do(connector: Connector, installation: Installation) -> None:
    installation.write(nextcap__data_key=None)
    connector("db", "upgrade")

    result = connector("webhooks", "register")

    assert result.exit_code == 0
    assert "manual" in result.stdout
    assert "ticket.customer_reply" in result.stdout


def test_nothing_is_registered_where_its_secret_could_not_be_kept(
    connector: Connector, installation: Installation
) -> None:
    """The secret is told once: a key that is too weak to keep it under stops the command before the call."""
    installation.write(nextcap__webhook_secrets=[], secret_key=["short"])
    connector("db", "upgrade")

    result = connector("webhooks", "register")

    assert result.exit_code == 2
    assert "SECRET_KEY" in result.stderr
    assert installation.sandbox.nextcap.state()["webhooks"] == []
