"""The later of two changes wins, as far as it can be known; and what is read for that is written, however few calls."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.adapters.budget import Limit
from connector.engine.context import NEXTCAP

from .harness import World
from .process import HUBSPOT


def same(world: World, ticket: str, record: str) -> str:
    """The subject that both sides show."""
    ours, theirs = world.nextcap.ticket(ticket)["subject"], world.record(record)["subject"]
    assert ours == theirs
    return str(ours)


def test_a_small_limit_is_not_spent_on_reading_what_is_to_be_written(world: World) -> None:
    """To read all of a large batch before its first write would use up the calls, and so again in the next minute."""
    tickets = [world.ticket(subject="First") for _ in range(10)]
    world.settle()
    records = [world.record_id(ticket) for ticket in tickets]
    for _ in range(200):
        world.nextcap.create_ticket(subject="Another, which a list shows before these")
    world.mail()
    world.advance(120)
    world.nextcap.configure(rate_limit=8)
    world.site.limits[NEXTCAP] = Limit(8, 60.0)
    world.restart()
    for record in records:
        world.hubspot.set_properties(record, {"subject": "Second"})
    world.deliver(HUBSPOT)

    for place in range(6):
        world.drain()
        world.advance(120 * 10**place)  # The imitation tells the end of a wait by the machine's clock.

    assert [world.nextcap.ticket(ticket)["subject"] for ticket in tickets] == ["Second"] * 10


def test_a_change_that_a_webhook_tells_while_a_batch_is_written_is_known_to_the_plans_that_wait(world: World) -> None:
    """Each ticket of a batch has its turn; the last was decided some time before."""
    pairs = [world.linked(subject="First"), world.linked(subject="First")]
    for _, record in pairs:
        world.hubspot.set_properties(record, {"subject": "Second"})
    world.deliver(HUBSPOT)
    world.advance(10)
    waiting: list[str] = []

    def meanwhile() -> None:
        waiting.extend(ticket for ticket, _ in pairs if world.nextcap.ticket(ticket)["subject"] == "First")
        for ticket in waiting:
            world.nextcap.set_fields(ticket, {"subject": "Third"})
        world.deliver(NEXTCAP)

    world.process.taps[NEXTCAP].after("PATCH /tickets/:id", meanwhile)
    world.settle()

    shown = {ticket: same(world, ticket, record) for ticket, record in pairs}
    assert sorted(shown.values()) == ["Second", "Third"]
    assert [shown[ticket] for ticket in waiting] == ["Third"]


@pytest.mark.parametrize("later", ["nextcap", "hubspot"])
@pytest.mark.parametrize("untold", ["nextcap", "hubspot"])
@pytest.mark.parametrize("changed_before", [True, False])
def test_the_later_change_wins_although_nobody_told_of_one(
    world: World, later: str, untold: str, changed_before: bool
) -> None:
    """What a pass finds by reading changed no later than that reading is of, and not when it was changed before."""
    ticket, record = world.linked(subject="First")
    if changed_before:
        world.nextcap.set_fields(ticket, {"subject": "Before"})
        world.settle()
    world.advance(60)
    acts: dict[str, Callable[[], object]] = {
        "nextcap": lambda: world.nextcap.set_fields(ticket, {"subject": "by nextcap"}),
        "hubspot": lambda: world.hubspot.set_properties(record, {"subject": "by hubspot"}),
    }

    for side in sorted(acts, key=lambda one: one == later):
        acts[side]()
        world.advance(20)
    world.mail(untold)
    world.settle()

    assert same(world, ticket, record) == f"by {later}"


def test_what_was_told_of_an_earlier_value_does_not_date_a_later_one(world: World) -> None:
    """HubSpot changes twice, Next Cap between; the event of the second change is late, but a reading shows it."""
    ticket, record = world.linked(subject="First")
    world.hubspot.set_properties(record, {"subject": "Second"})
    world.deliver(HUBSPOT)
    world.advance(20)
    world.nextcap.set_fields(ticket, {"subject": "Third"})
    world.advance(20)
    world.hubspot.set_properties(record, {"subject": "Fourth"})
    late = world.mail(HUBSPOT)
    world.settle()

    for parcel in late:
        world.post(parcel)
    world.settle()

    assert same(world, ticket, record) == "Fourth"
