"""What happens between a look and what is made of it is looked at afterwards, whoever tells of it, or nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from connector.adapters.base import Event, EventKind
from connector.domain.errors import NeedsReview, StoreAway
from connector.domain.rules import Direction
from connector.domain.ticket import Person
from connector.engine import placing, sharing
from connector.engine.context import NEXTCAP, Engine
from connector.engine.intake import Arrival, take
from connector.engine.people import UNKNOWN, look_again
from connector.store import claims, connections, deliveries, links, parked, pauses, people, rotation, tables
from connector.store.links import LinkRow, Look

from .harness import World
from .process import HUBSPOT, SECOND, everywhere

READ, UPDATE, UPSERT = "POST /tickets/batch/read", "POST /tickets/batch/update", "POST /tickets/batch/upsert"


def tell(world: World, kind: EventKind, subject: str, record: str) -> None:
    """An event arrives that names a record, as those of some CRMs do."""
    event = Event("told", kind, subject, key=f"{kind} {subject} {world.clock.now()}", ticket_id=record)
    take(world.engine, HUBSPOT, [Arrival(event.key, b"{}", [event])])


def same(world: World, ticket: str, record: str) -> str:
    """The subject that both sides show."""
    ours, theirs = world.nextcap.ticket(ticket)["subject"], world.record(record)["subject"]
    assert ours == theirs
    return str(ours)


def test_a_value_that_comes_back_is_no_echo_while_a_slow_pass_is_at_work(world: World) -> None:
    """Its lease is over, but nobody has taken its ticket: what it stores in the end is what it has read."""
    ticket, record = world.linked(subject="First")
    world.hubspot.set_properties(record, {"subject": "Second"})
    world.deliver()

    def meanwhile() -> None:
        world.advance(30)
        world.hubspot.set_properties(record, {"subject": "First"})
        world.deliver(HUBSPOT)

    world.process.taps[HUBSPOT].after(READ, meanwhile)
    world.settle()

    assert same(world, ticket, record) == "First"


def test_a_change_that_comes_while_a_pass_finds_its_record_back_is_carried(world: World) -> None:
    """Until that pass ends, the link is one whose record is gone, and of those Next Cap's changes are no concern."""
    ticket, record = world.linked(subject="First")
    world.hubspot.archive_ticket(record)
    world.settle()
    world.hubspot.restore_ticket(record)
    world.deliver()

    def meanwhile() -> None:
        world.nextcap.set_fields(ticket, {"subject": "Second"})
        world.deliver(NEXTCAP)

    world.process.taps[HUBSPOT].after(READ, meanwhile)
    world.settle()

    assert same(world, ticket, record) == "Second"


def test_a_change_that_overtakes_the_link_of_a_ticket_that_we_make_is_carried(world: World) -> None:
    """Its webhooks find a row of their own; what they brought is newer than the answer that made the ticket."""
    record = world.hubspot.create_ticket("First")
    world.deliver()

    def meanwhile() -> None:
        (ticket,) = world.nextcap.state()["tickets"]
        world.mail(NEXTCAP)
        world.nextcap.set_fields(ticket["id"], {"subject": "Second"})
        world.deliver(NEXTCAP)

    world.process.taps[NEXTCAP].after("POST /crm/tickets", meanwhile)
    world.settle()

    (ticket,) = world.nextcap.state()["tickets"]
    assert same(world, ticket["id"], record) == "Second"


def test_a_value_that_came_back_untold_while_a_pass_was_at_work_is_found_by_the_sweep(world: World) -> None:
    """The list shows what was known before the pass; that is not yet what the pass will have stored."""
    ticket, record = world.linked(subject="First")
    world.process.reconcile()
    world.advance(200)
    world.hubspot.set_properties(record, {"subject": "Second"})
    world.deliver()

    def meanwhile() -> None:
        world.hubspot.set_properties(record, {"subject": "First"})
        world.mail()
        world.new_process().reconcile()

    world.process.taps[HUBSPOT].after(READ, meanwhile)
    world.settle()

    assert same(world, ticket, record) == "First"


@everywhere
def test_a_look_that_found_a_ticket_at_work_makes_it_due_where_its_pass_has_ended(world: World) -> None:
    """Between the two, the pass has let the link go, and knew nothing of what is to be looked at."""
    ticket, _ = world.linked()

    with world.engine.db.write() as connection:
        links.widen(connection, [world.link(ticket).id], Look.CRM, world.engine.now())

    assert world.due_in(ticket) == 0.0
    assert world.link(ticket).look == Look.CRM


