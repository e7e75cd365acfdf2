"""Reading untrusted JSON bodies: the wanted shape, or HubSpot's 400."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .hubspot_errors import Refusal, bad_request

Body = Mapping[str, Any]
BATCH_LIMIT = 100


def _malformed(key: str, wanted: str) -> Refusal:
    return bad_request(f"Invalid input JSON: field '{key}' must be {wanted}")


def required_text(body: Body, key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise _malformed(key, "a text that is not empty")
    return value


def optional_text(body: Body, key: str) -> str | None:
    value = body.get(key)
    if value is not None and not isinstance(value, str):
        raise _malformed(key, "a text")
    return value


def objects(body: Body, key: str) -> list[Body]:
    """A list of objects; absent is empty."""
    value = body.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise _malformed(key, "a list of objects")
    return value


def texts(body: Body, key: str) -> list[str]:
    """A list of texts; absent is empty."""
    value = body.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _malformed(key, "a list of texts")
    return value


def child(body: Body, key: str) -> Body:
    """An object inside the body; absent is empty."""
    value = body.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _malformed(key, "an object")
    return value


def inputs(body: Body, *, limit: int = BATCH_LIMIT) -> list[Body]:
    """The inputs of a batch: at least one, at most `limit`."""
    found = objects(body, "inputs")
    if not found:
        raise bad_request("At least one input is required")
    if len(found) > limit:
        raise bad_request(f"Batch size {len(found)} exceeds the limit of {limit}")
    return found
