"""One imitation of Zendesk for all of these tests, as new for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from connector.adapters.testing.zendesk import ZendeskArena
from connector.sandbox.zendesk import Zendesk as Imitation


@pytest.fixture(scope="session")
def served() -> Iterator[Imitation]:
    with Imitation() as running:
        yield running


@pytest.fixture
def account(served: Imitation) -> Imitation:
    """An account that nobody has set up for us. What it would send stays where it is: there is nobody to take it."""
    served.reset()
    served.deliveries.pause()
    return served


@pytest.fixture
def blank(account: Imitation) -> Iterator[ZendeskArena]:
    """An adapter and an account in which nothing of ours exists."""
    with closing(ZendeskArena(account)) as arena:
        yield arena


@pytest.fixture
def arena(blank: ZendeskArena) -> ZendeskArena:
    """An adapter and an account that is set up."""
    blank.set_up()
    return blank
