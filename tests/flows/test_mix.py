"""Whatever people do on both sides and whatever goes wrong meanwhile, both sides agree when it is quiet."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from .actions import People, rest, trouble
from .agreement import differences
from .world import World, eventually

SEEDS = [int(seed) for seed in os.environ.get("CONNECTOR_SEEDS", "3,5,8").split(",")]


@pytest.fixture
def quiet_world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("seed", SEEDS)
def test_both_sides_agree_after_any_mix_of_acts_and_troubles(quiet_world: World, seed: int) -> None:
    """Nothing lost, nothing doubled, no illegal move of ours, and nothing goes round in circles."""
    people = People(quiet_world, seed)
    people.open_tickets(6, 2)
    seat = quiet_world.nextcap.state()["seat"]

    for _ in range(120):
        if people.random.random() < 0.2:
            trouble(quiet_world, people.random)
        people.act()
        rest(people.random, 0.05)
    for side in (quiet_world.nextcap, quiet_world.hubspot):
        side.faults.clear()
        side.deliveries.release()

    def agreed() -> bool:
        assert differences(quiet_world.nextcap, quiet_world.hubspot, people.written) == []
        return len(quiet_world.nextcap.state()["tickets"]) == 8

    # A reply that died without an answer is looked for after 10 s and again after 30 s before it is sent again.
    eventually(agreed, within=60)
    assert len(quiet_world.nextcap.state()["tickets"]) == 8
    tried = [move for move in quiet_world.nextcap.state()["illegal_moves"] if move["by"] == seat]
    assert [move for move in tried if not _was_overtaken(quiet_world, move)] == []
    assert _calls_at_rest(quiet_world) <= 6


def _was_overtaken(world: World, move: dict[str, Any]) -> bool:
    """Whether a person moved the ticket in the two seconds before: nobody could have known."""
    tried_at = datetime.fromisoformat(move["at"])
    moves = [one for one in world.nextcap.timeline(move["ticket_id"]) if one["type"] == "status_changed"]
    ages = [tried_at - datetime.fromisoformat(one["created_at"]) for one in moves]
    return any(timedelta() <= age <= timedelta(seconds=2) for age in ages)


def _calls_at_rest(world: World) -> int:
    """Vendor calls of two quiet seconds, once what was on its way has been read: polls, and no loop."""
    time.sleep(1.5)
    for side in (world.nextcap, world.hubspot):
        side.calls.reset()
    time.sleep(2.0)
    return int(world.nextcap.calls.total + world.hubspot.calls.total)
