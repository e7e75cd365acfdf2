"""What may differ in Next Cap, lost answers, people's actions over HTTP, and many callers at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from connector.sandbox.kernel import Refusal
from connector.sandbox.nextcap import NextCap
from connector.sandbox.server import VENDORS, Sandbox, imitation

from .conftest import problem
from .test_nextcap_tickets import ticket_at


def test_lists_may_lack_meta(nextcap: NextCap, crm: httpx.Client) -> None:
    nextcap.configure(list_meta=False)

    assert set(crm.get("/tickets").json()) == {"data"}


def test_fields_may_be_in_camel_case_but_never_the_customers_own_keys(nextcap: NextCap, crm: httpx.Client) -> None:
    ticket = ticket_at(nextcap, "new", metadata={"crm_id": {"record_id": 1}}, custom_fields={"order_no": 2})
    nextcap.configure(casing="camel")

    shown = crm.get(f"/tickets/{ticket}").json()["data"]

    assert shown["ticketNumber"] == 1001
    assert shown["metadata"] == {"crm_id": {"record_id": 1}}
    assert shown["customFields"] == {"order_no": 2}


def test_errors_may_be_text(nextcap: NextCap, crm: httpx.Client) -> None:
    nextcap.configure(errors_as_text=True)

    assert crm.get("/tickets/none").json() == {"success": False, "error": "Ticket not found"}


def test_writes_may_answer_with_nothing(nextcap: NextCap, crm: httpx.Client) -> None:
    nextcap.configure(empty_answers=True)
    ticket = ticket_at(nextcap, "open")

    written = crm.patch(f"/tickets/{ticket}", json={"priority": "low"})
    refused = crm.patch(f"/tickets/{ticket}", json={"priority": "none"})

    assert (written.status_code, written.content) == (200, b"")
    assert nextcap.ticket(ticket)["priority"] == "low"
    assert refused.json()["error"]["code"] == "VALIDATION_ERROR"


def test_an_upload_may_name_its_id_otherwise(nextcap: NextCap, crm: httpx.Client) -> None:
    nextcap.configure(attachment_id_field="attachment_id")

    facts = crm.post("/attachments", files={"file": b"a"}).json()["data"]

    assert "id" not in facts
    assert crm.get(f"/attachments/{facts['attachment_id']}").is_success


def test_retry_after_may_be_sent(nextcap: NextCap, crm: httpx.Client) -> None:
    nextcap.configure(rate_limit=0, retry_after_header=True)

    assert 1 <= int(crm.get("/tickets").headers["Retry-After"]) <= 60


@pytest.mark.parametrize(("honoured", "mails"), [(False, 2), (True, 1)])
def test_an_idempotency_key_is_ignored_unless_set(
    nextcap: NextCap, crm: httpx.Client, honoured: bool, mails: int
) -> None:
    nextcap.configure(idempotency=honoured)
    path = f"/tickets/{ticket_at(nextcap, 'open', customer_email='kim@example.com')}/reply"

    answers = [crm.post(path, json={"content": "a"}, headers={"Idempotency-Key": "one"}) for _ in range(2)]

    assert [one.status_code for one in answers] == [201, 201]
    assert (answers[0].json() == answers[1].json()) is honoured
    assert len(nextcap.state()["emails"]) == mails


@pytest.mark.parametrize("kind", ["lost_answer", "error_after"])
def test_a_reply_without_a_proper_answer_was_sent_all_the_same(nextcap: NextCap, crm: httpx.Client, kind: str) -> None:
    ticket = ticket_at(nextcap, "open", customer_email="kim@example.com")
    nextcap.faults.add(kind, method="POST", path="/reply$")

    try:
        status = crm.post(f"/tickets/{ticket}/reply", json={"content": "a"}).status_code
    except httpx.RemoteProtocolError:
        status = 0

    assert status == (0 if kind == "lost_answer" else 500)
    assert len(nextcap.state()["emails"]) == 1
    assert nextcap.calls.count("POST", "/api/v1/external/crm/tickets/<ticket_id>/reply") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate_limit", "60"),
        ("rate_limit", True),
        ("payload", "tiny"),
        ("signature", "md5"),
        ("list_meta", 1),
        ("speed", 1),
    ],
)
def test_a_wrong_setting_changes_nothing(nextcap: NextCap, name: str, value: Any) -> None:
    before = nextcap.settings_view()

    with pytest.raises(ValueError, match=name):
        nextcap.configure(**{"casing": "camel", name: value})

    assert nextcap.settings_view() == before


def test_people_act_over_the_control_api_by_the_same_rules(nextcap: NextCap, control: httpx.Client) -> None:
    body = {"subject": "Help", "customer_email": "kim@example.com", "department": "Support"}
    ticket = control.post("/actions/create_ticket", json=body).json()["result"]
    number = ticket["ticket_number"]

    refused = control.post("/actions/move", json={"ticket": number, "status": "resolved"})
    moved = control.post("/actions/move", json={"ticket": number, "status": "open", "agent": "cleo@acme.example"})
    control.post("/actions/agent_reply", json={"ticket": number, "content": "Hello"})
    control.post("/actions/set_fields", json={"ticket": number, "fields": {"priority": "urgent"}})
    wrong_field = control.post("/actions/set_fields", json={"ticket": number, "fields": {"state": "x"}})
    unknown = control.post("/actions/close", json={"ticket": 999})

    state = control.get("/state").json()
    assert problem(refused) == (400, "VALIDATION_ERROR", ["status"])
    assert moved.json()["result"]["status"] == "open"
    assert problem(wrong_field)[2] == ["state"]
    assert unknown.status_code == 404
    assert [mail["to"] for mail in state["emails"]] == ["kim@example.com"]
    assert state["tickets"][0]["priority"] == "urgent"
    assert state["illegal_moves"][0]["by"] == nextcap.world.agent("ben@acme.example").id


def test_people_are_refused_what_does_not_exist(nextcap: NextCap) -> None:
    ticket = ticket_at(nextcap, "open")

    attempts: list[Callable[[], object]] = [
        lambda: nextcap.assign(ticket, "nobody@acme.example"),
        lambda: nextcap.assign(ticket, "dan@acme.example"),
        lambda: nextcap.transfer(ticket, "Nowhere"),
        lambda: nextcap.agent_reply(ticket, "a", agent="nobody@acme.example"),
        lambda: nextcap.create_ticket(subject="a", source="fax"),
        lambda: nextcap.visitor_message("none", "a"),
    ]

    for refused in attempts:
        with pytest.raises(Refusal):
            refused()


def test_a_disabled_member_cannot_be_assigned_any_more(nextcap: NextCap, crm: httpx.Client) -> None:
    ben = nextcap.disable_member("ben@acme.example")["id"]

    refused = crm.post(f"/tickets/{ticket_at(nextcap, 'open')}/assign", json={"agent_id": ben})

    assert problem(refused) == (400, "VALIDATION_ERROR", ["agent_id"])


def test_many_callers_at_once_lose_nothing(nextcap: NextCap, crm: httpx.Client) -> None:
    ticket = ticket_at(nextcap, "open")

    with ThreadPoolExecutor(8) as pool:
        notes = pool.map(
            lambda number: crm.post(f"/tickets/{ticket}/notes", json={"content": f"Note {number}"}), range(40)
        )
        statuses = {answer.status_code for answer in notes}

    contents = {one["content"] for one in nextcap.timeline(ticket) if one["type"] == "note"}
    assert statuses == {201}
    assert len(contents) == 40
    assert nextcap.calls.total == 40


def test_a_reset_brings_back_the_seeds_the_settings_and_the_ids(nextcap: NextCap, crm: httpx.Client) -> None:
    before = (list(nextcap.world.departments), list(nextcap.world.members))
    ticket_at(nextcap, "open")
    nextcap.configure(rate_limit=1)

    nextcap.reset()

    assert (list(nextcap.world.departments), list(nextcap.world.members)) == before
    assert nextcap.settings.rate_limit == 100_000
    assert crm.get("/tickets").json()["data"] == []
    assert nextcap.create_ticket(subject="a")["ticket_number"] == 1001


def test_the_sandbox_starts_the_vendors_that_are_asked_for() -> None:
    with Sandbox(["nextcap"]) as sandbox:
        assert httpx.get(f"{sandbox.nextcap.url}/_control/state").status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{sandbox.nextcap.url}/_control/state")
    with pytest.raises(TypeError, match="zendesk_port"):
        Sandbox(["nextcap"], zendesk_port=1)
    with pytest.raises(KeyError):
        imitation("unknown")
    assert "hubspot" in VENDORS