@everywhere
def test_a_bell_that_found_a_drain_at_work_hushes_no_later_one(world: World) -> None:
    """Whoever answered it did nothing; what came was worked by the drain that was there, and this is another change."""
    ticket, _ = world.linked()
    world.nextcap.set_fields(ticket, {"subject": "First"})
    world.deliver()

    def meanwhile() -> None:
        world.nextcap.set_fields(ticket, {"subject": "Second"})
        world.deliver(NEXTCAP)
        assert world.new_process().drain().worked == 0

    world.process.taps[HUBSPOT].before(UPDATE, meanwhile)
    world.drain()
    world.process.bells.clear()
    world.nextcap.set_fields(ticket, {"subject": "Third"})
    world.deliver(NEXTCAP)

    assert world.process.bells == [HUBSPOT]


@pytest.mark.parametrize("db_url", ["postgresql"], indirect=True)
def test_two_drains_may_learn_of_next_caps_people_at_the_same_moment(world: World) -> None:
    """Each connection's drain asks for them when an hour is over; the one that comes later has the last word."""
    jo, kim, max_ = (Person(name, f"{name}@home.example", name, True) for name in ("jo", "kim", "max"))
    troubles: list[sa.exc.SQLAlchemyError] = []

    def save(*everybody: Person) -> None:
        try:
            with world.engine.db.write() as connection:
                people.save(connection, NEXTCAP, everybody)
        except sa.exc.SQLAlchemyError as problem:
            troubles.append(problem)

    save(max_)
    with world.engine.db.write() as connection:
        people.save(connection, NEXTCAP, [kim, jo])
        other = threading.Thread(target=save, args=(jo, kim))
        other.start()
        other.join(0.2)
    other.join(10)

    assert troubles == []
    with world.engine.db.read() as connection:
        assert sorted(people.load(connection, NEXTCAP)) == ["jo", "kim"]


@everywhere
def test_a_comment_on_a_record_that_is_just_being_linked_is_read(world: World) -> None:
    """Its event names a record that no link knows, and by the time it is placed one does."""
    ticket = world.ticket()
    world.deliver()

    def meanwhile() -> None:
        record = world.record_id(ticket)
        note = world.hubspot.write_note(record, "<p>Seen</p>")
        world.mail()
        tell(world, EventKind.COMMENT, note, record)

    world.process.taps[HUBSPOT].after(UPSERT, meanwhile)
    world.settle()

    assert world.said(ticket, "note") == ["Seen"]


@everywhere
def test_a_record_that_is_named_again_while_it_is_placed_is_looked_at_again(world: World) -> None:
    """What was read of it, and not carried, is not what it says by now."""
    world.hubspot.add_pipeline("Returns", {"Arrived": "OPEN"})
    record = world.hubspot.create_ticket("First", pipeline="Returns", stage="Arrived")
    world.mail()
    tell(world, EventKind.TICKET, record, record)

    def meanwhile() -> None:
        world.advance(1)
        world.hubspot.set_properties(record, {"hs_pipeline": "0", "hs_pipeline_stage": "1"})
        world.mail()
        tell(world, EventKind.TICKET, record, record)

    world.process.taps[HUBSPOT].after(READ, meanwhile)
    world.settle()

    assert [one["subject"] for one in world.nextcap.state()["tickets"]] == ["First"]


def test_who_is_worked_alone_and_marked_again_keeps_its_place(world: World) -> None:
    """Else tickets that people talk on would be behind those on which nothing happens, without end."""
    first, second = (world.link(world.linked()[0]).id for _ in range(2))
    with world.engine.db.write() as connection:
        connection.execute(tables.links.update().values(alone=True))
        for link in (first, second, first):
            links.mark(connection, [link], Look.ALL, world.engine.now())
            world.advance(1)

        assert [link for link, _ in claims.due_alone(connection, world.engine.now())] == [first, second]


def test_a_note_that_the_rotation_finds_on_a_ticket_that_waits_crosses_when_its_time_has_come(world: World) -> None:
    """What is owed a look gets it, though its link is not at rest: it will look at this too, and no sooner."""
    ticket, record = world.linked()
    taps = world.process.taps[NEXTCAP]
    taps.before("PATCH /tickets/:id", lambda: world.nextcap.agent_note(ticket, "Meanwhile"))
    world.hubspot.set_properties(record, {"subject": "Second"})
    world.settle()
    later = world.engine.now() + timedelta(seconds=300)
    with world.engine.db.write() as connection:
        connection.execute(tables.links.update().values(due_at=later, dirty_at=later))

    world.advance(90)
    world.process.reconcile()
    world.settle()
    before = world.notes(record)
    world.advance(210)
    world.settle()

    assert (before, world.notes(record)) == ([], ["Meanwhile"])


