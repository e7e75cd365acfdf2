"""HubSpot's addresses and batches: paths by API version, paging, and one outcome for every input of a batch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol, TypeVar
from urllib.parse import quote

from connector.adapters.base import Json
from connector.adapters.hubspot.refusals import refusal
from connector.adapters.transport import Query, Request, Response
from connector.domain.errors import ConfigError, ConnectorError, Gone, Refused, RetryLater, UnknownOutcome

T = TypeVar("T")
BATCH: Final = 100
PAIRS: Final = 1000
DATE = re.compile(r"\d{4}-\d{2}")
PARAMETER = re.compile(r":(\w+)")
SPLITTABLE: Final = frozenset({400, 404, 409, 413, 414})

DEFAULT_VERSIONS: Final[Mapping[str, str]] = {
    "objects": "2026-09",
    "associations": "2026-09",
    "properties": "2026-09",
    "pipelines": "2026-09",
    "owners": "2026-09",
    "account": "2026-03",
    "oauth": "2026-03",
}
"""Date-based versions by API. Each is supported for 18 months; numbered ones end in 2027."""


class Sender(Protocol):
    """What the adapter needs of a transport."""

    def send(self, request: Request) -> Response:
        """The answer, if it is a success; an error of `domain/errors.py` otherwise."""


class Api:
    """Calls by route: `{objects}` stands for that API's version, `:ticket` for a value given in `ids`."""

    def __init__(self, transport: Sender, versions: Mapping[str, str]) -> None:
        self._transport = transport
        self._versions = {**DEFAULT_VERSIONS, **versions}
        for name, version in self._versions.items():
            if name not in DEFAULT_VERSIONS or not DATE.fullmatch(version):
                known = ", ".join(DEFAULT_VERSIONS)
                raise ConfigError(f"versions.{name} = {version!r}: give a date like 2026-09 for one of {known}")

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
        """One call. `reads` marks a POST that changes nothing."""
        route = route.format_map(self._versions)
        path = PARAMETER.sub(lambda name: quote((ids or {})[name[1]], safe=""), route)
        bucket = "associations" if "/associations/" in route else "search" if route.endswith("/search") else "default"
        return self._transport.send(
            Request(method, path, route, query=query or {}, json=json, repeatable=reads, bucket=bucket)
        )

    def pages(self, route: str, query: Mapping[str, str]) -> Iterator[Json]:
        """Every result of a list call."""
        after: str | None = ""
        while after is not None:
            answer = self.send(
                "GET", route, query={**query, "limit": "100", **({"after": after} if after else {})}
            ).json
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
            found += answer.get("results") or ()
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
        self, route: str, inputs: Mapping[str, Json], recognise: Callable[[Json], str | None]
    ) -> dict[str, Json | ConnectorError]:
        """Send at most 100 inputs, each under a key of its own, and tell of every key what became of it.

        Results are matched by trace id, or by `recognise`, which gives a result's key; never by position. A batch
        that is refused as a whole is halved until the culprits stand alone.
        """
        traced = [{**one, "objectWriteTraceId": key} for key, one in inputs.items()]
        try:
            answer = self.send("POST", route, json={"inputs": traced}).json
        except Refused as error:
            if len(inputs) == 1 or error.status not in SPLITTABLE:
                return dict.fromkeys(inputs, error)
            halves = chunks(list(inputs), (len(inputs) + 1) // 2)
            return {
                key: outcome
                for half in halves
                for key, outcome in self.batch_write(route, {one: inputs[one] for one in half}, recognise).items()
            }
        except (RetryLater, UnknownOutcome) as error:
            return dict.fromkeys(inputs, error)
        return _outcomes(answer, inputs, recognise, route.format_map(self._versions))


def _outcomes(
    answer: Json, inputs: Mapping[str, Json], recognise: Callable[[Json], str | None], route: str
) -> dict[str, Json | ConnectorError]:
    told = f"hubspot POST {route}: 207"
    outcomes: dict[str, Json | ConnectorError] = {}
    for result in answer.get("results") or ():
        outcomes[result.get("objectWriteTraceId") or recognise(result) or ""] = result
    unnamed: list[ConnectorError] = []
    for error in answer.get("errors") or ():
        context = error.get("context") or {}
        named = set(context.get("objectWriteTraceId") or ()) or set(context.get("ids") or context.get("id") or ())
        keys = [key for key, one in inputs.items() if key in named or one.get("id") in named]
        problem = refusal(error, told=told, status=409 if error.get("category") == "CONFLICT" else 400)
        outcomes.update(dict.fromkeys(keys, problem))
        unnamed += [] if keys else [problem]
    missing = [key for key in inputs if key not in outcomes]
    lost: ConnectorError = UnknownOutcome(
        f"{told}: the answer does not say what became of this input", code="no_outcome", answered=True, system="hubspot"
    )
    if len(missing) == len(unnamed) == 1:
        lost = unnamed[0]
    return {key: outcomes.get(key, lost) for key in inputs}


def next_page(answer: Json) -> str | None:
    """The `after` of the next page, or None on the last one."""
    after = ((answer.get("paging") or {}).get("next") or {}).get("after")
    return None if after is None else str(after)


def chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """The items in order, in parts of at most `size`."""
    return [items[start : start + size] for start in range(0, len(items), size)]
