"""How Salesforce refuses: a list of errors from the REST resources, one with `statusCode` in a collection's item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .kernel_gate import Refusal

STATUSES = {
    "NOT_FOUND": 404,
    "ENTITY_IS_DELETED": 404,
    "INVALID_SESSION_ID": 401,
    "REQUEST_LIMIT_EXCEEDED": 403,
    "API_DISABLED_FOR_ORG": 403,
    "INSUFFICIENT_ACCESS": 403,
    "INSUFFICIENT_ACCESS_OR_READONLY": 403,
    "METHOD_NOT_ALLOWED": 405,
    "UNSUPPORTED_API_VERSION": 410,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "URI_TOO_LONG": 414,
    "SERVER_UNAVAILABLE": 503,
    "UNKNOWN_EXCEPTION": 500,
}
"""The HTTP status of a code; 400 where it is not named."""


class Failure(Exception):
    """One error of one record. `status` is for the resources that answer about one record only."""

    def __init__(self, code: str, message: str, fields: Sequence[str] = (), *, status: int = 0) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = list(fields)
        self.status = status or STATUSES.get(code, 400)

    def body(self) -> dict[str, Any]:
        """As a REST resource tells it: `fields` only where a field is to blame."""
        told: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        return {**told, "fields": self.fields} if self.fields else told

    def item(self) -> dict[str, Any]:
        """As a collection tells it of one of its records."""
        return {"statusCode": self.code, "message": self.message, "fields": self.fields}

    def refusal(self) -> Refusal:
        """As an HTTP answer."""
        return Refusal(self.status, [self.body()])


def not_found() -> Failure:
    """The answer to a resource or record that is not there, or not to be seen."""
    return Failure("NOT_FOUND", "The requested resource does not exist")


def malformed(message: str) -> Failure:
    """The answer to a query that cannot be read."""
    return Failure("MALFORMED_QUERY", message)
