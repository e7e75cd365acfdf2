"""One served Capsule for all tests here, new before each of them, and raw clients."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from connector.sandbox.capsule import Capsule

from .support import Receiver, refreshed


@pytest.fixture(scope="session")
def served() -> Iterator[Capsule]:
    with Capsule() as running:
        yield running


@pytest.fixture
def capsule(served: Capsule) -> Capsule:
    """A new account whose index is not late."""
    served.reset()
    served.configure(search_lag=0.0)
    return served


@pytest.fixture
def api(capsule: Capsule) -> Iterator[httpx.Client]:
    """A client with the personal token."""
    headers = {"Authorization": f"Bearer {capsule.credentials.personal_token}"}
    with httpx.Client(base_url=f"{capsule.url}/api/v2", headers=headers) as opened:
        yield opened


@pytest.fixture
def app(capsule: Capsule) -> Iterator[httpx.Client]:
    """A client with a token of the registered application."""
    headers = {"Authorization": f"Bearer {refreshed(capsule)['access_token']}"}
    with httpx.Client(base_url=f"{capsule.url}/api/v2", headers=headers) as opened:
        yield opened


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Where hooks are delivered."""
    target = Receiver()
    target.start()
    yield target
    target.stop()
