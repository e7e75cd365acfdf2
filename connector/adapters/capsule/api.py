"""Capsule's addresses: the two kinds of record that may stand for a ticket, pages, and reads of ten at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connector.adapters import calls
from connector.adapters.base import Json
from connector.adapters.calls import Sender, chunks
from connector.adapters.transport import Query, Response
from connector.domain.errors import ConfigError, Gone

BATCH: Final = 10
ID = re.compile(r"[0-9]{1,18}", re.ASCII)
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


class Api(calls.Api):
    """Calls by route, below the API's base."""

    def __init__(self, transport: Sender) -> None:
        super().__init__(transport, "/api/v2")

    def encoded(self, value: str) -> str:
        """One id, or several with commas between them. What is no id names nothing: Gone."""
        if not all(ID.fullmatch(one) for one in value.split(",")):
            raise Gone("capsule: that is no id")
        return value

    def ask(
        self, route: str, query: Query | None, number: int, *, ids: Mapping[str, str] | None = None, json: Json = None
    ) -> Response:
        """One page of a list, counted from 1; a filter is a POST that reads."""
        asked = {"perPage": "100", **(query or {}), "page": str(number)}
        return self.send("POST" if json else "GET", route, ids=ids, query=asked, json=json, reads=True)

    def page(self, route: str, key: str, query: Query, number: int) -> tuple[list[Json], bool]:
        """The items of one page, and whether there is another."""
        answer = self.ask(route, query, number)
        return list(answer.json[key]), has_more(answer)

    def answers(
        self, route: str, query: Query | None = None, *, ids: Mapping[str, str] | None = None, json: Json = None
    ) -> Iterator[Json]:
        """A list's pages, each as it is answered."""
        number, more = 1, True
        while more:
            answer = self.ask(route, query, number, ids=ids, json=json)
            yield answer.json
            number, more = number + 1, has_more(answer)

    def pages(self, route: str, key: str, query: Query | None = None, ids: Mapping[str, str] | None = None) -> Json:
        """Every item of a list."""
        return [one for answer in self.answers(route, query, ids=ids) for one in answer.get(key) or ()]

    def filtered(self, plural: str, field: str, value: str, query: Query | None = None) -> Iterator[list[Json]]:
        """The pages of what has this value, by an index that is a little late."""
        asked = {"filter": {"conditions": [{"field": field, "operator": "is", "value": value}]}}
        return (answer[plural] for answer in self.answers(f"/{plural}/filters/results", query, json=asked))

    def many(self, plural: str, singular: str, ids: Sequence[str], query: Query) -> list[Json]:
        """The records among `ids` that are there, ten a call."""
        found: list[Json] = []
        for part in chunks([one for one in dict.fromkeys(ids) if ID.fullmatch(one)], BATCH):
            told = self.found(f"/{plural}/:ids", ids={"ids": ",".join(part)}, query=query)
            if told is not None:
                found += told[plural] if plural in told else [told[singular]]
        return found


def has_more(answer: Response) -> bool:
    """Whether there is a next page: by the Link header, as RFC 5988 has it."""
    return 'rel="next"' in answer.headers.get("link", "")
