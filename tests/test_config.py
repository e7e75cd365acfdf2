"""Configuration: each connection has the keys of its kind of CRM; the environment wins, as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector import config
from connector.adapters.registry import CRMS, kind
from connector.domain.errors import ConfigError

MINIMAL = """
[connections.sales]
crm = "hubspot"
mapping = "mappings/hubspot.yaml"
access_token = "pat-1"
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(MINIMAL)
    return path


def test_a_connection_has_the_keys_of_its_crm(written: Path) -> None:
    sales = config.load(written).connections["sales"]

    assert type(sales) is kind("hubspot").settings
    assert sales.address == "https://api.hubapi.com"


@pytest.mark.parametrize(
    ("variable", "value", "key", "found"),
    [
        ("ACCESS_TOKEN", "123e4", "access_token", "123e4"),
        ("CLIENT_ID", "true", "client_id", "true"),
        ("CALLS_PER_10_SECONDS", "150", "calls_per_10_seconds", 150),
        ("SIGNATURES", "v3,v2", "signatures", ["v3", "v2"]),
    ],
)
def test_the_environment_wins_and_is_taken_as_written(
    written: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, key: str, found: object
) -> None:
    monkeypatch.setenv(f"CONNECTOR__CONNECTIONS__SALES__{variable}", value)

    loaded = getattr(config.load(written).connections["sales"], key)

    assert (loaded.get_secret_value() if hasattr(loaded, "get_secret_value") else loaded) == found


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("hubspot", "hubspott", 1), "connections.sales: Value error, crm 'hubspott' is not known; there are"),
        (('crm = "hubspot"', "", 1), "connections.sales: Value error, crm is missing"),
        (("access_token", "acces_token", 1), "connections.sales.acces_token: Extra inputs are not permitted"),
        (('"pat-1"', '""', 1), "connections.sales: give access_token, or client_id"),
    ],
)
def test_a_mistake_is_told_with_its_place(written: Path, change: tuple[str, str, int], told: str) -> None:
    written.write_text(MINIMAL.replace(*change))

    with pytest.raises(ConfigError) as refused:
        config.load(written)

    assert told in str(refused.value)
    assert "pat-1" not in str(refused.value)


@pytest.mark.parametrize("crm", CRMS)
def test_every_kind_can_be_asked_for(crm: str) -> None:
    known = kind(crm)

    assert known.label
    assert known.settings.address_key in known.settings.model_fields
    assert {one.key for one in known.asks} <= set(known.settings.model_fields)
