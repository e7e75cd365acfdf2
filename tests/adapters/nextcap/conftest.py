"""One imitation for a module's tests, as new for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from connector.sandbox import nextcap as imitation

from .arena import NextCapArena


@pytest.fixture(scope="module")
def nextcap() -> Iterator[imitation.NextCap]:
    with imitation.NextCap(rate_limit=100_000) as running:
        yield running


@pytest.fixture
def arena(nextcap: imitation.NextCap) -> Iterator[NextCapArena]:
    nextcap.reset()
    with closing(NextCapArena(nextcap)) as made:
        yield made
