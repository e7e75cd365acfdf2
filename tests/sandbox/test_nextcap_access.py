"""Keys, browsers, permissions, widgets and the rate limit of the Next Cap imitation."""

from __future__ import annotations

import time

import httpx
import pytest

from connector.sandbox.nextcap import CRM_KEY, DATA_KEY, NextCap
from connector.sandbox.nextcap_settings import PERMISSIONS

from .conftest import problem


def get(nextcap: NextCap, path: str = "/external/crm/tickets", **headers: str) -> httpx.Response:
    return httpx.get(nextcap.api_url + path, headers={name.replace("_", "-"): one for name, one in headers.items()})


def test_both_header_forms_are_accepted(nextcap: NextCap) -> None:
    assert get(nextcap, X_Api_Key=CRM_KEY).status_code == 200
    assert get(nextcap, Authorization=f"Bearer {CRM_KEY}").status_code == 200
    assert get(nextcap, "/external/leads", X_Api_Key=DATA_KEY).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_Api_Key": "nextcap_ck_wrong"},
        {"X_Api_Key": DATA_KEY},
        {"X_Api_Key": "pk_live_widget"},
        {"Authorization": CRM_KEY},
        {"Authorization": f"Basic {CRM_KEY}"},
        {"X_Api_Key": CRM_KEY, "Authorization": "Bearer nextcap_ck_other"},
    ],
)
def test_missing_wrong_and_ambiguous_keys_are_unauthorized(nextcap: NextCap, headers: dict[str, str]) -> None:
    assert problem(get(nextcap, **headers)) == (401, "UNAUTHORIZED", [])


def test_the_data_api_refuses_the_crm_key(nextcap: NextCap) -> None:
    assert problem(get(nextcap, "/external/webhooks", X_Api_Key=CRM_KEY)) == (401, "UNAUTHORIZED", [])


def test_a_request_from_a_browser_is_forbidden(nextcap: NextCap) -> None:
    refused = get(nextcap, X_Api_Key=CRM_KEY, Origin="https://shop.example")

    assert problem(refused) == (403, "FORBIDDEN", [])


@pytest.mark.parametrize("status", [401, 403])
def test_a_removed_seat_kills_the_key_at_once(nextcap: NextCap, status: int) -> None:
    nextcap.configure(seat_active=False, revoked_status=status)

    assert get(nextcap, X_Api_Key=CRM_KEY).status_code == status
    assert get(nextcap, "/external/leads", X_Api_Key=DATA_KEY).status_code == 200


@pytest.mark.parametrize(("path", "status"), [("/external/crm/nothing", 404), ("/external/crm/tickets/x/merge", 404)])
def test_an_unknown_path_is_not_found(crm: httpx.Client, nextcap: NextCap, path: str, status: int) -> None:
    assert problem(get(nextcap, path, X_Api_Key=CRM_KEY)) == (status, "NOT_FOUND", [])


def test_a_ticket_cannot_be_deleted(nextcap: NextCap, crm: httpx.Client) -> None:
    ticket = nextcap.create_ticket(subject="Help")

    assert problem(crm.delete(f"/tickets/{ticket['id']}"))[:2] == (405, "METHOD_NOT_ALLOWED")


TICKET_CALLS = [
    ("GET", "/tickets", None, "tickets:view"),
    ("GET", "/tickets/{id}", None, "tickets:view"),
    ("GET", "/tickets/{id}/events", None, "tickets:view"),
    ("POST", "/tickets", {"subject": "New"}, "tickets:manage"),
    ("PATCH", "/tickets/{id}", {"status": "open"}, "tickets:manage"),
    ("POST", "/tickets/{id}/transfer", {"department_id": "{department}"}, "tickets:manage"),
    ("POST", "/tickets/{id}/notes", {"content": "x"}, "tickets:manage"),
    ("POST", "/tickets/{id}/reply", {"content": "x"}, "tickets:reply"),
    ("POST", "/tickets/{id}/assign", {"agent_id": "{member}"}, "tickets:assign"),
    ("POST", "/tickets/{id}/close", None, "tickets:close"),
    ("POST", "/tickets/{id}/reopen", None, "tickets:manage"),
    ("GET", "/members", None, "team:invite"),
    ("GET", "/members/by-email/ben%40acme.example", None, "team:invite"),
    ("GET", "/members/{member}", None, "team:invite"),
    ("GET", "/conversations/queue", None, "live-chat:join"),
    ("POST", "/conversations/{chat}/assign", {"agent_id": "{member}"}, "live-chat:join"),
    ("POST", "/conversations/{chat}/resolve", None, "live-chat:join"),
]


