"""Rules of trouble: whose it is, who waits for it, how long, and who is told at once when it ends."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from connector.adapters.lanes import Lane
from connector.domain.errors import ConnectorError, NeedsReview, RetryLater
from connector.engine import finish, operators, sync
from connector.engine.budget import SqlBudget
from connector.engine.context import NEXTCAP
from connector.store import tables

from .harness import World
from .process import HUBSPOT

READ, UPDATE, PATCH = "POST /tickets/batch/read", "POST /tickets/batch/update", "PATCH /tickets/:id"


def tries(world: World) -> set[int]:
    """How often tickets have been tried in vain."""
    return {row.attempts for row in world.rows(tables.links)}


def test_a_vendor_that_fails_before_the_first_work_is_left_alone_as_long_as_any_other(world: World) -> None:
    """Making our fields is no reason to call one whose circuit is closed."""
    world.hubspot.fail("error", "GET", "properties", times=None)
    world.ticket()
    world.deliver()

    world.drain()
    first = world.connection()
    world.forget_calls()
    ended = world.drain()

    assert first.failures == world.connection().failures == 1
    assert world.hubspot.calls.total == 0
    assert ended.again_at == first.closed_until


# -- limits


def test_a_limit_is_waited_for_and_costs_no_ticket_a_try(world: World) -> None:
    """The vendor says for how long; until then nobody calls, and afterwards everything goes on at full width."""
    pairs = [world.linked(subject="Before") for _ in range(3)]
    world.hubspot.fail("burst", "POST", "batch/read", retry_after=7.0)
    for ticket, _ in pairs:
        world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()

    ended = world.drain()
    world.forget_calls()
    world.advance(5)
    waiting = world.drain()
    calls = world.hubspot.calls.total
    world.advance(2.1)
    world.settle()

    assert ended.cause is not None
    assert ended.cause.code == "rate_limited"
    assert (waiting.worked, calls) == (0, 0)
    assert tries(world) == {0}
    assert world.connection().failures == 0
    assert all(world.record(record)["subject"] == "After" for _, record in pairs)
    assert world.sent(HUBSPOT, UPDATE) == 1


def test_a_limit_that_one_process_meets_holds_for_all(world: World) -> None:
    """The budget is a row in SQL."""
    ticket, _ = world.linked()
    world.hubspot.fail("burst", "POST", "batch/read", retry_after=7.0)
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()
    world.drain()
    other = SqlBudget(world.new_process().engine.db, HUBSPOT, {}, now=world.clock.now)

    waits = []
    for _ in range(3):
        answer = other.take("default", Lane.CHANGES)
        waits.append(answer.seconds if answer else 0.0)
        world.advance(3.5)

    assert waits == [pytest.approx(7.0), pytest.approx(3.5), 0.0]


def test_a_limit_of_next_cap_lets_what_needs_no_call_of_it_go_on(world: World) -> None:
    """Used up in the middle of a batch: tickets that only HubSpot is told of are done."""
    limited, record = world.linked()
    free, free_record = world.linked(subject="Before")
    world.nextcap.faults.add("status", method="PATCH", status=429, headers={"Retry-After": "20"})
    world.hubspot.set_properties(record, {"subject": "From HubSpot"})
    world.nextcap.set_fields(free, {"subject": "From Next Cap"})
    world.deliver()

    world.drain()

    assert world.record(free_record)["subject"] == "From Next Cap"
    assert world.nextcap.ticket(limited)["subject"] != "From HubSpot"
    assert tries(world) == {0}
    world.advance(21)
    world.settle()
    assert world.nextcap.ticket(limited)["subject"] == "From HubSpot"


# -- outages


def outage(world: World, seconds: float) -> list[datetime]:
    """HubSpot is away for so long; when it was called in vain."""
    asked: list[datetime] = []
    until = world.clock.now() + timedelta(seconds=seconds)
    world.hubspot.stop()
    while world.clock.now() < until:
        before = len(world.process.taps[HUBSPOT].calls)
        ended = world.drain()
        asked += [at for at, _, _ in world.process.taps[HUBSPOT].calls[before:]]
        world.advance(max(0.01, ((ended.again_at or until) - world.clock.now()).total_seconds()))
    world.hubspot.start()
    return asked


def test_an_outage_costs_no_ticket_a_try_and_is_probed_ever_more_slowly(world: World) -> None:
    """The circuit is the connection's; one drain tries at a time, ten minutes apart at most."""
    pairs = [world.linked(subject="Before") for _ in range(3)]
    for ticket, _ in pairs:
        world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()

    asked = outage(world, 3600)
    costs = tries(world)
    world.settle()

    gaps = [(two - one).total_seconds() for one, two in pairwise(asked) if two - one > timedelta(seconds=0.4)]
    assert costs == {0}
    assert 0.4 <= gaps[0] <= 1.5
    assert 300 <= max(gaps) <= 601
    assert all(world.record(record)["subject"] == "After" for _, record in pairs)


