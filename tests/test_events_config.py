"""The configuration of listeners: what is wrong is told with its place and its cure, and no secret is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector import config
from connector.domain.errors import ConfigError
from connector.events.catalogue import USUAL

SECRET = "whsec_" + "QUFB" * 11
OTHER = "whsec_" + "QkJC" * 11
LISTENER = f"""
[connections.sales]
crm = "hubspot"
mapping = "mappings/hubspot.yaml"
access_token = "pat-1"
[events.listener]
url = "https://listener.example.com/hooks?key=sesame"
secrets = ["{SECRET}"]
connections = ["sales"]
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(LISTENER)
    return path


def test_a_listener_is_told_everything_but_notes_unless_it_chooses(written: Path) -> None:
    listener = config.load(written).events["listener"]

    assert set(listener.types) == USUAL
    assert "ticket.noted" not in listener.types
    assert (listener.words, listener.allow_private) == (False, False)


def test_a_rotation_comes_from_the_environment(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR__EVENTS__LISTENER__SECRETS", f"{OTHER},{SECRET}")
    monkeypatch.setenv("CONNECTOR__EVENTS__LISTENER__TYPES", "ticket.noted,ticket.created")

    settings = config.load(written)

    assert [one.get_secret_value() for one in settings.events["listener"].secrets] == [OTHER, SECRET]
    assert settings.events["listener"].types == ["ticket.noted", "ticket.created"]
    assert {OTHER, SECRET} <= set(config.secrets_of(settings))
    assert "sesame" not in repr(settings)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ((f'"{SECRET}"', '""'), "events.listener: give secrets; a ${NAME} that is not set"),
        (
            (SECRET, "whsec_c2hvcnQ="),
            "secrets: Value error, must be whsec_ and the base64 of 24 to 64 random bytes: echo",
        ),
        ((SECRET, SECRET.removeprefix("whsec_")), "must be whsec_ and the base64"),
        (("https://listener", "http://listener"), "events.listener: url must be https://host/path"),
        (("https://listener.example.com", "http://127.0.0.1:8080"), "http only on this machine, with allow_private"),
        (("/hooks?", "/hooks/../admin?"), "events.listener: url has a path that is not plain"),
        (("https://listener", "https://kim:pw@listener"), "events.listener: url must be https://host/path"),
        (('["sales"]', '["slaes"]'), "events.listener.connections: there is no connection slaes"),
        (("connections = ", 'types = ["ticket.create"]\nconnections = '), "events.listener.types"),
        (("connections = ", 'types = ["connector.test"]\nconnections = '), "must name some of ticket.assigned"),
        (("connections = ", "types = []\nconnections = "), "must name some of ticket.assigned"),
        (("events.listener", "events.Listener"), "events.Listener: a name is lower-case letters, digits and dashes"),
    ],
)
def test_a_mistake_is_told_with_its_place(written: Path, change: tuple[str, str], told: str) -> None:
    written.write_text(LISTENER.replace(*change, 1))

    with pytest.raises(ConfigError) as refused:
        config.load(written)

    assert told in str(refused.value)
    assert "QUFB" not in str(refused.value)
    assert "sesame" not in str(refused.value)