@pytest.mark.parametrize(("method", "path", "body", "permission"), TICKET_CALLS)
def test_each_call_needs_exactly_its_permission(
    nextcap: NextCap, crm: httpx.Client, method: str, path: str, body: dict[str, str] | None, permission: str
) -> None:
    names = {
        "id": nextcap.create_ticket(subject="Help")["id"],
        "chat": nextcap.start_conversation("Hi")["id"],
        "member": nextcap.world.agent(None).id or "",
        "department": next(iter(nextcap.world.departments)),
    }
    if path.endswith("/reopen"):
        nextcap.close(names["id"])
    filled = None if body is None else {key: value.format(**names) for key, value in body.items()}

    nextcap.configure(permissions=[one for one in PERMISSIONS if one != permission])
    without = crm.request(method, path.format(**names), json=filled)
    nextcap.configure(permissions=[permission])
    with_it = crm.request(method, path.format(**names), json=filled)

    assert problem(without) == (403, "FORBIDDEN", [])
    assert with_it.is_success


def test_conversations_are_seen_with_either_permission_and_own_ones_with_view_own(
    nextcap: NextCap, crm: httpx.Client
) -> None:
    own, other = nextcap.start_conversation("a"), nextcap.start_conversation("b")
    crm.post(f"/conversations/{own['id']}/assign", json={"agent_id": nextcap.world.seat.id})

    nextcap.configure(permissions=["conversations:view-own"])
    listed = [one["id"] for one in crm.get("/conversations").json()["data"]]
    unassigned = crm.get(f"/conversations/{other['id']}")
    nextcap.configure(permissions=["tickets:view"])

    assert listed == [own["id"]]
    assert unassigned.status_code == 403
    assert crm.get("/conversations").status_code == 403


def test_tickets_of_another_widget_are_forbidden_and_absent_from_lists(nextcap: NextCap, crm: httpx.Client) -> None:
    nextcap.configure(widgets=["widget-main"])
    ours = nextcap.create_ticket(subject="Ours")
    theirs = nextcap.create_ticket(subject="Theirs", widget="widget-shop")
    mailed = nextcap.create_ticket(subject="By e-mail", source="email", widget=None)

    listed = [one["id"] for one in crm.get("/tickets?sort_order=asc").json()["data"]]
    path = f"/tickets/{theirs['id']}"

    assert listed == [ours["id"], mailed["id"]]
    for refused in (crm.get(path), crm.get(f"{path}/events"), crm.patch(path, json={"priority": "low"})):
        assert problem(refused) == (403, "FORBIDDEN", [])


def test_every_answer_carries_the_rate_limit_headers(nextcap: NextCap, crm: httpx.Client) -> None:
    nextcap.configure(rate_limit=60)

    answers = [crm.get("/tickets"), crm.get("/tickets/none"), crm.get("/none"), get(nextcap)]

    assert [one.headers["X-RateLimit-Limit"] for one in answers] == ["60"] * 4
    assert [one.headers["X-RateLimit-Remaining"] for one in answers[:3]] == ["59", "58", "57"]
    assert 0 <= int(answers[0].headers["X-RateLimit-Reset"]) - time.time() <= 61


def test_over_the_limit_a_key_is_refused_until_the_minute_is_over(
    nextcap: NextCap, crm: httpx.Client, data: httpx.Client
) -> None:
    nextcap.configure(rate_limit=3)

    statuses = [crm.get("/tickets").status_code for _ in range(3)]
    refused = crm.get("/tickets")
    other_key = data.get("/leads")
    nextcap.clock.advance(60)

    assert statuses == [200] * 3
    assert problem(refused) == (429, "RATE_LIMITED", [])
    assert 0 < refused.json()["error"]["retryAfter"] <= 60
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert "Retry-After" not in refused.headers
    assert other_key.status_code == 200
    assert crm.get("/tickets").status_code == 200


def test_the_limit_is_sixty_unless_set() -> None:
    assert NextCap().settings.rate_limit == 60