def test_webhooks_are_taken_in_during_an_outage(world: World) -> None:
    """What arrives is stored and answered; the newest of it is what is carried in the end."""
    ticket, record = world.linked(subject="Before")
    world.hubspot.stop()
    for number in range(3):
        world.nextcap.set_fields(ticket, {"subject": f"Number {number}"})
        world.deliver(NEXTCAP)
        world.drain()
    world.hubspot.start()

    world.advance(5)
    world.settle()

    assert world.record(record)["subject"] == "Number 2"
    assert world.sent(HUBSPOT, UPDATE) == 1


def test_the_end_of_an_outage_rings_everything_that_waits_for_it_at_once(world: World) -> None:
    """Also a ticket that had failed so often that its own turn would come much later."""
    troubled, record = world.linked(subject="Before")
    other, _ = world.linked(subject="Before")
    world.nextcap.faults.add("status", method="PATCH", path=f"{troubled}$", status=500, times=12)
    world.hubspot.set_properties(record, {"subject": "From HubSpot"})
    world.settle()
    for _ in range(11):
        world.advance((world.due_in(troubled) or 0.0) + 0.01)
        world.settle()
    later = world.due_in(troubled)
    world.nextcap.stop()
    world.hubspot.set_properties(world.record_id(other), {"subject": "Needs Next Cap"})
    world.deliver(HUBSPOT)
    world.drain()
    world.nextcap.start()

    world.advance(2)
    world.settle()

    assert later is not None
    assert later > 100
    assert world.nextcap.ticket(troubled)["subject"] == "From HubSpot"


def test_an_outage_of_next_cap_holds_up_its_connections_without_a_try(world: World) -> None:
    """Both circuits must be closed for traffic."""
    ticket, record = world.linked()
    world.nextcap.stop()
    world.hubspot.set_properties(record, {"subject": "From HubSpot"})
    world.deliver(HUBSPOT)
    ended = world.drain()
    world.forget_calls()

    again = world.drain()
    world.nextcap.start()
    world.advance(5)
    world.settle()

    assert ended.cause is not None
    assert ended.cause.system == NEXTCAP
    assert again.worked in (0, 1)
    assert tries(world) == {0}
    assert world.nextcap.ticket(ticket)["subject"] == "From HubSpot"


def test_credentials_that_are_refused_are_the_connections_trouble(world: World) -> None:
    """Nobody's ticket fails because a token was revoked."""
    ticket, record = world.linked()
    world.hubspot.fail("expired", times=None)
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.deliver()

    ended = world.drain()
    world.hubspot.faults.clear()
    world.advance(61)
    world.settle()

    assert ended.cause is not None
    assert ended.cause.code == "unauthorized"
    assert tries(world) == {0}
    assert world.record(record)["subject"] == "After"


def test_writes_that_fail_while_reads_go_well_are_probed_ever_more_slowly_too(world: World) -> None:
    """A good answer to the read before it does not mean that the write's trouble is over."""
    pairs = [world.linked(subject="Before") for _ in range(2)]
    world.hubspot.fail("unavailable", "POST", "batch/update", times=None)
    for ticket, _ in pairs:
        world.nextcap.set_fields(ticket, {"subject": "After"})

    world.deliver()
    for _ in range(60):
        world.drain()
        world.advance(1)

    assert 3 <= world.sent(HUBSPOT, UPDATE) <= 8
    world.hubspot.faults.clear()
    world.advance(60)
    world.settle()
    assert [world.record(record)["subject"] for _, record in pairs] == ["After", "After"]


