"""`parked …`: what waits for a person, and a person's decisions. Each is journaled under the user's name."""

from __future__ import annotations

import click

from connector.cli import common, show


@click.group()
def parked() -> None:
    """What waits for a person, and what to do about it."""


@parked.command("list")
@click.option("--connection", help="Only this connection's.")
@click.option("--code", help="Only items with this code.")
@common.as_json
def list_(connection: str | None, code: str | None, as_json: bool) -> None:
    """List what waits for a person, the oldest first."""
    from connector.engine.story import parked_line
    from connector.store import parked as parked_rows

    with common.opened() as runtime, runtime.db.read() as transaction:
        rows = [parked_line(row) for row in parked_rows.listed(transaction, name=connection, code=code)]
    if as_json:
        show.as_json(rows)
        return
    columns = ["id", "connection", "ticket", "delivery", "field", "code", "nextcap", "crm", "candidates", "reason"]
    names = ["id", "connection", "number", "delivery_id", "field", "code", "nextcap", "crm", "candidates", "reason"]
    show.table(columns, [[row[name] for name in names] for row in rows])
    if not rows:
        click.echo("nothing waits")


@parked.command()
@click.argument("ids", nargs=-1, required=True, type=int)
def retry(ids: tuple[int, ...]) -> None:
    """Try these items again."""
    from connector.engine import operators

    with common.opened() as runtime:
        done = operators.retry(runtime.engine, ids, by=common.whoami())
    _told_retried(done, of=len(set(ids)))


@parked.command("retry-all")
@click.option("--code", required=True, help="The code of the items, whose cause has been mended.")
@click.option("--connection", help="Only this connection's.")
def retry_all(code: str, connection: str | None) -> None:
    """Try all items with one code again, after their cause has been mended."""
    from connector.engine import operators

    with common.opened() as runtime:
        done = operators.retry_all(runtime.engine, by=common.whoami(), name=connection, code=code)
    _told_retried(done, of=done)


def _told_retried(done: int, *, of: int) -> None:
    click.echo(f"{done} item(s) are tried again")
    if done < of:
        click.echo(f"{of - done} of them are not waiting (any more)", err=True)
        raise SystemExit(common.WRONG)


@parked.command()
@click.argument("item_id", metavar="ID", type=int)
@click.option(
    "--take",
    required=True,
    type=click.Choice(["nextcap", "crm"]),
    help="Whose value is kept, and written to the other side.",
)
def resolve(item_id: int, take: str) -> None:
    """Settle a conflict of one field by taking one side's value for both."""
    from connector.domain.ticket import Side
    from connector.engine import operators

    with common.opened() as runtime:
        operators.resolve(runtime.engine, item_id, take=Side(take), by=common.whoami())
    click.echo(f"item {item_id}: the value of {take} is taken")


@parked.command()
@click.argument("item_id", metavar="ID", type=int)
@click.argument("record")
def relink(item_id: int, record: str) -> None:
    """Link the item's ticket to this CRM record."""
    from connector.engine import operators

    with common.opened() as runtime:
        operators.relink(runtime.engine, item_id, record, by=common.whoami())
    click.echo(f"item {item_id}: the ticket is joined to record {record}")


@parked.command()
@click.argument("item_id", metavar="ID", type=int)
@click.option("--reason", required=True, help="Why; kept in the ticket's journal.")
def discard(item_id: int, reason: str) -> None:
    """Leave both sides as they are, and close the item."""
    from connector.engine import operators

    with common.opened() as runtime:
        operators.discard(runtime.engine, item_id, by=common.whoami(), reason=reason)
    click.echo(f"item {item_id} is discarded")


COMMANDS = (parked,)
