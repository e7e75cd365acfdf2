"""The answers of a Capsule in trouble, by name, as rules for the kernel's faults."""

from __future__ import annotations

from datetime import datetime
from typing import Any

GATEWAY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


def trouble(name: str, *, now: datetime, seconds: float = 60.0) -> dict[str, Any]:
    """Status, headers and body of a trouble. `limit` is over in `seconds`; ValueError lists those there are."""
    reset = str(round(now.timestamp() + seconds))
    limit = {"X-RateLimit-Limit": "4000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    troubles: dict[str, dict[str, Any]] = {
        "limit": {"status": 429, "headers": limit, "body": {"error": "rate limit reached"}},
        "error": {"status": 500, "body": {"message": "Internal server error"}},
        "unavailable": {"status": 503, "body": {"message": "Service unavailable"}},
        "gateway": {"status": 502, "headers": {"Content-Type": "text/html"}, "body": GATEWAY_PAGE},
        "expired": {"status": 401, "body": {"message": "The access token expired"}},
        "scope": {"status": 403, "body": {"message": "The token lacks the scope write"}},
    }
    if name not in troubles:
        raise ValueError(f"no trouble {name!r}; there are {', '.join(troubles)}")
    return troubles[name]
