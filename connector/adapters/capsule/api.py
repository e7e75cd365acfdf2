"""Capsule's addresses: the two kinds of record that may stand for a ticket, pages, and reads of ten at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol, TypeVar

from connector.adapters.base import Json
from connector.adapters.transport import Query, Request, Response
from connector.domain.errors import ConfigError, Gone

T = TypeVar("T")
BASE: Final = "/api/v2"
BATCH: Final = 10
ID = re.compile(r"[0-9]{1,18}", re.ASCII)
PARAMETER = re.compile(r":(\w+)")
WITH_LISTS: Final = {"embed": "fields,tags"}


@dataclass(frozen=True, slots=True)
class Target:
    """The record that stands for a ticket. `step` is the member that says how far it is, `parent` what steps are on."""

    plural: str
    singular: str
    step: str
    parent: str


TARGETS: Final = {
    "projects": Target("kases", "kase", "stage", "board"),
    "opportunities": Target("opportunities", "opportunity", "milestone", "pipeline"),
}
"""By the word of the mapping's `target`. Projects are called kases wherever a program sees them."""


def target_named(name: str) -> Target:
    """The target of that name. Raises ConfigError for any other."""
    if name not in TARGETS:
        raise ConfigError(f"the mapping's target is {name!r}; Capsule has {' and '.join(TARGETS)}")
    return TARGETS[name]


class Sender(Protocol):
    """What the adapter needs of a transport."""

    def send(self, request: Request) -> Response:
        """The answer, if it is a success; an error of `domain/errors.py` otherwise."""


class Api:
    """Calls by route, below the API's base; `:id` in a route stands for a value given in `ids`."""

    def __init__(self, transport: Sender) -> None:
        self._transport = transport

    def send(
        self,
        method: str,
        route: str,
        *,
        ids: Mapping[str, str] | None = None,
        query: Query | None = None,
        json: Json = None,
        reads: bool = False,
    ) -> Response:
        """One call. `reads` marks a POST that changes nothing. An id that is none names nothing: Gone."""
        given = ids or {}
        if any(not ID.fullmatch(part) for one in given.values() for part in one.split(",")):
            raise Gone(f"capsule {method} {route}: that is no id")
        path = BASE + PARAMETER.sub(lambda name: given[name[1]], route)
        headers = {"Accept": "application/json"}
        return self._transport.send(
            Request(method, path, BASE + route, query=query or {}, json=json, headers=headers, repeatable=reads)
        )

    def pages(self, route: str, key: str, query: Query | None = None, ids: Mapping[str, str] | None = None) -> Json:
        """Every item of a list."""
        return list(self._pages(route, key, {"perPage": "100", **(query or {})}, ids))

    def _pages(self, route: str, key: str, query: Query, ids: Mapping[str, str] | None) -> Iterator[Json]:
        page, more = 1, True
        while more:
            answer = self.send("GET", route, ids=ids, query={**query, "page": str(page)})
            yield from answer.json.get(key) or ()
            page, more = page + 1, has_more(answer)

    def many(self, plural: str, singular: str, ids: Sequence[str], query: Query) -> list[Json]:
        """The records among `ids` that are there, ten a call."""
        found: list[Json] = []
        for part in chunks([one for one in dict.fromkeys(ids) if ID.fullmatch(one)], BATCH):
            try:
                told = self.send("GET", f"/{plural}/:ids", ids={"ids": ",".join(part)}, query=query).json
            except Gone:
                continue
            found += told[plural] if plural in told else [told[singular]]
        return found


def has_more(answer: Response) -> bool:
    """Whether there is a next page: by the Link header, as RFC 5988 has it."""
    return 'rel="next"' in answer.headers.get("link", "")


def chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """The items in order, in parts of at most `size`."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def moment(told: object) -> datetime | None:
    """A time as Capsule writes it, or None where there is none. Fractions of seconds are not told."""
    try:
        read = datetime.fromisoformat(str(told))
    except ValueError:
        return None
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def iso(at: datetime) -> str:
    """A time as Capsule reads it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
