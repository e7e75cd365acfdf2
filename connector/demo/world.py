"""Everything that the demo needs, in one process: both imitations and the embedded connector, on free local ports."""

from __future__ import annotations

import logging
import socket
import threading
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydantic_settings import PydanticBaseSettingsSource
from waitress.server import create_server  # type: ignore[import-untyped]  # waitress ships no types

import connector
from connector import config, log
from connector.demo.people import Side
from connector.domain.errors import ConfigError
from connector.embedded import Embedded
from connector.engine import prepare
from connector.sandbox.nextcap import CRM_KEY, DATA_KEY
from connector.sandbox.server import Sandbox
from connector.web.app import create_app
from connector.wiring import Runtime, build, with_engine

CRM = "hubspot"
MAPPING = Path(connector.__file__).parents[1] / "mappings" / "hubspot.yaml"
POLL_SECONDS = 3
CONFIGURATION = """\
# Written by `connector demo`. Everything here is an imitation on this machine.
public_url = "{public_url}"

[store]
url = "sqlite:///connector.db"

[nextcap]
api_url = "{nextcap_api_url}"
api_key = "{crm_key}"
data_key = "{data_key}"
poll_seconds = {poll_seconds}

[connections.hubspot]
crm = "hubspot"
mapping = "{mapping}"
api_url = "{hubspot_api_url}"
access_token = "{access_token}"
webhook_secrets = ["{client_secret}"]
"""


class FileSettings(config.Settings):
    """The configuration as the file has it: a DATABASE_URL of this machine is never the demo's."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type,  # noqa: ARG003 - pydantic calls it by these names
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


@dataclass(frozen=True, slots=True)
class World:
    """What runs. People act through `nextcap` and `hubspot`; `sandbox` is for reading, and for pulling the plug."""

    folder: Path
    sandbox: Sandbox
    runtime: Runtime
    url: str
    nextcap: Side
    hubspot: Side


@contextmanager
def running(folder: Path) -> Iterator[World]:
    """Start everything, set it up as `connector setup` does, and stop it at the end. Keeps all its files in `folder`.

    Raises ConfigError where something cannot be set up.
    """
    if not MAPPING.is_file():
        raise ConfigError(f"{MAPPING} is missing: the demo plays the mapping of the cloned repository")
    with ExitStack() as stack:
        _log_to(stack, folder / "connector.log")
        sandbox = stack.enter_context(Sandbox())
        door = stack.enter_context(closing(socket.socket()))
        door.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{door.getsockname()[1]}"
        nextcap = stack.enter_context(closing(Side(lambda: sandbox.nextcap.url)))
        hubspot = stack.enter_context(closing(Side(lambda: sandbox.hubspot.url)))
        runtime = build(_settings(folder, sandbox, url), upgrade=True)
        stack.callback(runtime.close)
        _serve(stack, runtime, door)
        hubspot.set(webhook_url=f"{url}/webhooks/{CRM}")
        yield World(folder, sandbox, runtime, url, nextcap, hubspot)


def _log_to(stack: ExitStack, path: Path) -> None:
    """The terminal belongs to the story; what the connector and its libraries log goes to a file."""
    file = stack.enter_context(path.open("a", encoding="utf-8"))
    log.configure(json=True)
    logging.basicConfig(level=logging.WARNING, stream=file, force=True)
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(file))


def _settings(folder: Path, sandbox: Sandbox, url: str) -> config.Settings:
    """The configuration as an operator would write it, in a file that `connector status` can be given too."""
    path = folder / "config.toml"
    path.write_text(
        CONFIGURATION.format(
            public_url=url,
            nextcap_api_url=sandbox.nextcap.api_url,
            crm_key=CRM_KEY,
            data_key=DATA_KEY,
            poll_seconds=POLL_SECONDS,
            mapping=MAPPING.as_posix(),
            hubspot_api_url=sandbox.hubspot.url,
            access_token=sandbox.hubspot.credentials.static_token,
            client_secret=sandbox.hubspot.settings.client_secret,
        ),
        encoding="utf-8",
    )
    return FileSettings(**tomllib.loads(path.read_text(encoding="utf-8")), folder=folder)


def _serve(stack: ExitStack, runtime: Runtime, door: socket.socket) -> None:
    """Set up both vendors, then start the worker threads and the web server."""
    _set_up(runtime)
    embedded = Embedded(runtime)
    with_engine(runtime, bell=embedded.ring, pause=embedded.pause)
    server = create_server(create_app(runtime), sockets=[door], threads=8, ident=None)
    embedded.start()
    stack.callback(embedded.stop)
    threading.Thread(target=server.run, name="web", daemon=True).start()
    stack.callback(server.close)


def _set_up(runtime: Runtime) -> None:
    refused = [problem for one in runtime.import_mappings() for problem in one.problems if one.state == "refused"]
    steps = runtime.engine.nextcap.subscribe(f"{runtime.settings.public_url}/webhooks/nextcap", dry_run=False)
    problems = [*map(str, refused), *(f"{one.what}: {one.advice}" for one in steps if one.state != "done")]
    if problems:
        raise ConfigError("\n".join(problems))
    prepare.prepare(runtime.engine, CRM)