def test_a_record_that_was_worked_while_the_rotation_looked_has_its_turn_again(world: World) -> None:
    """What was read of it is of no use by then; and that it is gone, no list tells."""
    ticket, record = world.linked()
    world.advance(7 * 3600)
    world.hubspot.archive_ticket(record)
    world.mail()
    looking = world.new_process()

    def meanwhile() -> None:
        with world.engine.db.write() as connection:
            links.mark(connection, [world.link(ticket).id], Look.NOTHING, world.engine.now())
        world.drain()

    looking.taps[HUBSPOT].after(READ, meanwhile)
    looking.reconcile()
    before = world.link(ticket).state
    world.advance(61)
    looking.reconcile()
    world.settle()

    assert (before, world.link(ticket).state) == (links.ACTIVE, links.GONE)


@everywhere
def test_what_is_owed_a_look_since_the_rotation_began_to_look_stays_owed(world: World) -> None:
    """A write of ours meanwhile may hide a note that was not there yet."""
    ticket, _ = world.linked()
    first = world.engine.now()
    then = first + timedelta(seconds=40)
    owed: list[datetime | None] = []
    for meanwhile in (first, then):
        with world.engine.db.write() as connection:
            connection.execute(tables.tickets.update().values(owed_at=first))
            (row,) = connection.execute(sa.select(tables.tickets))
            connection.execute(tables.tickets.update().values(owed_at=meanwhile))
            rotation.ticket_compared(connection, row, then)
        owed += [one.owed_at for one in world.rows(tables.tickets, nextcap_id=ticket)]

    assert owed == [None, then]


def test_what_a_person_changes_on_a_record_while_its_making_is_in_doubt_is_kept(world: World) -> None:
    """The answer was lost; the record is looked for before it would be made, and so overwritten, once more."""
    world.linked()
    world.hubspot.faults.add("lost_answer", method="POST", path="tickets/batch/upsert$")
    ticket = world.ticket(subject="First", priority="low")
    world.deliver()
    world.drain()
    record = world.record_id(ticket)

    world.hubspot.set_properties(record, {"subject": "Second"})
    world.nextcap.set_fields(ticket, {"priority": "high"})
    world.pass_time(5)

    assert same(world, ticket, record) == "Second"
    assert world.record(record)["hs_ticket_priority"] == "HIGH"
    assert world.sent(HUBSPOT, UPSERT) == 1


@pytest.mark.parametrize("db_url", ["postgresql"], indirect=True)
def test_a_sweep_and_the_end_of_a_pass_do_not_wait_for_each_other(world: World) -> None:
    """Both change links of several tickets, in an order of their own; each takes hold of all its tickets before."""
    pairs = [world.linked() for _ in range(2)]
    world.process.reconcile()
    world.advance(200)
    for _, record in pairs:
        world.hubspot.set_properties(record, {"subject": "Untold"})
        world.advance(1)
    world.mail()
    second, first = (world.link(ticket) for ticket, _ in pairs)
    sweeping = threading.Thread(target=world.new_process().reconcile)

    with world.engine.db.write() as connection:
        links.check_fence(connection, first, second)
        links.set_shadows(connection, first, first.shadows)
        sweeping.start()
        sweeping.join(1.0)
        links.set_shadows(connection, second, second.shadows)
    sweeping.join(10)

    assert [world.due_in(ticket) for ticket, _ in pairs] == [0.0, 0.0]


