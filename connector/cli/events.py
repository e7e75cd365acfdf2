"""`events …`: what listeners were told or not, sending it again, and asking a listener whether it listens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from connector.cli import common, show

if TYPE_CHECKING:
    from connector.events.courier import Courier
    from connector.wiring import Runtime

STATES = click.Choice(["waiting", "delivered", "failed"])


@click.group()
def events() -> None:
    """Outgoing events, and who listens to them."""


def _ours(runtime: Runtime, name: str) -> Courier:
    """The endpoint's courier. Raises UsageError where none is configured so."""
    if name not in runtime.couriers:
        known = ", ".join(sorted(runtime.couriers)) or "-"
        raise click.UsageError(f"there is no endpoint {name!r}; configured: {known}")
    return runtime.couriers[name]


@events.command("list")
@click.option("--endpoint", help="Only this listener's.")
@click.option("--state", type=STATES, help="Only what is in this state.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@common.as_json
def list_(endpoint: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """List messages, the newest first: delivered, waiting (and why), failed."""
    from connector.store import outbox

    with common.opened() as runtime, runtime.db.read() as transaction:
        rows = outbox.listed(transaction, name=endpoint, state=state, limit=limit)
    if as_json:
        show.as_json(rows)
        return
    names = ["id", "endpoint", "type", "subject", "state", "attempts", "created_at", "due_at", "message_id", "cause"]
    columns = ["id", "endpoint", "type", "ticket", "state", "tries", "written", "next try", "webhook-id", "why"]
    show.table(columns, [[row[name] for name in names] for row in rows])
    if not rows:
        click.echo("there are none")


@events.command("show")
@click.argument("row_id", metavar="ID", type=int)
def show_(row_id: int) -> None:
    """Print the body of a message as it is sent to its listener."""
    from connector.events import keeping

    with common.opened() as runtime:
        body = keeping.body_of(runtime.db, row_id)
    show.as_json(json.loads(body))


@events.command()
@click.argument("ids", nargs=-1, required=True, type=int)
def retry(ids: tuple[int, ...]) -> None:
    """Send these messages again, delivered or not, with the same webhook-id."""
    from connector.events import keeping

    with common.opened() as runtime:
        done = keeping.retry(runtime.db, ids, runtime.engine.now())
    click.echo(f"{done} message(s) are sent again")
    if done < len(set(ids)):
        click.echo(f"{len(set(ids)) - done} of them are not kept (any more)", err=True)
        raise SystemExit(common.WRONG)


@events.command("retry-all")
@click.argument("endpoint")
def retry_all(endpoint: str) -> None:
    """Send everything again that could not be delivered to this listener."""
    from connector.events import keeping

    with common.opened() as runtime:
        done = keeping.retry_all(runtime.db, _ours(runtime, endpoint).name, runtime.engine.now())
    click.echo(f"{done} message(s) are sent again")


@events.command()
@click.argument("endpoint")
def test(endpoint: str) -> None:
    """Send one signed event of type connector.test now, and say what the listener answered."""
    with common.opened() as runtime:
        courier = _ours(runtime, endpoint)
        outcome = courier.test()
    if outcome.cause:
        click.echo(f"{endpoint}: {outcome.cause}", err=True)
        raise SystemExit(common.WRONG)
    click.echo(f"{endpoint}: taken")


@events.command()
@click.argument("endpoint")
def on(endpoint: str) -> None:
    """Send to a listener again, beginning at once with what waits."""
    from connector.events import keeping

    with common.opened() as runtime:
        keeping.turn_on(runtime.db, _ours(runtime, endpoint).name, runtime.engine.now())
    click.echo(f"{endpoint} is on")


@events.command()
@click.argument("endpoint")
@click.option("--reason", default="", help="Why; shown to whoever asks.")
def off(endpoint: str, reason: str) -> None:
    """Send nothing to a listener until `on`. Its messages are kept meanwhile, for three days."""
    from connector.events import keeping

    with common.opened() as runtime:
        name = _ours(runtime, endpoint).name
        keeping.turn_off(runtime.db, name, by=common.whoami(), reason=reason, now=runtime.engine.now())
    click.echo(f"{endpoint} is off")


COMMANDS = (events,)
