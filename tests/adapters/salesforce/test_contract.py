"""Salesforce keeps every promise of the adapter contract."""

from __future__ import annotations

from connector.adapters.base import Adapter
from connector.adapters.testing import AdapterContract
from connector.adapters.testing.salesforce import SalesforceArena


class TestSalesforce(AdapterContract):
    def test_it_is_an_adapter_for_the_type_checker_too(self, arena: SalesforceArena) -> None:
        adapter: Adapter = arena.salesforce

        assert adapter.external_id == "NextCap_Ticket_Id__c"
