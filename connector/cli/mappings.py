"""`mappings …`: check a mapping file before it meets a ticket, say in words what it does, apply it to old tickets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli import common, show

if TYPE_CHECKING:
    from connector.domain.schema import Schema
    from connector.engine.applying import Effect, Survey
    from connector.mapping.load import Document
    from connector.mapping.problems import Problem
    from connector.wiring import Runtime

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
of_account = click.option(
    "--connection",
    help="Use this connection's account as it is now: its fields, options and labels (makes read calls).",
)


@click.group()
def mappings() -> None:
    """Check, explain and apply mapping files."""


@mappings.command()
@click.argument("files", nargs=-1, type=FILE)
@of_account
@common.as_json
def check(files: tuple[Path, ...], connection: str | None, as_json: bool) -> None:
    """Print every mistake as file:line:column, code, message. Without FILES: those of the configuration.

    Exit codes: 0 no mistakes (warnings allowed), 1 mistakes, 2 usage.
    """
    from connector.mapping.lint import passes

    chosen = _chosen(files, connection)
    schema = _schema(connection)
    found = {_shown(path): _problems(path, schema) for path in chosen}
    wrong = not all(passes(problems) for problems in found.values())
    if as_json:
        listed = [{"file": name, "problems": problems} for name, problems in found.items()]
        show.as_json({"ok": not wrong, "files": listed})
    else:
        for name, problems in found.items():
            for one in problems:
                click.echo(str(one))
            if passes(problems):
                click.echo(f"{name}: passes")
    raise SystemExit(common.WRONG if wrong else 0)


@mappings.command()
def schema() -> None:
    """Print the JSON Schema of mapping files, for editors."""
    from connector.mapping.schema import schema_text

    click.echo(schema_text(), nl=False)


@mappings.command()
@click.argument("file", required=False, type=FILE)
@of_account
def explain(file: Path | None, connection: str | None) -> None:
    """Say in plain words what a mapping does."""
    from connector.mapping.explain import explain as in_words

    for path in _chosen((file,) if file else (), connection):
        click.echo(in_words(_document(path), _schema(connection)))


@mappings.command()
@click.argument("connection")
@click.option("--field", "fields", multiple=True, help="Only this rule (or `status`); may be repeated.")
@click.option(
    "--take", type=click.Choice(["nextcap", "crm"]), help="Whose value counts where the mapping names neither side."
)
@click.option("--limit", type=click.IntRange(1), help="Change at most this many tickets, for a first trial.")
@click.option("--dry-run", is_flag=True, help="Only count and show what would change.")
@click.option("--yes", is_flag=True, help="Do not ask, for scripts.")
@common.as_json
def apply(
    connection: str,
    fields: tuple[str, ...],
    take: str | None,
    limit: int | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Make existing tickets follow a changed mapping: count what would change, ask, then carry it.

    Without --field, the rules are taken that differ from the mapping in force before.
    """
    from connector.domain.ticket import Side
    from connector.engine import applying

    with common.opened() as runtime:
        engine, name = runtime.engine, common.one_of_ours(runtime, connection)
        _take_over(runtime, name)
        chosen = fields or applying.changed_fields(engine, name)
        if not chosen:
            raise click.UsageError("no rule differs from the previous version of the mapping; name one with --field")
        found = applying.survey(engine, name, chosen, take=Side(take) if take else None, limit=limit)
        _tell_survey(found, as_json=as_json)
        if dry_run or not found.chosen:
            return
        if not (yes or click.confirm(f"Change {len(found.chosen)} ticket(s)?", err=True)):
            click.echo("nothing was changed", err=True)
            raise SystemExit(common.WRONG)
        length = applying.apply(engine, name, found, by=common.whoami())
    minutes = max(1, round(length.total_seconds() / 60))
    click.echo(f"{len(found.chosen)} ticket(s) will be changed within about {minutes} min", err=as_json)


def _take_over(runtime: Runtime, name: str) -> None:
    """Plans are made by the mapping in force: the file, if it passes. Raises ConfigError with its mistakes."""
    from connector.domain.errors import ConfigError

    for one in runtime.import_mappings():
        if one.connection == name and one.problems:
            raise ConfigError("\n".join(one.problems))


def _tell_survey(found: Survey, *, as_json: bool) -> None:
    if as_json:
        counts = {"looked_at": found.looked_at, "unread": found.unread, "tickets": len(found.chosen)}
        show.as_json({"version": found.version, "fields": found.fields, **counts, "effects": found.effects})
        return
    show.table(["field", "written in", "tickets", "for example"], [_row(one) for one in found.effects])
    click.echo(f"{found.looked_at} ticket(s) looked at, {len(found.chosen)} would change")
    if found.unread:
        click.echo(
            f"{found.unread} could not be compared: one side was never read (`connector tickets resync` reads it)"
        )


def _row(one: Effect) -> list[object]:
    if one.side is None:
        return [one.field, "nowhere", one.tickets, f"{one.why}: {', '.join(label for label, _, _ in one.examples)}"]
    where = "Next Cap" if one.side == "nextcap" else "the CRM"
    examples = [f"{label}: {show.cell(before)} → {show.cell(after)}" for label, before, after in one.examples]
    return [one.field, where, one.tickets, "; ".join(examples)]


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
    from connector.adapters.registry import forms, makes_follow_ups
    from connector.mapping import lint
    from connector.mapping.problems import MappingErrors

    try:
        return lint.check(_document(path), schema, follows=makes_follow_ups, forms=forms)
    except MappingErrors as problem:
        return list(problem.problems)


def _document(path: Path) -> Document:
    """The file as read. Raises MappingErrors."""
    from connector.mapping import load
    from connector.mapping.problems import MappingErrors, Problem

    name = _shown(path)
    try:
        return load.parse(path.read_text(encoding="utf-8"), name=name)
    except UnicodeDecodeError as problem:
        raise MappingErrors([Problem("M002", "the file is not text in UTF-8", 1, 1, file=name)]) from problem


def _shown(path: Path) -> str:
    """The path as short as it can be told from here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_absolute() and path.is_relative_to(here) else str(path)


COMMANDS = (mappings,)
