"""Replies, notes and the timeline of the Next Cap imitation."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connector.sandbox.nextcap import NextCap

from .conftest import problem
from .test_nextcap_tickets import ticket_at


def kinds(nextcap: NextCap, ticket: str) -> list[str]:
    return [entry["type"] for entry in nextcap.timeline(ticket)]


def test_a_reply_mails_the_customer_each_time(nextcap: NextCap, crm: httpx.Client) -> None:
    ticket = ticket_at(nextcap, "open", customer_email="kim@example.com")

    first = crm.post(f"/tickets/{ticket}/reply", json={"content": "Hello"})
    crm.post(f"/tickets/{ticket}/reply", json={"content": "Hello"})

    mails = nextcap.state()["emails"]
    assert first.status_code == 201
    assert first.json()["data"]["actor_id"] == nextcap.world.seat.id
    assert [mail["to"] for mail in mails] == ["kim@example.com"] * 2
    assert mails[0]["reply_id"] == first.json()["data"]["id"]
    assert nextcap.ticket(ticket)["first_response_at"] == first.json()["data"]["created_at"]


def test_a_reply_to_nobody_mails_nobody(nextcap: NextCap, crm: httpx.Client) -> None:
    assert crm.post(f"/tickets/{ticket_at(nextcap, 'open')}/reply", json={"content": "Hello"}).is_success
    assert nextcap.state()["emails"] == []


@pytest.mark.parametrize("path", ["reply", "notes"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "content"),
        ({"content": ""}, "content"),
        ({"content": " \n"}, "content"),
        ({"content": 7}, "content"),
        ({"content": "a", "is_public": True}, "is_public"),
    ],
)
def test_replies_and_notes_refuse_wrong_bodies(
    nextcap: NextCap, crm: httpx.Client, path: str, body: dict[str, Any], field: str
) -> None:
    refused = crm.post(f"/tickets/{ticket_at(nextcap, 'open')}/{path}", json=body)

    assert problem(refused) == (400, "VALIDATION_ERROR", [field])


def test_a_note_takes_no_attachments_and_its_flag_is_a_boolean(nextcap: NextCap, crm: httpx.Client) -> None:
    path = f"/tickets/{ticket_at(nextcap, 'open')}/notes"

    assert problem(crm.post(path, json={"content": "a", "attachment_ids": []}))[2] == ["attachment_ids"]
    assert problem(crm.post(path, json={"content": "a", "is_internal": "false"}))[2] == ["is_internal"]


def test_a_length_limit_is_kept_where_set(nextcap: NextCap, crm: httpx.Client) -> None:
    nextcap.configure(content_limit=5)
    path = f"/tickets/{ticket_at(nextcap, 'open')}"

    assert problem(crm.post(f"{path}/reply", json={"content": "123456"}))[2] == ["content"]
    assert problem(crm.post(f"{path}/notes", json={"content": "123456"}))[2] == ["content"]
    assert crm.post(f"{path}/notes", json={"content": "12345"}).is_success


def test_notes_are_internal_by_default_and_hidden_without_manage(nextcap: NextCap, crm: httpx.Client) -> None:
    ticket = ticket_at(nextcap, "open")
    hidden = crm.post(f"/tickets/{ticket}/notes", json={"content": "Hidden"}).json()["data"]
    crm.post(f"/tickets/{ticket}/notes", json={"content": "Shown", "is_internal": False})

    def notes() -> list[str]:
        events = crm.get(f"/tickets/{ticket}/events").json()["data"]
        return [one["content"] for one in events if one["type"] == "note"]

    seen_by_managers = notes()
    nextcap.configure(permissions=["tickets:view"])

    assert hidden["is_internal"] is True
    assert seen_by_managers == ["Hidden", "Shown"]
    assert notes() == ["Shown"]
    assert nextcap.state()["emails"] == []


@pytest.mark.parametrize(("setting", "bumps"), [(True, True), (False, False)])
def test_whether_replies_and_notes_change_updated_at_is_settable(
    nextcap: NextCap, crm: httpx.Client, setting: bool, bumps: bool
) -> None:
    nextcap.configure(note_bumps=setting, reply_bumps=setting)
    ticket = ticket_at(nextcap, "open")
    for path in ("notes", "reply"):
        before = nextcap.ticket(ticket)["updated_at"]
        nextcap.clock.advance(1)

        crm.post(f"/tickets/{ticket}/{path}", json={"content": "a"})

        assert (nextcap.ticket(ticket)["updated_at"] != before) is bumps


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("new", "new"),
        ("open", "open"),
        ("waiting_customer", "open"),
        ("waiting_internal", "waiting_internal"),
        ("resolved", "reopened"),
        ("closed", "reopened"),
    ],
)
def test_a_customers_reply_opens_what_waited_for_it(nextcap: NextCap, before: str, after: str) -> None:
    ticket = ticket_at(nextcap, before)

    nextcap.customer_reply(ticket, "Still broken")

    assert nextcap.ticket(ticket)["status"] == after


def test_a_customers_reply_can_leave_the_status_alone(nextcap: NextCap) -> None:
    nextcap.configure(customer_reply_opens=False)
    ticket = ticket_at(nextcap, "closed")

    nextcap.customer_reply(ticket, "Still broken")

    assert nextcap.ticket(ticket)["status"] == "closed"


def test_an_agents_reply_moves_the_ticket_only_where_set_and_allowed(nextcap: NextCap) -> None:
    first, fresh = ticket_at(nextcap, "open"), ticket_at(nextcap, "new")
    nextcap.agent_reply(first, "Looking")
    untouched = nextcap.ticket(first)["status"]

    nextcap.configure(agent_reply_waits=True)
    nextcap.agent_reply(first, "Please try")
    nextcap.agent_reply(fresh, "Please try")

    assert untouched == "open"
    assert nextcap.ticket(first)["status"] == "waiting_customer"
    assert nextcap.timeline(first)[-1]["actor_type"] == "system"
    assert nextcap.ticket(fresh)["status"] == "new"


def test_the_timeline_tells_who_did_what_in_order(nextcap: NextCap, crm: httpx.Client) -> None:
    ticket = ticket_at(nextcap, "new", customer_name="Kim", customer_email="kim@example.com")
    nextcap.assign(ticket, "cleo@acme.example", agent="ben@acme.example")
    nextcap.transfer(ticket, "Sales", unassign=False)
    crm.patch(f"/tickets/{ticket}", json={"status": "open", "priority": "high"})
    nextcap.customer_reply(ticket, "Hello?")
    crm.post(f"/tickets/{ticket}/close")
    crm.post(f"/tickets/{ticket}/reopen")

    events = crm.get(f"/tickets/{ticket}/events").json()["data"]

    assert [one["type"] for one in events] == [
        "created",
        "assigned",
        "department_changed",
        "status_changed",
        "updated",
        "customer_reply",
        "status_changed",
        "status_changed",
        "reopened",
    ]
    assert (events[0]["actor_type"], events[0]["actor_name"]) == ("customer", "Kim")
    assert events[1]["actor_id"] == nextcap.world.agent("ben@acme.example").id
    assert (events[3]["old_value"], events[3]["new_value"]) == ("new", "open")
    assert (events[4]["field"], events[4]["new_value"]) == ("priority", "high")
    assert len({one["id"] for one in events}) == len(events)


def test_the_timeline_has_pages_or_comes_whole(nextcap: NextCap, crm: httpx.Client) -> None:
    ticket = ticket_at(nextcap, "open")
    for number in range(25):
        nextcap.agent_note(ticket, f"Note {number}")
    path = f"/tickets/{ticket}/events"

    first = crm.get(path).json()
    last = crm.get(path, params={"page": 2, "per_page": 20}).json()
    nextcap.configure(timeline_paged=False, timeline_newest_first=True)
    whole = crm.get(path).json()["data"]

    assert (len(first["data"]), first["meta"]["total"], first["meta"]["total_pages"]) == (20, 27, 2)
    assert len(last["data"]) == 7
    assert len(whole) == 27
    assert whole[0]["content"] == "Note 24"


def test_a_reply_on_the_customers_behalf_exists_only_where_set(nextcap: NextCap, crm: httpx.Client) -> None:
    ticket = ticket_at(nextcap, "resolved", customer_email="kim@example.com")
    path = f"/tickets/{ticket}/customer-reply"

    absent = crm.post(path, json={"content": "Hello?"})
    nextcap.configure(customer_reply_route=True)
    present = crm.post(path, json={"content": "Hello?"})

    assert problem(absent) == (404, "NOT_FOUND", [])
    assert present.json()["data"]["actor_type"] == "customer"
    assert nextcap.ticket(ticket)["status"] == "reopened"
    assert nextcap.state()["emails"] == []
