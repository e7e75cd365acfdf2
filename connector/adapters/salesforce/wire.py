"""Salesforce's wire: calls built by `simple-salesforce` in direct mode, sent over our own connections.

That client's own sending was measured (1.12.10) and stands in the way of what a wire promises: no time-out, `https` to
the host whatever the instance's address, errors without their headers, and log-ins without end after a 401 that stays.
So it never sends: the session that it is given only builds, and no log-in of its own is configured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx
import requests
from simple_salesforce.api import Salesforce as Client

from connector.adapters.transport import Request
from connector.adapters.wires import USER_AGENT, HttpxWire


class _Builder(requests.Session):
    """A session that prepares a request and sends nothing."""

    prepared: requests.PreparedRequest

    def request(self, method: Any, url: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        self.prepared = self.prepare_request(requests.Request(method, url, **options))
        answer = requests.Response()
        answer.status_code = 200
        return answer


class SalesforceWire(HttpxWire):
    """The httpx wire with calls built by `simple-salesforce`; token requests, which it cannot build so, as ever.

    `address` gives the instance's address, which comes with the token; `login_url` is what the transport calls by.
    """

    def __init__(self, login_url: str, address: Callable[[], str], **options: Any) -> None:
        super().__init__(**options)
        self._login_url = login_url.rstrip("/")
        self._address = address

    def encoded(self, request: Request, url: str, headers: Mapping[str, str]) -> httpx.Request:
        if request.form is not None or request.files:
            return super().encoded(request, url, headers)
        address = self._address()
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        builder = _Builder()
        builder.trust_env = False
        client = Client(session_id=token, instance_url=address, session=builder)
        theirs = f"https://{client.sf_instance}"
        client._call_salesforce(
            request.method,
            theirs + url.removeprefix(self._login_url),
            headers={"User-Agent": USER_AGENT, "Accept": "application/json", "X-PrettyPrint": "0", **headers},
            params=dict(request.query) or None,
            json=request.json,
        )
        built = builder.prepared
        target = address + str(built.url).removeprefix(theirs)
        return httpx.Request(str(built.method), target, headers=dict(built.headers), content=built.body or None)