@pytest.mark.parametrize("db_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("name", [HUBSPOT, SECOND])
def test_of_two_links_that_follow_a_merge_into_one_record_at_once_one_does(wide_world: World, name: str) -> None:
    """Of two tickets and one account: the other, of the same connection or another, is left to a person."""
    account = (HUBSPOT, SECOND)
    engine = wide_world.new_process(neighbours=dict.fromkeys(account, account)).engine
    tickets = [wide_world.linked(subject=subject)[0] for subject in ("One", "Two")]
    pair = wide_world.link(tickets[0], HUBSPOT), wide_world.link(tickets[1], name)
    outcomes: list[str] = []

    def lead(link: LinkRow) -> None:
        try:
            sharing.follow(engine, link, "the survivor")
            outcomes.append("followed")
        except NeedsReview as problem:
            outcomes.append(problem.code)

    threads = [threading.Thread(target=lead, args=(one,)) for one in pair]
    with engine.db.write() as connection:
        connection.execute(sa.select(tables.links.c.id).where(tables.links.c.id == pair[0].id).with_for_update())
        for thread in threads:  # The first has looked, and waits to write; then the other looks.
            thread.start()
            thread.join(0.3)
    for thread in threads:
        thread.join(10)

    assert sorted(outcomes) == ["followed", "merged_into_another"]
    assert [row.record_id for row in wide_world.rows(tables.links)].count("the survivor") == 1


WAKERS: Mapping[str, Callable[[Engine, sa.Connection], object]] = {
    "paused:to_crm": lambda engine, connection: pauses.open_(connection, HUBSPOT, Direction.TO_CRM, engine.now()),
    f"waits:{HUBSPOT}": lambda engine, connection: connections.recover(connection, HUBSPOT, engine.now()),
    UNKNOWN[0]: lambda engine, connection: look_again(engine, connection, UNKNOWN, how="department_known"),
}


@pytest.mark.parametrize("db_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("cause", WAKERS)
def test_who_wakes_many_links_and_the_end_of_a_pass_do_not_wait_for_each_other(world: World, cause: str) -> None:
    """The pass has its tickets, and changes one link after the other; who wakes them must not stand between."""
    engine, troubles = world.engine, list[StoreAway]()
    tickets = [world.linked()[0] for _ in range(2)]
    first, second = (world.link(ticket) for ticket in tickets)
    later = engine.now() + timedelta(seconds=60)
    with engine.db.write() as connection:
        for one in (first, second):
            values = {"cause_code": cause, "cause": "said so", "due_at": later}
            connection.execute(tables.links.update().where(tables.links.c.id == one.id).values(**values))
            told = {"code": UNKNOWN[0], "reason": "unknown", "field": "department"}
            parked.park(connection, name=HUBSPOT, link_id=one.id, now=engine.now(), **told)
        connections.fail(connection, HUBSPOT, cause="away", until=later)

    def wake() -> None:
        try:
            with engine.db.write() as connection:
                WAKERS[cause](engine, connection)
        except StoreAway as problem:
            troubles.append(problem)

    def touch(connection: sa.Connection, link: LinkRow) -> None:
        links.set_shadows(connection, link, link.shadows)
        connection.execute(tables.parked.update().where(tables.parked.c.link_id == link.id).values(reason="seen"))

    waking = threading.Thread(target=wake)
    with engine.db.write() as connection:
        links.check_fence(connection, first, second)
        touch(connection, second)
        waking.start()
        waking.join(0.5)
        touch(connection, first)
    waking.join(10)

    assert troubles == []
    assert [world.due_in(ticket) for ticket in tickets] == [0.0, 0.0]


@pytest.mark.parametrize("db_url", ["postgresql"], indirect=True)
def test_who_places_records_and_who_hears_of_them_do_not_wait_for_each_other(world: World) -> None:
    """Both change the rows of several in one order, whichever has waited longer."""
    engine, troubles = world.engine, list[StoreAway]()
    with engine.db.write() as connection:
        for subject, waited in (("1", 1), ("2", 2)):
            since = engine.now() - timedelta(seconds=waited)
            deliveries.unplace(connection, HUBSPOT, placing.TICKET, [subject], since)

    def hear() -> None:
        try:
            with engine.db.write() as connection:
                deliveries.unplace(connection, HUBSPOT, placing.TICKET, ["1", "2"], engine.now())
        except StoreAway as problem:
            troubles.append(problem)

    hearing = threading.Thread(target=hear)
    with engine.db.write() as connection:
        first, second = deliveries.due_unplaced(connection, HUBSPOT, engine.now(), 10)
        deliveries.placed(connection, [first])
        hearing.start()
        hearing.join(0.5)
        deliveries.placed(connection, [second])
    hearing.join(10)

    assert troubles == []
    assert [row.subject for row in world.rows(tables.unplaced)] == ["1", "2"]


@pytest.mark.parametrize("db_url", ["postgresql"], indirect=True)
def test_a_record_that_is_placed_while_another_link_takes_it_stays_with_that(world: World) -> None:
    """A link that follows a merge may come first: then the record is looked up again, and is known."""
    record = world.hubspot.create_ticket("Found")
    world.deliver()
    placing_it = threading.Thread(target=placing.place, args=(world.engine, HUBSPOT))

    with world.engine.db.write() as connection:
        row = tables.tickets.insert().values(number="").returning(tables.tickets.c.id)
        holder = {"ticket_id": connection.execute(row).scalar_one(), "connection": HUBSPOT, "record_id": record}
        connection.execute(tables.links.insert().values(**holder))
        placing_it.start()
        placing_it.join(1.0)
    placing_it.join(10)

    assert [row.record_id for row in world.rows(tables.links)] == [record]
    assert len(world.rows(tables.tickets)) == 1
    assert world.rows(tables.unplaced) == []
