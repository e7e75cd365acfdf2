"""Next Cap's refusals, in its envelope, and the checks that lead to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from .kernel import Refusal

Check = Callable[[Any], str | None]
"""Says what is wrong with a value, or None."""

CODES = {
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    429: "RATE_LIMITED",
}


def refuse(status: int, message: str, **more: Any) -> Refusal:
    """A refusal in the envelope of the documents; `more` goes into `error`."""
    code = CODES.get(status, "VALIDATION_ERROR" if status < 500 else "INTERNAL_ERROR")
    return Refusal(status, {"success": False, "error": {"code": code, "message": message, **more}})


def invalid(**problems: str) -> Refusal:
    """400 that names each wrong field."""
    details = [{"field": name, "message": message} for name, message in problems.items()]
    return refuse(400, "Validation failed", details=details)


def check_fields(
    body: Mapping[str, Any], checks: Mapping[str, Check], required: Collection[str] = ()
) -> dict[str, Any]:
    """The body, if it has every required field and each of its fields is known and right; else a refusal."""
    problems = {name: "is required" for name in required if name not in body}
    for name, value in body.items():
        wrong = checks[name](value) if name in checks else "is not a known field"
        if wrong is not None:
            problems[name] = wrong
    if problems:
        raise invalid(**problems)
    return dict(body)


def text(value: Any) -> str | None:
    """Text with something in it."""
    return None if isinstance(value, str) and value.strip() else "must be a non-empty string"


def any_text(value: Any) -> str | None:
    """Text, which may be empty."""
    return None if isinstance(value, str) else "must be a string"


def text_or_null(value: Any) -> str | None:
    """Text or nothing."""
    return None if value is None or isinstance(value, str) else "must be a string or null"


def boolean(value: Any) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else "must be a boolean"


def positive(value: Any) -> str | None:
    """A whole number from 1 on."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return None if is_number and value > 0 else "must be a positive integer"


def texts(value: Any) -> str | None:
    """A list of text."""
    fits = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return None if fits else "must be an array of strings"


def an_object(value: Any) -> str | None:
    """A JSON object."""
    return None if isinstance(value, dict) else "must be an object"


def one_of(*allowed: str) -> Check:
    """One of these words."""

    def check(value: Any) -> str | None:
        return None if value in allowed else f"must be one of: {', '.join(allowed)}"

    return check
