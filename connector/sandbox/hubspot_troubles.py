"""The answers of a HubSpot in trouble, by name, as rules for the kernel's faults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .hubspot_errors import Refusal
from .hubspot_gate import rate_limited

GATEWAY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>"


def _plain(status: int, category: str, message: str, headers: Mapping[str, str] | None = None) -> Refusal:
    return Refusal(status, category, message, headers=headers)


def trouble(name: str, *, retry_after: float | None = None) -> dict[str, Any]:
    """Status, headers and body of a trouble: KeyError lists those there are.

    `burst`, `associations`, `search` and `daily` are the 429 of each policy, with Retry-After if given.
    """
    if name in {"burst", "associations", "search", "daily"}:
        return _rule(rate_limited(name, retry_after=retry_after))
    seconds = str(round(retry_after)) if retry_after is not None else "60"
    refusals = {
        "locked": _plain(423, "RESOURCE_LOCKED", "The resource is locked by a running bulk change"),
        "moving": _plain(477, "MIGRATION_IN_PROGRESS", "Migration in progress", {"Retry-After": seconds}),
        "error": _plain(500, "INTERNAL_ERROR", "internal error"),
        "unavailable": _plain(503, "SERVICE_UNAVAILABLE", "Service temporarily unavailable"),
        "conflict": _plain(409, "CONFLICT", "The record was changed by another request"),
        "expired": _plain(401, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired"),
    }
    if name == "gateway":
        return {"status": 502, "headers": {"Content-Type": "text/html"}, "body": GATEWAY_PAGE}
    if name not in refusals:
        raise ValueError(f"no trouble {name!r}; there are {', '.join((*refusals, 'gateway'))} and the policies")
    return _rule(refusals[name])


def _rule(refusal: Refusal) -> dict[str, Any]:
    return {"status": refusal.status, "headers": refusal.headers, "body": refusal.body}
