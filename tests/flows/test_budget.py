"""Vendor calls are the scarce thing: a burst costs few, a quiet change costs one read and one write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .world import World, eventually


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, list[str]]]:
    """A hundred tickets, linked and at rest; what looks by itself is out of the way."""
    folder: Path = tmp_path_factory.mktemp("budget")
    world = World(folder, poll=600.0, sweep=3600.0)
    world.start()
    made = [world.nextcap.create_ticket(subject=f"T{n}", customer_email=f"c{n}@home.example") for n in range(100)]
    ids = [ticket["id"] for ticket in made]
    eventually(lambda: all(len(world.hubspot.tickets_of(one)) == 1 for one in ids), within=30)
    _rest(world)
    yield world, ids
    world.stop()


def _rest(world: World) -> None:
    """Every webhook has been answered, nothing is due, and the counters start anew."""
    for side in (world.nextcap, world.hubspot):
        assert side.deliveries.wait_idle(20)
    eventually(lambda: world.is_idle(), within=20)
    for side in (world.nextcap, world.hubspot):
        side.calls.reset()


def test_four_hundred_changes_on_a_hundred_tickets_cost_few_calls(settled: tuple[World, list[str]]) -> None:
    """Work is done per dirty link, a hundred links a call."""
    world, ids = settled
    _rest(world)

    for number in range(400):
        priority = ("low", "normal", "high", "urgent")[number % 7 % 4]
        world.nextcap.set_fields(ids[number % 100], {"subject": f"S{number}", "priority": priority})

    eventually(
        lambda: all(world.record(one)["properties"]["subject"] == f"S{300 + place}" for place, one in enumerate(ids)),
        within=30,
    )
    assert world.hubspot.calls.total < 100  # On a quiet machine a dozen; a busy one works in more passes.


def test_a_quiet_change_in_next_cap_costs_one_read_and_one_write_there(settled: tuple[World, list[str]]) -> None:
    """The webhook carried the ticket, so nothing is read where it came from."""
    world, ids = settled
    _rest(world)

    world.nextcap.set_fields(ids[0], {"subject": "Quiet"})
    eventually(lambda: world.record(ids[0])["properties"]["subject"] == "Quiet")
    for side in (world.nextcap, world.hubspot):
        assert side.deliveries.wait_idle(20)
    eventually(lambda: world.is_idle())

    assert world.nextcap.calls.total == 0
    assert world.hubspot.calls.total <= 2


def test_a_quiet_change_in_hubspot_costs_one_read_and_one_write_on_the_target(
    settled: tuple[World, list[str]],
) -> None:
    """HubSpot's webhook names a property only, so the record is read once; the echo of our write costs nothing."""
    world, ids = settled
    _rest(world)

    world.hubspot.set_properties(world.record(ids[1])["id"], {"subject": "Still"})
    eventually(lambda: world.nextcap.ticket(ids[1])["subject"] == "Still")
    for side in (world.nextcap, world.hubspot):
        assert side.deliveries.wait_idle(20)
    eventually(lambda: world.is_idle())

    assert world.nextcap.calls.total <= 2
    assert world.hubspot.calls.total == 1
