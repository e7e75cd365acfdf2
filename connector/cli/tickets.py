"""`tickets …` and `replay`: why did this ticket (not) sync, and look again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from connector.cli import common, show

if TYPE_CHECKING:
    from connector.engine.story import LinkStory, TicketStory
    from connector.wiring import Runtime


@click.group()
def tickets() -> None:
    """Why did this ticket (not) sync?"""


@tickets.command("show")
@click.argument("ticket")
@common.as_json
def show_(ticket: str, as_json: bool) -> None:
    """Show why a ticket did or did not sync: how it stands, what was decided, what arrived.

    TICKET is its number, its Next Cap id or a CRM record id.
    """
    with common.opened() as runtime:
        stories = _stories(runtime, ticket)
    if as_json:
        show.as_json(stories)
        return
    for place, story in enumerate(stories):
        if place:
            click.echo()
        _tell(story)


@tickets.command()
@click.argument("ticket")
def resync(ticket: str) -> None:
    """Read a ticket from both systems now and carry what differs. TICKET is as for `show`."""
    from connector.engine import operators

    with common.opened() as runtime:
        links = [one for story in _stories(runtime, ticket) for one in story.links]
        for one in links:
            operators.resync(runtime.engine, one.link_id, by=common.whoami())
    if not links:
        click.echo("this ticket has no link to any CRM, so there is nothing to read", err=True)
        raise SystemExit(common.WRONG)
    click.echo(f"both sides of {len(links)} link(s) will be read and compared")


@click.command()
@click.argument("delivery_id", type=int)
def replay(delivery_id: int) -> None:
    """Process a stored webhook again, as if it had arrived now.

    DELIVERY_ID is its number in `tickets show` and `parked list`.
    """
    from connector.engine import operators

    with common.opened() as runtime:
        receipt = operators.replay(runtime.engine, delivery_id)
    rung = f"work for {', '.join(receipt.rung)}" if receipt.rung else "they say nothing new, so there is no work"
    click.echo(f"{receipt.events} event(s) taken in again; {rung}")


def _stories(runtime: Runtime, ticket: str) -> list[TicketStory]:
    from connector.engine import story

    found = story.of_ticket(runtime.engine, ticket)
    if not found:
        click.echo(
            f"nothing is known of {ticket}: no ticket has that number or id, no CRM record has that id, and no webhook "
            "named it. Has it changed since the connector was started? Do webhooks arrive (`connector doctor`)?",
            err=True,
        )
        raise SystemExit(common.WRONG)
    return found


def _tell(story: TicketStory) -> None:
    name = f"#{story.number}" if story.number else story.nextcap_id or "a record without a ticket"
    click.secho(f"{name}  {story.answer if len(story.links) < 2 else ''}".rstrip(), bold=True)
    for link in story.links if len(story.links) > 1 else ():
        click.secho(f"  {link.connection}: {link.answer}", bold=True)
    if story.nextcap_id:
        click.echo(f"Next Cap id {story.nextcap_id}, last read {show.cell(story.read_at)}")
    for link in story.links:
        _tell_link(link)
    _section("arrived")
    columns = ["at", "from", "event", "about", "delivery", "times", "what it did"]
    names = ["at", "connection", "name", "subject", "delivery_id", "seen", "outcome"]
    show.table(columns, [[one[key] for key in names] for one in story.events])
    if not story.events:
        click.echo("no webhook is kept about it; it may have been found by the regular poll of Next Cap")


def _tell_link(link: LinkStory) -> None:
    _section(f"{link.connection}: {link.state}, record {link.record_id or '-'}, next work {show.cell(link.due_at)}")
    if link.attempts:
        click.echo(f"failed {link.attempts} time(s): {show.cell(link.cause)}")
    show.table(
        ["parked", "field", "code", "nextcap", "crm", "candidates", "reason"],
        [
            [one[key] for key in ("id", "field", "code", "nextcap", "crm", "candidates", "reason")]
            for one in link.parked
        ],
    )
    show.table(
        ["open write", "to", "state", "sent", "not looked for before"],
        [[one[key] for key in ("kind", "side", "state", "sent_at", "sending_until")] for one in link.effects],
    )
    show.table(
        ["field", "nextcap last said", "crm last said"],
        [[name, _short(pair[0]), _short(pair[1])] for name, pair in sorted(link.shadows.items())],
    )
    _section(f"{link.connection}: what was decided, and why")
    for one in link.journal:
        times = f" ({one['count']} times, last {show.cell(one['last_at'])})" if one["count"] > 1 else ""
        click.echo(f"{show.cell(one['at'])}  {show.cell(one['text'])}{times}")
        for field in one["fields"]:
            if field["outcome"] != "unchanged":
                click.echo(f"    {field['field']}: {field['outcome']}, {show.cell(field['text'])}")
        for line in one["lines"]:
            if line["text"] != one["text"]:
                click.echo(f"    {show.cell(line['text'])}")


def _section(title: str) -> None:
    click.echo()
    click.secho(title, underline=True)


def _short(value: object, limit: int = 60) -> str:
    text = show.cell(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


COMMANDS = (tickets, replay)
