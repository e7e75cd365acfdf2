"""What is urgent goes first, in the calls and in the claims; nobody starves."""

from __future__ import annotations

import pytest

from connector.adapters.budget import Limit
from connector.engine import status
from connector.engine.context import NEXTCAP
from connector.store import claims, links, tables
from connector.store.links import Look

from .harness import World
from .process import HUBSPOT, everywhere

pytestmark = everywhere

TICKETS = 60


@pytest.fixture
def short(world: World) -> World:
    """Next Cap's calls are as few as they are in the field: sixty a minute, of which all may be ours."""
    made = [world.ticket(subject=f"T{number}") for number in range(TICKETS)]
    world.settle()
    world.advance(300)
    world.settle()
    world.site.limits[NEXTCAP] = Limit(60, 60.0)
    world.nextcap.configure(rate_limit=60)
    world.restart()
    with world.engine.db.write() as connection:
        connection.execute(tables.budgets.delete())
    world.forget_calls()
    assert len(made) == TICKETS
    return world


def test_a_reply_overtakes_a_flood_of_changes(short: World) -> None:
    """It finds its tenth of the calls; the changes take the rest, and all of them cross in the end."""
    records = [one["id"] for one in short.hubspot.state()["tickets"]]
    speaking = records[-1]
    ticket = short.record(speaking)["nextcap_ticket_id"]
    short.hubspot.write_note(speaking, "<p>#reply Good morning</p>")
    short.settle()
    for record in records:
        short.hubspot.set_properties(record, {"content": "Changed by many"})
    short.deliver()
    short.drain()
    done = sum(one["description"] == "Changed by many" for one in short.nextcap.state()["tickets"])

    short.hubspot.write_note(speaking, "<p>#reply Here I am</p>")
    asked_at = short.clock.now()
    while "Here I am" not in short.said(ticket, "reply"):
        short.deliver()
        short.drain()
        short.advance(1)
        assert (short.clock.now() - asked_at).total_seconds() < 60, "the reply waits for the flood"
    waited = (short.clock.now() - asked_at).total_seconds()
    left = TICKETS - sum(one["description"] == "Changed by many" for one in short.nextcap.state()["tickets"])
    for _ in range(30):
        short.advance(10)
        short.settle()

    assert 10 < done < TICKETS
    assert left > 0
    assert waited <= 25
    assert all(one["description"] == "Changed by many" for one in short.nextcap.state()["tickets"])
    assert short.nextcap.calls.count(status=429) == 0


def test_only_having_to_let_others_go_first_closes_nothing(short: World) -> None:
    """No circuit is open, no ticket loses a try, and `doctor` has no cause to show."""
    for record in [one["id"] for one in short.hubspot.state()["tickets"]]:
        short.hubspot.set_properties(record, {"content": "Changed by many"})
    short.deliver()

    short.drain()

    figures = {one.name: one for one in status.figures(short.engine).connections}
    assert figures[HUBSPOT].alone == figures[NEXTCAP].alone == 0
    assert figures[HUBSPOT].closed is False


def test_half_of_a_batch_is_for_what_people_say(world: World) -> None:
    """Replies that came last are claimed first, and the oldest changes with them."""
    with world.engine.db.write() as connection:
        names = [f"t-{number}" for number in range(20)]
        links.ensure(connection, names, [HUBSPOT])
        ids = [links.of_ticket(connection, name)[0].id for name in names]
        connection.execute(tables.links.update().values(look=0))
    for place, link_id in enumerate(ids):
        look = Look.CRM_COMMENTS if place >= 15 else Look.CRM
        with world.engine.db.write() as connection:
            links.mark(connection, [link_id], look, world.clock.now())
        world.advance(1)

    now = world.clock.now()
    with world.engine.db.write() as connection:
        claimed = claims.claim(connection, HUBSPOT, owner="x", now=now, until=now, limit=8)

    assert sorted(ids.index(one.id) for one in claimed) == [0, 1, 2, 3, 15, 16, 17, 18]
