"""Zendesk's addresses and paging: calls by route, lists by cursor, and jobs waited for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol, TypeVar
from urllib.parse import quote

from connector.adapters.base import Json
from connector.adapters.transport import Query, Request, Response
from connector.domain.errors import RetryLater, UnknownOutcome

T = TypeVar("T")
BATCH: Final = 100
BASE: Final = "/api/v2"
PARAMETER = re.compile(r":(\w+)")
WAITS: Final = (0.3, 0.4, 0.6, 1.0, 1.5, 2.0, 2.5)
"""Seconds before each look at a job: a lease lasts longer than all of them."""


class Sender(Protocol):
    """What the adapter needs of a transport."""

    def send(self, request: Request) -> Response:
        """The answer, if it is a success; an error of `domain/errors.py` otherwise."""


class Api:
    """Calls by route; `:ticket` stands for a value given in `ids`. `sleep` waits between two looks at a job."""

    def __init__(self, transport: Sender, sleep: Callable[[float], None]) -> None:
        self._transport = transport
        self._sleep = sleep

    def send(
        self,
        method: str,
        route: str,
        *,
        ids: Mapping[str, str] | None = None,
        query: Query | None = None,
        json: Json = None,
        headers: Mapping[str, str] | None = None,
        bucket: str = "default",
    ) -> Response:
        """One call."""
        path = PARAMETER.sub(lambda name: quote((ids or {})[name[1]], safe=""), BASE + route)
        asked = {"Accept": "application/json", **(headers or {})}
        return self._transport.send(
            Request(method, path, BASE + route, query=query or {}, json=json, headers=asked, bucket=bucket)
        )

    def pages(
        self, route: str, name: str, *, ids: Mapping[str, str] | None = None, query: Query | None = None
    ) -> Iterator[Json]:
        """Every page of a list, by cursor; `name` is what the list is called in the answer."""
        after = ""
        while True:
            more = {"page[after]": after} if after else {}
            page = self.send("GET", route, ids=ids, query={**(query or {}), "page[size]": "100", **more}).json
            if not isinstance(page, dict) or name not in page:
                raise RetryLater(f"zendesk GET {route}: the answer has no {name}", code="unreadable_answer")
            yield page
            meta = page.get("meta") or {}
            after = str(meta.get("after_cursor") or "")
            if not meta.get("has_more") or not after:
                return

    def listed(self, route: str, name: str, *, query: Query | None = None) -> list[Json]:
        """Everything in a list."""
        return [one for page in self.pages(route, name, query=query) for one in page[name]]

    def finished(self, job: Json) -> Json:
        """The results of a job, waited for. Raises UnknownOutcome where it takes too long: it may still be done."""
        for wait in WAITS:
            if job.get("status") in ("completed", "failed", "killed"):
                break
            self._sleep(wait)
            try:
                job = self.send("GET", "/job_statuses/:job", ids={"job": str(job["id"])}).json["job_status"]
            except RetryLater as error:
                raise UnknownOutcome(str(error), code=error.code, answered=True, system="zendesk") from error
        results = job.get("results")
        if job.get("status") != "completed" or not isinstance(results, list):
            told = f"zendesk job: {job.get('status')}, so nobody knows what it changed"
            raise UnknownOutcome(told, code="job_open", answered=True, system="zendesk")
        return results


def chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """The items in order, in parts of at most `size`."""
    return [items[start : start + size] for start in range(0, len(items), size)]
