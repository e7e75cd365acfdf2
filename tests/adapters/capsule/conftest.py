"""One imitation of Capsule for all of these tests, as new for each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.sandbox.capsule import Capsule as Imitation
from tests.adapters.capsule.arena import CapsuleArena


@pytest.fixture(scope="session")
def served() -> Iterator[Imitation]:
    imitation = Imitation()
    imitation.start()
    yield imitation
    imitation.stop()


@pytest.fixture
def account(served: Imitation) -> Imitation:
    """An account that nobody has set up for us."""
    served.reset()
    return served


@pytest.fixture
def blank(account: Imitation) -> Iterator[CapsuleArena]:
    """An adapter and an account in which nothing of ours exists."""
    arena = CapsuleArena(account)
    yield arena
    arena.wire.wire.close()


@pytest.fixture
def arena(blank: CapsuleArena) -> CapsuleArena:
    """An adapter and an account in which our fields exist."""
    blank.set_up()
    return blank
