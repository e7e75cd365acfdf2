"""Replies and notes: each crosses once, in the order in which they were made, whatever is lost on the way."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from connector.engine.context import NEXTCAP
from connector.store import effects, tables

from .harness import World
from .losses import LOOKED_FOR, LOST, SENT
from .process import HUBSPOT, everywhere

TIMELINE, REPLY, NOTE = "GET /tickets/:id/events", "POST /tickets/:id/reply", "POST /tickets/:id/notes"
CRM_TIMELINE, CRM_NOTE = "POST /tickets/notes/batch/read", "POST /notes"


# -- once and in order


@everywhere
def test_comments_cross_once_in_the_order_in_which_they_were_made(world: World) -> None:
    """Replies of agents, of the customer, and notes, in one pass."""
    ticket, record = world.linked()
    world.nextcap.customer_reply(ticket, "First")
    world.nextcap.agent_reply(ticket, "Second")
    world.nextcap.agent_note(ticket, "Third")
    world.nextcap.customer_reply(ticket, "Fourth")

    world.settle()
    world.nextcap.agent_reply(ticket, "Fifth")
    world.settle()
    world.poll()
    world.settle()

    assert world.notes(record) == ["First", "Second", "Third", "Fourth", "Fifth"]
    assert world.said(ticket, "reply", "customer_reply", "note") == ["First", "Second", "Third", "Fourth", "Fifth"]


def test_hubspots_notes_cross_in_order_and_a_marked_one_reaches_the_customer(world: World) -> None:
    """A note stays internal unless it begins with the mapping's marker."""
    ticket, record = world.linked()
    for text in ("<p>First</p>", "<p>#reply Second</p>", "<p>Third</p>"):
        world.hubspot.write_note(record, text)
        world.advance(1)

    world.settle()

    assert world.said(ticket, "note", "reply") == ["First", "Second", "Third"]
    assert world.said(ticket, "reply") == ["Second"]
    assert [mail["content"] for mail in world.nextcap.state()["emails"]] == ["Second"]


# -- answers that were lost


@pytest.mark.parametrize("how", LOST)
@pytest.mark.parametrize(("text", "call"), [("<p>#reply Yes</p>", REPLY), ("<p>Yes</p>", NOTE)])
def test_a_lost_answer_of_next_cap_doubles_nothing_and_loses_nothing(
    world: World, how: str, text: str, call: str
) -> None:
    """Next Cap knows no idempotency: the timeline is looked at, once or twice, before anything is sent again."""
    ticket, record = world.linked()
    world.silent = {NEXTCAP}
    world.nextcap.faults.add(method="POST", path=f"/{call.rpartition('/')[2]}$", **LOST[how])
    world.hubspot.write_note(record, text)

    world.pass_time(45)

    assert world.said(ticket, "reply", "note") == ["Yes"]
    assert world.moments(NEXTCAP, call) == SENT[how]
    assert world.moments(NEXTCAP, TIMELINE) == LOOKED_FOR[how]
    assert world.notes(record) == [text.removeprefix("<p>").removesuffix("</p>")]


@pytest.mark.parametrize("how", LOST)
def test_a_lost_answer_of_hubspot_doubles_nothing_and_loses_nothing(world: World, how: str) -> None:
    """The note carries a mark of its effect, by which it is found again."""
    ticket, record = world.linked()
    world.silent = {HUBSPOT}
    world.hubspot.faults.add(method="POST", path="objects/[0-9-]+/notes$", **LOST[how])
    world.nextcap.agent_reply(ticket, "Yes")

    world.pass_time(45)

    assert world.notes(record) == ["Yes"]
    assert world.moments(HUBSPOT, CRM_NOTE) == SENT[how]
    assert world.moments(HUBSPOT, CRM_TIMELINE) == LOOKED_FOR[how]
    assert world.said(ticket, "reply", "note") == ["Yes"]


