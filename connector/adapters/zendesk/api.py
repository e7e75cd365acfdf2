"""Zendesk's addresses and paging: calls by route, lists by cursor, and jobs waited for together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from connector.adapters import calls
from connector.adapters.base import Json
from connector.adapters.transport import Query
from connector.domain.errors import RetryLater

BATCH: Final = 100
WAITS: Final = (0.5, 1.5, 2.5, 4.0)
"""Seconds before each look at jobs: all of them together are less than a call's total time-out.

The first look comes when the last jobs had ended, or one step sooner.
"""
ENDED: Final = frozenset({"completed", "failed", "killed"})


class Api(calls.Api):
    """Calls by route. `sleep` waits between two looks at jobs."""

    def __init__(self, transport: calls.Sender, sleep: Callable[[float], None]) -> None:
        super().__init__(transport, "/api/v2")
        self._sleep = sleep
        self._usual = 0

    def pages(
        self, route: str, name: str, *, ids: Mapping[str, str] | None = None, query: Query | None = None
    ) -> Iterator[Json]:
        """Every page of a list, by cursor; `name` is what the list is called in the answer."""
        after = ""
        while True:
            more = {"page[after]": after} if after else {}
            page = self.send("GET", route, ids=ids, query={**(query or {}), "page[size]": "100", **more}).json
            items_of(page, name)
            yield page
            meta = page.get("meta") or {}
            after = str(meta.get("after_cursor") or "")
            if not meta.get("has_more") or not after:
                return

    def listed(self, route: str, name: str, *, query: Query | None = None) -> list[Json]:
        """Everything in a list."""
        return [one for page in self.pages(route, name, query=query) for one in page[name]]

    def shown(self, route: str, name: str, ids: Sequence[str]) -> list[Json]:
        """Those of these things that are there, a hundred a call."""
        found: list[Json] = []
        for chunk in calls.chunks(ids, BATCH):
            found += items_of(self.send("GET", route, query={"ids": ",".join(chunk)}).json, name)
        return found

    def finished(self, jobs: Sequence[Json]) -> dict[str, list[Json]]:
        """The results of these jobs by job id, looked at together; one that does not end in time is left out."""
        known = {str(one["id"]): one for one in jobs}
        first = self._usual
        for place, wait in enumerate((sum(WAITS[: first + 1]), *WAITS[first + 1 :])):
            going = [one for one, job in known.items() if job.get("status") not in ENDED]
            if not going:
                break
            self._usual = first + place if place else max(0, first - 1)
            self._sleep(wait)
            try:
                known |= {str(one["id"]): one for one in self.shown("/job_statuses/show_many", "job_statuses", going)}
            except RetryLater:
                break  # What they came to is for the next look at the tickets to find out.
        ended = {key: job.get("results") for key, job in known.items() if job.get("status") == "completed"}
        return {key: results for key, results in ended.items() if isinstance(results, list)}


def items_of(answer: Json, name: str) -> list[Json]:
    """The list of that name. Raises RetryLater where the answer has none."""
    if not isinstance(answer, dict) or not isinstance(answer.get(name), list):
        raise RetryLater(f"zendesk: the answer has no {name}", code="unreadable_answer", scope="record")
    return list(answer[name])
