"""One example CRM for all of these tests, as new for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from connector.adapters.testing.custom import CustomArena
from connector.sandbox.example import Example


@pytest.fixture(scope="session")
def served() -> Iterator[Example]:
    with Example() as running:
        yield running


@pytest.fixture
def example(served: Example) -> Example:
    served.reset()
    return served


@pytest.fixture
def arena(example: Example) -> Iterator[CustomArena]:
    with closing(CustomArena(example)) as made:
        yield made
