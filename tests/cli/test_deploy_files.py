"""The files that a platform reads: what they name exists, and what they set is understood."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from pydantic import BaseModel

from connector import config
from connector.adapters.registry import CRMS, kind

ROOT = Path(__file__).parents[2]
PROCESSES = {line.partition(": ")[0]: line.partition(": ")[2] for line in (ROOT / "Procfile").read_text().splitlines()}
KEY = re.compile(r"^#? ?([a-z][a-z0-9_]*) = ", re.M)


def test_the_procfile_has_every_process() -> None:
    assert set(PROCESSES) == {"release", "web", "worker", "beat", "flower"}
    assert PROCESSES["release"] == "connector db upgrade"
    assert "$PORT" in PROCESSES["web"]


@pytest.mark.parametrize("name", ["web", "worker", "beat", "flower"])
def test_signals_reach_the_program_and_not_a_shell(name: str) -> None:
    assert re.search(r"(^|\s)exec (gunicorn|celery) ", PROCESSES[name])


def test_flower_does_not_start_without_a_password() -> None:
    refused = subprocess.run(
        ["sh", "-c", PROCESSES["flower"].replace("exec celery", "exec false")],
        env={"PATH": "/bin:/usr/bin"},
        capture_output=True,
        text=True,
    )

    assert refused.returncode != 0
    assert "FLOWER_BASIC_AUTH" in refused.stderr


def test_app_json_sets_what_the_configuration_understands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, entry in json.loads((ROOT / "app.json").read_text())["env"].items():
        monkeypatch.setenv(name, entry.get("value", "a long and random text"))
    monkeypatch.chdir(tmp_path)

    settings = config.load()

    assert settings.connections["hubspot"].crm == "hubspot"
    assert settings.secret_key
    assert settings.queue.check_certificate is False
    assert settings.behind_proxy is True


def test_app_json_starts_processes_of_the_procfile() -> None:
    assert set(json.loads((ROOT / "app.json").read_text())["formation"]) <= set(PROCESSES)


def test_the_example_configuration_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTCAP_API_KEY", "nextcap_ck_1")
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-1")

    settings = config.load(ROOT / "config.example.toml")

    assert settings.nextcap.data_key is None
    assert settings.nextcap.webhook_secrets == []
    assert config.absolute(settings, settings.connections["hubspot"].mapping).is_file()


def test_the_example_configuration_names_settings_that_exist() -> None:
    sections = {
        "": config.Settings,
        "store": config.StoreSettings,
        "queue": config.QueueSettings,
        "nextcap": config.NextCapSettings,
        "fuses": config.FuseSettings,
        "heartbeat": config.HeartbeatSettings,
        **{f"connections.{crm}": kind(crm).settings for crm in CRMS},
        "events.warehouse": config.EventsSettings,
    }
    parts = re.split(r"^(?:# )?\[([a-z.]+)\]$", (ROOT / "config.example.toml").read_text(), flags=re.M)
    written = {name: set(KEY.findall(text)) for name, text in zip(["", *parts[1::2]], parts[::2], strict=True)}

    assert set(written) == set(sections)
    for name, model in sections.items():
        assert written[name] <= set(model.model_fields), name


@pytest.mark.parametrize(
    "model",
    [
        config.StoreSettings,
        config.QueueSettings,
        config.NextCapSettings,
        config.FuseSettings,
        config.HeartbeatSettings,
        config.EventsSettings,
    ],
)
def test_the_example_configuration_leaves_nothing_out(model: type[BaseModel]) -> None:
    assert set(model.model_fields) <= set(KEY.findall((ROOT / "config.example.toml").read_text()))


def test_the_python_version_is_one_that_is_supported() -> None:
    assert (ROOT / ".python-version").read_text().strip() in {"3.11", "3.12", "3.13", "3.14"}
