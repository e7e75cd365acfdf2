"""Zendesk keeps every promise of the adapter contract."""

from __future__ import annotations

from connector.adapters.base import Adapter
from connector.adapters.registry import CRMS, makes_follow_ups
from connector.adapters.testing import AdapterContract
from connector.adapters.testing.zendesk import ZendeskArena


class TestZendesk(AdapterContract):
    def test_it_is_an_adapter_for_the_type_checker_too(self, arena: ZendeskArena) -> None:
        adapter: Adapter = arena.zendesk

        assert adapter.external_id == "external_id"

    def test_the_linter_knows_which_crms_make_follow_ups(self, arena: ZendeskArena) -> None:
        able = {crm: makes_follow_ups(crm) for crm in CRMS}

        assert able.pop("zendesk") is arena.adapter.capabilities.follow_ups is True
        assert not any(able.values())
