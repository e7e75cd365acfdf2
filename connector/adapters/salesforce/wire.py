"""Salesforce's wire: calls built by `simple-salesforce` in direct mode, sent over our own connections.

That client's own sending was measured (1.12.10) and stands in the way of what a wire promises: no time-out, `https` to
the host whatever the instance's address, errors without their headers, and log-ins without end after a 401 that stays.
So it never sends: the session that it is given only builds, and no log-in of its own is configured.
"""

from __future__ import annotations

from collections.abc import Mapping

import httpx
from simple_salesforce.api import Salesforce as Client

from connector.adapters.transport import Request
from connector.adapters.wires import USER_AGENT, ClientWire
from connector.adapters.wires_requests import Builder


class SalesforceWire(ClientWire):
    """Calls as `simple-salesforce` builds them."""

    def built(self, request: Request, url: str, headers: Mapping[str, str]) -> httpx.Request:
        builder, token = Builder(), headers.get("Authorization", "").removeprefix("Bearer ")
        Client(session_id=token, instance_url=url, session=builder)._call_salesforce(
            request.method,
            url,
            headers={"User-Agent": USER_AGENT, "X-PrettyPrint": "0", **headers},
            params=dict(request.query) or None,
            json=request.json,
        )
        return builder.built
