"""Logs: one JSON line an event on a platform, colours on a terminal. Field names may be logged, values may not.

Whatever is written here leaves the installation, so it is washed as the last thing: no secret, no vendor's quotation
(which may hold a customer's words), and of an exception that is not ours its kind and place, without its message.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Iterable, MutableMapping
from pathlib import PurePath
from types import TracebackType
from typing import Any

import structlog

SECRET_NAME = re.compile(r"key|secret|token|password|authorization|signature|cookie", re.I)
SECRET_VALUE = re.compile(r"(nextcap_[a-z]{2}_|sk_live_|pat-|Bearer |whsec_)\S+")
QUOTATION = re.compile(r"«[^»]*»?")
"""What `vendor_message` puts around the words of a vendor, cut off or not."""
LONGEST = 500
SHORTEST_SECRET = 6
HIDDEN = "***"

_secrets: set[str] = set()


def hide(values: Iterable[str]) -> None:
    """From now on, never write one of these; those of a few letters would blot out words, and are no secrets."""
    _secrets.update(value for value in values if len(value) >= SHORTEST_SECRET)


def washed(text: str) -> str:
    """The text without secrets and without quotations."""
    text = QUOTATION.sub("«…»", SECRET_VALUE.sub(HIDDEN, text))
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def told(error: BaseException) -> str:
    """An error in one line: ours in their own words, any other by its kind and place alone."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].name}, {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    is_ours = type(error).__module__.startswith("connector.")
    return f"{type(error).__name__}{place}" + (f": {washed(str(error))}" if is_ours else "")


def _chain(error: BaseException | None) -> str:
    """An error, where it came from, and what led to it."""
    if error is None:
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{PurePath(one.filename).name}:{one.lineno} {one.name}" for one in frames]
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    cause = f" <- {_chain(before)}" if before is not None else ""
    return f"{told(error)} [{' > '.join(lines)}]{cause}"


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blot out what must never be read in a log, and cut what is too long for a line."""
    for name, value in event.items():
        event[name] = HIDDEN if name != "event" and SECRET_NAME.search(name) else _washed(value)
    return event


def _washed(value: Any) -> Any:
    if isinstance(value, str):
        return washed(value)[:LONGEST]
    if isinstance(value, list | tuple | set | frozenset):
        return [_washed(one) for one in value]
    if isinstance(value, dict):
        return {name: HIDDEN if SECRET_NAME.search(str(name)) else _washed(one) for name, one in value.items()}
    return value


def _tell_exception(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """In the place of a traceback with messages: kinds and places."""
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = _chain(error)
    return event


class _Washing(logging.Formatter):
    """The same for what libraries log."""

    def formatException(  # noqa: N802 - the name that `logging` calls
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        return _chain(ei[1])

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the message holds."""
        record.exc_text = None
        return " ".join(washed(super().format(record)).splitlines())


def configure(*, level: str = "INFO", json: bool | None = None) -> None:
    """Set up logging for this process. JSON unless standard error is a terminal."""
    as_json = not sys.stderr.isatty() if json is None else json
    _configure(level, structlog.PrintLoggerFactory(sys.stderr), as_json=as_json, keep=True)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Washing("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def _configure(level: str, factory: Any, *, as_json: bool, keep: bool) -> None:
    last: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _tell_exception,
        redact,
    ]
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=factory,
        cache_logger_on_first_use=keep,
    )


def get(name: str) -> Any:
    """The logger of a module."""
    return structlog.get_logger(name)


def configure_by_default() -> None:
    """Wash in commands that set nothing up, too: structlog by itself prints every local variable with a traceback."""
    _configure("INFO", lambda *_: structlog.PrintLogger(sys.stderr), as_json=False, keep=False)


configure_by_default()
