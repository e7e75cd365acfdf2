"""`mappings …`: check a mapping file before it meets a ticket, and say in words what it does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli import common, show

if TYPE_CHECKING:
    from connector.domain.schema import Schema
    from connector.mapping.problems import Problem

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
of_account = click.option(
    "--connection", help="Check against this connection's account as it is now (makes calls that read)."
)


@click.group()
def mappings() -> None:
    """Check and explain mapping files."""


@mappings.command()
@click.argument("files", nargs=-1, type=FILE)
@of_account
@common.as_json
def check(files: tuple[Path, ...], connection: str | None, as_json: bool) -> None:
    """Print every mistake as file:line:column, code, message. Without FILES: those of the configuration.

    Exit codes: 0 no mistakes (warnings allowed), 1 mistakes, 2 usage.
    """
    chosen = _chosen(files, connection)
    schema = _schema(connection)
    found = {_shown(path): _problems(path, schema) for path in chosen}
    wrong = any(one.severity == "error" for problems in found.values() for one in problems)
    if as_json:
        listed = [{"file": name, "problems": problems} for name, problems in found.items()]
        show.as_json({"ok": not wrong, "files": listed})
    else:
        for name, problems in found.items():
            for one in problems:
                click.echo(str(one))
            if not any(one.severity == "error" for one in problems):
                click.echo(f"{name}: passes")
    raise SystemExit(common.WRONG if wrong else 0)


@mappings.command()
def schema() -> None:
    """Print the JSON Schema of mapping files, for editors."""
    from connector.mapping.schema import json_schema

    show.as_json(json_schema())


@mappings.command()
@click.argument("file", required=False, type=FILE)
@of_account
def explain(file: Path | None, connection: str | None) -> None:
    """Say in plain words what a mapping does."""
    from connector.mapping.explain import explain as in_words
    from connector.mapping.load import parse

    for path in _chosen((file,) if file else (), connection):
        document = parse(path.read_text(encoding="utf-8"), name=_shown(path))
        click.echo(in_words(document, _schema(connection)))


def _chosen(files: Sequence[Path], connection: str | None) -> list[Path]:
    """The named files, or those that the configuration names for all connections or for this one."""
    if files:
        return list(files)
    from connector import config

    found = common.settings()
    if connection is not None and connection not in found.connections:
        raise click.UsageError(f"there is no connection {connection!r} in the configuration")
    names = [connection] if connection else sorted(found.connections)
    paths = [config.absolute(found, found.connections[name].mapping) for name in names]
    if not paths:
        raise click.UsageError("name a file: the configuration has no connections")
    for path in paths:
        if not path.is_file():
            raise click.UsageError(f"{path} does not exist; the configuration names it")
    return list(dict.fromkeys(paths))


def _schema(connection: str | None) -> Schema | None:
    """The account's fields as they are now; None offline."""
    if connection is None:
        return None
    with common.opened() as runtime:
        return runtime.engine.crms[common.one_of_ours(runtime, connection)].schema()


def _problems(path: Path, schema: Schema | None) -> list[Problem]:
    from connector.mapping import lint, load
    from connector.mapping.problems import MappingErrors, Problem

    name = _shown(path)
    try:
        return lint.check(load.parse(path.read_text(encoding="utf-8"), name=name), schema)
    except MappingErrors as problem:
        return list(problem.problems)
    except UnicodeDecodeError:
        return [Problem("M002", "the file is not text in UTF-8", 1, 1, file=name)]


def _shown(path: Path) -> str:
    """The path as short as it can be told from here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_absolute() and path.is_relative_to(here) else str(path)


COMMANDS = (mappings,)
