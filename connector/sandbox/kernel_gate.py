"""What stands before an imitation's routes: faults, the lock, the record of calls; and how a route refuses."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from .kernel_calls import Call, Calls
from .kernel_clock import Clock
from .kernel_faults import Fault, Faults
from .kernel_http import Answer, Application, DropConnection, Environ

KEPT_BODY = 256 * 1024


class Refusal(Exception):
    """Raised by a route or an action: the vendor answers `status` with `body` as JSON."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The answer as Flask sends it."""
        return Response(json.dumps(self.body), self.status, self.headers, mimetype="application/json")


def template_of(app: Flask) -> Callable[[str, str], str]:
    """A function from method and path to the route's template, `(none)` where no route fits."""

    def template(method: str, path: str) -> str:
        try:
            rule, _ = app.url_map.bind("").match(path, method, return_rule=True)
        except HTTPException:
            return "(none)"
        return str(rule.rule)

    return template


class Waits:
    """Waits that an outage or a reset cuts short."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._interruptions = 0

    def wait(self, seconds: float) -> bool:
        """Wait; false if it was cut short."""
        with self._changed:
            before = self._interruptions
            return not self._changed.wait_for(lambda: self._interruptions != before, seconds)

    def interrupt(self) -> None:
        """Cut every present wait short."""
        with self._changed:
            self._interruptions += 1
            self._changed.notify_all()


class Gate:
    """An application behind faults, run under the lock, every call recorded."""

    def __init__(
        self,
        application: Application,
        *,
        template: Callable[[str, str], str],
        faults: Faults,
        calls: Calls,
        clock: Clock,
        lock: AbstractContextManager[bool],
        waits: Waits,
    ) -> None:
        self._application = application
        self._template = template
        self._faults = faults
        self._calls = calls
        self._clock = clock
        self._lock = lock
        self._waits = waits

    def __call__(self, environ: Environ) -> Answer:
        """Answer one request, or raise DropConnection; either way it is recorded.

        A request whose delay is cut short by an outage or a reset is neither applied nor recorded.
        """
        fault = self._faults.match(environ["REQUEST_METHOD"], environ["RAW_URI"].partition("?")[0])
        if fault is not None and fault.kind == "delay" and not self._waits.wait(fault.seconds):
            raise DropConnection
        answer = self._decide(environ, fault)
        self._calls.record(self._call(environ, answer))
        if answer is not None:
            return answer
        if fault is not None and fault.kind == "lost_answer":
            self._waits.wait(fault.seconds)
        raise DropConnection

    def _decide(self, environ: Environ, fault: Fault | None) -> Answer | None:
        """Apply the request or not; its answer, or None where there is none."""
        if fault is None or fault.kind == "delay":
            return self._apply(environ)
        match fault.kind:
            case "drop_before":
                return None
            case "status":
                return faulty_answer(fault)
            case "lost_answer":
                self._apply(environ)
                return None
            case _:
                self._apply(environ)
                return faulty_answer(fault)

    def _apply(self, environ: Environ) -> Answer:
        with self._lock:
            return self._application(environ)

    def _call(self, environ: Environ, answer: Answer | None) -> Call:
        headers = {
            key.removeprefix("HTTP_").replace("_", "-").lower(): value
            for key, value in environ.items()
            if key.startswith("HTTP_") or key in ("CONTENT_TYPE", "CONTENT_LENGTH")
        }
        body = environ["wsgi.input"].getvalue()
        return Call(
            at=self._clock.now(),
            method=environ["REQUEST_METHOD"],
            path=environ["RAW_URI"].partition("?")[0],
            template=self._template(environ["REQUEST_METHOD"], environ["PATH_INFO"]),
            status=None if answer is None else answer.status,
            query=environ["QUERY_STRING"],
            headers=headers,
            body=body if len(body) <= KEPT_BODY else b"",
        )


def faulty_answer(fault: Fault) -> Answer:
    """What a `status` or `error_after` fault answers: its body as JSON, or text as it is."""
    if fault.body is None:
        return Answer(fault.status, b"", tuple(fault.headers.items()))
    is_text = isinstance(fault.body, str)
    headers = {"Content-Type": "text/plain; charset=utf-8" if is_text else "application/json", **fault.headers}
    text = fault.body if is_text else json.dumps(fault.body)
    return Answer(fault.status, text.encode(), tuple(headers.items()))
