"""Ticket statuses, PATCH, assignment and transfer of the Next Cap imitation."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connector.sandbox.nextcap import NextCap

from .conftest import problem

PATHS: dict[str, list[str]] = {
    "new": [],
    "open": ["open"],
    "in_progress": ["in_progress"],
    "waiting_customer": ["open", "waiting_customer"],
    "waiting_internal": ["open", "waiting_internal"],
    "resolved": ["open", "resolved"],
    "closed": ["closed"],
    "reopened": ["closed", "reopened"],
}
COLUMNS = ["new", "open", "in_progress", "waiting_customer", "waiting_internal", "resolved", "closed", "reopened"]
TABLE = {
    #                    new open prog wcus wint res  clos reop
    "new":              [0, 1, 1, 0, 0, 0, 1, 0],
    "open":             [0, 0, 1, 1, 1, 1, 1, 0],
    "in_progress":      [0, 0, 0, 1, 1, 1, 1, 0],
    "waiting_customer": [0, 1, 1, 0, 0, 1, 1, 0],
    "waiting_internal": [0, 1, 1, 0, 0, 1, 1, 0],
    "resolved":         [0, 0, 0, 0, 0, 0, 1, 1],
    "closed":           [0, 0, 0, 0, 0, 0, 0, 1],
    "reopened":         [0, 1, 1, 1, 1, 1, 1, 0],
}  # fmt: skip


def ticket_at(nextcap: NextCap, status: str, **facts: Any) -> str:
    """The id of a ticket that people have brought to this status."""
    ticket = nextcap.create_ticket(subject="Help", **facts)
    for step in PATHS[status]:
        nextcap.move(ticket["id"], step)
    return str(ticket["id"])


@pytest.mark.parametrize("before", COLUMNS)
def test_the_transition_table_holds_for_every_pair(nextcap: NextCap, crm: httpx.Client, before: str) -> None:
    for after, allowed in zip(COLUMNS, TABLE[before], strict=True):
        if after == before:
            continue
        ticket = ticket_at(nextcap, before)

        answer = crm.patch(f"/tickets/{ticket}", json={"status": after})

        if allowed:
            assert answer.json()["data"]["status"] == after
        else:
            assert problem(answer) == (400, "VALIDATION_ERROR", ["status"])
            assert crm.get(f"/tickets/{ticket}").json()["data"]["status"] == before


def test_an_illegal_move_is_counted_with_who_tried(nextcap: NextCap, crm: httpx.Client) -> None:
    ticket = ticket_at(nextcap, "new")

    crm.patch(f"/tickets/{ticket}", json={"status": "resolved"})

    (attempt,) = nextcap.state()["illegal_moves"]
    assert (attempt["before"], attempt["after"]) == ("new", "resolved")
    assert attempt["by"] == nextcap.world.seat.id


def test_the_present_status_is_no_change_unless_refused_by_setting(nextcap: NextCap, crm: httpx.Client) -> None:
    ticket = ticket_at(nextcap, "open")
    before = crm.get(f"/tickets/{ticket}").json()["data"]["updated_at"]

    accepted = crm.patch(f"/tickets/{ticket}", json={"status": "open"})
    nextcap.configure(same_status_refused=True)
    refused = crm.patch(f"/tickets/{ticket}", json={"status": "open"})

    assert accepted.json()["data"]["updated_at"] == before
    assert problem(refused) == (400, "VALIDATION_ERROR", ["status"])


@pytest.mark.parametrize("status", COLUMNS)
def test_close_works_from_everywhere_but_closed_and_reopen_from_the_two_ends(
    nextcap: NextCap, crm: httpx.Client, status: str
) -> None:
    closed = crm.post(f"/tickets/{ticket_at(nextcap, status)}/close")
    reopened = crm.post(f"/tickets/{ticket_at(nextcap, status)}/reopen")

    assert closed.status_code == (400 if status == "closed" else 200)
    assert reopened.status_code == (200 if status in ("resolved", "closed") else 400)


def test_a_second_close_is_refused(nextcap: NextCap, crm: httpx.Client) -> None:
    ticket = ticket_at(nextcap, "open")

    first, second = (crm.post(f"/tickets/{ticket}/close") for _ in range(2))

    assert first.json()["data"]["closed_at"]
    assert problem(second) == (400, "VALIDATION_ERROR", ["status"])


def test_a_bodiless_post_must_not_claim_json(nextcap: NextCap, crm: httpx.Client) -> None:
    path = f"/tickets/{ticket_at(nextcap, 'open')}/close"

    claimed = crm.post(path, headers={"Content-Type": "application/json"})
    empty_object = crm.post(path, json={})

    assert claimed.status_code == 400
    assert empty_object.status_code == 200


def test_patch_sets_every_documented_field(nextcap: NextCap, crm: httpx.Client) -> None:
    ticket = ticket_at(nextcap, "new")
    wanted = {
        "status": "open",
        "priority": "urgent",
        "category": "shipping",
        "tags": ["vip"],
        "department_id": next(iter(nextcap.world.departments)),
        "assigned_agent_id": nextcap.world.agent("cleo@acme.example").id,
        "subject": "New subject",
        "description": "",
        "custom_fields": {"order": 7},
        "metadata": {"crm": "hubspot"},
    }

    answer = crm.patch(f"/tickets/{ticket}", json=wanted)

    assert answer.json()["data"].items() >= wanted.items()
    assert crm.get(f"/tickets/{ticket}").json()["data"].items() >= wanted.items()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "pending"),
        ("status", None),
        ("priority", "critical"),
        ("category", 7),
        ("tags", "vip"),
        ("tags", [1]),
        ("department_id", "Nowhere"),
        ("department_id", None),
        ("department_id", ["x"]),
        ("assigned_agent_id", "nobody"),
        ("assigned_agent_id", 7),
        ("subject", " "),
        ("description", None),
        ("custom_fields", None),
        ("metadata", []),
        ("metadata", {"text": "x" * 10_240}),
        ("metadata", {"text": "é" * 5_120}),
        ("customer_email", "new@example.com"),
        ("assignee", "x"),
    ],
)
def test_patch_refuses_wrong_values_and_unknown_fields_as_a_whole(
    nextcap: NextCap, crm: httpx.Client, field: str, value: Any
) -> None:
    ticket = ticket_at(nextcap, "new")
    before = nextcap.ticket(ticket)

    refused = crm.patch(f"/tickets/{ticket}", json={"category": "kept out", field: value})

    assert problem(refused) == (400, "VALIDATION_ERROR", [field])
    assert nextcap.ticket(ticket)["category"] == before["category"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'"text"'])
def test_patch_refuses_what_is_not_an_object_with_fields(nextcap: NextCap, crm: httpx.Client, content: bytes) -> None:
    path = f"/tickets/{ticket_at(nextcap, 'new')}"

    refused = crm.patch(path, content=content, headers={"Content-Type": "application/json"})

    assert problem(refused) == (400, "VALIDATION_ERROR", [])


def test_a_body_that_is_not_declared_as_json_is_refused(nextcap: NextCap, crm: httpx.Client) -> None:
    assert crm.patch(f"/tickets/{ticket_at(nextcap, 'new')}", content=b'{"priority":"low"}').status_code == 400


def test_metadata_of_ten_kilobytes_is_accepted(nextcap: NextCap, crm: httpx.Client) -> None:
    largest = {"text": "x" * (10_240 - len('{"text":""}'))}

    assert crm.patch(f"/tickets/{ticket_at(nextcap, 'new')}", json={"metadata": largest}).is_success


def test_tags_metadata_and_custom_fields_are_replaced_whole(nextcap: NextCap, crm: httpx.Client) -> None:
    whole = {"tags": ["a", "b"], "metadata": {"a": 1}, "custom_fields": {"a": 1}}
    ticket = ticket_at(nextcap, "new", **whole)
    part = {"tags": ["c"], "metadata": {"b": 2}, "custom_fields": {"b": 2}}

    replaced = crm.patch(f"/tickets/{ticket}", json=part).json()["data"]
    nextcap.configure(custom_fields_merge=True)
    merged = crm.patch(f"/tickets/{ticket}", json={"custom_fields": {"c": 3}}).json()["data"]

    assert replaced.items() >= part.items()
    assert merged["custom_fields"] == {"b": 2, "c": 3}


def test_custom_fields_must_be_defined_where_definitions_are_set(nextcap: NextCap, crm: httpx.Client) -> None:
    nextcap.configure(custom_field_names=["order"])
    path = f"/tickets/{ticket_at(nextcap, 'new')}"

    assert crm.patch(path, json={"custom_fields": {"order": 1}}).is_success
    assert problem(crm.patch(path, json={"custom_fields": {"colour": 1}}))[2] == ["custom_fields"]


def test_a_change_to_the_same_values_changes_nothing(nextcap: NextCap, crm: httpx.Client) -> None:
    ticket = ticket_at(nextcap, "new", tags=["a"])
    before = nextcap.ticket(ticket)

    after = crm.patch(f"/tickets/{ticket}", json={"tags": ["a"], "priority": "normal"}).json()["data"]

    assert after["updated_at"] == before["updated_at"]
    assert len(nextcap.timeline(ticket)) == 1


def test_null_unassigns_unless_the_setting_says_no(nextcap: NextCap, crm: httpx.Client) -> None:
    path = f"/tickets/{ticket_at(nextcap, 'new', assignee='ben@acme.example')}"

    nextcap.configure(null_unassigns=False)
    refused = crm.patch(path, json={"assigned_agent_id": None})
    nextcap.configure(null_unassigns=True)
    accepted = crm.patch(path, json={"assigned_agent_id": None})

    assert problem(refused) == (400, "VALIDATION_ERROR", ["assigned_agent_id"])
    assert accepted.json()["data"]["assigned_agent_id"] is None


def test_assign_takes_an_active_member_by_id(nextcap: NextCap, crm: httpx.Client) -> None:
    path = f"/tickets/{ticket_at(nextcap, 'new')}/assign"
    ben, dan = nextcap.world.agent("ben@acme.example").id, nextcap.world.agent("dan@acme.example").id

    assert crm.post(path, json={"agent_id": ben}).json()["data"]["assigned_agent_id"] == ben
    for wrong in ({"agent_id": dan}, {"agent_id": "ben@acme.example"}, {"agent_id": None}, {}):
        assert problem(crm.post(path, json=wrong)) == (400, "VALIDATION_ERROR", ["agent_id"])


def test_transfer_drops_the_assignee_unless_told_not_to(nextcap: NextCap, crm: httpx.Client) -> None:
    support, sales, _ = nextcap.world.departments
    kept, dropped = (ticket_at(nextcap, "open", assignee="ben@acme.example") for _ in range(2))

    with_assignee = crm.post(f"/tickets/{kept}/transfer", json={"department_id": sales, "unassign": False})
    without = crm.post(f"/tickets/{dropped}/transfer", json={"department_id": support})

    assert with_assignee.json()["data"]["assigned_agent_id"] is not None
    assert without.json()["data"]["assigned_agent_id"] is None
    assert without.json()["data"]["department_id"] == support
    for wrong, field in (({}, "department_id"), ({"department_id": "Sales"}, "department_id")):
        assert problem(crm.post(f"/tickets/{kept}/transfer", json=wrong))[2] == [field]


def test_a_patched_department_keeps_the_assignee_unless_set(nextcap: NextCap, crm: httpx.Client) -> None:
    support, sales, _ = nextcap.world.departments
    path = f"/tickets/{ticket_at(nextcap, 'open', assignee='ben@acme.example')}"

    kept = crm.patch(path, json={"department_id": support}).json()["data"]["assigned_agent_id"]
    nextcap.configure(department_unassigns=True)
    dropped = crm.patch(path, json={"department_id": sales}).json()["data"]["assigned_agent_id"]

    assert kept is not None
    assert dropped is None


def test_a_created_ticket_is_new_and_written_by_the_seat(nextcap: NextCap, crm: httpx.Client) -> None:
    body = {"subject": "From the CRM", "customer_email": "kim@example.com", "metadata": {"hubspot": "77"}}

    answer = crm.post("/tickets", json=body)

    created = answer.json()["data"]
    assert answer.status_code == 201
    assert created.items() >= {**body, "status": "new", "source": "api", "priority": "normal"}.items()
    assert created["created_by"] == nextcap.world.seat.id
    assert crm.get(f"/tickets/{created['id']}").json()["data"]["metadata"] == {"hubspot": "77"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "subject"),
        ({"subject": "a", "status": "open"}, "status"),
        ({"subject": "a", "widget_id": "widget-unknown"}, "widget_id"),
        ({"subject": "a", "attachment_ids": ["none"]}, "attachment_ids"),
        ({"subject": "a", "requester": {}}, "requester"),
    ],
)
def test_creation_refuses_wrong_bodies(crm: httpx.Client, body: dict[str, Any], field: str) -> None:
    assert problem(crm.post("/tickets", json=body)) == (400, "VALIDATION_ERROR", [field])


def test_creation_can_be_absent(nextcap: NextCap, crm: httpx.Client) -> None:
    nextcap.configure(create_route=False)

    assert problem(crm.post("/tickets", json={"subject": "a"})) == (404, "NOT_FOUND", [])


@pytest.mark.parametrize("path", ["/tickets/none", "/tickets/1001", "/tickets/none/events"])
def test_a_ticket_is_found_by_its_id_alone(nextcap: NextCap, crm: httpx.Client, path: str) -> None:
    ticket_at(nextcap, "new")

    assert problem(crm.get(path)) == (404, "NOT_FOUND", [])