@pytest.mark.parametrize("how", LOST)
def test_a_lost_batch_of_notes_doubles_nothing_and_loses_nothing(world: World, how: str) -> None:
    """Two tickets share a call; both outcomes are looked for."""
    pairs = [world.linked() for _ in range(2)]
    world.hubspot.faults.add(method="POST", path="notes/batch/create$", **LOST[how])
    for ticket, _ in pairs:
        world.nextcap.agent_reply(ticket, "Yes")

    world.pass_time(45)

    assert [world.notes(record) for _, record in pairs] == [["Yes"], ["Yes"]]


@pytest.mark.parametrize("how", LOST)
def test_two_equal_texts_stay_two(world: World, how: str) -> None:
    """The entry that answers for the first is not taken for the second."""
    ticket, record = world.linked()
    world.nextcap.faults.add(method="POST", path="/notes$", **LOST[how])
    world.hubspot.write_note(record, "<p>ok</p>")
    world.hubspot.write_note(record, "<p>ok</p>")

    world.pass_time(45)

    assert world.said(ticket, "note") == ["ok", "ok"]
    assert world.notes(record) == ["ok", "ok"]


def test_an_entry_is_adopted_by_one_effect_only(world: World) -> None:
    """The database says so, whoever asks."""
    ticket, record = world.linked()
    for text in ("One", "Two"):
        world.hubspot.write_note(record, f"<p>{text}</p>")
    world.settle()
    one, two = (row for row in world.effects(ticket) if row.kind == "comment")

    def adopt_again() -> None:
        with world.engine.db.write() as connection:
            effects.done(connection, two.id, one.remote_id)

    with pytest.raises(sa.exc.IntegrityError):
        adopt_again()


def test_whoever_replies_and_closes_in_the_crm_is_not_undone_by_what_the_reply_moved(world: World) -> None:
    """Next Cap waits for the customer after our reply; its webhook comes together with HubSpot's."""
    world.nextcap.configure(agent_reply_waits=True)
    ticket, record = world.linked()
    world.nextcap.set_fields(ticket, {"status": "in_progress"})
    world.settle()
    world.hubspot.write_note(record, "<p>#reply It is mended</p>")
    world.deliver(HUBSPOT)
    world.drain()
    world.drain()
    assert world.said(ticket, "reply") == ["It is mended"]
    assert world.nextcap.ticket(ticket)["status"] == "waiting_customer"

    world.hubspot.move_stage(record, "Closed")
    world.settle()

    assert world.nextcap.ticket(ticket)["status"] == "resolved"
    assert world.stage(record) == "Closed"


def test_an_entry_that_an_open_write_may_have_made_is_not_carried_back(world: World) -> None:
    """While nobody knows who wrote it, it waits for the probe."""
    ticket, record = world.linked()
    world.nextcap.faults.add("lost_answer", method="POST", path="/reply$")
    world.hubspot.write_note(record, "<p>#reply Yes</p>")
    world.settle()

    world.nextcap.customer_reply(ticket, "Thanks")
    world.settle()
    between = world.notes(record)
    world.pass_time(45)

    assert between == ["#reply Yes", "Thanks"]
    assert world.notes(record) == ["#reply Yes", "Thanks"]
    assert world.said(ticket, "reply", "customer_reply") == ["Yes", "Thanks"]


def test_a_ticket_that_becomes_invisible_while_a_reply_is_in_doubt_stops_nobody(world: World) -> None:
    """The probe is refused: that is this ticket's own trouble."""
    ticket, record = world.linked(widget="widget-shop")
    other, other_record = world.linked(subject="Before")
    world.nextcap.faults.add("lost_answer", method="POST", path="/reply$")
    world.hubspot.write_note(record, "<p>#reply Yes</p>")
    world.settle()

    world.nextcap.configure(widgets=["widget-main"])
    world.advance(11)
    world.hubspot.set_properties(other_record, {"subject": "After"})
    world.settle()

    assert world.nextcap.ticket(other)["subject"] == "After"
    assert world.said(ticket, "reply") == ["Yes"]


