"""Filters, sorting, pages, members and conversations of the Next Cap imitation."""

from __future__ import annotations

import httpx
import pytest

from connector.sandbox.nextcap import NextCap

from .conftest import problem


@pytest.fixture
def tickets(nextcap: NextCap) -> None:
    """Three tickets, an hour apart."""
    nextcap.create_ticket(subject="Printer on fire", priority="high", tags=["a", "b"], category="hardware")
    nextcap.clock.advance(3600)
    nextcap.create_ticket(subject="Invoice", description="Printer invoice", source="email", department="Billing")
    nextcap.clock.advance(3600)
    nextcap.create_ticket(subject="Password", priority="low", tags=["c"], assignee="ben@acme.example")
    nextcap.clock.advance(1)
    nextcap.move(1001, "open")


def subjects(crm: httpx.Client, **query: str) -> list[str]:
    answer = crm.get("/tickets", params=query)
    assert answer.status_code == 200, answer.text
    return [one["subject"].split()[0] for one in answer.json()["data"]]


@pytest.mark.usefixtures("tickets")
def test_every_filter(nextcap: NextCap, crm: httpx.Client) -> None:
    assert subjects(crm) == ["Password", "Invoice", "Printer"]
    assert subjects(crm, status="open") == ["Printer"]
    assert subjects(crm, status="open,new", sort_order="asc") == ["Printer", "Invoice", "Password"]
    assert subjects(crm, priority="low,high") == ["Password", "Printer"]
    assert subjects(crm, source="email") == ["Invoice"]
    assert subjects(crm, tags="b,c") == ["Password", "Printer"]
    assert subjects(crm, category="hardware") == ["Printer"]
    assert subjects(crm, search="printer") == ["Invoice", "Printer"]
    assert subjects(crm, search="1001") == []
    assert subjects(crm, department_id=nextcap.world.department("Billing").id) == ["Invoice"]  # type: ignore[union-attr]  # it is seeded
    assert subjects(crm, assigned_agent_id=nextcap.world.agent(None).id or "") == ["Password"]


@pytest.mark.usefixtures("tickets")
def test_created_between_and_every_order(nextcap: NextCap, crm: httpx.Client) -> None:
    created = [one["created_at"] for one in nextcap.state()["tickets"]]

    assert subjects(crm, created_after=created[1]) == ["Password", "Invoice"]
    assert subjects(crm, created_before=created[1]) == ["Invoice", "Printer"]
    assert subjects(crm, created_after="2000-01-01", created_before="2000-01-02") == []
    assert subjects(crm, sort_by="updatedAt") == ["Printer", "Password", "Invoice"]
    assert subjects(crm, sort_by="priority") == ["Printer", "Invoice", "Password"]
    assert subjects(crm, sort_by="ticketNumber", sort_order="asc") == ["Printer", "Invoice", "Password"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "pending"),
        ("priority", "low,critical"),
        ("source", "fax"),
        ("sort_by", "updated_at"),
        ("sort_order", "down"),
        ("page", "0"),
        ("page", "x"),
        ("per_page", "0"),
        ("per_page", "101"),
        ("created_after", "yesterday"),
    ],
)
def test_wrong_parameters_are_refused(crm: httpx.Client, name: str, value: str) -> None:
    assert problem(crm.get("/tickets", params={name: value})) == (400, "VALIDATION_ERROR", [name])


def test_pages_carry_meta(nextcap: NextCap, crm: httpx.Client) -> None:
    for number in range(25):
        nextcap.create_ticket(subject=f"T{number}")

    first = crm.get("/tickets").json()
    last = crm.get("/tickets", params={"page": 3, "per_page": 10}).json()
    beyond = crm.get("/tickets", params={"page": 9}).json()

    assert first["meta"] == {"page": 1, "per_page": 20, "total": 25, "total_pages": 2}
    assert [one["subject"] for one in last["data"]] == ["T4", "T3", "T2", "T1", "T0"]
    assert beyond["data"] == []


def test_lists_count_attachments_and_the_single_ticket_shows_them(nextcap: NextCap, crm: httpx.Client) -> None:
    ticket = nextcap.create_ticket(subject="With file", files=[{"filename": "a.txt", "text": "a"}])

    (listed,) = crm.get("/tickets").json()["data"]
    single = crm.get(f"/tickets/{ticket['id']}").json()["data"]

    assert (listed["has_attachments"], listed["attachment_count"]) == (True, 1)
    assert "attachments" not in listed
    assert [one["filename"] for one in single["attachments"]] == ["a.txt"]


