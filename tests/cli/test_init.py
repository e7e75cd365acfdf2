"""`init` writes a configuration that loads, for its owner alone, and never over another."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from connector import config

from .conftest import Connector


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_yes_writes_a_file_that_loads(connector: Connector, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-from-the-environment")

    given = {
        "--public-url": "https://c.example",
        "--nextcap-api-key": 'nextcap_ck_"quoted\\',
        "--crm-address": "http://127.0.0.1:1",
        "--connection": "sales",
    }

    result = connector("init", "--yes", *(word for pair in given.items() for word in pair))

    assert result.exit_code == 0
    assert "connector setup sales" in result.stdout
    loaded = config.load(folder / "config.toml")
    assert loaded.public_url == "https://c.example"
    assert loaded.nextcap.api_key is not None
    assert loaded.nextcap.api_key.get_secret_value() == 'nextcap_ck_"quoted\\'
    assert loaded.connections["sales"].api_url == "http://127.0.0.1:1"
    assert loaded.connections["sales"].access_token is not None
    assert loaded.connections["sales"].access_token.get_secret_value() == "pat-from-the-environment"


def test_the_file_is_its_owners_alone(connector: Connector, folder: Path) -> None:
    connector("init", "--yes")

    assert stat.S_IMODE((folder / "config.toml").stat().st_mode) == 0o600


def test_an_existing_file_is_left_as_it_is(connector: Connector, folder: Path) -> None:
    (folder / "config.toml").write_text("# mine\n")

    result = connector("init", "--yes")

    assert result.exit_code == 2
    assert (folder / "config.toml").read_text() == "# mine\n"


def test_questions_are_asked_and_secrets_not_echoed(connector: Connector, folder: Path) -> None:
    answers = ["https://c.example", "nextcap_ck_1", "sk_live_1", "", "pat-1", "client-secret"]

    result = connector("init", input="\n".join(answers) + "\n")

    assert result.exit_code == 0
    loaded = config.load(folder / "config.toml")
    assert loaded.nextcap.data_key is not None
    assert [one.get_secret_value() for one in loaded.connections["hubspot"].webhook_secrets] == ["client-secret"]
    assert not any(secret in result.stdout for secret in ("nextcap_ck_1", "sk_live_1", "pat-1", "client-secret"))


def test_a_key_of_another_kind_is_refused_before_anything_is_written(connector: Connector, folder: Path) -> None:
    result = connector("init", "--yes", "--nextcap-api-key", "pk_live_1")

    assert result.exit_code == 2
    assert "nextcap_ck_" in result.stderr
    assert not (folder / "config.toml").exists()


def test_what_the_environment_has_yet_to_give_is_told(connector: Connector, folder: Path) -> None:
    result = connector("init", "--yes")

    assert result.exit_code == 0
    assert "not complete yet" in result.stderr
    assert "access_token" in result.stderr


def test_a_missing_mapping_is_told(connector: Connector, folder: Path) -> None:
    result = connector("init", "--yes", "--mapping", "elsewhere.yaml", "--set", "access_token=pat-1")

    assert result.exit_code == 0
    assert "elsewhere.yaml" in result.stderr


@pytest.mark.parametrize(
    ("crm", "given"), [("hubspot", "client_id"), ("capsule", "refresh_token"), ("custom", "username")]
)
def test_a_token_is_not_written_beside_what_is_given_in_its_place(
    connector: Connector, folder: Path, crm: str, given: str
) -> None:
    """A variable of that name that happens to be set would win over the OAuth app."""
    connector("init", "--yes", "--crm", crm, "--crm-address", "https://crm.example", "--set", f"{given}=x")

    written = (folder / "config.toml").read_text(encoding="utf-8")
    assert f'{given} = "x"' in written
    assert "access_token" not in written


def test_a_key_that_has_its_own_option_is_refused(connector: Connector, folder: Path) -> None:
    """Written twice, it would leave a file that no TOML parser reads."""
    result = connector("init", "--yes", "--set", "mapping=elsewhere.yaml")

    assert result.exit_code == 2
    assert not (folder / "config.toml").exists()
