"""The promises of the main job, each played once over real HTTP."""

from __future__ import annotations

from typing import Any

from .world import LISTENERS_SECRET, World, eventually


def opened(world: World, **fields: Any) -> tuple[str, dict[str, Any]]:
    """A ticket of a customer, and its HubSpot record once it is there."""
    body = {"subject": "Printer on fire", "description": "It burns.", "customer_email": "cus@home.example", **fields}
    ticket = world.nextcap.create_ticket(**body)["id"]
    eventually(lambda: bool(world.hubspot.tickets_of(ticket)), what="the HubSpot ticket")
    return ticket, world.record(ticket)


def notes(world: World, ticket: str) -> list[str]:
    return [note["body"] for note in world.record(ticket)["notes"]]


def test_a_new_ticket_is_created_once_with_its_customer(world: World) -> None:
    ticket, record = opened(
        world, customer_name="Cus Tomer", priority="high", tags=["b", "a"], category="Billing Issue"
    )

    properties = record["properties"]
    assert properties["subject"] == "Printer on fire"
    assert properties["content"] == "It burns."
    assert properties["hs_ticket_priority"] == "HIGH"
    assert properties["nextcap_tags"] == "a; b"
    assert properties["hs_ticket_category"] == "BILLING_ISSUE"
    assert ticket in properties["nextcap_ticket_url"]
    assert record["stage"] == "New"
    eventually(lambda: len(world.record(ticket)["contacts"]) == 1, what="the contact")


def test_every_status_reaches_its_stage(world: World) -> None:
    ticket, _ = opened(world)
    for status, stage in (
        ("open", "Waiting on us"),
        ("waiting_customer", "Waiting on contact"),
        ("in_progress", "Waiting on us"),
        ("waiting_internal", "Waiting on us"),
        ("resolved", "Closed"),
        ("reopened", "Waiting on us"),
        ("closed", "Closed"),
    ):
        world.nextcap.move(ticket, status)
        eventually(
            lambda status=status, stage=stage: (
                world.record(ticket)["stage"] == stage
                and world.record(ticket)["properties"]["nextcap_status"] == status
            ),
            what=f"{status} → {stage}",
        )


def test_a_stage_walks_the_state_machine_by_legal_moves(world: World) -> None:
    """From new to resolved is two moves; nothing illegal is tried."""
    ticket, record = opened(world)
    before = len(world.nextcap.state()["illegal_moves"])

    world.hubspot.move_stage(record["id"], "Closed")

    eventually(lambda: world.nextcap.ticket(ticket)["status"] == "resolved")
    moves = [entry["new_value"] for entry in world.nextcap.timeline(ticket) if entry["type"] == "status_changed"]
    assert moves == ["open", "resolved"]
    assert len(world.nextcap.state()["illegal_moves"]) == before


def test_in_progress_survives_a_change_of_another_field_in_hubspot(world: World) -> None:
    """`in_progress` and `open` share a stage, and that loss is never itself a change."""
    ticket, record = opened(world)
    world.nextcap.move(ticket, "in_progress")
    eventually(lambda: world.record(ticket)["stage"] == "Waiting on us")

    world.hubspot.set_properties(record["id"], {"hs_ticket_priority": "URGENT"})

    eventually(lambda: world.nextcap.ticket(ticket)["priority"] == "urgent")
    assert world.nextcap.ticket(ticket)["status"] == "in_progress"


def test_replies_and_notes_reach_hubspot_once_and_in_order(world: World) -> None:
    ticket, _ = opened(world)

    world.nextcap.customer_reply(ticket, "Are you there?")
    world.nextcap.agent_note(ticket, "He sounds worried")
    world.nextcap.agent_reply(ticket, "On our way")

    eventually(lambda: len(notes(world, ticket)) == 3, what="three notes")
    records = sorted(world.record(ticket)["notes"], key=lambda note: str(note["timestamp"]))
    for words, note in zip(("Are you there?", "He sounds worried", "On our way"), records, strict=True):
        assert words in note["body"]


def test_a_hubspot_note_becomes_an_internal_note_and_only_a_marked_one_a_reply(world: World) -> None:
    """A note can never become public by itself."""
    ticket, record = opened(world)
    mails = len(world.nextcap.state()["emails"])

    world.hubspot.write_note(record["id"], "<p>Between <b>us</b></p>")
    world.hubspot.write_note(record["id"], "<p>#reply We are coming</p>")

    eventually(lambda: len(world.nextcap.state()["emails"]) == mails + 1, what="the mail")
    eventually(lambda: len([e for e in world.nextcap.timeline(ticket) if e["type"] in ("note", "reply")]) == 2)
    note, reply = [entry for entry in world.nextcap.timeline(ticket) if entry["type"] in ("note", "reply")]
    assert note["is_internal"] is True
    assert "Between us" in note["content"]
    assert reply["content"] == "We are coming"
    assert world.nextcap.state()["emails"][-1]["content"] == "We are coming"


