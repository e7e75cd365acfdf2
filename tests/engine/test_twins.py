"""Rows that several processes make at the same moment: on PostgreSQL, where they truly run side by side."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from connector.domain.errors import StoreContended
from connector.engine.context import NEXTCAP
from connector.engine.points import Point, passed
from connector.store import tables

from .harness import World


@pytest.mark.parametrize("db_url", ["postgresql"], indirect=True)
def test_the_webhook_of_a_ticket_that_we_make_may_come_while_its_link_is_stored(world: World) -> None:
    """Its row is made by whoever comes first, and there is one."""
    world.linked()
    world.hubspot.create_ticket("Made in HubSpot")
    world.deliver()
    other = world.new_process()
    threads: list[threading.Thread] = []

    def webhook_comes() -> None:
        (ticket,) = (one for one in world.nextcap.state()["tickets"] if one["subject"] == "Made in HubSpot")
        row = {"nextcap_id": ticket["id"], "number": "", "moments": {}, "fence": 0}
        taken = threading.Event()

        def store() -> None:
            with other.engine.db.write() as connection:
                connection.execute(tables.tickets.insert().values(**row))
                taken.set()
                threading.Event().wait(0.3)  # The other transaction has looked meanwhile, and waits for this one.

        threads.append(threading.Thread(target=store))
        threads[0].start()
        taken.wait(5)

    world.process.taps[NEXTCAP].after("POST /crm/tickets", webhook_comes)
    world.drain()
    threads[0].join()
    world.settle()

    assert len(world.rows(tables.tickets)) == len(world.rows(tables.links)) == 2


@pytest.mark.parametrize(
    "trouble", [sa.exc.IntegrityError("a link to a ticket that is gone", {}, Exception()), StoreContended()]
)
def test_a_delivery_that_met_another_transaction_is_stored_all_the_same(world: World, trouble: Exception) -> None:
    """It begins anew; the sender is told nothing of it."""
    ticket, _ = world.linked()
    tried: list[Point] = []

    def replaced(point: Point, *, kind: str) -> None:
        tried.append(point)
        if tried == [Point.TAKING]:
            raise trouble

    world.nextcap.set_fields(ticket, {"subject": "After"})
    with passed.connected_to(replaced):
        world.deliver(NEXTCAP)

    assert tried == [Point.TAKING, Point.TAKING, Point.TAKEN]
    assert [row.seen for row in world.rows(tables.deliveries)][-1] == 1
    assert world.due_in(ticket) == 0.0
