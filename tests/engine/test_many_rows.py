"""Many tickets and a long journal: what is asked often reads no table whole, and retention goes in small steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from connector.domain.ticket import Side
from connector.engine import housekeeping
from connector.store import claims, deliveries, drifts, effects, journal, links, rotation, story, tables

from .harness import World
from .process import HUBSPOT, everywhere

MANY = {"tickets", "links", "journal", "events", "deliveries", "effects", "outbox"}
HOURS = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Keeps:
    """Short times, so that a test's days are few."""

    keep_deliveries_days: int = 30
    keep_bodies_days: int = 7
    keep_journal_days: int = 90


def _claim(connection: sa.Connection, now: Any) -> None:
    claims.claim(connection, HUBSPOT, owner="x", now=now, until=now + HOURS, limit=1)


ASKED: dict[str, Callable[[sa.Connection, Any], object]] = {
    "claim": _claim,
    "sweep": claims.due_connections,
    "records in turn": lambda c, now: rotation.due_links(c, HUBSPOT, before=now, limit=5),
    "tickets in turn": lambda c, now: rotation.due_tickets(c, now=now, every=HOURS, limit=5),
    "creates on their way": lambda c, _: effects.has_open_creates(c, HUBSPOT, "create_crm"),
    "open writes": lambda c, _: effects.open_of(c, [1]),
    "entries that we made": lambda c, _: effects.made_by_us(c, HUBSPOT, ["1"]),
    "entries of ours": lambda c, _: effects.settled_among(c, [1], Side.CRM, ["1"]),
    "a ticket's links": lambda c, _: links.of_ticket(c, "1"),
    "a ticket by a word": lambda c, _: story.tickets_named(c, "1"),
    "a ticket's events": lambda c, _: story.arrived(c, 1, ["1"]),
    "a record's events": lambda c, _: story.arrived(c, None, ["1"]),
    "lines of a connection": lambda c, _: journal.of_connection(c, HUBSPOT),
    "a line of a connection": lambda c, now: journal.record(c, [journal.Line(HUBSPOT, None, "a", "b")], now),
    "a line of a link": lambda c, now: journal.record(c, [journal.Line(HUBSPOT, 1, "a", "b")], now),
    "bodies to forget": lambda c, now: deliveries.forget_bodies(c, before=now, limit=5),
    "deliveries to purge": lambda c, now: deliveries.purge(c, before=now, limit=5),
    "lines to purge": lambda c, now: journal.purge(c, before=now, limit=5),
    "drift to purge": lambda c, now: drifts.purge(c, before=now, limit=5),
}


@pytest.mark.parametrize("db_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("asked", ASKED)
def test_what_is_asked_often_is_answered_by_an_index(world: World, asked: str) -> None:
    """However many rows there are. An index of few rows serves only what says its condition in the same words."""
    world.linked()
    plans: list[str] = []

    def explain(_c: Any, cursor: Any, statement: str, values: Any, *_: object) -> None:
        plans.extend(row[3] for row in cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values))

    with world.engine.db.write() as connection:
        sa.event.listen(connection, "before_cursor_execute", explain)
        ASKED[asked](connection, world.clock.now())
        sa.event.remove(connection, "before_cursor_execute", explain)

    assert plans
    assert [one for one in plans if one.startswith("SCAN") and one.split()[1] in MANY] == []


def test_the_queue_of_what_people_say_holds_what_a_pass_calls_so() -> None:
    """The index names the numbers."""
    assert f"look & {int(claims.COMMENTS)}" in str(tables.IS_SAID)


@everywhere
def test_retention_removes_all_that_is_too_old_in_small_steps(world: World) -> None:
    """Of each kind more than one step has; what is young stays, and so does a line that was repeated lately."""
    count, now = 2 * housekeeping.STEP + 5, world.clock.now()
    with world.engine.db.write() as connection:
        for age, number in ((100, count), (8, count), (1, 3)):
            _fill(connection, number, now - timedelta(days=age), prefix=str(age))
        journal.record(connection, [journal.Line(HUBSPOT, None, "lately", "again")], now - timedelta(days=100))
        journal.record(connection, [journal.Line(HUBSPOT, None, "lately", "again")], now)

    housekeeping.purge(world.engine, Keeps())

    with world.engine.db.read() as connection:
        kept = {one.name: connection.execute(sa.select(sa.func.count()).select_from(one)).scalar() for one in OLD}
        bodies = connection.execute(sa.select(sa.func.count(tables.deliveries.c.body))).scalar()
    assert kept == {"deliveries": count + 3, "events": count + 3, "journal": count + 3 + len(("lately", "mapping"))}
    assert bodies == 3
    assert housekeeping.REST in world.clock.pauses


OLD = (tables.deliveries, tables.events, tables.journal)


def _fill(connection: sa.Connection, count: int, at: Any, *, prefix: str) -> None:
    """So many deliveries with an event each, and as many lines, of that time."""
    keys = [f"{prefix}-{number}" for number in range(count)]
    deliveries.store(connection, HUBSPOT, [(key, b"body") for key in keys], at)
    told = {"connection": HUBSPOT, "name": "n", "subject": "s", "at": at, "ticket_id": None, "outcome": "nothing"}
    deliveries.add_events(connection, [{**told, "key": key} for key in keys])
    line = {"link_id": None, "connection": HUBSPOT, "at": at, "last_at": at, "count": 1, "code": "c", "details": {}}
    connection.execute(tables.journal.insert(), [{**line, "text": key, "digest": key} for key in keys])


def test_one_purge_goes_on_for_a_while_and_leaves_the_rest_to_the_next(world: World) -> None:
    now = world.clock.now()
    with world.engine.db.write() as connection:
        _fill(connection, 2 * housekeeping.STEP + 1, now - timedelta(days=100), prefix="old")
    slow = replace(world.engine, pause=lambda _: world.clock.advance(housekeeping.AT_ONCE.total_seconds()))

    removed = [housekeeping.purge(slow, Keeps()) for _ in range(3)]

    # Of each delivery its body, then itself; its event; its line.
    assert removed[-1] == 0
    assert sum(removed) == 4 * (2 * housekeeping.STEP + 1)
    assert removed[0] > removed[1] > 0


def test_tickets_have_their_turn_in_the_order_of_how_much_it_is_due(world: World) -> None:
    """Owed a look, then those that moved lately, never compared before compared long ago, then the others."""
    now, every = world.clock.now(), timedelta(hours=1)
    names = ["owed", "live never", "live late", "never", "late", "live lately", "lately"]
    versions = {name: now - timedelta(days=1 if "live" in name else 30) for name in names}
    compared = {"live late": now - 2 * every, "late": now - 8 * every, "lately": now - 2 * every}
    compared |= {"owed": now, "live lately": now}
    with world.engine.db.write() as connection:
        ids = links.ensure(connection, names[::-1], [HUBSPOT])
        connection.execute(tables.links.update().values(state=links.ACTIVE, linked_at=now - 9 * every))
        for name in names:
            values = {"version": versions[name], "compared_at": compared.get(name)}
            values["owed_at"] = now - timedelta(minutes=1) if name == "owed" else None
            connection.execute(tables.tickets.update().where(tables.tickets.c.id == ids[name]).values(**values))

        due = rotation.due_tickets(connection, now=now, every=every, limit=10)
        first = rotation.due_tickets(connection, now=now, every=every, limit=2)

    assert [row.nextcap_id for row in due] == names[:5]
    assert [row.nextcap_id for row in first] == names[:2]
