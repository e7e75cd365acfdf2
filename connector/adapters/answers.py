"""Reading answers for the hooks of a transport: what every adapter's `refusals` begin with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connector.adapters.transport import Request, Response

LONGEST_WAIT: Final = 3600.0
"""Seconds: nobody is believed who asks us to wait for longer."""


def about(system: str, request: Request, response: Response) -> str:
    """How a message about an answer begins: who, which call, and the status."""
    return f"{system} {request.method} {request.route}: {response.status}"


def mapping_of(told: object) -> Mapping[str, Any]:
    """A JSON object, or an empty one where something else came."""
    return told if isinstance(told, dict) else {}


def first_mapping(told: object) -> Mapping[str, Any]:
    """The first object of a list, or an empty one."""
    return mapping_of(told[0]) if isinstance(told, list) and told else {}


def number_in(response: Response, header: str) -> int | None:
    """The whole number in a header; None where there is none."""
    told = response.headers.get(header, "").strip()
    return int(told) if told.isdecimal() and told.isascii() else None