def test_a_permission_that_is_lacking_stops_only_who_needs_it(world: World) -> None:
    """Contacts may not be read: a record made in HubSpot waits for a person, the other tickets go on."""
    ticket, record = world.linked(subject="Before")
    refusal = {"category": "MISSING_SCOPES", "message": "no"}
    world.hubspot.faults.add(
        "status", method="POST", path="tickets/contacts/batch/read", status=403, body=refusal, times=None
    )
    world.hubspot.create_ticket("Made in HubSpot")
    world.settle()

    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.settle()
    carried = world.record(record)["subject"]
    (item,) = world.parked()
    world.hubspot.faults.clear()
    operators.retry(world.engine, [int(item["id"])], by="ana")
    world.settle()

    assert (carried, item["code"]) == ("After", "missing_scopes")
    assert "Made in HubSpot" in [one["subject"] for one in world.nextcap.state()["tickets"]]


# -- a ticket's own trouble


def test_a_bad_ticket_is_worked_alone_and_delays_nobody(world: World) -> None:
    """It leaves the batch with its first failure; the others are carried at once, every time."""
    bad, bad_record = world.linked()
    good, good_record = world.linked()
    world.nextcap.faults.add("status", path=f"{bad}$", status=500, times=None)
    world.hubspot.set_properties(bad_record, {"subject": "Bad"})
    world.settle()
    alone = {row.record_id: row.alone for row in world.rows(tables.links)}

    carried = []
    for number in range(8):
        world.advance(30)
        world.settle()
        world.hubspot.set_properties(good_record, {"subject": f"Number {number}"})
        world.deliver()
        world.drain()
        carried.append(world.nextcap.ticket(good)["subject"])

    assert alone == {bad_record: True, good_record: False}
    assert carried == [f"Number {number}" for number in range(8)]
    assert world.link(bad).attempts > 3


def test_a_bad_ticket_alone_does_not_pass_for_an_outage(world: World) -> None:
    """However often one and the same ticket fails, the circuit is open for the next one that needs it."""
    bad, bad_record = world.linked()
    good, good_record = world.linked()
    world.nextcap.faults.add("status", path=f"{bad}(/.*)?$", status=500, times=None)
    world.hubspot.set_properties(bad_record, {"subject": "Bad"})
    for _ in range(12):
        world.settle()
        world.advance((world.due_in(bad) or 0.0) + 0.01)
        world.process.work_alone()

    world.hubspot.set_properties(good_record, {"subject": "Good"})
    world.deliver()
    world.drain()

    assert world.nextcap.ticket(good)["subject"] == "Good"
    assert world.link(bad).attempts > 10


def test_several_tickets_that_fail_in_a_row_are_an_outage(world: World) -> None:
    """Three without a good answer between them: the circuit opens, and the others are not tried one by one."""
    pairs = [world.linked() for _ in range(3)]
    world.nextcap.faults.add("status", path="/tickets/[0-9a-f-]+$", status=500, times=None)
    for _, record in pairs:
        world.hubspot.set_properties(record, {"subject": "After"})
    world.deliver()

    world.drain()

    assert world.connection(NEXTCAP).failures >= 3
    assert world.connection(NEXTCAP).closed_until is not None


def test_a_batch_that_fails_at_once_is_one_failure_of_the_outage(world: World) -> None:
    """However many tickets meet the same moments of trouble: it is tried again in seconds, not in minutes."""
    pairs = [world.linked() for _ in range(6)]
    world.nextcap.faults.add("status", path="/tickets/[0-9a-f-]+$", status=503, times=None)

    for batch in (pairs[:3], pairs[3:]):
        for _, record in batch:
            world.hubspot.set_properties(record, {"subject": "After"})
        world.deliver()
        world.drain()
        closed_until = world.connection(NEXTCAP).closed_until
        assert closed_until is not None
        assert closed_until - world.clock.now() <= timedelta(seconds=4)
        world.advance(4)


