"""Errors, sorted by what happens next.

Raise by consequence, never by origin: the one place that turns an error into a state
(`engine/sync.py`) looks only at the class. Messages say what, where and which record; they never
hold a secret, a token or a customer's words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal


def _rebuilt(kind: type[ConnectorError], args: tuple[object, ...], held: dict[str, object]) -> ConnectorError:
    error = kind.__new__(kind)
    Exception.__init__(error, *args)
    error.__dict__.update(held)
    return error


Scope = Literal["connection", "record"]

CIRCUIT_CLOSED = "circuit_closed"
"""The code of a `RetryLater` for a call that was not made, as its vendor is not to be called for now."""
OUT_OF_TURN = "out_of_turn"
"""The code of a `RetryLater` for a call that had to let more urgent ones go first. Nothing failed; others go on."""


class ConnectorError(Exception):
    """Base of everything the connector raises on purpose. `code` is stable and safe to log."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[Callable[..., ConnectorError], tuple[object, ...]]:
        """Errors travel between processes (Celery shows them in Flower): rebuild them from what they hold."""
        return _rebuilt, (type(self), self.args, dict(self.__dict__))


class RetryLater(ConnectorError):
    """The same attempt may succeed later and certainly has changed nothing so far.

    `after` is the wait in seconds that the vendor asked for, if any. `scope` says whose trouble it is:
    a cause of the connection (limit, outage) costs no ticket a try.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        scope: Scope = "connection",
        after: float | None = None,
        system: str = "",
    ) -> None:
        super().__init__(message, code=code)
        self.scope: Scope = scope
        self.after = after
        self.system = system


class UnknownOutcome(ConnectorError):
    """A write was sent and nobody knows whether it was applied: look before writing again.

    `answered` tells whether the vendor said anything at all (a 5xx) or the line went dead.
    """

    def __init__(self, message: str, *, code: str, answered: bool, system: str = "") -> None:
        super().__init__(message, code=code)
        self.answered = answered
        self.system = system


class Refused(ConnectorError):
    """The vendor will not take this write, now or later. `field` names the culprit where it is known."""

    def __init__(self, message: str, *, code: str, field: str | None = None, status: int = 0) -> None:
        super().__init__(message, code=code)
        self.field = field
        self.status = status


class Gone(Refused):
    """The record is deleted, archived or out of our sight. `survivor` is the id it was merged into."""

    def __init__(self, message: str, *, code: str = "gone", survivor: str | None = None, status: int = 404) -> None:
        super().__init__(message, code=code, status=status)
        self.survivor = survivor


class NeedsReview(ConnectorError):
    """Only a person can decide. `candidates` are what to choose from."""

    def __init__(self, message: str, *, code: str, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(message, code=code)
        self.candidates = candidates


class NotSupported(ConnectorError):
    """The system cannot express this at all; a missing capability, told plainly."""


class BadDelivery(ConnectorError):
    """Bytes that did not come from whom they claim, or that cannot be read."""


class StoreAway(Exception):
    """The database does not answer, or accepts nothing: whoever posted to us must be told to try again.

    Not a ConnectorError, so that nobody takes it for a vendor's answer or for a ticket's own trouble. A write that was
    under way is settled as after the death of a process: by looking.
    """

    def __init__(self, message: str = "the database does not answer", *, code: str = "store_away") -> None:
        super().__init__(message)
        self.code = code


class StoreContended(StoreAway):
    """Two transactions waited for each other, and the database gave this one up: nothing of it is stored."""

    def __init__(self) -> None:
        super().__init__("two transactions of the database waited for each other", code="store_contended")


class ConfigError(ConnectorError):
    """The configuration is wrong; the message names the key, where it stands and how to mend it."""

    def __init__(self, message: str, *, code: str = "config") -> None:
        super().__init__(message, code=code)