# -- order between comments and statuses


@everywhere
def test_a_comment_waits_for_the_one_before_it(world: World) -> None:
    """The first is in doubt: the second is not sent ahead of it."""
    ticket, record = world.linked()
    world.nextcap.faults.add("drop_before", method="POST", path="/reply$")
    for text in ("First", "Second"):
        world.hubspot.write_note(record, f"<p>#reply {text}</p>")
        world.advance(1)

    world.pass_time(45)

    assert world.said(ticket, "reply") == ["First", "Second"]


def test_a_status_never_goes_ahead_of_a_reply_made_before_it_to_hubspot(world: World) -> None:
    """The stage waits until the note is there."""
    ticket, record = world.linked()
    world.hubspot.faults.add("status", method="POST", path="/notes$", status=502)
    world.nextcap.agent_reply(ticket, "Please try again")
    world.nextcap.move(ticket, "open")
    world.nextcap.move(ticket, "waiting_customer")

    world.settle()
    between = (world.notes(record), world.stage(record))
    world.pass_time(10)

    assert between == ([], "New")
    assert (world.notes(record), world.stage(record)) == (["Please try again"], "Waiting on contact")


def test_a_status_never_goes_ahead_of_a_reply_made_before_it_to_next_cap(world: World) -> None:
    """The walk waits until the reply is there."""
    ticket, record = world.linked()
    world.nextcap.faults.add("status", method="POST", path="/reply$", status=502)
    world.hubspot.write_note(record, "<p>#reply Please try again</p>")
    world.hubspot.move_stage(record, "Waiting on contact")

    world.settle()
    between = (world.said(ticket, "reply"), world.nextcap.ticket(ticket)["status"])
    world.pass_time(10)

    assert between == ([], "new")
    assert world.said(ticket, "reply") == ["Please try again"]
    assert world.nextcap.ticket(ticket)["status"] == "waiting_customer"


def test_fields_do_not_wait_for_a_reply(world: World) -> None:
    """Only the status says something about the conversation."""
    ticket, record = world.linked()
    world.hubspot.faults.add("status", method="POST", path="/notes$", status=502)
    world.nextcap.agent_reply(ticket, "Please try again")
    world.nextcap.set_fields(ticket, {"priority": "urgent"})

    world.settle()

    assert world.record(record)["hs_ticket_priority"] == "URGENT"


def test_a_refused_comment_parks_alone_and_can_be_tried_again(world: World) -> None:
    """The later ones and the status go on, and it is no trouble of the connection that they had to wait."""
    ticket, record = world.linked()
    world.nextcap.configure(content_limit=20)
    for text in ("#reply Far too long for this imitation", "#reply Short"):
        world.hubspot.write_note(record, f"<p>{text}</p>")
        world.advance(1)
    world.hubspot.move_stage(record, "Waiting on contact")

    world.settle()

    (item,) = world.parked()
    assert item["field"].startswith("comment:crm:")
    assert world.said(ticket, "reply") == ["Short"]
    assert world.nextcap.ticket(ticket)["status"] == "waiting_customer"
    assert [row.state for row in world.rows(tables.effects, kind="comment")] == ["refused", "done"]
    assert "held_back" not in str(world.rows(tables.journal))


def test_a_refusal_that_nobody_was_told_of_is_no_refusal(world: World) -> None:
    """The process dies between the refusal and the end of its pass: a person is asked, or it goes through meanwhile."""
    ticket, record = world.linked()
    world.nextcap.agent_reply(ticket, "Refused once")
    world.hubspot.set_properties(record, {"subject": "Changed"})
    world.hubspot.faults.add("status", method="POST", path="/notes$", status=400)
    world.deliver()
    world.process.taps[NEXTCAP].before("PATCH /tickets/:id", world.process.life.end)

    world.process.die(world.drain)
    world.restart()
    world.pass_time(90)

    assert world.notes(record) == ["Refused once"]
    assert world.parked() == []


