"""One imitation of Salesforce for all of these tests, as new for each of them, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connector.sandbox.salesforce import Salesforce

BASE = "/services/data/v62.0"


class Client:
    """Our user's calls, with a good session."""

    def __init__(self, org: Salesforce) -> None:
        self.org = org
        self.http = httpx.Client(base_url=org.url)
        self.log_in()

    def log_in(self, **changes: str) -> httpx.Response:
        form = {"grant_type": "client_credentials", "client_id": self.org.credentials.client_id}
        form |= {"client_secret": self.org.settings.client_secret, **changes}
        answer = self.http.post("/services/oauth2/token", data={key: value for key, value in form.items() if value})
        if answer.status_code == 200:
            self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return answer

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return self.http.request(method, BASE + path, json=body, **options)

    def query(self, soql: str, path: str = "/query") -> httpx.Response:
        return self("GET", path, params={"q": soql})

    def rows(self, soql: str, path: str = "/query") -> list[dict[str, Any]]:
        answer = self.query(soql, path)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["records"])

    def case(self, **fields: Any) -> str:
        answer = self("POST", "/sobjects/Case", {"Subject": "It does not work", **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def fields(self, case: str) -> dict[str, Any]:
        return dict(self("GET", f"/sobjects/Case/{case}").json())


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and error code of a refusal."""
    return answer.status_code, answer.json()[0]["errorCode"]


@pytest.fixture(scope="session")
def org_served() -> Iterator[Salesforce]:
    with Salesforce() as running:
        yield running


@pytest.fixture
def org(org_served: Salesforce) -> Salesforce:
    """An org in which the administrator has deployed our fields."""
    org_served.reset()
    org_served.install_fields()
    return org_served


@pytest.fixture
def api(org: Salesforce) -> Iterator[Client]:
    client = Client(org)
    yield client
    client.http.close()
