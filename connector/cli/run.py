"""`run`, `demo` and `sandbox`: processes that stay until they are asked to end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from connector.cli import common, show

if TYPE_CHECKING:
    from connector.config import Settings
    from connector.embedded import Embedded
    from connector.engine.mappings import Import
    from connector.sandbox.server import Sandbox
    from connector.wiring import Runtime

STOP_WITHIN = 18.0
"""Seconds for a clean end: platforms kill after twenty or thirty, and a kill loses nothing but time."""
THREADS = 8
NEXTCAP = "nextcap"
WEBHOOK_SECRET = "sandbox-nextcap-webhook-secret"  # noqa: S105 - the imitation's, printed for everybody


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), envvar="PORT", default=8000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
def run(port: int, host: str) -> None:
    """Run everything in one process: web, workers and timers.

    PORT is honoured. SIGTERM and Ctrl-C end it within 20 seconds; what was under way goes on at the next start.
    """
    from connector import log
    from connector.doctor.configuration import queue_fits, store_fits

    found = common.usable(common.settings())
    common.fitting(store_fits(found), queue_fits(found))
    log.configure(level=found.log_level)
    with common.database(found, create=True):
        pass  # It answers; the tables are made with the runtime.
    _serve(found, host, port)


def _serve(found: Settings, host: str, port: int) -> None:
    from waitress.server import create_server  # type: ignore[import-untyped]  # waitress ships no types

    from connector.embedded import Embedded
    from connector.web.app import create_app
    from connector.wiring import build, with_engine

    runtime = build(found, upgrade=True)
    take_over_mappings(runtime)
    embedded = Embedded(runtime)
    with_engine(runtime, bell=embedded.ring, pause=embedded.pause)
    try:
        server = create_server(create_app(runtime), host=host, port=port, threads=THREADS, **limits(found))
    except OSError as problem:
        raise click.UsageError(f"cannot listen on {host}:{port}: {problem.strerror}") from problem
    embedded.start()

    def serve() -> None:
        click.echo(_greeting(found, host, int(server.effective_port)))
        server.run()

    ended = until_signal(serve)
    server.close()
    _stop(embedded, runtime, within=ended.at + STOP_WITHIN - time.monotonic())
    click.echo(f"ended by {ended.by}")


def limits(found: Settings) -> dict[str, Any]:
    """What the server takes from a stranger: a whole delivery and no more, and not for ever."""
    largest = found.largest_delivery + 1  # waitress refuses what is as large as its limit
    return {
        "max_request_body_size": largest,
        "max_request_header_size": 64 * 1024,
        "channel_timeout": 30,
        "ident": None,
    }


def _greeting(found: Settings, host: str, port: int) -> str:
    address = f"http://{host}:{port}"
    return (
        f"listening on {address}, webhooks expected at {found.public_url.rstrip('/')}/webhooks/…; "
        f"open {address}/readyz next, and ask `connector doctor`"
    )


def take_over_mappings(runtime: Runtime) -> None:
    """Import the mapping files. Raises ConfigError with every problem where one does not pass and none is in force."""
    from connector.domain.errors import ConfigError
    from connector.store import mappings

    fatal: list[str] = []
    for one in runtime.import_mappings():
        if one.state not in ("refused", "unreadable"):
            continue
        with runtime.db.read() as connection:
            active = mappings.active_version(connection, one.connection)
        if active is None:
            fatal += _every_problem(one)
        else:
            click.echo(f"{one.path} does not pass; version {active[:8]} stays in force", err=True)
    if fatal:
        raise ConfigError("\n".join(fatal), code="mapping")


def _every_problem(one: Import) -> list[str]:
    from connector.engine.mappings import check_text

    if one.state == "unreadable":
        return list(one.problems)
    return check_text(one.path.read_text(encoding="utf-8"), name=str(one.path))


@dataclass(frozen=True, slots=True)
class Ended:
    """What asked a process to end, and when by the monotonic clock."""

    by: str
    at: float


def until_signal(serve: Callable[[], object]) -> Ended:
    """Serve in this thread until SIGTERM or SIGINT comes. Later ones change nothing: the end has begun."""
    ended: list[Ended] = []

    def end(number: int, _frame: object) -> None:
        if not ended:
            ended.append(Ended(signal.Signals(number).name, time.monotonic()))
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        serve()
    return ended[0] if ended else Ended("itself", time.monotonic())


def _stop(embedded: Embedded, runtime: Runtime, *, within: float) -> None:
    """Let begun work come to its end, but not for ever: what is left is due again at the next start."""
    ending = threading.Thread(target=embedded.stop, args=(within,), daemon=True)
    ending.start()
    ending.join(within)
    if ending.is_alive():
        click.echo("ended in the middle of a call; it is settled at the next start", err=True)
        os._exit(0)
    runtime.close()


@click.command()
@click.option("--keep", is_flag=True, help="Keep it running until Ctrl-C, to look around.")
def demo(keep: bool) -> None:
    """Play a support story through imitations of both systems; needs no account."""
    from connector.demo import main

    raise SystemExit(main(keep=keep))


FIRST_PORT = 8101


@click.command()
@click.option(
    "--crm", "crms", multiple=True, default=("hubspot",), show_default=True, help="The CRM to imitate; may be repeated."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=FIRST_PORT,
    show_default=True,
    help="The port of Next Cap; the CRMs take the next ones. 0: any free ports.",
)
@click.option(
    "--connector",
    default="http://127.0.0.1:8000",
    show_default=True,
    help="The connector's address, to which webhooks are sent.",
)
@common.as_json
def sandbox(crms: tuple[str, ...], port: int, connector: str, as_json: bool) -> None:
    """Run imitations of Next Cap and of CRMs, for trials without an account.

    Prints a configuration that fits, and the addresses at which one can act as people do.
    """
    from connector.sandbox.server import VENDORS, Sandbox

    known = [vendor for vendor in VENDORS if vendor != NEXTCAP]
    vendors = [NEXTCAP, *dict.fromkeys(crms)]
    for crm in set(crms) - set(known):
        raise click.UsageError(f"there is no imitation of {crm}; there are {', '.join(known)}")
    ports = {f"{vendor}_port": port + place if port else 0 for place, vendor in enumerate(vendors)}
    started = Sandbox(vendors, **ports)
    try:
        started.start()
    except OSError as problem:
        raise click.UsageError(f"cannot listen: {problem.strerror}") from problem
    try:
        told = _introduce(started, connector.rstrip("/"))
        show.as_json(told) if as_json else click.echo(_introduction(told))
        until_signal(threading.Event().wait)
    finally:
        started.stop()


def _introduce(started: Sandbox, connector: str) -> dict[str, Any]:
    """Make the imitations call this connector, as their operators would; what those would copy."""
    from connector.adapters.nextcap.setup import EVENTS
    from connector.sandbox.nextcap import CRM_KEY, DATA_KEY

    started.nextcap.create_webhook(f"{connector}/webhooks/nextcap", EVENTS, WEBHOOK_SECRET)
    nextcap = {"api_url": started.nextcap.api_url, "api_key": CRM_KEY, "data_key": DATA_KEY}
    crms = {name: one for name, one in started.imitations.items() if name != NEXTCAP}
    return {
        "public_url": connector,
        "nextcap": {**nextcap, "webhook_secrets": [WEBHOOK_SECRET]},
        "connections": {
            name: {"crm": name, "mapping": f"mappings/{name}.yaml", **one.introduce(connector)}
            for name, one in crms.items()
        },
        "control": {name: f"{one.url}/_control/" for name, one in started.imitations.items()},
    }


def _introduction(told: dict[str, Any]) -> str:
    sections = {"nextcap": told["nextcap"]}
    sections |= {f"connections.{name}": keys for name, keys in told["connections"].items()}
    lines = ["# Imitations are running; Ctrl-C ends them. This is a config.toml that fits:"]
    lines.append(f"public_url = {json.dumps(told['public_url'])}")
    for section, keys in sections.items():
        # For printable text, JSON's strings, lists and booleans are TOML's.
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
    control = told["control"]
    lines += [
        f"# Act as people do (GET {control[NEXTCAP]}actions lists what there is):",
        f'#   curl -d \'{{"subject": "It does not work"}}\' {control[NEXTCAP]}actions/create_ticket',
        *(f"#   curl {address}state" for name, address in control.items() if name != NEXTCAP),
    ]
    return "\n".join(lines)


COMMANDS = (run, demo, sandbox)
