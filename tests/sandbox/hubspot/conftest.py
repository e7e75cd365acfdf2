"""One served HubSpot for all tests here, new before each of them, and a raw client."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from connector.sandbox.hubspot import HubSpot

from .support import SET_UP, Receiver


@pytest.fixture(scope="session")
def served() -> Iterator[HubSpot]:
    with HubSpot() as running:
        yield running


@pytest.fixture
def hubspot(served: HubSpot) -> HubSpot:
    """A new portal whose search is not late."""
    served.reset()
    served.configure(search_lag=0.0)
    return served


@pytest.fixture(scope="session")
def client(served: HubSpot) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {served.credentials.static_token}"}
    with httpx.Client(base_url=served.url, headers=headers) as opened:
        yield opened


@pytest.fixture
def api(hubspot: HubSpot, client: httpx.Client) -> httpx.Client:
    """A client with the static token, on the new portal."""
    return client


@pytest.fixture
def fields(api: httpx.Client) -> None:
    """The connector's own ticket properties, made as the connector would make them."""
    for path, body in SET_UP:
        assert api.post(path, json=body).status_code == 201


@pytest.fixture
def receiver(hubspot: HubSpot) -> Iterator[Receiver]:
    """The app's webhook target."""
    target = Receiver()
    target.start()
    hubspot.configure(webhook_url=target.url, event_window=0.02, retry_factor=0.0005)
    yield target
    target.stop()
