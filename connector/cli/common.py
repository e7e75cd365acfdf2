"""What all commands share: exit codes, the configuration, the runtime, and who is asking."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.domain.errors import ConfigError, ConnectorError, StoreAway

if TYPE_CHECKING:
    from connector.config import Settings
    from connector.doctor import Finding
    from connector.engine.context import Bell
    from connector.store.database import Database
    from connector.wiring import Runtime

WRONG, MISCONFIGURED = 1, 2
"""Exit codes beside 0: something is wrong; the configuration or the command line is."""

NO_ACCESS = frozenset({"unauthorized", "forbidden", "disconnected", "unreachable", "redirected"})
"""Codes of a vendor that does not let us in: what to do depends on its settings, which `doctor` goes through."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class Commands(click.Group):
    """Commands whose errors are told on standard error without a traceback, with the exit code that they mean."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a configuration that is wrong ends with 2, every other trouble of ours with 1."""
        try:
            return super().invoke(ctx)
        except ConfigError as problem:
            code, told = MISCONFIGURED, str(problem)
        except (ConnectorError, StoreAway) as problem:
            is_access = problem.code in NO_ACCESS
            code, told = WRONG, f"{problem}{'; `connector doctor` says what to look at' if is_access else ''}"
        click.echo(told, err=True)
        raise click.exceptions.Exit(code)


def settings() -> Settings:
    """The configuration. Raises ConfigError."""
    from connector import config

    return config.load()


def usable(found: Settings) -> Settings:
    """The configuration, if it is enough to work with. Raises ConfigError with everything that is missing."""
    missing = []
    if not found.nextcap.api_key:
        missing.append("nextcap.api_key is not set: Next Cap > Settings > API Keys > CRM Integration makes one")
    if not found.connections:
        missing.append("no connection is configured: `connector init` writes a configuration to begin with")
    if missing:
        raise ConfigError("\n".join(missing))
    return found


def fitting(*findings: Finding) -> None:
    """Refuse to start where one of these looks at the configuration came to a problem. Raises ConfigError."""
    wrong = [f"{one.what}: {one.detail}; {one.advice}" for one in findings if one.state == "problem"]
    if wrong:
        raise ConfigError("\n".join(wrong))


@contextmanager
def database(found: Settings, *, create: bool = False) -> Iterator[Database]:
    """The store, if it answers. Raises StoreAway, told with the address; ConfigError where no SQLite file is yet."""
    from connector import config
    from connector.store.database import Database

    db = Database(config.store_url(found))
    if db.is_sqlite and not create and db.url.database and not Path(db.url.database).exists():
        raise ConfigError(f"there is no database at {db.url.database}: run `connector db upgrade`", code="not_current")
    try:
        with db.read():
            pass
        yield db
    except StoreAway:
        click.echo(f"no answer from {db.url.render_as_string(hide_password=True)}", err=True)
        raise
    finally:
        db.close()


@contextmanager
def opened() -> Iterator[Runtime]:
    """One command's runtime, closed at its end. Raises ConfigError where settings or migrations are missing."""
    found = usable(settings())
    with database(found) as db:
        if not db.is_current():
            raise ConfigError("the database lacks migrations: run `connector db upgrade`", code="not_current")
    from connector.wiring import build

    runtime = build(found, bell=_bell(found))
    try:
        yield runtime
    finally:
        runtime.close()


def _bell(found: Settings) -> Bell | None:
    """The bell of the workers, where there are any; an embedded process finds new work by itself."""
    if found.queue.url.startswith("memory"):
        return None
    from workers.bell import bell_for

    return bell_for(found)


def one_of_ours(runtime: Runtime, name: str) -> str:
    """The name, if it is a configured connection's. Raises UsageError."""
    if name not in runtime.engine.crms:
        raise click.UsageError(f"there is no connection {name!r}; configured: {', '.join(runtime.engine.names) or '-'}")
    return name


def whoami() -> str:
    """The operating user's name, under which a decision is journaled."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
