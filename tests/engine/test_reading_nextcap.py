"""Rules of reading: what a payload of Next Cap may be taken for, and what it may not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.engine.context import NEXTCAP
from connector.sandbox.nextcap_web import CRM
from connector.store import readings, tables

from .harness import Parcel, World, json_of
from .process import everywhere

ONE, TIMELINE, ALL = f"{CRM}/tickets/<ticket_id>", f"{CRM}/tickets/<ticket_id>/events", f"{CRM}/tickets"


def test_a_payload_with_the_whole_ticket_saves_the_read(world: World) -> None:
    """The webhook named every mapped field, so Next Cap is not asked."""
    ticket, record = world.linked(subject="Before")

    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.settle()

    assert world.record(record)["subject"] == "After"
    assert world.nextcap.calls.total == 0


@pytest.mark.parametrize("left_out", ["tags", "assigned_agent_id", "updated_at"])
def test_a_payload_that_leaves_a_mapped_field_out_is_only_a_doorbell(world: World, left_out: str) -> None:
    """What it does say is not taken; the ticket is read instead."""
    ticket, record = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "After"})
    told = {name: value for name, value in json_of(world.mail(NEXTCAP)[0])["data"].items() if name != left_out}

    world.post(world.forge("ticket.updated", **{**told, "subject": "Not taken"}))
    world.drain()

    assert world.record(record)["subject"] == "After"
    assert world.nextcap.calls.count("GET", ONE) == 1


def test_a_payload_that_only_names_its_ticket_is_a_doorbell(world: World) -> None:
    """Both forms of payload lead to the same end."""
    ticket, record = world.linked(subject="Before")
    world.nextcap.configure(payload="id_only")

    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.settle()

    assert world.record(record)["subject"] == "After"
    assert world.nextcap.calls.count("GET", ONE) == 1


def two_changes(world: World, ticket: str) -> tuple[Parcel, Parcel]:
    """Two webhooks about the subject: of `First`, and of `Second`, which is what the ticket says now."""
    world.nextcap.set_fields(ticket, {"subject": "First"})
    (first,) = world.mail(NEXTCAP)
    world.advance(1)
    world.nextcap.set_fields(ticket, {"subject": "Second"})
    (second,) = world.mail(NEXTCAP)
    return first, second


def test_payloads_that_come_in_the_wrong_order_end_at_the_newest(world: World) -> None:
    """The older one is known to be stale by its ticket's own time, and costs nothing."""
    ticket, record = world.linked()
    first, second = two_changes(world, ticket)

    world.post(second)
    world.post(first)
    world.drain()

    assert world.record(record)["subject"] == "Second"
    assert world.outcomes()[-1] == "stale: a newer reading is known"
    assert world.nextcap.calls.total == 0


def test_a_payload_that_comes_after_its_successor_was_carried_rings_no_bell(world: World) -> None:
    """Nothing goes back in time."""
    ticket, record = world.linked()
    first, second = two_changes(world, ticket)
    world.post(second)
    world.drain()

    world.post(first)

    assert world.due_in(ticket) is None
    assert world.reading(ticket)["subject"] == "Second"
    assert world.record(record)["subject"] == "Second"


def test_a_reading_is_compared_where_it_is_stored(world: World) -> None:
    """Between two processes only the comparison inside the UPDATE decides."""
    ticket, _ = world.linked()
    row = world.link(ticket).ticket
    assert row.version is not None
    newer, older = row.version + timedelta(seconds=2), row.version + timedelta(seconds=1)

    with world.engine.db.write() as connection:
        for version, number in ((newer, "first"), (older, "second"), (newer, "third")):
            reading = readings.Reading(row.id, {"fields": {}}, version, number, {})
            readings.store(connection, [reading], world.clock.now())

    assert world.link(ticket).ticket.version == newer
    assert world.link(ticket).ticket.number == "first"


def test_a_read_never_replaces_a_newer_reading_that_came_meanwhile(world: World) -> None:
    """A webhook that arrives while the older state is being worked is not lost."""
    ticket, record = world.linked(subject="Before")
    world.nextcap.configure(payload="id_only")
    world.nextcap.set_fields(ticket, {"subject": "First"})
    world.deliver(NEXTCAP)
    world.nextcap.configure(payload="full")

    def meanwhile() -> None:
        world.advance(1)
        world.nextcap.set_fields(ticket, {"subject": "Second"})
        world.deliver(NEXTCAP)

    world.process.taps[NEXTCAP].after("GET /tickets/:id", meanwhile)
    world.settle()

    assert world.record(record)["subject"] == "Second"
    assert world.reading(ticket)["subject"] == "Second"


