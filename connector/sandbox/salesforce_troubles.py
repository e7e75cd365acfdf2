"""The answers of a Salesforce in trouble, by name, as rules for the kernel's faults."""

from __future__ import annotations

from typing import Any

from .salesforce_errors import Failure

PAGE = "<html><head><title>Down For Maintenance</title></head><body>We are down for maintenance.</body></html>"
ROW_LOCKED = "unable to obtain exclusive access to this record or 1 records: 500Hs0000000001AAA"
BUSY = "ConcurrentPerOrgLongTxn Limit exceeded."
TROUBLES = {
    "locked": Failure("UNABLE_TO_LOCK_ROW", ROW_LOCKED),
    "daily": Failure("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
    "concurrent": Failure("REQUEST_LIMIT_EXCEEDED", BUSY),
    "unavailable": Failure("SERVER_UNAVAILABLE", "server temporarily unavailable"),
    "error": Failure("UNKNOWN_EXCEPTION", "An unexpected error occurred. ErrorId: 1234567890-12345 (123456789)"),
    "expired": Failure("INVALID_SESSION_ID", "Session expired or invalid"),
    "disabled": Failure("API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner"),
    "maintenance": Failure("ORG_IN_MAINTENANCE", "The organization is under maintenance", status=503),
    "storage": Failure("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded", status=403),
}


def trouble(name: str) -> dict[str, Any]:
    """Status, headers and body of a trouble. Raises ValueError for an unknown name; `page` is the edge's own page."""
    if name == "page":
        return {"status": 503, "headers": {"Content-Type": "text/html"}, "body": PAGE}
    if name not in TROUBLES:
        raise ValueError(f"no trouble {name!r}; there are {', '.join((*TROUBLES, 'page'))}")
    failure = TROUBLES[name]
    return {"status": failure.status, "headers": {}, "body": [failure.body()]}
