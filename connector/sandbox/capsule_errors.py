"""Capsule's refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .kernel_gate import Refusal

__all__ = ["Fault", "Refusal", "forbidden", "invalid", "malformed", "not_found", "rate_limited", "unauthorized"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a body."""

    message: str
    resource: str
    field: str


def invalid(*faults: Fault) -> Refusal:
    """422, with everything that is wrong."""
    errors = [{"message": one.message, "resource": one.resource, "field": one.field} for one in faults]
    return Refusal(422, {"message": "Validation Failed", "errors": errors})


def malformed(message: str) -> Refusal:
    """400: not the JSON that was expected."""
    return Refusal(400, {"message": message})


def not_found(what: str = "resource") -> Refusal:
    return Refusal(404, {"message": f"{what} not found"})


def unauthorized(message: str) -> Refusal:
    """401: no token, an unknown one or an expired one."""
    told = f'Bearer realm="Capsule", error="invalid_token", error_description="{message}"'
    return Refusal(401, {"message": message}, {"WWW-Authenticate": told})


def forbidden(message: str, scopes: Sequence[str] = ()) -> Refusal:
    """403: a good token that may not do this."""
    told = f'Bearer realm="Capsule", error="insufficient_scope", scope="{" ".join(scopes)}"'
    return Refusal(403, {"message": message}, {"WWW-Authenticate": told} if scopes else {})


def rate_limited(headers: Mapping[str, str]) -> Refusal:
    """429: there is no Retry-After, only the moment of the reset."""
    return Refusal(429, {"error": "rate limit reached"}, headers)
