"""HubSpot's wire: calls built with the generic request of `hubspot-api-client`, sent over our own connections.

That client's own sending was measured (12.0.0) and stands in the way of what a wire promises: a new connection for
every call, no time-out at all, redirects followed with `X-Api-Key` still on, proxy variables obeyed, errors printed to
standard output, and no place to hand it a session.
"""

from __future__ import annotations

from collections.abc import Mapping

import httpx
from hubspot.utils.requests.http_request_builder import Request as HubSpotRequest

from connector.adapters.transport import Request
from connector.adapters.wires import USER_AGENT, ClientWire


class HubSpotWire(ClientWire):
    """Calls as `hubspot-api-client` builds them."""

    def built(self, request: Request, url: str, headers: Mapping[str, str]) -> httpx.Request:
        options = {"method": request.method, "path": url, "qs": dict(request.query), "default_json": False}
        options |= {"headers": {"Accept-Encoding": "gzip", **headers}}
        if request.json is not None:
            options |= {"default_json": True, "body": request.json}
        built = HubSpotRequest({"base_url": "", "user_agent": USER_AGENT}, options)
        sent = built.get_options_for_sending()
        return httpx.Request(built.get_method(), built.get_url(), headers=sent["headers"], content=sent.get("data"))
