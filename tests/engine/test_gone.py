"""Records that are archived, restored or merged: a link ends or follows, and never makes a new record."""

from __future__ import annotations

from connector.store import links, tables

from .harness import World
from .process import HUBSPOT, everywhere

pytestmark = everywhere

UPDATE = "POST /tickets/batch/update"


def live(world: World) -> int:
    """How many HubSpot tickets there are that a person can open."""
    return sum(not one["archived"] and not one["merged_into"] for one in world.hubspot.state()["tickets"])


def test_an_archived_record_makes_its_link_gone_and_is_never_made_anew(world: World) -> None:
    """What Next Cap changes afterwards costs no call and makes no record."""
    ticket, record = world.linked()
    world.hubspot.archive_ticket(record)
    world.settle()
    state = world.link(ticket).state
    world.forget_calls()

    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.nextcap.agent_reply(ticket, "Anybody?")
    world.settle()

    assert state == links.GONE
    assert live(world) == 0
    assert world.hubspot.calls.total == 0


def test_a_record_that_vanished_unannounced_is_not_made_anew(world: World) -> None:
    """The read before the write finds out."""
    ticket, record = world.linked()
    world.hubspot.archive_ticket(record)
    world.mail(HUBSPOT)

    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.settle()

    assert world.link(ticket).state == links.GONE
    assert live(world) == 0


def test_a_record_that_vanishes_between_the_read_and_the_write_is_not_made_anew(world: World) -> None:
    """The write is refused; the next look finds out."""
    ticket, record = world.linked()
    world.process.taps[HUBSPOT].before(UPDATE, lambda: world.hubspot.archive_ticket(record))

    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.pass_time(5)

    assert world.link(ticket).state == links.GONE
    assert live(world) == 0
    assert world.parked() == []


def test_a_restored_record_is_linked_again_and_catches_up(world: World) -> None:
    """What changed meanwhile on either side is carried."""
    ticket, record = world.linked()
    world.hubspot.archive_ticket(record)
    world.settle()
    world.nextcap.set_fields(ticket, {"subject": "Meanwhile"})
    world.nextcap.customer_reply(ticket, "Hello?")
    world.settle()

    world.hubspot.restore_ticket(record)
    world.settle()

    assert world.link(ticket).state == links.ACTIVE
    assert world.record(record)["subject"] == "Meanwhile"
    assert world.notes(record) == ["Hello?"]
    assert live(world) == 1


def test_a_link_follows_a_merge_into_a_record_that_nobody_has(world: World) -> None:
    """The survivor says what the ticket is about from now on, and its notes cross."""
    ticket, record = world.linked(subject="Before")
    world.write_mapping(create="to_crm")
    survivor = world.hubspot.create_ticket("The survivor")
    world.hubspot.write_note(survivor, "<p>Known for long</p>")
    world.settle()
    world.advance(60)

    world.hubspot.merge_tickets(survivor, record)
    world.settle()

    assert world.link(ticket).record_id == survivor
    assert world.nextcap.ticket(ticket)["subject"] == "The survivor"
    assert world.said(ticket, "note") == ["Known for long"]


def test_a_merge_of_two_linked_records_is_left_to_a_person(world: World) -> None:
    """The survivor stays with its own ticket, and nobody's drain stumbles over the other."""
    kept, survivor = world.linked(subject="Kept")
    ended, record = world.linked(subject="Ended")

    world.hubspot.merge_tickets(survivor, record)
    world.settle()
    world.nextcap.set_fields(ended, {"subject": "Alone"})
    world.nextcap.set_fields(kept, {"subject": "Still linked"})
    world.settle()

    assert [(item["code"], item["nextcap_id"]) for item in world.parked()] == [("merged_into_another", ended)]
    assert world.link(kept).record_id == survivor
    assert world.record(survivor)["subject"] == "Still linked"
    assert live(world) == 1
    assert len(world.rows(tables.links)) == 2


def test_a_merge_brings_nothing_of_ours_back_and_mails_no_customer_twice(world: World) -> None:
    """HubSpot moves the notes of what it folds onto the survivor, which is another ticket's record."""
    kept, survivor = world.linked(subject="Kept")
    ended, record = world.linked(subject="Ended")
    world.nextcap.agent_note(ended, "For us alone")
    world.hubspot.write_note(record, "<p>#reply It is on its way</p>")
    world.hubspot.write_note(record, "<p>He is in a hurry</p>")
    world.settle()
    mailed = world.said(ended, "reply")

    world.hubspot.merge_tickets(survivor, record)
    world.hubspot.write_note(survivor, "<p>One ticket from now on</p>")
    world.settle()

    assert mailed == ["It is on its way"]
    assert world.said(ended, "reply") == mailed
    assert world.said(kept, "reply", "note") == ["He is in a hurry", "One ticket from now on"]
    assert {"ours", "sent_already"} <= set(world.codes(kept))


def test_a_merge_that_makes_a_third_record_is_followed_once(world: World) -> None:
    """HubSpot may fold both into a new one: the first link takes it, the other is left to a person."""
    world.hubspot.configure(merge_makes_new_record=True)
    one, first = world.linked(subject="One")
    two, second = world.linked(subject="Two")

    world.hubspot.merge_tickets(first, second)
    world.settle()

    (followed,) = {world.link(ticket).record_id for ticket in (one, two)} - {first, second}
    assert live(world) == 1
    assert followed == next(one["merged_into"] for one in world.hubspot.state()["tickets"] if one["id"] == first)
    assert [item["code"] for item in world.parked()] == ["merged_into_another"]
    assert len(world.nextcap.state()["tickets"]) == 2
