"""An installation as an operator has it: a configuration file, both imitations, and the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connector.cli import main
from connector.engine import drain, poll
from connector.sandbox.nextcap import CRM_KEY, DATA_KEY
from connector.sandbox.server import Sandbox
from connector.wiring import Runtime, build

MAPPINGS = Path(__file__).parents[2] / "mappings"
OURS = ("CONNECTOR", "DATABASE_URL", "REDIS_URL", "REDIS_TLS_URL", "SECRET_KEY", "PORT", "WEB_CONCURRENCY", "DYNO")

Connector = Callable[..., Result]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(OURS):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def _sandbox() -> Iterator[Sandbox]:
    with Sandbox() as started:
        yield started


@pytest.fixture
def sandbox(_sandbox: Sandbox) -> Sandbox:
    """Both imitations, as they are at first, without a rate limit in the way."""
    _sandbox.reset()
    _sandbox.nextcap.configure(rate_limit=6000)
    _sandbox.hubspot.configure(search_lag=0.0)
    return _sandbox


class Installation:
    """A configuration in a folder of its own. Change `sections` and `write` again for another one."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.mapping = folder / "hubspot.yaml"
        self.mapping.write_text((MAPPINGS / "hubspot.yaml").read_text())
        self.sections: dict[str, dict[str, Any]] = {
            "": {"public_url": "http://127.0.0.1:9"},
            "store": {"url": "sqlite:///connector.db"},
            "nextcap": {
                "api_url": sandbox.nextcap.api_url,
                "api_key": CRM_KEY,
                "data_key": DATA_KEY,
                "webhook_secrets": ["nextcap-secret"],
                "poll_seconds": 1,
            },
            "connections.hubspot": {
                "crm": "hubspot",
                "mapping": "hubspot.yaml",
                "api_url": sandbox.hubspot.url,
                "access_token": sandbox.hubspot.credentials.static_token,
                "webhook_secrets": [sandbox.hubspot.settings.client_secret],
            },
        }
        self.write()

    @property
    def path(self) -> Path:
        return self.folder / "config.toml"

    def write(self, **changes: Any) -> None:
        """Write the file; changes are given as `section__key=value`, None removes the key."""
        for name, value in changes.items():
            section, _, key = name.rpartition("__")
            values = self.sections.setdefault(section.replace("__", "."), {})
            values[key] = value
        text = ""
        for section, values in self.sections.items():
            text += f"[{section}]\n" if section else ""
            text += "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items() if value is not None)
        self.path.write_text(text)

    @contextmanager
    def runtime(self) -> Iterator[Runtime]:
        """The installation's engine, in this process, with its tables and its mapping in force."""
        made = build(upgrade=True)
        made.import_mappings()
        try:
            yield made
        finally:
            made.close()

    def sync(self) -> None:
        """Do what a worker does, once: look at Next Cap, then work what is due."""
        with self.runtime() as runtime:
            poll.poll_nextcap(runtime.engine)
            drain.drain(runtime.engine, "hubspot")


@pytest.fixture
def installation(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """A configuration that CONNECTOR_CONFIG names; no database yet."""
    made = Installation(tmp_path, sandbox)
    monkeypatch.setenv("CONNECTOR_CONFIG", str(made.path))
    return made


@pytest.fixture
def connector() -> Connector:
    """Run a command in this process; its Result holds exit_code, stdout and stderr."""

    def run(*arguments: object, input: str | None = None) -> Result:
        result = CliRunner().invoke(main, [str(one) for one in arguments], input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def ready(installation: Installation, connector: Connector) -> Installation:
    """Everything set up and worked once: all is well but for what a test spoils."""
    connector("db", "upgrade")
    connector("setup", "hubspot")
    connector("setup", "nextcap")
    installation.sync()
    return installation


def told(result: Result) -> Any:
    """What a command printed as JSON."""
    return json.loads(result.stdout)


def findings(result: Result) -> dict[str, dict[str, str]]:
    """The lines of `doctor --json` by place and subject."""
    listed: Sequence[dict[str, str]] = told(result)["findings"]
    return {f"{one['where']} {one['what']}": one for one in listed}