def test_the_first_repeat_comes_within_a_second_and_the_later_ones_ever_later(world: World) -> None:
    """From half a second, doubling, to ten minutes."""
    ticket, record = world.linked()
    world.nextcap.faults.add("status", method="PATCH", status=500, times=None)
    world.hubspot.set_properties(record, {"subject": "After"})
    world.deliver()
    world.drain()

    failed_at = world.process.taps[NEXTCAP].calls[-1][0]
    waits = [(world.due_in(ticket) or 0.0) + (world.clock.now() - failed_at).total_seconds()]
    for _ in range(14):
        world.advance(waits[-1] + 0.001)
        (ended,) = world.process.work_alone()
        assert ended.failure is not None
        waits.append(world.due_in(ticket) or 0.0)

    assert 0.5 <= waits[0] <= 1.0
    assert all(0.5 * 2**place <= wait <= 2**place for place, wait in enumerate(waits[:9]))
    assert all(300 <= wait <= 600 for wait in waits[11:])
    assert world.link(ticket).attempts == 15


def test_a_ticket_that_fails_for_three_days_is_left_to_a_person(world: World) -> None:
    """Until then it is tried; then it waits with its reason, and a person may ask for another try."""
    ticket, record = world.linked()
    world.nextcap.faults.add("status", method="PATCH", status=500, times=None)
    world.hubspot.set_properties(record, {"subject": "After"})
    world.settle()
    world.advance(3 * 86_400 - 60)
    world.process.work_alone()
    before = world.parked()

    world.advance(601)
    world.process.work_alone()

    (item,) = world.parked()
    assert before == []
    assert (item["field"], item["code"]) == ("", "http_500")
    assert world.due_in(ticket) is None


def test_a_ticket_that_recovers_is_worked_with_the_others_again(world: World) -> None:
    """Nothing of its failure is left."""
    ticket, record = world.linked()
    world.nextcap.faults.add("status", method="PATCH", status=500)
    world.hubspot.set_properties(record, {"subject": "After"})

    world.settle()
    world.pass_time(3)

    link = world.link(ticket)
    assert world.nextcap.ticket(ticket)["subject"] == "After"
    assert (link.attempts, link.failing_since, link.cause) == (0, None, None)
    assert not world.rows(tables.links)[0].alone


def test_a_locked_record_is_its_own_trouble(world: World) -> None:
    """423 is about one record, not about the account."""
    ticket, record = world.linked()
    world.hubspot.fail("locked", "POST", "batch/update")
    world.nextcap.set_fields(ticket, {"subject": "After"})

    world.settle()
    between = world.link(ticket).attempts
    world.pass_time(5)

    assert between == 1
    assert world.connection().closed_until is None
    assert world.record(record)["subject"] == "After"


@pytest.mark.parametrize("name", [HUBSPOT, NEXTCAP])
def test_what_work_alone_shows_is_the_ticket_the_reason_and_the_time(world: World, name: str) -> None:
    """What Flower is given to show."""
    ticket, record = world.linked()
    if name == HUBSPOT:
        world.hubspot.fail("error", "POST", "batch/update", times=None)
        world.nextcap.set_fields(ticket, {"subject": "After"})
    else:
        world.nextcap.faults.add("status", method="PATCH", status=500, times=None)
        world.hubspot.set_properties(record, {"subject": "After"})
    world.deliver()
    world.drain()
    world.advance(1.1)

    (ended,) = world.process.work_alone()

    assert ended.number == str(world.nextcap.ticket(ticket)["ticket_number"])
    assert ended.failure is not None
    assert "500" in str(ended.failure)
    assert ended.due_at is not None
    assert ended.due_at > world.clock.now()


SOON, REFUSED = RetryLater("no answer", code="no_answer", scope="record"), NeedsReview("which one?", code="ambiguous")


@pytest.mark.parametrize("errors", [(SOON, REFUSED), (REFUSED, SOON)], ids=["again first", "again last"])
def test_of_two_troubles_in_one_pass_none_is_forgotten(world: World, errors: tuple[ConnectorError, ...]) -> None:
    """What can be tried again is, and will meet the other; both are in the journal."""
    ticket, _ = world.linked()
    (work,) = sync.load(world.engine, HUBSPOT, [world.link(ticket)])

    for error in errors:
        work.fail(error)
    finish.finish_all(world.engine, [work])

    assert world.link(ticket).cause_code == "no_answer"
    assert world.due_in(ticket) is not None
    assert {"no_answer", "ambiguous"} <= set(world.codes(ticket))
