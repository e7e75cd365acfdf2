"""A CRM that is declared in YAML, beside HubSpot: both directions, and one ticket carried by two connections."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.domain.text import fingerprint

from .two_crms import EXAMPLE, TwoCrms
from .world import eventually


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoCrms]:
    folder = tmp_path_factory.mktemp("two")
    mapping = folder / "acme.yaml"  # Its answer to a create shows the id alone.
    mapping.write_text(EXAMPLE.read_text().replace("    item: data\n\n  update:", "    id: data.id\n\n  update:"))
    made = TwoCrms(folder, example_mapping=mapping)
    made.start()
    yield made
    made.stop()


def said(texts: list[str], words: str) -> int:
    return sum(fingerprint(words) in fingerprint(text) for text in texts)


def test_a_ticket_of_next_cap_is_made_in_both_with_its_fields(two: TwoCrms) -> None:
    ticket, _, _ = two.both(subject="Cannot log in", priority="high", tags=["vip"])

    case = two.case(ticket)

    assert case["fields"]["subject"] == "Cannot log in"
    assert (case["fields"]["priority"], case["fields"]["labels"]) == ("high", ["vip"])
    assert case["customer"]["email"] == "jo@home.example"


def test_a_change_in_the_example_crm_reaches_next_cap_and_from_there_hubspot_once(two: TwoCrms) -> None:
    ticket, record, case = two.both()

    two.example.edit(case, {"subject": "Edited there", "stage": "waiting", "priority": "urgent"})

    eventually(lambda: two.nextcap.ticket(ticket)["status"] == "waiting_customer")
    eventually(lambda: two.record(ticket)["properties"]["subject"] == "Edited there")
    eventually(lambda: two.record(ticket)["properties"]["hs_ticket_priority"] == "URGENT")
    eventually(two.is_idle)
    assert two.nextcap.ticket(ticket)["subject"] == "Edited there"
    assert two.record(ticket)["id"] == record


def test_a_change_in_hubspot_reaches_the_example_crm(two: TwoCrms) -> None:
    ticket, record, _ = two.both()

    two.hubspot.move_stage(record, "Closed")
    two.hubspot.set_properties(record, {"subject": "From HubSpot"})

    eventually(lambda: two.case(ticket)["fields"]["stage"] == "done")
    eventually(lambda: two.case(ticket)["fields"]["subject"] == "From HubSpot")
    assert two.nextcap.ticket(ticket)["status"] == "resolved"


def test_what_the_crm_changes_before_its_new_ticket_was_first_read_reaches_next_cap(two: TwoCrms) -> None:
    two.example.configure(rule={"priority": "urgent", "stage": "working"})

    ticket, _, _ = two.both(subject="Made by a call", priority="low", tags=["one"])
    two.example.configure(rule={})

    eventually(lambda: two.nextcap.ticket(ticket)["priority"] == "urgent")
    eventually(lambda: two.nextcap.ticket(ticket)["status"] == "open")
    eventually(two.is_idle)
    fields = two.case(ticket)["fields"]
    assert (fields["priority"], fields["stage"], fields["labels"]) == ("urgent", "working", ["one"])
    assert two.record(ticket)["properties"]["hs_ticket_priority"] == "URGENT"


def test_notes_and_replies_cross_once_and_a_note_stays_internal(two: TwoCrms) -> None:
    ticket, record, case = two.both()

    two.example.write_note(case, "Called the bank")
    two.hubspot.write_note(record, "<p>Looked at the log</p>")
    two.nextcap.agent_reply(ticket, "We are on it")

    eventually(lambda: said(two.hubspot_notes(ticket), "Called the bank") == 1)
    eventually(lambda: said(two.notes(ticket), "Looked at the log") == 1)
    eventually(lambda: said(two.notes(ticket), "We are on it") == 1)
    eventually(lambda: said(two.hubspot_notes(ticket), "We are on it") == 1)
    eventually(two.is_idle)
    public = [one["text"] for one in two.case(ticket)["notes"] if one["public"]]
    assert [said([one], "We are on it") for one in public] == [1]
    assert said(two.notes(ticket), "Called the bank") == 1
    assert len(two.notes(ticket)) == len(two.hubspot_notes(ticket)) == 3


def test_a_ticket_made_in_the_example_crm_is_made_in_next_cap_and_in_hubspot(two: TwoCrms) -> None:
    two.example.create_ticket("Made there", email="caller@home.example")

    eventually(lambda: any(one["subject"] == "Made there" for one in two.nextcap.state()["tickets"]))
    (made,) = [one for one in two.nextcap.state()["tickets"] if one["subject"] == "Made there"]
    eventually(lambda: bool(two.hubspot.tickets_of(made["id"])))
    eventually(two.is_idle)
    assert len(two.hubspot.tickets_of(made["id"])) == len(two.example.tickets_of(made["id"])) == 1


def test_an_answer_that_was_lost_makes_nothing_twice(two: TwoCrms) -> None:
    two.example.faults.add("lost_answer", method="POST", path="/api/tickets$")

    ticket, _, case = two.both(subject="Lost once")
    two.example.faults.add("lost_answer", method="POST", path="notes")
    two.nextcap.agent_note(ticket, "Only once")

    eventually(lambda: said(two.notes(ticket), "Only once") == 1, within=60)
    eventually(two.is_idle)
    assert two.case(ticket)["id"] == int(case)
    assert said(two.notes(ticket), "Only once") == 1
