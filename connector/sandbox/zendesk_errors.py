"""Zendesk's refusals: `{error, description, details}`."""

from __future__ import annotations

from collections.abc import Mapping

from .kernel_gate import Refusal

__all__ = ["Refusal", "bad_request", "conflict", "forbidden", "invalid", "limited", "not_found", "unauthorized"]


def invalid(details: Mapping[str, tuple[str, str]]) -> Refusal:
    """422: what is wrong, as field → (description, error)."""
    told = {name: [{"description": text, "error": error}] for name, (text, error) in details.items()}
    body = {"error": "RecordInvalid", "description": "Record validation errors", "details": told}
    return Refusal(422, body)


def bad_request(error: str, description: str) -> Refusal:
    return Refusal(400, {"error": error, "description": description})


def not_found() -> Refusal:
    return Refusal(404, {"error": "RecordNotFound", "description": "Not found"})


def conflict() -> Refusal:
    """409: the ticket was updated since the stamp that came with a safe update."""
    return Refusal(
        409, {"error": "UpdateConflict", "description": "Safe Update prevented the update due to a conflict"}
    )


def unauthorized(description: str) -> Refusal:
    return Refusal(401, {"error": "invalid_token", "error_description": description})


def forbidden(description: str) -> Refusal:
    body = {"error": {"title": "Forbidden", "message": description}}
    return Refusal(403, body)


def limited(seconds: float, headers: Mapping[str, str]) -> Refusal:
    """429, with the whole seconds after which it may be tried again."""
    body = {"error": "APIRateLimitExceeded", "description": "Number of allowed API requests per minute exceeded"}
    return Refusal(429, body, {**headers, "Retry-After": str(max(1, round(seconds + 0.5)))})
