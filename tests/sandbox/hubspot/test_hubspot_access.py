"""Tokens, scopes, limits and the day's count."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connector.sandbox.hubspot import HubSpot

from .support import CONTACTS, NOTES, TICKETS, made, refused

DETAILS = "/account-info/2026-09/details"
TOKEN = "/oauth/2026-03/token"


def form(hubspot: HubSpot, **more: str) -> dict[str, str]:
    return {
        "grant_type": "refresh_token",
        "client_id": hubspot.credentials.client_id,
        "client_secret": hubspot.settings.client_secret,
        "refresh_token": hubspot.credentials.refresh_token,
        **more,
    }


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer pat-wrong", "Basic abc"])
def test_a_call_without_a_good_token_is_refused(api: httpx.Client, header: str) -> None:
    refused(api.get(DETAILS, headers={"Authorization": header}), 401, "INVALID_AUTHENTICATION")


def test_a_refreshed_token_works_until_it_expires(api: httpx.Client, hubspot: HubSpot) -> None:
    granted = api.post(TOKEN, data=form(hubspot)).json()

    assert granted["expires_in"] == 1800
    assert granted["hub_id"] == hubspot.credentials.portal_id
    assert "tickets" in granted["scopes"]
    assert granted["refresh_token"] == hubspot.credentials.refresh_token
    assert api.get(DETAILS, headers=bearer(granted["access_token"])).status_code == 200
    hubspot.clock.advance(1800)
    refused(api.get(DETAILS, headers=bearer(granted["access_token"])), 401, "EXPIRED_AUTHENTICATION")


@pytest.mark.parametrize(
    ("wrong", "status", "error"),
    [
        ({"refresh_token": "na1-other"}, "BAD_REFRESH_TOKEN", "invalid_grant"),
        ({"client_id": "other"}, "BAD_CLIENT_ID", "invalid_client"),
        ({"client_secret": "other"}, "BAD_CLIENT_SECRET", "invalid_client"),
        ({"grant_type": "password"}, "BAD_GRANT_TYPE", "unsupported_grant_type"),
    ],
)
def test_a_wrong_grant_is_refused_by_name(
    api: httpx.Client, hubspot: HubSpot, wrong: dict[str, str], status: str, error: str
) -> None:
    answer = api.post(TOKEN, data=form(hubspot, **wrong))

    assert (answer.status_code, answer.json()["status"], answer.json()["error"]) == (400, status, error)


def test_secrets_in_the_address_do_not_count(api: httpx.Client, hubspot: HubSpot) -> None:
    assert api.post(TOKEN, params=form(hubspot)).status_code == 415
    assert api.post(TOKEN, params=form(hubspot), data={"grant_type": "refresh_token"}).status_code == 400


def test_an_uninstalled_app_has_no_good_token(api: httpx.Client, hubspot: HubSpot) -> None:
    access = api.post(TOKEN, data=form(hubspot)).json()["access_token"]

    hubspot.uninstall()

    assert api.post(TOKEN, data=form(hubspot)).json()["status"] == "BAD_REFRESH_TOKEN"
    for headers in (bearer(access), {}):
        refused(api.get(DETAILS, headers=headers), 401, "INVALID_AUTHENTICATION")


def test_a_token_can_be_checked_and_ended(api: httpx.Client, hubspot: HubSpot) -> None:
    access = api.post(TOKEN, data=form(hubspot)).json()["access_token"]

    def ask(call: str, token: str) -> httpx.Response:
        return api.post(f"{TOKEN}/{call}", data=form(hubspot, token=token))

    facts = ask("introspect", access).json()
    assert (facts["active"], facts["token_use"], facts["hub_id"]) == (True, "access_token", 62515)
    assert 0 < facts["expires_in"] <= 1800
    assert ask("introspect", hubspot.credentials.refresh_token).json()["token_use"] == "refresh_token"
    assert ask("revoke", access).status_code == 200
    assert ask("introspect", access).json() == {"active": False}
    assert ask("revoke", hubspot.credentials.refresh_token).status_code == 200
    assert api.post(TOKEN, data=form(hubspot)).json()["status"] == "BAD_REFRESH_TOKEN"


@pytest.mark.parametrize(
    ("scope", "method", "path", "body"),
    [
        ("tickets", "GET", TICKETS, None),
        ("tickets", "POST", f"{TICKETS}/batch/upsert", {"inputs": [{"id": "1"}]}),
        ("tickets", "POST", f"{TICKETS}/search", {}),
        ("tickets", "GET", "/crm/pipelines/2026-09/tickets", None),
        ("tickets", "GET", "/crm/properties/2026-09/tickets", None),
        ("tickets", "POST", "/crm/properties/2026-09/tickets", {}),
        ("tickets", "GET", "/crm/associations/2026-09/tickets/contacts/labels", None),
        ("crm.objects.contacts.read", "GET", f"{TICKETS}/1/associations/contacts", None),
        ("crm.objects.contacts.read", "POST", f"{CONTACTS}/batch/read", {"inputs": [{"id": "1"}]}),
        ("crm.objects.contacts.write", "POST", CONTACTS, {}),
        ("crm.objects.contacts.write", "POST", NOTES, {}),
        ("crm.objects.contacts.read", "POST", f"{NOTES}/batch/read", {"inputs": [{"id": "1"}]}),
        ("crm.schemas.contacts.write", "POST", "/crm/properties/2026-09/contacts", {}),
        ("crm.objects.owners.read", "GET", "/crm/owners/2026-09", None),
        ("files", "GET", "/files/2026-03/files/1", None),
        ("files", "POST", "/files/2026-03/files", {}),
    ],
)
def test_a_missing_scope_is_named(
    api: httpx.Client, hubspot: HubSpot, scope: str, method: str, path: str, body: Any
) -> None:
    hubspot.settings.scopes.remove(scope)

    answer = api.request(method, path, json=body)

    wanted = refused(answer, 403, "MISSING_SCOPES")["errors"][0]["context"]["requiredGranularScopes"]
    assert scope in wanted


def test_answers_carry_what_is_left(api: httpx.Client, hubspot: HubSpot) -> None:
    hubspot.configure(burst=50, daily=1000)

    api.get(DETAILS)
    headers = api.get(f"{TICKETS}/17").headers

    assert headers["X-HubSpot-RateLimit-Max"] == "50"
    assert headers["X-HubSpot-RateLimit-Remaining"] == "48"
    assert headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
    assert headers["X-HubSpot-RateLimit-Daily"] == "1000"
    assert headers["X-HubSpot-RateLimit-Daily-Remaining"] == "998"


def test_an_oauth_app_has_no_daily_limit(api: httpx.Client, hubspot: HubSpot) -> None:
    hubspot.configure(daily=0)
    access = api.post(TOKEN, data=form(hubspot)).json()["access_token"]

    answer = api.get(DETAILS, headers=bearer(access))

    assert answer.status_code == 200
    assert "X-HubSpot-RateLimit-Daily" not in answer.headers
    usage = api.get("/account-info/2026-09/api-usage/daily/private-apps", headers=bearer(access))
    assert usage.json() == {"results": []}


def test_the_burst_limit_rolls_over_ten_seconds(api: httpx.Client, hubspot: HubSpot) -> None:
    hubspot.configure(burst=3)
    assert [api.get(DETAILS).status_code for _ in range(4)] == [200, 200, 200, 429]

    answer = api.get(DETAILS)

    body = refused(answer, 429, "RATE_LIMITS")
    assert (body["policyName"], body["errorType"]) == ("TEN_SECONDLY_ROLLING", "RATE_LIMIT")
    assert "Retry-After" not in answer.headers
    hubspot.configure(retry_after=True)
    assert 1 <= int(api.get(DETAILS).headers["Retry-After"]) <= 10
    hubspot.clock.advance(11)
    assert api.get(DETAILS).status_code == 200


def test_search_has_its_own_limit_and_no_headers(api: httpx.Client) -> None:
    answers = [api.post(f"{TICKETS}/search", json={}) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert refused(answers[-1], 429, "RATE_LIMITS")["policyName"] == "SECONDLY"
    assert not [name for answer in answers for name in answer.headers if "ratelimit" in name.lower()]
    assert api.get(DETAILS).status_code == 200


def test_associations_have_their_own_limit(api: httpx.Client, hubspot: HubSpot) -> None:
    hubspot.configure(association_burst=1)
    path = f"{TICKETS}/{made(api)}/associations/contacts"

    assert [api.get(path).status_code for _ in range(2)] == [200, 429]
    assert api.get(DETAILS).headers["X-HubSpot-RateLimit-Max"] == "190"


def test_the_day_ends_at_midnight(api: httpx.Client, hubspot: HubSpot) -> None:
    path = "/account-info/2026-09/api-usage/daily/private-apps"
    hubspot.configure(daily=2)
    api.get(DETAILS)

    usage = api.get(path).json()["results"][0]
    assert (usage["currentUsage"], usage["usageLimit"]) == (2, 2)
    assert usage["resetsAt"].endswith("T00:00:00.000Z")
    assert refused(api.get(path), 429, "RATE_LIMITS")["policyName"] == "DAILY"
    hubspot.clock.advance(24 * 3600)
    assert api.get(DETAILS).status_code == 200
