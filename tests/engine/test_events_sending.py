"""Outgoing events on their way: never lost, in order, the same id at every try, and no longer than it makes sense."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest

from connector.events import keeping
from connector.events.announcer import Announcer
from connector.store import outbox

from .harness import World
from .listening import Listening, secret
from .parts import Killed
from .process import everywhere
from .receiver import Receiver, Says, ids

one_database = pytest.mark.parametrize("db_url", ["sqlite"], indirect=True)
DAY = 24 * 3600
KEEPS = SimpleNamespace(keep_bodies_days=7, keep_deliveries_days=30)


@pytest.fixture
def listener(world: World, receiver: Receiver) -> Listening:
    return Listening(world, receiver)


def tickets(listener: Listening, count: int) -> list[str]:
    """New tickets, taken in and not told of yet: one message each."""
    made = [listener.world.ticket() for _ in range(count)]
    listener.world.deliver()
    assert [one["state"] for one in listener.messages()] == [outbox.WAITING] * count
    return made


@everywhere
def test_who_dies_after_the_commit_leaves_the_message_to_the_next(listener: Listening) -> None:
    """At every step of telling and sending: nothing is lost, and what is sent twice carries the same id."""
    world, receiver = listener.world, listener.receiver
    for steps in range(1, 12):
        ticket, survived = world.ticket(), False
        (parcel,) = world.mail()
        mortal = world.new_process(steps=steps, announcer=Announcer([listener.endpoint]))
        with suppress(Killed):
            world.post(parcel, process=mortal)
            listener.courier_of(mortal).run()
            survived = True
        world.post(parcel)
        world.advance(31)
        listener.send()

        got = [one for one in receiver.got if one.data["ticket"]["id"] == ticket and one.type == "ticket.created"]
        assert got, f"lost where it ended after {steps} steps"
        assert len(set(ids(got))) == 1, f"told twice where it ended after {steps} steps"
        if survived:
            break
    else:
        raise AssertionError("it never came through")


@everywhere
def test_a_message_that_is_not_taken_is_sent_again_with_its_id(listener: Listening) -> None:
    tickets(listener, 1)
    listener.receiver.say(Says(500), Says(400), Says(302, (("location", "http://127.0.0.1:9/"),)))

    listener.send()
    listener.pass_time(30)

    got = listener.receiver.got
    assert len(got) == 4
    assert len(set(ids(got))) == 1
    assert len({one.body for one in got}) == 1
    assert len({one.headers["webhook-timestamp"] for one in got}) > 1, "each try is signed anew"
    (kept,) = listener.messages()
    assert (kept["state"], kept["attempts"], kept["cause"]) == (outbox.DELIVERED, 4, None)
    assert listener.row().failures == 0


@one_database
def test_a_ticket_is_told_of_in_order_and_holds_up_no_other(listener: Listening) -> None:
    """What is refused holds up its own ticket alone, until it is taken."""
    world, receiver = listener.world, listener.receiver
    refused, other = tickets(listener, 2)
    receiver.refuse(refused, Says(422))
    listener.send()
    for ticket in (refused, other):
        world.nextcap.set_fields(ticket, {"priority": "urgent"})
        world.deliver()
    listener.pass_time(20)
    before = [(one.data["ticket"]["id"], one.type) for one in receiver.got]
    receiver.forget()
    listener.pass_time(700, step=10)

    assert (other, "ticket.updated") in before
    assert (refused, "ticket.updated") not in before
    assert before.count((refused, "ticket.created")) > 4, "it is tried when it is due, whatever waits behind it"
    assert [(one.data["ticket"]["id"], one.type) for one in receiver.got] == [
        (refused, "ticket.created"),
        (refused, "ticket.updated"),
    ]


@one_database
def test_an_endpoint_that_is_away_is_asked_rarely_and_gets_everything_when_it_is_back(listener: Listening) -> None:
    tickets(listener, 40)
    listener.receiver.say(then=Says(503))

    listener.send()
    listener.pass_time(3600, step=5)
    asked = len(listener.receiver.got)
    listener.receiver.forget()
    listener.pass_time(660, step=5)

    assert asked < 16 + 25, "a first batch, then one message at a time, ever more rarely"
    assert len(set(ids(listener.receiver.got))) == 40
    assert {one["state"] for one in listener.messages()} == {outbox.DELIVERED}


@one_database
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("as_date", [False, True])
def test_a_wait_that_is_asked_for_is_kept(listener: Listening, status: int, as_date: bool) -> None:
    tickets(listener, 1)
    until = listener.world.clock.now().replace(microsecond=0) + timedelta(seconds=120)
    told = format_datetime(until.astimezone(UTC), usegmt=True) if as_date else "120"
    listener.receiver.say(Says(status, (("retry-after", told),)))

    listener.send()
    listener.pass_time(110, step=5)
    early = len(listener.receiver.got)
    listener.pass_time(20, step=5)

    assert (early, len(listener.receiver.got)) == (1, 2)


@one_database
def test_gone_turns_the_endpoint_off_until_a_person_turns_it_on(listener: Listening) -> None:
    """What happens meanwhile is not lost: it waits."""
    world = listener.world
    tickets(listener, 1)
    listener.receiver.say(Says(410))
    listener.send()
    world.ticket()
    world.deliver()
    listener.pass_time(3600, step=60)

    assert len(listener.receiver.got) == 1
    assert "410 Gone" in listener.row().off_why
    keeping.turn_on(world.process.engine.db, "listener", world.clock.now())
    listener.send()
    assert len(listener.receiver.got) == 3
    assert {one["state"] for one in listener.messages()} == {outbox.DELIVERED}


@one_database
def test_after_three_days_a_message_is_given_up_kept_and_can_be_sent_again(listener: Listening) -> None:
    world, receiver = listener.world, listener.receiver
    (ticket,) = tickets(listener, 1)
    receiver.refuse(ticket, Says(400))
    listener.pass_time(3 * DAY, step=3600)
    assert [one["state"] for one in listener.messages()] == [outbox.WAITING]
    listener.pass_time(7200, step=3600)
    (failed,) = listener.messages()
    tried = len(receiver.got)
    first = receiver.got[0]
    listener.pass_time(DAY, step=3600)

    assert (failed["state"], failed["cause"]) == (outbox.FAILED, "the listener answered 400")
    assert len(receiver.got) == tried
    receiver.forget()
    assert keeping.retry_all(world.process.engine.db, "listener", world.clock.now()) == 1
    listener.send()
    (again,) = receiver.got
    assert (again.id, again.body) == (first.id, first.body)


@one_database
def test_what_waits_for_an_endpoint_that_stays_off_is_given_up_too(listener: Listening) -> None:
    world, db = listener.world, listener.world.process.engine.db
    keeping.turn_off(db, "listener", by="kim", reason="moving", now=world.clock.now())
    tickets(listener, 1)
    world.advance(3 * DAY + 60)

    keeping.purge(db, {"listener": listener.courier}, KEEPS, world.clock.now())

    assert [one["state"] for one in listener.messages()] == [outbox.FAILED]


@one_database
def test_what_was_taken_goes_after_a_week_and_what_was_not_after_a_month(listener: Listening) -> None:
    world, db, receiver = listener.world, listener.world.process.engine.db, listener.receiver
    taken, refused = tickets(listener, 2)
    receiver.refuse(refused, Says(400))
    listener.send()
    world.advance(3 * DAY + 60)
    listener.send()
    states = []
    for days in (3, 2, 27):
        world.advance(days * DAY)
        keeping.purge(db, {"listener": listener.courier}, KEEPS, world.clock.now())
        states.append(sorted(one["state"] for one in listener.messages()))

    assert taken
    assert states == [[outbox.DELIVERED, outbox.FAILED], [outbox.FAILED], []]


@one_database
def test_while_a_secret_is_rotated_both_sign(world: World, receiver: Receiver) -> None:
    listener = Listening(world, receiver, secrets=(secret("b"), secret("a")))
    tickets(listener, 1)

    listener.send()

    (got,) = receiver.got
    assert len(got.signatures()) == 2
    assert got.is_signed_with(secret("a"))
    assert got.is_signed_with(secret("b"))
    assert not got.is_signed_with(secret("c"))


@everywhere
def test_two_processes_send_nothing_twice(listener: Listening) -> None:
    """One sends while the other one looks on; a lease that nobody gave back ends by itself."""
    tickets(listener, 3)
    one, other = listener.courier, listener.courier
    with listener.world.process.engine.db.write() as connection:
        now = listener.world.clock.now()
        assert outbox.acquire(connection, "listener", owner="somebody", now=now, until=now + timedelta(seconds=30))

    assert other.run().taken == 0
    listener.world.advance(31)
    assert one.run().taken == 3
    assert other.run().taken == 0
    assert len(set(ids(listener.receiver.got))) == len(listener.receiver.got) == 3


@one_database
def test_a_test_event_is_signed_and_not_kept(listener: Listening) -> None:
    assert listener.courier.test().cause == ""
    listener.receiver.say(Says(401))
    assert "does it know the secret" in listener.courier.test().cause

    assert listener.receiver.types() == ["connector.test"] * 2
    assert listener.receiver.got[0].is_signed_with(secret("a"))
    assert listener.messages() == []
