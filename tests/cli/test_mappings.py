"""`mappings …`: mistakes with their place, offline and against an account."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import MAPPINGS, Connector, Installation, told

WRONG = "crm: hubspot\nstatus:\n  field: hs_pipeline_stage\n  to_crm: {opne: Waiting on us}\n  to_nextcap: {}\n"


def test_the_shipped_mapping_passes_without_a_configuration(
    connector: Connector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = connector("mappings", "check", MAPPINGS / "hubspot.yaml")

    assert result.exit_code == 0
    assert "passes" in result.stdout


def test_every_mistake_has_its_place_code_and_suggestion(
    connector: Connector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.yaml").write_text(WRONG)

    result = connector("mappings", "check", "wrong.yaml")

    assert result.exit_code == 1
    assert "wrong.yaml:4:12 M1" in result.stdout
    assert "did you mean 'open'?" in result.stdout


def test_json_lists_the_mistakes_of_every_file(connector: Connector, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(WRONG)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")

    result = connector("mappings", "check", tmp_path / "wrong.yaml", tmp_path / "binary.yaml", "--json")

    assert result.exit_code == 1
    listed = told(result)
    assert listed["ok"] is False
    assert [one["problems"][0]["code"][:2] for one in listed["files"]] == ["M1", "M0"]
    assert listed["files"][0]["problems"][0]["line"] == 4


def test_without_files_those_of_the_configuration_are_checked(connector: Connector, installation: Installation) -> None:
    installation.mapping.write_text(WRONG)

    result = connector("mappings", "check")

    assert result.exit_code == 1
    assert "hubspot.yaml:4:12" in result.stdout


def test_a_connection_lends_its_accounts_fields(connector: Connector, installation: Installation) -> None:
    connector("db", "upgrade")
    connector("setup", "hubspot")
    installation.mapping.write_text(installation.mapping.read_text().replace("Waiting on contact", "Waiting for Godot"))

    offline, online = connector("mappings", "check"), connector("mappings", "check", "--connection", "hubspot")

    assert offline.exit_code == 0
    assert online.exit_code == 1
    assert "Waiting for Godot" in online.stdout


@pytest.mark.parametrize(("crm", "passes"), [("zendesk", True), ("hubspot", False)])
def test_a_follow_up_is_allowed_where_the_crm_makes_them(
    connector: Connector, tmp_path: Path, crm: str, passes: bool
) -> None:
    shipped = (MAPPINGS / f"{crm}.yaml").read_text().replace("after_final: follow_up ", "# ")
    final = "  final: [Closed]\n" if crm == "hubspot" else ""
    text = shipped.replace("\nstatus:\n", f"\nstatus:\n{final}  after_final: follow_up\n")
    (tmp_path / "final.yaml").write_text(text)

    result = connector("mappings", "check", tmp_path / "final.yaml")

    assert (result.exit_code == 0, "M308" in result.stdout) == (passes, not passes), result.stdout


def test_usage_errors_are_exit_code_2(
    connector: Connector, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert connector("mappings", "check", "no-such-file.yaml").exit_code == 2
    assert connector("mappings", "check", "--connection", "nope").exit_code == 2

    installation.mapping.unlink()

    assert connector("mappings", "check").exit_code == 2


def test_the_schema_is_json_schema(connector: Connector) -> None:
    schema = json.loads(connector("mappings", "schema").stdout)

    assert schema["type"] == "object"
    assert "status" in schema["properties"]


def test_explain_speaks_plainly(connector: Connector, installation: Installation) -> None:
    result = connector("mappings", "explain")

    assert result.exit_code == 0
    assert "waiting_customer" in result.stdout
    assert "Waiting on contact" in result.stdout


def test_explain_of_a_wrong_file_tells_the_mistakes(connector: Connector, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(WRONG)

    result = connector("mappings", "explain", tmp_path / "wrong.yaml")

    assert result.exit_code == 2
    assert ":4:12 M1" in result.stderr


def test_explain_of_a_file_that_is_no_text_is_told(connector: Connector, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_bytes(b"\xff\xfe")

    result = connector("mappings", "explain", tmp_path / "wrong.yaml")

    assert result.exit_code == 2
    assert "M002" in result.stderr


def edited(installation: Installation, connector: Connector) -> str:
    """A linked ticket, and a mapping in which its priority has another counterpart since; the HubSpot record's id."""
    connector("db", "upgrade")
    installation.sandbox.nextcap.create_ticket(subject="Old", customer_email="jo@home.example", priority="high")
    installation.sync()
    text = installation.mapping.read_text().partition("\nexamples:")[0] + "\n"
    changed = text.replace("      high: High\n      urgent: Urgent\n", "      high: Urgent\n      urgent: High\n")
    assert changed != text
    installation.mapping.write_text(changed)
    [record] = installation.sandbox.hubspot.state()["tickets"]
    return str(record["id"])


def priority(installation: Installation) -> str:
    [record] = installation.sandbox.hubspot.state()["tickets"]
    return str(record["properties"]["hs_ticket_priority"])


def test_apply_counts_before_anything_is_changed(connector: Connector, installation: Installation) -> None:
    edited(installation, connector)

    result = connector("mappings", "apply", "hubspot", "--dry-run")
    listed = told(connector("mappings", "apply", "hubspot", "--dry-run", "--json"))
    installation.sync()

    assert result.exit_code == 0
    assert "HIGH → URGENT" in result.stdout
    assert "1 ticket(s) looked at, 1 would change" in result.stdout
    [effect] = listed["effects"]
    assert (effect["field"], effect["side"], effect["tickets"]) == ("priority", "crm", 1)
    assert priority(installation) == "HIGH"


@pytest.mark.parametrize(("answer", "code", "expected"), [("y\n", 0, "URGENT"), ("n\n", 1, "HIGH")])
def test_apply_asks(connector: Connector, installation: Installation, answer: str, code: int, expected: str) -> None:
    edited(installation, connector)

    result = connector("mappings", "apply", "hubspot", input=answer)
    installation.sync()

    assert result.exit_code == code
    assert priority(installation) == expected


def test_apply_without_an_edit_wants_a_field(connector: Connector, installation: Installation) -> None:
    connector("db", "upgrade")

    result = connector("mappings", "apply", "hubspot", "--yes")

    assert result.exit_code == 2
    assert "--field" in result.stderr


def test_apply_refuses_a_file_that_does_not_pass(connector: Connector, installation: Installation) -> None:
    edited(installation, connector)
    installation.mapping.write_text(WRONG)

    result = connector("mappings", "apply", "hubspot", "--yes")

    assert result.exit_code == 2
    assert "hubspot.yaml:4:12" in result.stderr
