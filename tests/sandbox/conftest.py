"""One server of each kind for all tests of a process, as new for each of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from connector.sandbox.kernel import Answer, Environ, HttpServer
from connector.sandbox.nextcap import CRM_KEY, DATA_KEY, NextCap

from .counter import Counter


class Receiver:
    """A webhook endpoint that keeps what it gets and answers what it is told, 200 by default."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.server = HttpServer(self._answer)

    @property
    def url(self) -> str:
        return f"{self.server.url}/hook"

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, body in self.requests]

    @property
    def events(self) -> list[str]:
        return [headers["x-nextcap-event"] for headers, _ in self.requests]

    def _answer(self, environ: Environ) -> Answer:
        headers = {
            key.removeprefix("HTTP_").replace("_", "-").lower(): value
            for key, value in environ.items()
            if isinstance(value, str)
        }
        self.requests.append((headers, environ["wsgi.input"].read()))
        return Answer(self.answers.pop(0) if self.answers else 200)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    target = Receiver()
    target.server.start()
    yield target
    target.server.stop()


@pytest.fixture(scope="session")
def counter_served() -> Iterator[Counter]:
    counter = Counter()
    counter.start()
    yield counter
    counter.stop()


@pytest.fixture
def counter(counter_served: Counter) -> Counter:
    counter_served.reset()
    return counter_served


@pytest.fixture
def client(counter: Counter) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=counter.url) as client:
        yield client


@pytest.fixture(scope="session")
def served() -> Iterator[NextCap]:
    with NextCap(rate_limit=100_000, retry_schedule=[0.01, 0.01], retry_factor=1.0) as nextcap:
        yield nextcap


@pytest.fixture
def nextcap(served: NextCap) -> NextCap:
    served.reset()
    return served


@pytest.fixture
def crm(nextcap: NextCap) -> Iterator[httpx.Client]:
    """The CRM API with its key."""
    with httpx.Client(base_url=f"{nextcap.api_url}/external/crm", headers={"X-Api-Key": CRM_KEY}) as client:
        yield client


@pytest.fixture
def data(nextcap: NextCap) -> Iterator[httpx.Client]:
    """The Data API with its key."""
    with httpx.Client(base_url=f"{nextcap.api_url}/external", headers={"X-Api-Key": DATA_KEY}) as client:
        yield client


@pytest.fixture
def control(nextcap: NextCap) -> Iterator[httpx.Client]:
    """The control API."""
    with httpx.Client(base_url=f"{nextcap.url}/_control") as client:
        yield client


def wait_until(claim: Callable[[], bool], seconds: float = 3.0) -> None:
    """Poll until the claim holds; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.002)


def problem(response: httpx.Response) -> tuple[int, str, list[str]]:
    """Status, code and the names of the wrong fields of a refusal."""
    body = response.json()
    assert body["success"] is False
    fields = [detail["field"] for detail in body["error"].get("details", [])]
    return response.status_code, body["error"]["code"], fields