def test_the_assignee_travels_by_email_both_ways(world: World) -> None:
    ticket, record = opened(world)
    owner = {person["email"]: person["id"] for person in world.hubspot.state()["owners"]}["ben@acme.example"]
    ben = {person["email"]: person["id"] for person in world.nextcap.state()["members"]}["ben@acme.example"]

    world.nextcap.assign(ticket, "ben@acme.example")
    eventually(lambda: world.record(ticket)["properties"].get("hubspot_owner_id") == owner, what="the owner")
    world.hubspot.set_properties(record["id"], {"hubspot_owner_id": ""})
    eventually(lambda: world.nextcap.ticket(ticket)["assigned_agent_id"] is None, what="unassigned")
    world.hubspot.set_properties(record["id"], {"hubspot_owner_id": owner})

    eventually(lambda: world.nextcap.ticket(ticket)["assigned_agent_id"] == ben, what="the assignee")


def test_a_ticket_made_by_a_person_in_hubspot_is_made_in_next_cap_once(world: World) -> None:
    before = len(world.nextcap.state()["tickets"])

    record = world.hubspot.create_ticket(
        "Called us", "About the bill", stage="Waiting on us", contact="joe@home.example"
    )

    eventually(lambda: bool(world.hubspot.ticket(record)["properties"].get("nextcap_ticket_id")), what="our id")
    made = world.nextcap.ticket(world.hubspot.ticket(record)["properties"]["nextcap_ticket_id"])
    assert made["subject"] == "Called us"
    assert made["customer_email"] == "joe@home.example"
    assert made["metadata"]["hubspot"] == record
    eventually(lambda: world.nextcap.ticket(made["id"])["status"] == "open", what="the status")
    assert len(world.nextcap.state()["tickets"]) == before + 1


def test_a_customer_who_writes_again_reopens_the_ticket_on_both_sides(world: World) -> None:
    ticket, record = opened(world)
    world.hubspot.move_stage(record["id"], "Closed")
    eventually(lambda: world.nextcap.ticket(ticket)["status"] == "resolved")

    world.nextcap.customer_reply(ticket, "It burns again")

    eventually(lambda: world.record(ticket)["stage"] == "Waiting on us", what="reopened in HubSpot")
    assert world.nextcap.ticket(ticket)["status"] == "reopened"
    eventually(lambda: len(notes(world, ticket)) == 1)


def test_a_listener_hears_of_a_ticket_in_order(world: World) -> None:
    """Signed, and each thing once, whoever of the processes saw it first."""
    ticket, record = opened(world)
    world.hubspot.move_stage(record["id"], "Closed")
    eventually(lambda: world.nextcap.ticket(ticket)["status"] == "resolved", what="the ticket to be resolved")

    def heard(kind: str) -> list[Any]:
        mine = [one for one in world.receiver.of(kind) if one.data["ticket"]["id"] == ticket]
        assert all(one.is_signed_with(LISTENERS_SECRET) for one in mine)
        return [one.data for one in mine]

    def moves() -> list[str]:
        return [one["changes"]["status"]["new"] for one in heard("ticket.status_changed")]

    eventually(lambda: bool(moves()) and moves()[-1] == "resolved", what="the listener to hear of it")
    assert moves() in (["open", "resolved"], ["resolved"]), "a hop that was over before anybody looked may be left out"
    assert len(heard("ticket.created")) == 1
    assert [one["link"]["record_id"] for one in heard("ticket.linked")] == [record["id"]]


def test_an_outage_of_hubspot_heals_by_itself(world: World) -> None:
    ticket, _ = opened(world)
    port_url = world.hubspot.url

    world.hubspot.stop()
    world.nextcap.set_fields(ticket, {"subject": "Changed while HubSpot was away"})
    world.nextcap.customer_reply(ticket, "Hello?")
    eventually(lambda: world.is_waiting(), what="the circuit to open")
    world.hubspot.start()

    assert world.hubspot.url == port_url
    eventually(lambda: world.record(ticket)["properties"]["subject"] == "Changed while HubSpot was away", within=20)
    eventually(lambda: len(notes(world, ticket)) == 1, within=20)


def test_webhooks_that_were_dropped_and_come_again_lose_nothing(world: World) -> None:
    ticket, record = opened(world)

    world.nextcap.deliveries.drop(2)
    world.nextcap.set_fields(ticket, {"subject": "Dropped at first"})
    world.nextcap.deliveries.wait_idle(5)
    world.hubspot.set_properties(record["id"], {"hs_ticket_priority": "LOW"})
    eventually(lambda: world.nextcap.ticket(ticket)["priority"] == "low")
    world.nextcap.deliveries.redeliver()

    eventually(lambda: world.record(ticket)["properties"]["subject"] == "Dropped at first")
    assert world.nextcap.ticket(ticket)["subject"] == "Dropped at first"
