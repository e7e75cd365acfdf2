"""One imitation of HubSpot for all of these tests, as new for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from connector.adapters.testing.hubspot import HubSpotArena
from connector.sandbox.hubspot import HubSpot as Imitation


@pytest.fixture(scope="session")
def served() -> Iterator[Imitation]:
    with Imitation() as running:
        yield running


@pytest.fixture
def portal(served: Imitation) -> Imitation:
    """A portal that nobody has set up for us."""
    served.reset()
    return served


@pytest.fixture
def blank(portal: Imitation) -> Iterator[HubSpotArena]:
    """An adapter and a portal in which nothing of ours exists."""
    with closing(HubSpotArena(portal)) as arena:
        yield arena


@pytest.fixture
def arena(blank: HubSpotArena) -> HubSpotArena:
    """An adapter and a portal in which our properties exist."""
    blank.set_up()
    return blank
