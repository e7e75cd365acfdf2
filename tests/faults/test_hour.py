"""HubSpot is away for an hour while people go on: one cause, no ticket tried in vain, and all drains in order."""

from __future__ import annotations

import os
import random
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from connector.engine import status
from connector.store import tables
from tests.engine.harness import World
from tests.engine.process import HUBSPOT

EVENTS = 10_000 if os.environ.get("FAULT_SEEDS") else 400
TICKETS = EVENTS // 20
BURST, WINDOW = 190, 10


@pytest.fixture
def db_url(migrated: Path, tmp_path: Path) -> str:
    shutil.copy(migrated, tmp_path / "connector.db")
    return f"sqlite:///{tmp_path / 'connector.db'}"


def test_an_hour_without_hubspot(world: World) -> None:
    """The circuit opens; afterwards the tickets that waited longest come first, within the vendor's limits."""
    tickets = [world.ticket(subject="Before") for _ in range(TICKETS)]
    world.settle()
    world.advance(60)
    world.settle()
    world.hubspot.configure(burst=BURST)
    world.hubspot.stop()
    dice = random.Random(8)
    first: dict[str, int] = {}
    for number in range(EVENTS):
        ticket = tickets[number] if number < TICKETS else dice.choice(tickets)
        first.setdefault(ticket, number)
        world.nextcap.set_fields(ticket, {"subject": f"Number {number}"})
        if number % 7 == 0:
            world.nextcap.agent_reply(ticket, f"Reply {number}")
        world.deliver()
        if number % 20 == 0:
            world.advance(3600 * 20 / EVENTS)
            world.drain()
    causes = {row.cause for row in world.rows(tables.connections) if row.cause}
    (figure,) = (one for one in status.figures(world.engine).connections if one.name == HUBSPOT)
    tried = {row.attempts for row in world.rows(tables.links)}
    world.forget_calls()

    world.hubspot.start()
    world.advance(600)  # The longest that an open circuit may wait before it looks again.
    waited = 0
    while any(row.due_at is not None for row in world.rows(tables.links)):
        world.drain()
        world.process.work_alone()
        world.deliver()
        world.advance(1)
        waited += 1
        assert waited < 300

    assert len(causes) == 1
    assert figure.closed
    assert tried == {0}
    assert {world.record(world.record_id(one))["subject"] for one in tickets} == {
        world.nextcap.ticket(one)["subject"] for one in tickets
    }
    for one in tickets:
        said = world.said(one, "reply")
        assert world.notes(world.record_id(one)) == said
    assert _most_in_a_window(world) <= BURST
    assert world.hubspot.calls.count(status=429) == 0
    updated = [world.link(one).crm_read_at for one in sorted(tickets, key=first.__getitem__)]
    assert all(one <= two for one, two in pairwise(moment for moment in updated if moment))


def _most_in_a_window(world: World) -> int:
    """The most calls of HubSpot within ten seconds."""
    moments = [at for at, _, _ in world.process.taps[HUBSPOT].calls]
    return max(sum(0 <= (two - one).total_seconds() < WINDOW for two in moments) for one in moments)