def test_members_are_listed_searched_and_found_by_email(nextcap: NextCap, crm: httpx.Client) -> None:
    listed = crm.get("/members").json()
    found = crm.get("/members", params={"search": "CLEO"}).json()["data"]
    ben = crm.get("/members/by-email/BEN%40acme.example").json()["data"]
    seat = next(one for one in listed["data"] if one["seat_type"] == "api_only")

    assert listed["meta"]["total"] == 5
    assert [one["name"] for one in found] == ["Cleo Agent"]
    assert ben == crm.get(f"/members/{ben['id']}").json()["data"]
    assert (seat["id"], seat["email"]) == (nextcap.world.seat.id, None)
    assert [one["name"] for one in listed["data"] if one["disabled_at"]] == ["Dan Gone"]
    assert problem(crm.get("/members/by-email/no%40one.example")) == (404, "NOT_FOUND", [])
    assert problem(crm.get("/members/none")) == (404, "NOT_FOUND", [])


@pytest.mark.parametrize(
    ("setting", "parameter", "number"), [("q", "q", 1), ("q", "search", 5), ("ignored", "search", 5)]
)
def test_how_members_are_searched_is_settable(
    nextcap: NextCap, crm: httpx.Client, setting: str, parameter: str, number: int
) -> None:
    nextcap.configure(members_search=setting)

    assert len(crm.get("/members", params={parameter: "cleo"}).json()["data"]) == number


def test_conversations_queue_messages_assign_and_resolve(nextcap: NextCap, crm: httpx.Client) -> None:
    told: list[str] = []
    nextcap.chat_listeners.append(lambda event, _: told.append(event))
    chat = nextcap.start_conversation("Hello", name="Kim")["id"]
    nextcap.assistant_message(chat, "How can I help?")
    nextcap.hand_off(chat)
    path = f"/conversations/{chat}"

    queued = crm.get("/conversations/queue").json()
    ben = nextcap.world.agent(None).id
    assigned = crm.post(f"{path}/assign", json={"agent_id": ben}).json()["data"]
    emptied = crm.get("/conversations/queue").json()["data"]
    single = crm.get(path).json()["data"]
    messages = crm.get(f"{path}/messages").json()
    resolved = crm.post(f"{path}/resolve").json()["data"]
    nextcap.chat_listeners.clear()

    assert "meta" not in queued
    assert [one["id"] for one in queued["data"]] == [chat]
    assert (assigned["assigned_agent_id"], emptied) == (ben, [])
    assert [one["role"] for one in single["messages"]] == ["user", "assistant"]
    assert (messages["meta"]["per_page"], len(messages["data"])) == (50, 2)
    assert resolved["status"] == "resolved"
    assert told == ["message:new", "message:new", "agent:assigned", "conversation:resolved"]


def test_conversation_refusals(nextcap: NextCap, crm: httpx.Client) -> None:
    chat = nextcap.start_conversation("Hello", widget="widget-shop")["id"]

    assert problem(crm.get("/conversations/none")) == (404, "NOT_FOUND", [])
    assert problem(crm.post(f"/conversations/{chat}/assign", json={}))[2] == ["agent_id"]
    assert problem(crm.post(f"/conversations/{chat}/assign", json={"agent_id": "x"}))[2] == ["agent_id"]
    assert problem(crm.get("/conversations", params={"status": "open"}))[2] == ["status"]
    nextcap.configure(widgets=["widget-main"])
    assert problem(crm.get(f"/conversations/{chat}")) == (403, "FORBIDDEN", [])
    assert crm.get("/conversations").json()["data"] == []


def test_a_ticket_made_of_a_conversation_is_linked_to_it(nextcap: NextCap, crm: httpx.Client) -> None:
    chat = nextcap.start_conversation("Hello")["id"]

    ticket = nextcap.create_ticket(subject="From chat", source="handoff", conversation=chat)

    conversation = crm.get(f"/conversations/{chat}").json()["data"]
    assert (ticket["conversation_id"], conversation["ticket_id"]) == (chat, ticket["id"])
    assert conversation["status"] == "ticketed"