def test_a_payload_made_before_our_own_write_is_stale(world: World) -> None:
    """The answer to our write is newer than a webhook that was sent before it and comes after it."""
    ticket, record = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"priority": "urgent"})
    (late,) = world.mail(NEXTCAP)
    world.advance(3)
    world.hubspot.set_properties(record, {"subject": "From HubSpot"})
    world.settle()
    world.forget_calls()

    world.post(late)
    world.settle()

    assert world.outcomes()[-1] == "stale: a newer reading is known"
    assert world.nextcap.ticket(ticket)["subject"] == "From HubSpot"
    assert world.record(record)["hs_ticket_priority"] == "URGENT"
    assert world.nextcap.calls.total == world.hubspot.calls.total == 0


def test_our_own_write_coming_back_from_next_cap_costs_no_call(world: World) -> None:
    """The echo says what the answer to our write said."""
    _, record = world.linked(subject="Before")
    world.hubspot.set_properties(record, {"subject": "After"})
    world.deliver()
    world.drain()
    world.forget_calls()

    (echo,) = world.deliver(NEXTCAP)
    world.drain()

    assert json_of(echo)["data"]["subject"] == "After"
    assert world.outcomes()[-1] == "echo: says what is known already"
    assert world.nextcap.calls.total == world.hubspot.calls.total == 0


def test_another_reading_of_the_same_moment_is_not_believed(world: World) -> None:
    """Two changes within one tick of Next Cap's clock cannot be ordered: the ticket is read."""
    ticket, record = world.linked(subject="Before")
    world.nextcap.set_fields(ticket, {"subject": "After"})
    (parcel,) = world.deliver(NEXTCAP)
    world.drain()

    world.post(world.forge("ticket.updated", **{**json_of(parcel)["data"], "subject": "Another"}))
    world.drain()

    assert world.nextcap.calls.count("GET", ONE) == 1
    assert world.record(record)["subject"] == "After"


def test_only_fields_are_taken_from_a_payload(world: World) -> None:
    """What was said is read from the timeline, never taken from a webhook."""
    ticket, record = world.linked()
    world.nextcap.agent_reply(ticket, "What was said")
    told = json_of(world.mail(NEXTCAP)[0])["data"]

    world.post(world.forge("ticket.reply", **{**told, "content": "What the webhook says"}))
    world.settle()

    assert world.notes(record) == ["What was said"]


def test_a_delivery_that_comes_twice_is_stored_once_and_marks_its_ticket_twice(world: World) -> None:
    """The first may have been lost after it was stored; nobody can know, so the second rings too."""
    ticket, record = world.linked()
    world.nextcap.configure(payload="id_only")
    world.nextcap.set_fields(ticket, {"subject": "After"})
    (parcel,) = world.mail(NEXTCAP)
    stored = len(world.rows(tables.deliveries))
    world.post(parcel)
    world.drain()

    world.post(parcel)

    assert len(world.rows(tables.deliveries)) == stored + 1
    assert world.rows(tables.deliveries)[-1].seen == 2
    assert world.due_in(ticket) == 0
    assert world.record(record)["subject"] == "After"


def test_clocks_of_two_vendors_are_never_compared(world: World) -> None:
    """HubSpot's clock goes ten hours ahead; both directions still work."""
    world.hubspot.clock.advance(36_000)
    ticket, record = world.linked(subject="Before")

    world.nextcap.set_fields(ticket, {"subject": "From Next Cap"})
    world.settle()
    carried = world.record(record)["subject"]
    world.hubspot.set_properties(record, {"subject": "From HubSpot"})
    world.settle()

    assert carried == "From Next Cap"
    assert world.nextcap.ticket(ticket)["subject"] == "From HubSpot"


def test_characters_that_no_store_holds_stop_nothing(world: World) -> None:
    """A NUL is left out, half a surrogate pair is replaced; what was said with one crosses too."""
    ticket, record = world.linked()
    world.nextcap.set_fields(ticket, {"subject": "A\0B"})
    told = json_of(world.mail(NEXTCAP)[0])["data"]

    world.post(world.forge("ticket.updated", **{**told, "subject": "A\0B\ud83dC"}))
    world.drain()
    subject = world.record(record)["subject"]
    world.nextcap.customer_reply(ticket, "One\0Two")
    world.settle()

    assert subject == "AB\ufffdC"
    assert world.notes(record) == ["OneTwo"]


# -- what is read when


def test_a_field_that_changed_costs_no_look_at_the_timeline(world: World) -> None:
    """The timeline is read where something was said, not where a field explains that the ticket moved."""
    ticket, _ = world.linked()

    world.nextcap.set_fields(ticket, {"priority": "high"})
    world.settle()

    assert world.nextcap.calls.count("GET", TIMELINE) == 0


def test_a_reply_has_the_timeline_read_once(world: World) -> None:
    """Its delivery says that something was said."""
    ticket, record = world.linked()

    world.nextcap.customer_reply(ticket, "Any news?")
    world.settle()

    assert world.nextcap.calls.count("GET", TIMELINE) == 1
    assert world.notes(record) == ["Any news?"]


