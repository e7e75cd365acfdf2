"""One imitation of Salesforce for all of these tests, as new for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from connector.adapters.testing.salesforce import SalesforceArena
from connector.sandbox.salesforce import Salesforce as Imitation


@pytest.fixture(scope="session")
def served() -> Iterator[Imitation]:
    with Imitation() as running:
        yield running


@pytest.fixture
def org(served: Imitation) -> Imitation:
    """An org that nobody has set up for us."""
    served.reset()
    return served


@pytest.fixture
def blank(org: Imitation) -> Iterator[SalesforceArena]:
    """An adapter and an org in which nothing of ours exists."""
    with closing(SalesforceArena(org)) as arena:
        yield arena


@pytest.fixture
def arena(blank: SalesforceArena) -> SalesforceArena:
    """An adapter with a session, and an org in which our fields exist."""
    blank.set_up()
    return blank
