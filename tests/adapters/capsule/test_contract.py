"""Capsule keeps every promise of the adapter contract, with projects and with opportunities."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from connector.adapters.base import Adapter
from connector.adapters.oauth import OAuthCredentials
from connector.adapters.testing import AdapterContract
from connector.adapters.testing.capsule import CapsuleArena
from connector.sandbox.capsule import Capsule as Imitation


class TestProjects(AdapterContract):
    def test_it_is_an_adapter_for_the_type_checker_too(self, arena: CapsuleArena) -> None:
        adapter: Adapter = arena.capsule

        assert adapter.external_id == "custom:Next Cap ticket ID"


class TestOpportunitiesOfAnApplication(AdapterContract):
    """With OAuth, and so with REST hooks."""

    @pytest.fixture
    def arena(self, account: Imitation, app: OAuthCredentials) -> Iterator[CapsuleArena]:
        with closing(CapsuleArena(account, app, target="opportunities")) as arena:
            arena.set_up()
            yield arena
