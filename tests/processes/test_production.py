"""The same flows with gunicorn, a Celery worker, beat, PostgreSQL and Redis; and the death of each process."""

from __future__ import annotations

from tests.flows.actions import People, rest, trouble
from tests.flows.agreement import differences
from tests.flows.test_story import *  # noqa: F403 - every promise of the story, here on production's shape
from tests.flows.world import eventually

from .production import Production


def test_both_sides_agree_after_people_acted_while_processes_were_killed(world: Production) -> None:
    """The truth is in SQL: whoever dies, somebody takes over, and nothing is lost or doubled."""
    people = People(world, 17)
    people.open_tickets(4, 1)
    commands = {
        "worker": "celery -A workers.app worker -P prefork -c 2 -Q sync --without-mingle --without-gossip",
        "beat": "celery -A workers.app beat --scheduler celery.beat:Scheduler --pidfile=",
    }

    for number in range(80):
        if number in (25, 50, 70):
            world.kill("worker")
            world.spawn("worker", commands["worker"])
        if number == 40:
            world.kill("beat")
            world.spawn("beat", commands["beat"])
        if people.random.random() < 0.1:
            trouble(world, people.random)
        people.act()
        rest(people.random, 0.1)
    for side in (world.nextcap, world.hubspot):
        side.faults.clear()
        side.deliveries.release()

    def agreed() -> bool:
        assert differences(world.nextcap, world.hubspot, people.written) == []
        return True

    eventually(agreed, within=90)
