"""Our own writes come back as events, late and out of order where many are under way: they cost no reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from connector.adapters.base import Event, EventKind
from connector.engine.context import NEXTCAP
from connector.engine.intake import Arrival, take
from connector.store import claims, links, tables
from connector.store.links import LinkRow, Look

from .harness import World
from .process import HUBSPOT, everywhere

pytestmark = everywhere

BASE = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
"""The version that our last write was decided on, by the clock of the CRM."""
NEXT = BASE + timedelta(seconds=1)


def rewritten(world: World) -> tuple[str, str]:
    """A ticket that we wrote to twice, the second time by a job, whose answer tells no version."""
    ticket, record = world.linked(subject="First")
    for subject in ("Second", "Third"):
        world.nextcap.set_fields(ticket, {"subject": subject})
        world.settle()
    store(world, ticket, crm_version=None, echo_version=BASE, moved_from=BASE, crm_read_at=world.engine.now())
    return ticket, record


def store(world: World, ticket: str, **values: Any) -> None:
    with world.engine.db.write() as connection:
        connection.execute(tables.links.update().where(tables.links.c.id == world.link(ticket).id).values(**values))


def told(world: World, record: str, subject: str, version: datetime) -> str:
    """An event tells the subject as of this version; what came of it."""
    event = Event("subject", EventKind.TICKET, record, key=uuid4().hex, field="subject", version=version)
    event = replace(event, value=subject, has_value=True)
    take(world.engine, HUBSPOT, [Arrival(event.key, b"{}", [event])])
    return str(world.outcomes()[-1])


def claimed(world: World, owner: str = "one", **how: Any) -> Sequence[LinkRow]:
    now = world.engine.now()
    until = now + timedelta(seconds=20)
    with world.engine.db.write() as connection:
        return claims.claim(connection, HUBSPOT, owner=owner, now=now, until=until, **{"limit": 10, **how})


@pytest.mark.parametrize(
    ("subject", "version", "is_late"),
    [("Second", BASE, True), ("Second", NEXT, False), ("Elsewhere", BASE, False)],
    ids=["our earlier write", "a person went back to it", "not ours"],
)
def test_the_echo_of_a_write_that_another_has_replaced_is_not_read(
    world: World, subject: str, version: datetime, is_late: bool
) -> None:
    ticket, record = rewritten(world)

    outcome = told(world, record, subject, version)

    assert outcome.startswith("late") is is_late
    assert (world.due_in(ticket) is None) is is_late


def test_the_echo_of_an_earlier_write_is_known_while_the_next_is_on_its_way(world: World) -> None:
    ticket, record = rewritten(world)
    store(world, ticket, crm_version=NEXT, moved_from=None)
    outcomes = []
    world.process.taps[HUBSPOT].before(
        "POST /tickets/batch/update", lambda: outcomes.append(told(world, record, "Third", base(world)))
    )
    world.nextcap.set_fields(ticket, {"subject": "Fourth"})
    world.settle()

    assert outcomes[0].startswith("late")


def base(world: World) -> datetime:
    """The version that the write under way was decided on."""
    with world.engine.db.read() as connection:
        (payload,) = connection.execute(sa.select(tables.effects.c.payload).where(tables.effects.c.state == "sending"))
    return datetime.fromisoformat(payload[0]["base"])


def test_a_change_waits_for_the_version_that_an_echo_will_tell(world: World) -> None:
    """To write without it, the record would have to be read first."""
    ticket, record = rewritten(world)
    world.nextcap.set_fields(ticket, {"subject": "Fourth"})
    world.deliver("nextcap")

    assert claimed(world) == []
    with world.engine.db.read() as connection:
        due = claims.next_due(connection, HUBSPOT, within=timedelta(seconds=30), now=world.engine.now())
    assert due == world.link(ticket).crm_read_at + claims.ECHO
    assert told(world, record, "Third", NEXT).startswith("echo")
    (link,) = claimed(world)
    assert (link.crm_version, link.look & Look.CRM) == (NEXT, Look.NOTHING)


@pytest.mark.parametrize("why", ["no echo came", "somebody spoke"])
def test_nobody_waits_for_an_echo_for_long_nor_with_words(world: World, why: str) -> None:
    ticket, _ = rewritten(world)
    if why == "no echo came":
        world.nextcap.set_fields(ticket, {"subject": "Fourth"})
        world.deliver("nextcap")
        world.advance(claims.ECHO.total_seconds())
    else:
        world.nextcap.customer_reply(ticket, "Hello?")
        world.deliver("nextcap")

    (link,) = claimed(world)

    assert link.crm_version is None


def after_an_echo_in_the_middle(world: World, found: Mapping[str, Any]) -> LinkRow:
    """The link as the next pass claims it, after an echo that came during one which stored what it `found`."""
    ticket, record = rewritten(world)
    store(world, ticket, crm_version=BASE, moved_from=None, due_at=world.engine.now())
    (held,) = claimed(world)
    assert "being worked on" in told(world, record, "Third", NEXT)
    with world.engine.db.write() as connection:
        links.lost(connection, [held])
        claims.release(connection, [claims.Release(held, None, found)], world.engine.now())
    (link,) = claimed(world)
    return link


@pytest.mark.parametrize("read_as_of", [BASE, NEXT])
def test_an_echo_in_the_middle_of_a_pass_is_read_unless_the_pass_has_read_as_much(
    world: World, read_as_of: datetime
) -> None:
    read = {"crm": {"subject": "Third"}, "crm_version": read_as_of}

    link = after_an_echo_in_the_middle(world, read)

    assert bool(link.look & Look.CRM) is (read_as_of < NEXT)


def test_an_echo_in_the_middle_of_a_pass_that_left_the_record_alone_is_not_read(world: World) -> None:
    """It told what was known when it came, and nothing has become of the record since."""
    link = after_an_echo_in_the_middle(world, {"shadows": {}})

    assert link.look & (Look.CRM | Look.ECHO) == Look.NOTHING


def test_records_that_are_read_before_they_are_written_share_the_call_with_those_read_anyway(world: World) -> None:
    told_of, untold = rewritten(world), rewritten(world)
    world.hubspot.set_properties(told_of[1], {"content": "Something else"})
    world.deliver()
    world.nextcap.set_fields(untold[0], {"subject": "Fourth"})
    world.deliver(NEXTCAP)
    world.advance(claims.ECHO.total_seconds())
    world.forget_calls()

    world.drain()

    assert world.sent(HUBSPOT, "POST /tickets/batch/read") == 1
    assert world.record(untold[1])["subject"] == "Fourth"


def test_while_more_is_coming_in_whole_batches_are_taken_and_words_are_not_left(world: World) -> None:
    tickets = [world.linked(subject=f"Number {number}")[0] for number in range(6)]
    for place, ticket in enumerate(tickets):
        world.advance(0.01)
        if place == 4:
            world.nextcap.customer_reply(ticket, "Hello?")
        else:
            world.nextcap.set_fields(ticket, {"priority": "high"})
        world.deliver("nextcap")
    ids = [world.link(one).id for one in tickets]
    now = world.engine.now()

    burst = [one.id for one in claimed(world, whole_batches=claims.Batches(4, now - timedelta(seconds=1)))]
    over = [one.id for one in claimed(world, whole_batches=claims.Batches(4, now))]

    assert (burst, over) == (ids[:5], ids[5:])
