"""Logs: one JSON line an event on a platform, colours on a terminal. Field names may be logged, values may not."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

SECRET_NAME = re.compile(r"key|secret|token|password|authorization|signature|cookie", re.I)
SECRET_VALUE = re.compile(r"(nextcap_[a-z]{2}_|sk_live_|pat-|Bearer |whsec_)\S+")
LONGEST = 500


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blot out what must never be read in a log, and cut what is too long for a line."""
    for name, value in event.items():
        if name != "event" and SECRET_NAME.search(name):
            event[name] = "***"
        elif isinstance(value, str):
            event[name] = SECRET_VALUE.sub("***", value)[:LONGEST]
    return event


def configure(*, level: str = "INFO", json: bool | None = None) -> None:
    """Set up logging for this process. JSON unless standard error is a terminal."""
    as_json = not sys.stderr.isatty() if json is None else json
    last: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


def get(name: str) -> Any:
    """The logger of a module."""
    return structlog.get_logger(name)
