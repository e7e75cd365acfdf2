"""What every imitation of a vendor is built on: a served Flask app, faults, counters, webhooks, a control API.

A vendor's imitation subclasses `Imitation`, adds its routes in `routes`, its webhook sender in `deliveries`,
people's actions as methods marked with `@action`, and its knobs in `settings` and `configure`.
"""

from __future__ import annotations

import functools
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Concatenate, ParamSpec, Self, TypeVar

from flask import Flask

from .kernel_calls import Call, Calls
from .kernel_clock import Clock, RateLimit, Verdict, epoch_ms, iso
from .kernel_control import control_app
from .kernel_deliveries import Attempt, Deliveries, Delivery
from .kernel_faults import Fault, Faults
from .kernel_gate import Gate, Refusal, Waits, template_of
from .kernel_http import Answer, Application, DropConnection, Environ, HttpServer, ask_wsgi

__all__ = [
    "Answer",
    "Application",
    "Attempt",
    "Call",
    "Calls",
    "Clock",
    "Deliveries",
    "Delivery",
    "DropConnection",
    "Environ",
    "Fault",
    "Faults",
    "Gate",
    "HttpServer",
    "Imitation",
    "RateLimit",
    "Refusal",
    "Verdict",
    "action",
    "ask_wsgi",
    "epoch_ms",
    "iso",
]

CONTROL = "/_control/"

P = ParamSpec("P")
R = TypeVar("R")
I = TypeVar("I", bound="Imitation")  # noqa: E741


def action(method: Callable[Concatenate[I, P], R]) -> Callable[Concatenate[I, P], R]:
    """Mark a method as something that people do: it runs under the lock and is POST /_control/actions/<name>.

    Its arguments come from the JSON body by name; its result is answered as JSON under `result`.
    """

    @functools.wraps(method)
    def locked(self: I, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.lock:
            return method(self, *args, **kwargs)

    locked.__dict__["is_action"] = True
    return locked


class Imitation(ABC):
    """A vendor, served on 127.0.0.1. One lock guards its state: requests and actions run one at a time.

    A context manager; `stop` and `start` imitate an outage: state is kept and the port stays the same. Subclasses set
    `name` and override what follows; their `__init__` calls `super().__init__` and then `forget`, which makes the first
    state.
    """

    name: ClassVar[str]

    def __init__(self, port: int = 0) -> None:
        self.lock = threading.RLock()
        self.clock = Clock()
        self.calls = Calls()
        self.faults = Faults()
        self.deliveries = self.make_deliveries()
        self.app = Flask(self.name, static_folder=None)
        self.app.json.sort_keys = False  # type: ignore[attr-defined]  # DefaultJSONProvider has it
        self.app.register_error_handler(Refusal, lambda refusal: refusal.response())
        self.routes(self.app)
        self._waits = Waits()
        self._gate = self.gate(lambda environ: ask_wsgi(self.app, environ), template_of(self.app))
        self._control = control_app(self)
        self._server = HttpServer(self._answer, port)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- for vendors to override

    @abstractmethod
    def routes(self, app: Flask) -> None:
        """Add the vendor's routes, checks before and headers after them; called before there is any state."""

    @abstractmethod
    def make_deliveries(self) -> Deliveries:
        """The vendor's webhook sender; called once, when only lock, clock, calls and faults exist; not yet started."""

    @abstractmethod
    def state(self) -> Any:
        """Everything a test may want to see, as JSON."""

    @abstractmethod
    def settings_view(self) -> Mapping[str, Any]:
        """The settings in force, as JSON."""

    @abstractmethod
    def configure(self, **changes: Any) -> None:
        """Change settings; ValueError on an unknown name or a wrong value, and then nothing is changed."""

    @abstractmethod
    def forget(self) -> None:
        """Return the vendor's own state and settings to how they were at first."""

    def introduce(self, connector: str) -> Mapping[str, str | list[str] | bool]:
        """Call the connector at this address, as the vendor's administrator would set it up.

        What they would copy into its configuration: the keys of the connection, besides `crm` and `mapping`.
        """
        _ = connector
        return {"api_url": self.url}

    # -- life

    @property
    def url(self) -> str:
        """The address that is served, without a slash at the end."""
        return self._server.url

    def start(self) -> None:
        """Serve the API and send webhooks; does nothing if already started."""
        self._server.start()
        self.deliveries.start()

    def stop(self) -> None:
        """Refuse connections and send nothing; state is kept."""
        self._server.stop()
        self._waits.interrupt()
        self.deliveries.stop()

    def reset(self) -> None:
        """Return everything to how it was at first: state, settings, calls, faults, deliveries, clock."""
        self._waits.interrupt()
        self.deliveries.reset()
        with self.lock:
            self.faults.clear()
            self.clock.reset()
            self.forget()
        self.calls.reset()

    def now(self) -> datetime:
        """The present moment of this imitation."""
        return self.clock.now()

    def actions(self) -> dict[str, Callable[..., Any]]:
        """The methods marked with `@action`, by name."""
        names = [name for name in dir(type(self)) if hasattr(getattr(type(self), name), "is_action")]
        return {name: getattr(self, name) for name in names}

    def gate(self, application: Application, template: Callable[[str, str], str], calls: Calls | None = None) -> Gate:
        """Put this imitation's faults and lock before an application, for a second origin of the vendor.

        Its calls are recorded with the others unless it has a record of its own.
        """
        return Gate(
            application,
            template=template,
            faults=self.faults,
            calls=calls or self.calls,
            clock=self.clock,
            lock=self.lock,
            waits=self._waits,
        )

    def _answer(self, environ: Environ) -> Answer:
        if environ["PATH_INFO"].startswith(CONTROL):
            return ask_wsgi(self._control, environ)
        return self._gate(environ)