def test_a_new_ticket_has_its_timeline_read(world: World) -> None:
    """What was said before we heard of it crosses too."""
    ticket = world.ticket()
    world.nextcap.agent_note(ticket, "Called her already")

    world.settle()

    assert world.notes(world.record_id(ticket)) == ["Called her already"]


def test_a_note_rings_no_bell_and_is_found_by_the_poll_in_one_call(world: World) -> None:
    """The ticket moved and no mapped field differs, so its timeline must have."""
    ticket, record = world.linked()
    world.nextcap.agent_note(ticket, "Is a key customer")
    assert world.mail() == []

    marked = world.poll()
    listed = world.nextcap.calls.total
    world.settle()

    assert (marked, listed) == (1, 1)
    assert world.nextcap.calls.count("GET", ALL) == 1
    assert world.nextcap.calls.count("GET", TIMELINE) == 1
    assert world.notes(record) == ["Is a key customer"]


def test_a_poll_that_finds_nothing_new_marks_nothing(world: World) -> None:
    """What webhooks told already is not worked again."""
    ticket, _ = world.linked()
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.settle()

    assert world.poll() == 0


def test_a_note_hidden_by_a_later_webhook_is_found_when_the_ticket_is_quiet(world: World) -> None:
    """The webhook's reading is newer than the note, so the list alone would not show that it is there."""
    ticket, record = world.linked()
    world.nextcap.agent_note(ticket, "Hidden")
    world.advance(1)
    world.nextcap.set_fields(ticket, {"subject": "After"})
    world.settle()

    at_once = world.poll()
    world.advance(6)
    later = world.poll()
    world.settle()

    assert (at_once, later) == (0, 1)
    assert world.notes(record) == ["Hidden"]


def look_when_quiet(world: World) -> None:
    """A poll after nothing has happened for a while."""
    world.advance(6)
    world.poll()
    world.settle()


def test_a_note_hidden_by_our_own_write_is_found_too(world: World) -> None:
    """The answer to our write must not pass for a look at the timeline."""
    ticket, record = world.linked()
    world.nextcap.agent_note(ticket, "Hidden")
    world.advance(1)
    world.hubspot.set_properties(record, {"subject": "From HubSpot"})
    world.settle()

    look_when_quiet(world)

    assert world.nextcap.ticket(ticket)["subject"] == "From HubSpot"
    assert world.notes(record) == ["Hidden"]


def test_a_reply_hidden_by_our_own_write_is_found_on_a_ticket_that_we_made(world: World) -> None:
    """Its timeline was never looked at, since nothing was said on it yet: that is no look at what came later."""
    record = world.hubspot.create_ticket("Called us")
    world.settle()
    ticket = str(world.nextcap.state()["tickets"][-1]["id"])
    world.advance(60)
    world.nextcap.customer_reply(ticket, "Hidden")
    world.mail(NEXTCAP)
    world.advance(1)
    world.hubspot.set_properties(record, {"subject": "From HubSpot"})
    world.settle()

    look_when_quiet(world)

    assert world.nextcap.ticket(ticket)["subject"] == "From HubSpot"
    assert world.notes(record) == ["Hidden"]


def test_a_ticket_that_no_webhook_told_of_is_found_by_the_poll(world: World) -> None:
    """The poll makes up for a lost delivery."""
    ticket = world.ticket(subject="Lost")
    world.mail()

    world.poll()
    world.settle()

    assert world.record(world.record_id(ticket))["subject"] == "Lost"


# -- tickets that our seat may not see


@everywhere
@pytest.mark.parametrize("payload", ["id_only", "full"])
def test_a_ticket_of_another_widget_costs_no_call_for_a_day(world: World, payload: str) -> None:
    """Asked once, remembered, and asked again after 24 hours."""
    world.nextcap.configure(widgets=["widget-main"], payload=payload)
    ticket = world.ticket(widget="widget-shop")
    world.settle()
    assert world.hubspot.tickets_of(ticket) == []
    world.forget_calls()

    world.nextcap.set_fields(ticket, {"subject": "Again"})
    world.settle()
    within_a_day = world.nextcap.calls.total
    world.advance(86_401)
    world.nextcap.configure(widgets=["widget-main", "widget-shop"])
    world.nextcap.set_fields(ticket, {"subject": "Seen"})
    world.settle()

    assert within_a_day == 0
    assert world.record(world.record_id(ticket))["subject"] == "Seen"


def test_what_hubspot_changed_while_a_ticket_was_not_visible_is_not_forgotten(world: World) -> None:
    """The mark is kept until the ticket can be seen again."""
    ticket, record = world.linked(widget="widget-shop")
    world.nextcap.configure(widgets=["widget-main"])
    world.hubspot.set_properties(record, {"subject": "From HubSpot"})
    world.settle()
    world.nextcap.configure(widgets=["widget-main", "widget-shop"])
    world.advance(86_401)

    world.nextcap.set_fields(ticket, {"priority": "high"})
    world.settle()

    assert world.nextcap.ticket(ticket)["subject"] == "From HubSpot"
