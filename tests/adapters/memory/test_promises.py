"""Memo keeps every promise of the adapter contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.adapters.testing import AdapterContract

from .arena import MemoArena
from .crm import Memo


@pytest.fixture(scope="session")
def served() -> Memo:
    return Memo()


@pytest.fixture
def arena(served: Memo) -> Iterator[MemoArena]:
    served.reset()
    made = MemoArena(served)
    yield made
    made.close()


class TestMemo(AdapterContract):
    """All of them."""
