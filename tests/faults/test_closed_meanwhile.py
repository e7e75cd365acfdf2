"""A record is closed for good just when something is on its way to it: nothing is forgotten, nobody asked in vain."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .crms import CrmWorld

UPDATE = "PUT /tickets/:ticket"


@pytest.fixture
def zendesk(worlds: Callable[..., CrmWorld]) -> CrmWorld:
    return worlds("zendesk")


def rests(world: CrmWorld) -> None:
    """Nobody tells of the closing; what was known before it is worked to the end."""
    world.drain()
    for _ in range(5):
        world.until_something_is_due(5)
        world.drain()
    assert world.is_at_rest()


def parked(world: CrmWorld, ticket: str) -> list[str]:
    return [one["code"] for one in world.parked() if one["link_id"] == world.link(ticket).id]


def test_a_reply_that_is_refused_though_the_record_was_just_read_gets_a_follow_up(zendesk: CrmWorld) -> None:
    world = zendesk
    ticket, record = world.linked(subject="Read, then closed")
    world.desk.edit(record, "priority", "high")
    world.nextcap.customer_reply(ticket, "It burns again")
    world.deliver()
    world.process.taps["zendesk"].before(UPDATE, lambda: world.desk.close_for_good(record))

    rests(world)

    (lives_on,) = world.desk.of(ticket)
    assert lives_on.id != record
    assert [one for one in lives_on.entries if "burns again" in one] == [lives_on.entries[-1]]
    assert parked(world, ticket) == []


def test_a_ticket_that_is_opened_again_while_its_record_is_closed_untold_gets_a_follow_up(zendesk: CrmWorld) -> None:
    """The record is read late, since only the set of tags that is written makes us look at it."""
    world = zendesk
    ticket, record = world.linked(subject="Opened again")
    world.nextcap.move(ticket, "open")
    world.nextcap.move(ticket, "resolved")
    world.settle()
    world.advance(60)
    world.desk.close_for_good(record)
    world.mail("zendesk")
    world.nextcap.move(ticket, "reopened")
    world.nextcap.set_fields(ticket, {"tags": ["urgent"]})
    world.deliver()

    rests(world)

    (lives_on,) = world.desk.of(ticket)
    assert (lives_on.id != record, lives_on.status) == (True, "open")
    assert parked(world, ticket) == []
