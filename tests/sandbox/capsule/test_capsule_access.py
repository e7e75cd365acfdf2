"""Tokens, scopes, limits and what is no call at all."""

from __future__ import annotations

import httpx
import pytest

from connector.sandbox.capsule import Capsule

from .support import project, put, refreshed, token_answer


def test_a_call_without_a_good_token_is_refused_with_its_reason(capsule: Capsule) -> None:
    for header in ({}, {"Authorization": "Bearer nobody"}, {"Authorization": "Basic Zm9v"}):
        answer = httpx.get(f"{capsule.url}/api/v2/users/current", headers=header)

        assert answer.status_code == 401
        assert answer.json()["message"]
        assert "invalid_token" in answer.headers["WWW-Authenticate"]


def test_a_personal_token_reads_and_writes(api: httpx.Client) -> None:
    assert api.get("/users/current").json()["user"]["username"] == "connector"
    assert put(api, project(api), name="Out again").status_code == 200


def test_the_grant_begins_with_a_browser_at_authorise_in_british_spelling(capsule: Capsule) -> None:
    query = {"response_type": "code", "client_id": capsule.credentials.client_id, "state": "s1"}
    query |= {"redirect_uri": "https://us.example/back", "scope": "read write"}

    sent_back = httpx.get(f"{capsule.url}/oauth/authorise", params=query)
    code = httpx.URL(sent_back.headers["Location"]).params["code"]
    told = token_answer(capsule, grant_type="authorization_code", code=code).json()

    assert sent_back.status_code == 302
    assert httpx.URL(sent_back.headers["Location"]).params["state"] == "s1"
    assert told["token_type"] == "bearer"
    assert (told["expires_in"], told["scope"], told["subdomain"]) == (604_799, "read write", "acme")
    assert httpx.get(f"{capsule.url}/oauth/authorize", params=query).status_code == 404
    assert token_answer(capsule, grant_type="authorization_code", code=code).status_code == 400


@pytest.mark.parametrize(
    ("how", "rotates", "tells"), [("rotated", True, True), ("kept", False, True), ("omitted", False, False)]
)
def test_a_refresh_may_rotate_keep_or_not_tell_the_refresh_token(
    capsule: Capsule, how: str, rotates: bool, tells: bool
) -> None:
    capsule.configure(refresh=how)
    first = capsule.tokens.refresh_token

    told = refreshed(capsule)
    again = token_answer(capsule, grant_type="refresh_token", refresh_token=first)

    assert ("refresh_token" in told) is tells
    assert again.status_code == (400 if rotates else 200)


def test_an_access_token_runs_out_and_a_revoked_grant_is_over(capsule: Capsule, app: httpx.Client) -> None:
    assert app.get("/users/current").status_code == 200

    capsule.clock.advance(604_800)
    late = app.get("/users/current")
    capsule.revoke()
    answer = token_answer(capsule, grant_type="refresh_token", refresh_token=capsule.tokens.refresh_token)

    assert (late.status_code, late.json()["message"]) == (401, "The access token expired")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_the_application_must_prove_itself_and_may_end_the_grant(capsule: Capsule) -> None:
    wrong = token_answer(capsule, grant_type="refresh_token", refresh_token="x", client_secret="guess")
    form = {"client_id": capsule.credentials.client_id, "client_secret": capsule.credentials.client_secret}
    ended = httpx.post(f"{capsule.url}/oauth/token/revoke", json={**form, "token": capsule.tokens.refresh_token})

    assert wrong.status_code == 401
    assert ended.status_code == 200
    assert token_answer(capsule, grant_type="refresh_token", refresh_token="x").status_code == 400


def test_a_token_does_what_its_scope_says(capsule: Capsule, api: httpx.Client) -> None:
    record = project(api)
    capsule.configure(scope="read")

    refused = put(api, record, name="No")

    assert api.get(f"/kases/{record}").status_code == 200
    assert refused.status_code == 403
    assert 'scope="write"' in refused.headers["WWW-Authenticate"]


def test_the_hours_limit_is_told_with_every_success_and_ends_without_retry_after(
    capsule: Capsule, api: httpx.Client
) -> None:
    capsule.configure(rate_limit=2)

    first, second, third = (api.get("/site") for _ in range(3))

    assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"]) == ("2", "1")
    assert second.headers["X-RateLimit-Remaining"] == "0"
    assert (third.status_code, third.json()) == (429, {"error": "rate limit reached"})
    assert "Retry-After" not in third.headers
    reset = int(third.headers["X-RateLimit-Reset"])
    assert 0 < reset - capsule.now().timestamp() <= 3600
    capsule.clock.advance(3600)
    assert api.get("/site").status_code == 200


def test_the_limit_is_four_thousand_an_hour(api: httpx.Client) -> None:
    assert api.get("/site").headers["X-RateLimit-Limit"] == "4000"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"content": b"{nonsense"}, 415),
        ({"content": b"{nonsense", "headers": {"Content-Type": "application/json"}}, 400),
        ({"json": {"name": "no envelope"}}, 400),
        ({"json": {"kase": "text"}}, 400),
    ],
)
def test_a_body_that_is_not_what_was_asked_for(api: httpx.Client, body: dict[str, object], status: int) -> None:
    answer = api.post("/kases", **body)  # type: ignore[arg-type]  # each row is what httpx takes

    assert answer.status_code == status
    assert answer.json()["message"]


def test_paths_that_do_not_exist(api: httpx.Client) -> None:
    for path in ("/projects", "/users/me", "/kases/customfields", "/kases/x", "/entries/1,2", "/kases/1/"):
        assert api.get(path).status_code == 404, path


def test_json_only_and_the_second_version_only(capsule: Capsule, api: httpx.Client) -> None:
    assert (
        api.get("/site", headers={"Accept": "application/xml"}).headers["Content-Type"].startswith("application/json")
    )
    assert httpx.get(f"{capsule.url}/api/party").status_code == 404
