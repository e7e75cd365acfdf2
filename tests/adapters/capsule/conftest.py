"""One imitation of Capsule for all of these tests, as new for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from connector.adapters.budget import MemoryBudget
from connector.adapters.capsule import LIMITS, rate, sort
from connector.adapters.capsule.kind import ADVICE, TOKEN
from connector.adapters.oauth import Anonymous, OAuthCredentials, refresh_grant
from connector.adapters.testing.capsule import CapsuleArena
from connector.adapters.transport import Transport
from connector.adapters.wires import HttpxWire
from connector.sandbox.capsule import Capsule as Imitation
from tests.adapters.conftest import MemoryStore


@pytest.fixture(scope="session")
def served() -> Iterator[Imitation]:
    with Imitation() as running:
        yield running


@pytest.fixture
def account(served: Imitation) -> Imitation:
    """An account that nobody has set up for us."""
    served.reset()
    return served


@pytest.fixture
def app(account: Imitation, store: MemoryStore) -> Iterator[OAuthCredentials]:
    """The credentials of the account's registered application, over real HTTP."""
    wire, known = HttpxWire(), account.credentials
    transport = Transport(
        system="capsule",
        base_url=account.url,
        wire=wire,
        credentials=Anonymous(),
        budget=MemoryBudget(LIMITS),
        sort=sort,
        rate=rate,
    )
    grant = refresh_grant(
        TOKEN,
        client_id=known.client_id,
        client_secret=known.client_secret,
        refresh_token=known.refresh_token,
        advice=ADVICE,
    )
    yield OAuthCredentials(transport, grant, store=store, clock=account.now)
    wire.close()


@pytest.fixture
def blank(account: Imitation) -> Iterator[CapsuleArena]:
    """An adapter and an account in which nothing of ours exists."""
    with closing(CapsuleArena(account)) as arena:
        yield arena


@pytest.fixture
def arena(blank: CapsuleArena) -> CapsuleArena:
    """An adapter and an account in which our fields exist."""
    blank.set_up()
    return blank
