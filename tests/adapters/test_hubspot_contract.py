"""HubSpot keeps every promise of the adapter contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.adapters.base import Adapter
from connector.sandbox.hubspot import HubSpot as Imitation
from tests.adapters.contract import AdapterContract, Arena
from tests.adapters.hubspot_arena import HubSpotArena


@pytest.fixture(scope="module")
def portal() -> Iterator[Imitation]:
    imitation = Imitation()
    imitation.start()
    yield imitation
    imitation.stop()


class TestHubSpot(AdapterContract):
    @pytest.fixture
    def arena(self, portal: Imitation) -> Iterator[Arena]:
        portal.reset()
        arena = HubSpotArena(portal)
        assert isinstance(arena.adapter.name, str)
        yield arena
        arena.wire.wire.close()


def as_the_engine_sees_it(arena: HubSpotArena) -> Adapter:
    """Held by the type checker: HubSpot is an adapter."""
    return arena.hubspot
