"""One world for a module: the flows do not disturb each other, as each works on tickets of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("world")
    made = World(folder)
    made.start()
    yield made
    made.stop()
