"""`adapters …`: which CRMs there are and what each can do, and whether an adapter keeps what the engine counts on."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from connector.adapters.registry import kind, known
from connector.cli import common, show
from connector.domain.errors import ConfigError

if TYPE_CHECKING:
    from connector.adapters.base import Capabilities
    from connector.adapters.testing.run import Promise

CAN = {
    "batch": "many tickets in one call",
    "creates": "creates tickets",
    "public_comments": "comments that customers see",
    "idempotent_create": "idempotent creates (a repeated one makes no second ticket)",
    "follow_ups": "follow-up tickets after a close for good",
    "webhooks": "webhooks",
    "dated_webhooks": "webhooks whose time is signed",
    "batch_comments": "comments of many tickets in a few calls",
    "lists_comments": "a list of tickets with new comments",
    "merges": "tells what a ticket was merged into",
    "checks_versions": "refuses a write that expects an older version",
}
"""What each capability means to people."""


@click.group()
def adapters() -> None:
    """Which CRMs there are, and whether an adapter keeps its promises."""


@adapters.command("list")
@common.as_json
def list_(as_json: bool) -> None:
    """Print every kind of CRM, where it comes from, what it can do, and what it lacks and why."""
    told = [_told(crm, package) for crm, package in sorted(known().items())]
    if as_json:
        show.as_json(told)
        return
    for one in told:
        click.echo(f"{one['crm']}: {one['label']} ({one['from']})")
        click.echo(f"  has    {', '.join(str(CAN[name]) for name in one['can']) or one['note']}")
        for name, why in one["lacks"].items():
            click.echo(f"  lacks  {CAN[name]}: {why}")


def _told(crm: str, package: str) -> dict[str, Any]:
    found = {"crm": crm, "label": "", "from": package or "built in", "can": [], "lacks": {}, "note": ""}
    try:
        its = kind(crm)
    except ConfigError as problem:
        return {**found, "note": str(problem)}
    can: Capabilities | None = its.capabilities
    if can is None:
        return {**found, "label": its.label, "note": "what its mapping declares"}
    return {**found, "label": its.label, "can": [name for name in CAN if name not in can.missing], "lacks": can.lacks}


@adapters.command()
@click.argument("name")
@click.option("--only", default="", metavar="WORDS", help="Only promises whose text contains these words.")
@click.option("--details", is_flag=True, help="Print the whole report of each failure.")
@common.as_json
def test(name: str, only: str, details: bool, as_json: bool) -> None:
    """Run the contract suite on an adapter, against its imitation on this machine. No account is touched.

    NAME is the word of a CRM as `connector adapters list` has it, or the address of an arena, `package.module:Class`
    (docs/adapters.md). Exit codes: 0 every promise is kept, 1 some are broken, 2 nothing could be tried.
    """
    try:
        from connector.adapters.testing import arenas, run
    except ModuleNotFoundError as missing:
        if missing.name != "pytest":
            raise
        raise ConfigError("the suite needs pytest: pip install 'nextcap-connector[testing]'") from missing
    arena = arenas.arena_of(name)
    tried = run.run(arena, only=only, told=lambda _: None if as_json else _dot())
    broken = [one for one in tried if not one.is_kept]
    if as_json:
        show.as_json({"ok": not broken, "promises": tried})
    else:
        _print(tried, details=details)
        click.echo(f"{name}: {len(tried)} promises, {len(broken)} broken")
    sys.exit(common.WRONG if broken else 0)


def _dot() -> None:
    """Show on a terminal that it goes on."""
    if sys.stderr.isatty():
        click.echo(".", nl=False, err=True)


def _print(tried: list[Promise], *, details: bool) -> None:
    if sys.stderr.isatty():
        click.echo(err=True)
    for about, group in groupby(tried, key=lambda one: one.about):
        click.echo(about.splitlines()[0])
        for one in group:
            mark = click.style("kept  ", fg="green") if one.is_kept else click.style("BROKEN", fg="red")
            click.echo(f"  {mark}  {one.name}")
            for case, why in one.short.items():
                click.echo(f"          {f'with {case}: ' if case else ''}{show.cell(why)}")
            if one.broken and one.why:
                click.echo(f"          why it matters: {show.cell(one.why)}")
            for whole in one.broken.values() if details else ():
                click.echo(whole)


COMMANDS = (adapters,)
