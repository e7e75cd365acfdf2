"""The synthetic ticket: it makes the round trip by ordinary work, disturbs nobody, and goes when it is switched off."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.domain.rules import Direction
from connector.engine import heartbeat, switches
from connector.engine.heartbeat import Beat
from connector.engine.sync import heartbeat_tag
from connector.store import tables

from .harness import World
from .process import HUBSPOT, SECOND, everywhere

EVERY = timedelta(minutes=5)


def pulse(world: World, seconds: int = 60, every: timedelta | None = EVERY) -> None:
    """Let so many seconds pass as in production, with a look every five, or every twenty where it is long."""
    step = 5 if seconds <= 60 else 20
    for _ in range(seconds // step):
        heartbeat.tick(world.engine, every)
        world.settle()
        world.advance(step)


def beat(world: World, name: str = HUBSPOT) -> Beat:
    return heartbeat.beats(world.engine)[name]


@everywhere
def test_it_makes_the_round_trip(world: World) -> None:
    """Both sides show what was written in HubSpot; age and duration are told."""
    pulse(world)

    now = beat(world)
    ticket = world.nextcap.ticket(now.ticket_id)
    assert ticket["subject"] == now.text
    assert ticket["subject"].endswith("and back")
    assert world.record(world.record_id(now.ticket_id))["subject"] == now.text
    assert 0 < now.seconds <= 30
    assert now.age(world.engine.now()) is not None
    text = world.process.client.get("/metrics").text
    assert 'connector_heartbeat_age_seconds{connection="hubspot"}' in text
    assert 'connector_heartbeat_duration_seconds{connection="hubspot"}' in text


def test_one_ticket_is_used_again_and_again(world: World) -> None:
    """A beat every few minutes, no more, at a handful of calls."""
    pulse(world)
    first = beat(world)
    world.forget_calls()
    pulse(world, 900)

    later = beat(world)
    assert len(world.nextcap.state()["tickets"]) == 1
    assert len(world.hubspot.state()["tickets"]) == 1
    assert later.ticket_id == first.ticket_id
    assert later.finished_at > first.finished_at
    assert world.nextcap.calls.total + world.hubspot.calls.total <= 3 * 10
    assert world.parked() == []


def test_it_is_marked_and_nobody_is_mailed(world: World) -> None:
    """No customer, plain words, a tag, and out of the lists of open work."""
    pulse(world)

    ticket = world.nextcap.ticket(beat(world).ticket_id)
    assert ticket["subject"].startswith("Connector heartbeat, do not answer")
    assert heartbeat_tag(HUBSPOT) in ticket["tags"]
    assert ticket["status"] == "resolved"
    assert not ticket.get("customer_email")
    assert world.nextcap.state()["emails"] == []
    assert world.hubspot.state()["contacts"] == []
    assert world.stage(world.record_id(ticket["id"])) == "Closed"


def test_the_filter_of_the_mapping_does_not_stop_it(world: World) -> None:
    """And customers' tickets are filtered as ever."""
    world.write_mapping(carry={"when": [{"field": "priority", "in": ["urgent"]}]})
    customers = world.ticket(priority="low")

    pulse(world)

    assert beat(world).seconds > 0
    assert world.hubspot.tickets_of(customers) == []


def test_each_connection_has_its_own(wide_world: World) -> None:
    """No connection carries another's."""
    pulse(wide_world, 120)

    first, second = beat(wide_world), beat(wide_world, SECOND)
    assert first.ticket_id != second.ticket_id
    assert min(first.seconds, second.seconds) > 0
    assert len(wide_world.hubspot.state()["tickets"]) == 1
    assert len(wide_world.crms[SECOND].state()["tickets"]) == 1


@everywhere
def test_switched_off_it_is_closed_and_forgotten(world: World) -> None:
    """Next Cap has no way to delete a ticket."""
    pulse(world)
    ticket = beat(world).ticket_id

    pulse(world, 10, every=None)

    assert world.nextcap.ticket(ticket)["status"] == "closed"
    assert heartbeat.beats(world.engine) == {}
    assert world.rows(tables.cursors, name=heartbeat.CURSOR) == []


def test_a_lost_answer_makes_no_second_ticket(world: World) -> None:
    """It is looked for before another one is made."""
    world.nextcap.faults.add("lost_answer", method="POST", path="/tickets$", times=1)
    heartbeat.tick(world.engine, EVERY)
    in_doubt = beat(world)

    pulse(world, 120)

    assert (bool(in_doubt.creating_at), in_doubt.ticket_id) == (True, "")
    assert len(world.nextcap.state()["tickets"]) == 1
    assert beat(world).seconds > 0


def test_two_processes_do_not_double_it(world: World) -> None:
    """Whoever looks second does nothing."""
    other = world.new_process()
    heartbeat.tick(world.engine, EVERY)
    heartbeat.tick(other.engine, EVERY)

    assert len(world.nextcap.state()["tickets"]) == 1


@pytest.mark.parametrize("direction", [Direction.BOTH, Direction.TO_NEXTCAP])
def test_it_rests_while_the_connection_is_paused(world: World, direction: Direction) -> None:
    pulse(world)
    switches.pause(world.engine, HUBSPOT, direction, by="ana")
    world.forget_calls()

    pulse(world, 600)

    assert world.nextcap.calls.total + world.hubspot.calls.total == 0


def test_a_beat_that_is_stuck_ages(world: World) -> None:
    """HubSpot does not take the write: the age grows, and no second beat is begun for a while."""
    pulse(world)
    before = beat(world)
    world.hubspot.faults.add("status", method="POST", path="/batch/update", status=500, times=1000)

    pulse(world, 600)

    now = beat(world)
    assert now.finished_at == before.finished_at
    assert (now.age(world.engine.now()) or 0) > 590


def test_a_mapping_without_a_subject_is_told(world: World) -> None:
    """Nothing is made."""
    world.write_mapping(fields={"subject": None})

    pulse(world, 10)

    assert "carries no subject" in beat(world).problem
    assert world.nextcap.state()["tickets"] == []


def test_an_organisation_in_which_no_ticket_can_be_made_is_told(world: World) -> None:
    world.nextcap.configure(create_route=False)

    pulse(world, 10)

    assert "cannot create tickets" in beat(world).problem


def test_off_it_asks_nobody(world: World) -> None:
    heartbeat.tick(world.engine, None)

    assert world.nextcap.calls.total + world.hubspot.calls.total == 0
    assert heartbeat.beats(world.engine) == {}
