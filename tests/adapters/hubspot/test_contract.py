"""HubSpot keeps every promise of the adapter contract."""

from __future__ import annotations

from connector.adapters.base import Adapter
from connector.adapters.testing import AdapterContract
from connector.adapters.testing.hubspot import HubSpotArena


class TestHubSpot(AdapterContract):
    def test_it_is_an_adapter_for_the_type_checker_too(self, arena: HubSpotArena) -> None:
        adapter: Adapter = arena.hubspot

        assert adapter.external_id == "nextcap_ticket_id"