def test_what_a_reply_of_ours_moved_is_the_new_start_of_the_walk(world: World) -> None:
    """Next Cap's automation moves the ticket because of our reply; the agent's close in HubSpot still counts."""
    world.nextcap.configure(agent_reply_waits=True)
    ticket, record = world.linked()
    world.nextcap.move(ticket, "open")
    world.settle()
    world.advance(60)
    world.hubspot.write_note(record, "<p>#reply Done</p>")
    world.hubspot.move_stage(record, "Closed")

    world.settle()

    assert world.nextcap.ticket(ticket)["status"] == "resolved"
    assert world.stage(record) == "Closed"
    assert world.nextcap.state()["illegal_moves"] == []


def test_what_a_reply_of_ours_moved_is_known_even_if_its_answer_was_lost(world: World) -> None:
    """The reply is adopted later; what it moved is still its doing."""
    world.nextcap.configure(agent_reply_waits=True)
    ticket, record = world.linked()
    world.nextcap.move(ticket, "open")
    world.settle()
    world.advance(60)
    world.nextcap.faults.add("lost_answer", method="POST", path="/reply$")
    world.hubspot.write_note(record, "<p>#reply Done</p>")
    world.hubspot.move_stage(record, "Closed")

    world.pass_time(45)

    assert world.said(ticket, "reply") == ["Done"]
    assert (world.nextcap.ticket(ticket)["status"], world.stage(record)) == ("resolved", "Closed")


# -- closes that could not know


def test_a_close_that_could_not_know_of_the_customers_reply_is_not_applied(world: World) -> None:
    """HubSpot is opened again, and shown the reply."""
    ticket, record = world.linked()
    world.nextcap.move(ticket, "open")
    world.settle()
    world.nextcap.customer_reply(ticket, "It broke again")
    world.advance(5)
    world.hubspot.move_stage(record, "Closed")

    world.settle()

    assert world.nextcap.ticket(ticket)["status"] == "open"
    assert world.stage(record) == "Waiting on us"
    assert world.notes(record) == ["It broke again"]


def test_a_close_is_not_applied_where_the_customers_reply_was_not_announced(world: World) -> None:
    """Its webhook is still on its way when HubSpot's close comes: the timeline is looked at before closing."""
    ticket, record = world.linked()
    world.nextcap.move(ticket, "open")
    world.settle()
    world.nextcap.customer_reply(ticket, "It broke again")
    late = world.mail(NEXTCAP)
    world.advance(5)
    world.hubspot.move_stage(record, "Closed")

    world.settle()
    for parcel in late:
        world.post(parcel)
    world.settle()

    assert world.nextcap.ticket(ticket)["status"] == "open"
    assert world.stage(record) == "Waiting on us"
    assert world.notes(record) == ["It broke again"]


def test_a_close_race_may_ask_instead(world: World) -> None:
    """`close_race: ask` holds the status and leaves both sides as they are."""
    world.write_mapping(status={"close_race": "ask"})
    ticket, record = world.linked()
    world.nextcap.move(ticket, "open")
    world.settle()
    world.nextcap.customer_reply(ticket, "It broke again")
    world.hubspot.move_stage(record, "Closed")

    world.settle()

    assert [item["code"] for item in world.parked()] == ["close_race"]
    assert (world.nextcap.ticket(ticket)["status"], world.stage(record)) == ("open", "Closed")


def test_a_close_that_knew_of_the_customers_reply_is_applied(world: World) -> None:
    """The reply was shown in HubSpot before somebody closed there."""
    ticket, record = world.linked()
    world.nextcap.customer_reply(ticket, "It works now")
    world.settle()
    world.advance(60)

    world.hubspot.move_stage(record, "Closed")
    world.settle()

    assert world.nextcap.ticket(ticket)["status"] == "resolved"
