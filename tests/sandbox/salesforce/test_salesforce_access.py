"""Who may call: sessions, both grants, versions, limits."""

from __future__ import annotations

import time

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connector.sandbox.salesforce import Salesforce
from tests.sandbox.salesforce.conftest import Client, code


def test_client_credentials_by_form_or_basic(org: Salesforce, api: Client) -> None:
    told = api.log_in().json()
    pair = (org.credentials.client_id, org.settings.client_secret)
    basic = api.http.post("/services/oauth2/token", data={"grant_type": "client_credentials"}, auth=pair)

    assert told["instance_url"] == org.url
    assert told["id"].endswith(f"/id/{org.org.org_id}/{org.org.user_id}")
    assert "expires_in" not in told
    assert basic.status_code == 200


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "wrong"}, "invalid_client_id"),
        ({"grant_type": "password"}, "invalid_grant"),
        ({"grant_type": "wish"}, "unsupported_grant_type"),
    ],
)
def test_a_grant_that_is_refused(api: Client, change: dict[str, str], error: str) -> None:
    answer = api.log_in(**change)

    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def assertion(org: Salesforce, key: rsa.RSAPrivateKey, **changes: object) -> dict[str, str]:
    claims: dict[str, object] = {
        "iss": org.credentials.client_id,
        "sub": org.settings.username,
    }
    claims |= {"aud": "https://login.salesforce.com"}
    claims |= {"exp": int(time.time()) + 180, **changes}
    return {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": jwt.encode(claims, key, algorithm="RS256"),
        "client_id": "",
        "client_secret": "",
    }


def trust(org: Salesforce, key: rsa.RSAPrivateKey) -> None:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    org.configure(public_key=key.public_key().public_bytes(serialization.Encoding.PEM, form).decode())


def test_a_signed_assertion_is_granted_a_session(org: Salesforce, api: Client, key: rsa.RSAPrivateKey) -> None:
    trust(org, key)

    assert api.log_in(**assertion(org, key)).status_code == 200
    assert api("GET", "/limits").status_code == 200


@pytest.mark.parametrize(
    "change", [{"aud": "https://mine.example"}, {"sub": "someone"}, {"iss": "other"}, {"exp": 1}, {"exp": 4e9}]
)
def test_a_wrong_assertion_is_not(
    org: Salesforce, api: Client, key: rsa.RSAPrivateKey, change: dict[str, object]
) -> None:
    trust(org, key)

    assert api.log_in(**assertion(org, key, **change)).status_code == 400


def test_an_assertion_by_another_key_is_not(org: Salesforce, api: Client, key: rsa.RSAPrivateKey) -> None:
    trust(org, rsa.generate_private_key(public_exponent=65537, key_size=2048))

    assert api.log_in(**assertion(org, key)).json()["error"] == "invalid_grant"


def test_a_session_ends_when_it_is_not_used(org: Salesforce, api: Client) -> None:
    org.clock.advance(7000)
    assert api("GET", "/limits").status_code == 200
    org.clock.advance(7201)

    assert code(api("GET", "/limits")) == (401, "INVALID_SESSION_ID")


def test_no_session_no_answer_but_the_list_of_versions(org: Salesforce) -> None:
    assert code(httpx.get(f"{org.url}/services/data/v62.0/limits")) == (401, "INVALID_SESSION_ID")
    versions = [one["version"] for one in httpx.get(f"{org.url}/services/data").json()]
    assert versions[0] == "31.0"
    assert versions[-1] == "68.0"


@pytest.mark.parametrize(
    ("version", "expected"),
    [("30.0", (410, "UNSUPPORTED_API_VERSION")), ("99.0", (404, "NOT_FOUND")), ("62", (404, "NOT_FOUND"))],
)
def test_a_version_that_is_not_there(api: Client, version: str, expected: tuple[int, str]) -> None:
    assert code(api.http.get(f"/services/data/v{version}/limits")) == expected


def test_an_old_version_warns(api: Client) -> None:
    assert api.http.get("/services/data/v40.0/limits").headers["Warning"].startswith("299 ")
    assert "Warning" not in api("GET", "/limits").headers


def test_every_answer_tells_what_is_used_of_the_day(org: Salesforce, api: Client) -> None:
    assert api("GET", "/limits").headers["Sforce-Limit-Info"] == "api-usage=1/100000"
    api.http.get("/services/data")
    refused = api("GET", "/sobjects/Nothing/describe")

    assert code(refused) == (404, "NOT_FOUND")
    assert refused.headers["Sforce-Limit-Info"] == "api-usage=2/100000"


def test_the_days_calls_end_and_come_back(org: Salesforce, api: Client) -> None:
    org.configure(daily=2)
    for _ in range(2):
        api("GET", "/limits")

    answer = api("GET", "/limits")
    assert code(answer) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert "TotalRequests" in answer.json()[0]["message"]
    assert "Retry-After" not in answer.headers
    org.clock.advance(25 * 3600)
    api.log_in()
    assert api("GET", "/limits").status_code == 200


def test_a_method_and_a_body_that_do_not_fit(api: Client) -> None:
    assert code(api("PUT", "/sobjects/Case")) == (405, "METHOD_NOT_ALLOWED")
    text = {"Content-Type": "application/json"}
    assert code(api.http.post("/services/data/v62.0/sobjects/Case", content=b"{", headers=text)) == (
        400,
        "JSON_PARSER_ERROR",
    )
    assert code(api.http.post("/services/data/v62.0/sobjects/Case", content=b"a=1"))[0] == 415


def test_an_address_that_is_too_long(api: Client) -> None:
    assert api.query("SELECT Id FROM Case WHERE Subject = '" + "x" * 17_000 + "'").status_code == 414


def test_troubles_by_name(org: Salesforce, api: Client) -> None:
    for name in ("locked", "daily", "concurrent", "unavailable", "error", "page"):
        org.fail(name)
        assert api("GET", "/limits").status_code in (400, 403, 500, 503)
    with pytest.raises(ValueError, match="no trouble"):
        org.fail("boredom")


def test_an_app_that_is_blocked(org: Salesforce, api: Client) -> None:
    org.block_app()

    assert code(api("GET", "/limits")) == (401, "INVALID_SESSION_ID")
    assert api.log_in().json()["error"] == "invalid_client"
