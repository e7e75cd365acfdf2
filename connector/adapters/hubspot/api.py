"""HubSpot's addresses and batches: paths by API version, paging, and one outcome for every input of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from connector.adapters import calls
from connector.adapters.base import Json
from connector.adapters.calls import Outcome, chunks, halved, lost
from connector.adapters.hubspot.refusals import refusal
from connector.domain.errors import Gone, Refused, RetryLater

BATCH: Final = 100
PAIRS: Final = 1000
SPLITTABLE: Final = frozenset({400, 404, 409, 413, 414})

VERSIONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("objects", "associations", "properties", "pipelines", "owners"), "2026-09"),
    **dict.fromkeys(("account", "oauth"), "2026-03"),
}
"""Date-based versions by API. Each is supported for 18 months; numbered ones end in 2027."""

Recognise = Callable[[Json], object]
"""Gives the `id` of the input that a result is of, or its key where it has none, for a result without a trace id."""


def by(name: str) -> Recognise:
    """A result is of the input whose `id` it shows in this property."""
    return lambda result: (result.get("properties") or {}).get(name)


class Api(calls.Api):
    """Calls by route: `{objects}` stands for that API's version."""

    def bucket_of(self, route: str) -> str:
        """Associations and searches have limits of their own."""
        return "associations" if "/associations/" in route else "search" if route.endswith("/search") else "default"

    def pages(self, route: str, query: Mapping[str, str]) -> Iterator[Json]:
        """Every result of a list call."""
        after: str | None = ""
        while after is not None:
            place = {"after": after} if after else {}
            answer = self.send("GET", route, query={**query, "limit": "100", **place}).json
            yield from answer.get("results") or ()
            after = next_page(answer)

    def batch_read(self, kind: str, ids: Iterable[str], properties: Sequence[str], *, by: str = "") -> list[Json]:
        """The live records among `ids`; those that HubSpot does not have are left out. `by` is a unique property."""
        found: list[Json] = []
        for chunk in chunks(list(dict.fromkeys(ids)), BATCH):
            asked: Json = {"properties": list(properties), "propertiesWithHistory": []}
            asked |= {"inputs": [{"id": one} for one in chunk]} | ({"idProperty": by} if by else {})
            try:
                answer = self.send("POST", f"/crm/objects/{{objects}}/{kind}/batch/read", json=asked, reads=True).json
            except Gone:
                continue
            for error in answer.get("errors") or ():
                missed = refusal(error, told=f"hubspot batch read of {kind}", status=207)
                if not isinstance(missed, Gone):
                    raise RetryLater(str(missed), code=missed.code, scope="record", system="hubspot")
            found += answer["results"]
        return found

    def linked(self, source: str, target: str, ids: Iterable[str]) -> dict[str, list[str]]:
        """The ids of the `target` records that are associated with each `source` record."""
        found: dict[str, dict[str, None]] = {one: {} for one in ids}
        waiting: list[Json] = [{"id": one} for one in found]
        route = f"/crm/associations/{{associations}}/{source}/{target}/batch/read"
        while waiting:
            asked, waiting = waiting[:PAIRS], waiting[PAIRS:]
            answer = self.send("POST", route, json={"inputs": asked}, reads=True).json
            for result in answer.get("results") or ():
                start = str(result["from"]["id"])
                found.setdefault(start, {}).update((str(to["toObjectId"]), None) for to in result.get("to") or ())
                if after := next_page(result):
                    waiting.append({"id": start, "after": after})
        return {start: list(ends) for start, ends in found.items()}

    def batch_write(
        self, route: str, inputs: Mapping[str, Json], recognise: Recognise = lambda result: str(result.get("id"))
    ) -> dict[str, Outcome]:
        """Send at most 100 inputs, each under a key of its own, and tell of every key what became of it.

        Results are matched by trace id, or by `recognise`; never by position.
        """

        def send(part: Mapping[str, Json]) -> dict[str, Outcome]:
            traced = [{**one, "objectWriteTraceId": key} for key, one in part.items()]
            return _outcomes(self.send("POST", route, json={"inputs": traced}).json, part, recognise)

        return halved(inputs, send, splits=lambda error: error.status in SPLITTABLE)


def _outcomes(answer: Json, inputs: Mapping[str, Json], recognise: Recognise) -> dict[str, Outcome]:
    keys_by_id = {one.get("id", key): key for key, one in inputs.items()}
    outcomes: dict[str, Outcome] = {}
    for result in answer.get("results") or ():
        outcomes[result.get("objectWriteTraceId") or keys_by_id.get(recognise(result), "")] = result
    unnamed: list[Refused] = []
    for error in answer.get("errors") or ():
        context = error.get("context") or {}
        named = set(context.get("objectWriteTraceId") or ()) or set(context.get("ids") or context.get("id") or ())
        keys = [key for key, one in inputs.items() if key in named or one.get("id") in named]
        problem = refusal(error, told="hubspot batch: 207", status=409 if error.get("category") == "CONFLICT" else 400)
        outcomes.update(dict.fromkeys(keys, problem))
        unnamed += [] if keys else [problem]
    missing = [key for key in inputs if key not in outcomes]
    only_one = len(missing) == len(unnamed) == 1
    untold = unnamed[0] if only_one else lost("hubspot", "the answer does not say what became of this input")
    return {key: outcomes.get(key, untold) for key in inputs}


def next_page(answer: Json) -> str | None:
    """The `after` of the next page, or None on the last one."""
    after = ((answer.get("paging") or {}).get("next") or {}).get("after")
    return None if after is None else str(after)
