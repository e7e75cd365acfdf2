"""Calls by route, batches with one outcome for every input, and what to say of answers that cannot be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeVar
from urllib.parse import quote

from connector.adapters.base import Json
from connector.adapters.transport import Query, Request, Response
from connector.domain.errors import ConnectorError, Gone, Refused, RetryLater, UnknownOutcome

T = TypeVar("T")
PARAMETER: Final = re.compile(r":(\w+)")

Outcome = Json | ConnectorError
"""What became of one input of a batch: its part of the answer, or an error."""


class Sender(Protocol):
    """What an adapter needs of a transport."""

    system: str
    base_url: str

    def send(self, request: Request) -> Response:
        """The answer, if it is a success; an error of `domain/errors.py` otherwise."""


class Api:
    """Calls by route, below `base`: `{objects}` in a route stands for a version, `:ticket` for a value of `ids`."""

    def __init__(self, transport: Sender, base: str = "", versions: Mapping[str, str] | None = None) -> None:
        self._transport = transport
        self._base = base
        self._versions = versions or {}

    def send(
        self,
        method: str,
        route: str,
        *,
        ids: Mapping[str, str] | None = None,
        query: Query | None = None,
        json: Json = None,
        headers: Mapping[str, str] | None = None,
        reads: bool = False,
        bucket: str = "",
        shape: type = dict,
    ) -> Response:
        """One call. `reads` marks a POST that changes nothing; `bucket` is given where `bucket_of` does not say it."""
        route = self._base + route.format_map(self._versions)
        bucket = bucket or self.bucket_of(route)
        return self._transport.send(
            Request(
                method,
                self.path(route, ids or {}),
                route,
                query=query or {},
                json=json,
                headers=headers or {},
                repeatable=reads,
                bucket=bucket,
                shape=shape,
            )
        )

    def found(self, route: str, *, ids: Mapping[str, str], query: Query | None = None) -> Json:
        """The object at an address, or None where there is none, or none any more."""
        try:
            return self.send("GET", route, ids=ids, query=query).json
        except Gone:
            return None

    def path(self, route: str, ids: Mapping[str, str]) -> str:
        """The address of a route with the values in their places."""
        return PARAMETER.sub(lambda name: self.encoded(ids[name[1]]), route)

    def encoded(self, value: str) -> str:
        """A value as it stands in a path, where it can never become another path."""
        return quote(value, safe="")

    def bucket_of(self, route: str) -> str:  # noqa: ARG002 - vendors with several limits look at it
        """The limit under which calls of this route count."""
        return "default"


def chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """The items in order, in parts of at most `size`."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def halved(
    inputs: Mapping[str, Json],
    send: Callable[[Mapping[str, Json]], Mapping[str, Outcome]],
    *,
    splits: Callable[[Refused], bool],
) -> dict[str, Outcome]:
    """What became of every input of a batch; each has a key of its own. `send` sends some of them in one call.

    A batch that is refused as a whole is halved until the culprits stand alone, where `splits` says that the refusal
    may be one input's fault. Trouble that may pass, and silence, is every input's. Without inputs nothing is sent.
    """
    if not inputs:
        return {}
    try:
        return dict(send(inputs))
    except Refused as error:
        if len(inputs) == 1 or not splits(error):
            return dict.fromkeys(inputs, error)
    except (RetryLater, UnknownOutcome) as error:
        return dict.fromkeys(inputs, error)
    return {
        key: outcome
        for half in chunks(list(inputs), (len(inputs) + 1) // 2)
        for key, outcome in halved({one: inputs[one] for one in half}, send, splits=splits).items()
    }


def lost(system: str, told: str) -> UnknownOutcome:
    """A write that was answered without saying what became of it."""
    return UnknownOutcome(f"{system}: {told}", code="no_outcome", answered=True, system=system)


def conflict(system: str, told: object) -> RetryLater:
    """A write that was decided on what is not so any more: read it again, decide again."""
    return RetryLater(f"{told}: changed since it was read", code="conflict", scope="record", system=system)


def bad_place(system: str, after: str) -> Refused:
    """What `changes` raises where it cannot go on from there: the sweep begins again."""
    return Refused(f"{system}: {after[:60]!r} is no place in a sweep", code="bad_place")


def still_there(system: str, what: str) -> RetryLater:
    """What `fate` raises where a record is there after all."""
    told = f"{system} {what} is there, although a read left it out"
    return RetryLater(told, code="read_incomplete", scope="record", system=system)
