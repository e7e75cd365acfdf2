"""Exit codes, speed of `--help`, and that the reference names everything there is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from connector.cli import main

from .conftest import Connector, Installation

REFERENCE = Path(__file__).parents[2] / "docs" / "cli.md"
HEAVY = ("sqlalchemy", "flask", "celery", "httpx", "pydantic", "hubspot", "rich", "structlog")


def commands(group: click.Group = main, path: str = "connector") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, json, connector.cli; print(json.dumps(sorted(sys.modules)))"

    modules = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)

    assert not {name.split(".")[0] for name in modules} & set(HEAVY)


@pytest.mark.parametrize("path", [path for path, _ in commands()])
def test_every_command_has_a_help(connector: Connector, path: str) -> None:
    result = connector(*path.split()[1:], "--help")

    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_the_reference_names_every_command_and_option() -> None:
    reference = REFERENCE.read_text()

    for path, command in commands():
        assert f"`{path}" in reference, path
        for parameter in command.params:
            for option in parameter.opts if isinstance(parameter, click.Option) else ():
                assert option in reference, f"{path} {option}"


def test_no_configuration_is_told_with_the_way_out(
    connector: Connector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = connector("status")

    assert result.exit_code == 2
    assert "connector init" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_configuration_names_the_key_and_no_value(connector: Connector, installation: Installation) -> None:
    installation.write(nextcap__api_key="sk_live_wrong")

    result = connector("doctor")

    assert result.exit_code == 2
    assert "nextcap.api_key" in result.stderr
    assert "sk_live_wrong" not in result.stderr + result.stdout
    assert "Traceback" not in result.stderr


def test_missing_tables_are_told_with_the_way_out(connector: Connector, installation: Installation) -> None:
    result = connector("parked", "list")

    assert result.exit_code == 2
    assert "connector db upgrade" in result.stderr
    assert not (installation.folder / "connector.db").exists()


def test_upgrade_may_be_repeated(connector: Connector, installation: Installation) -> None:
    for _ in range(2):
        assert connector("db", "upgrade").exit_code == 0

    assert connector("parked", "list").exit_code == 0


def test_sqlite_is_refused_on_a_platform_that_throws_disks_away(
    connector: Connector, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNO", "release.1")

    result = connector("db", "upgrade")

    assert result.exit_code == 2
    assert "DATABASE_URL" in result.stderr


def test_a_database_that_is_away_is_no_traceback_and_shows_no_password(
    connector: Connector, installation: Installation
) -> None:
    installation.write(store__url="postgresql://connector:hunter2@127.0.0.1:1/nowhere")

    result = connector("status")

    assert result.exit_code == 1
    assert "127.0.0.1:1/nowhere" in result.stderr
    assert "hunter2" not in result.stderr


def test_an_unknown_connection_is_a_usage_error(connector: Connector, installation: Installation) -> None:
    connector("db", "upgrade")

    for arguments in (("pause", "nope"), ("resume", "nope"), ("setup", "nope")):
        result = connector(*arguments)

        assert result.exit_code == 2
        assert "hubspot" in result.stderr
