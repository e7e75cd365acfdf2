"""A database that does not answer, or has no room: nobody's ticket fails for it, and no vendor is blamed."""

from __future__ import annotations

from contextlib import suppress

import pytest
import sqlalchemy as sa

from connector.domain.errors import StoreAway
from connector.engine.context import NEXTCAP
from connector.store import tables

from .harness import World
from .process import HUBSPOT

UPDATE, NOTES = "POST /tickets/batch/update", "POST /notes"
on_postgresql = pytest.mark.parametrize("db_url", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("db_url", ["sqlite"], indirect=True)


def cut_lines(world: World) -> None:
    """The server ends all connections of the present process."""
    admin = sa.create_engine(world.site.url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    admin.dispose()


@on_postgresql
@pytest.mark.parametrize("call", [UPDATE, NOTES])
def test_a_line_that_breaks_in_the_middle_of_a_pass_is_nobodys_failure(world: World, call: str) -> None:
    """What the vendor applied meanwhile is found; no circuit closes, no ticket is parked, nothing is doubled."""
    ticket, record = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.nextcap.agent_reply(ticket, "Yes")
    world.deliver()
    world.process.taps[HUBSPOT].after(call, lambda: cut_lines(world))

    with suppress(StoreAway):
        world.drain()
    for _ in range(5):
        world.advance(5)
        with suppress(StoreAway):
            world.settle()

    assert world.record(record)["subject"] == "After"
    assert world.notes(record) == ["Yes"]
    assert world.parked() == []
    assert (world.connection().cause, world.connection(NEXTCAP).cause) == (None, None)


@on_sqlite
def test_a_full_disk_is_told_plainly_and_keeps_nothing_of_a_delivery(world: World) -> None:
    """SQLite has no page left: the sender is told to come again, and it does."""
    ticket, record = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "x" * 20_000})
    (parcel,) = world.mail(NEXTCAP)
    with world.engine.db.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    full = sa.event.listens_for(world.engine.db.engine, "begin")(
        lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    )
    with pytest.raises(StoreAway, match="disk is full"), world.engine.db.write() as connection:
        connection.execute(
            tables.cursors.insert().values(connection="x", name="x", value="x" * 10**6, at=world.clock.now())
        )
    world.post(parcel, answered=503)
    refused = len(world.rows(tables.deliveries))

    sa.event.remove(world.engine.db.engine, "begin", full)
    world.process.close()
    world.restart()
    world.post(parcel)
    taken = len(world.rows(tables.deliveries))
    world.settle()

    assert taken == refused + 1
    assert world.record(record)["subject"] == "x" * 20_000


@on_postgresql
@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("53100", "disk is full"),
        ("53300", "no connections left"),
        ("53200", "no memory"),
        ("40P01", "waited for each other"),
    ],
)
def test_a_server_without_room_is_told_plainly(world: World, state: str, told: str) -> None:
    """Whatever it lacks, the sender is told to come again; when there is room, everything goes on."""
    ticket, record = world.linked(subject="Before")
    refuse = f"CREATE FUNCTION full_up() RETURNS trigger AS $$ BEGIN RAISE SQLSTATE '{state}'; END $$ LANGUAGE plpgsql"
    trigger = "CREATE TRIGGER full_up BEFORE INSERT ON deliveries EXECUTE FUNCTION full_up()"
    for statement in (refuse, trigger):
        with world.engine.db.engine.begin() as connection:
            connection.exec_driver_sql(statement)
    world.nextcap.set_fields(ticket, {"subject": "After"})
    (parcel,) = world.mail(NEXTCAP)

    world.post(parcel, answered=503)
    with pytest.raises(StoreAway, match=told), world.engine.db.write() as connection:
        connection.execute(tables.deliveries.insert().values(connection="x", key="x", received_at=world.clock.now()))
    with world.engine.db.engine.begin() as connection:
        connection.exec_driver_sql("DROP FUNCTION full_up CASCADE")
    world.post(parcel)
    world.settle()

    assert world.record(record)["subject"] == "After"
