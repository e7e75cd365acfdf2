"""Tokens: renewed ahead of time, once for everybody, kept before they are used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime

import pytest

from connector.adapters.budget import MemoryBudget
from connector.adapters.hubspot import rate, sort
from connector.adapters.hubspot.kind import ADVICE, TOKEN
from connector.adapters.oauth import Anonymous, OAuthCredentials, StaticCredentials, Token, refresh_grant
from connector.adapters.testing.hubspot import HubSpotArena
from connector.adapters.testing.setup import SetupPromises
from connector.adapters.testing.trouble import SecrecyPromises, TroublePromises
from connector.adapters.transport import Transport
from connector.adapters.wires import HttpxWire
from connector.domain.errors import RetryLater
from connector.sandbox.hubspot import HubSpot as Imitation
from tests.adapters.conftest import MemoryStore

Make = Callable[..., OAuthCredentials]


@pytest.fixture
def make(portal: Imitation, store: MemoryStore) -> Iterator[Make]:
    """Credentials of the portal's app over real HTTP."""
    wire = HttpxWire()
    transport = Transport(
        system="hubspot",
        base_url=portal.url,
        wire=wire,
        credentials=Anonymous(),
        budget=MemoryBudget(),
        sort=sort,
        rate=rate,
    )

    def credentials(refresh_token: str = portal.credentials.refresh_token) -> OAuthCredentials:
        app, secret = portal.credentials.client_id, portal.settings.client_secret
        grant = refresh_grant(TOKEN, client_id=app, client_secret=secret, refresh_token=refresh_token, advice=ADVICE)
        return OAuthCredentials(transport, grant, store=store, clock=portal.now)

    yield credentials
    wire.close()


class TestHubSpotByOAuth(TroublePromises, SecrecyPromises, SetupPromises):
    """What depends on the credentials holds with an OAuth app too."""

    @pytest.fixture
    def arena(self, portal: Imitation, make: Make) -> Iterator[HubSpotArena]:
        with closing(HubSpotArena(portal, make())) as arena:
            arena.renews_credentials = True
            arena.set_up()
            yield arena


def test_a_token_serves_until_five_minutes_before_its_end(portal: Imitation, make: Make) -> None:
    credentials = make()

    first = credentials.headers()
    portal.clock.advance(1499)
    same = credentials.headers()
    portal.clock.advance(2)
    later = credentials.headers()

    assert first == same != later
    assert portal.tokens.refreshes == 2


def test_a_token_is_kept_before_it_is_used(portal: Imitation, make: Make, store: MemoryStore) -> None:
    class Full(MemoryStore):
        def save(self, token: Token) -> None:
            raise OSError("no room")

    store.__class__ = Full

    with pytest.raises(OSError, match="no room"):
        make().headers()


def test_another_process_finds_the_token_in_the_store(portal: Imitation, make: Make) -> None:
    first, second = make(), make()

    assert first.headers() == second.headers()
    assert portal.tokens.refreshes == 1


def test_many_threads_renew_once(portal: Imitation, make: Make) -> None:
    credentials = make()
    seen: list[str] = []
    threads = [threading.Thread(target=lambda: seen.append(credentials.headers()["Authorization"])) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(seen) == 8
    assert len(set(seen)) == 1
    assert portal.tokens.refreshes == 1


def test_a_refusal_renews_unless_somebody_just_did(portal: Imitation, make: Make) -> None:
    first, second = make(), make()
    used = first.headers()
    second.headers()
    portal.clock.advance(60)

    assert first.renew()
    assert second.renew()
    assert first.headers() == second.headers() != used
    assert portal.tokens.refreshes == 2


def test_many_calls_that_are_refused_at_once_renew_once(portal: Imitation, make: Make) -> None:
    """They were in flight with the old token, each in its own thread."""
    credentials = make()
    sent = threading.Barrier(5)
    seen: list[str] = []

    def call() -> None:
        credentials.headers()
        sent.wait(10)
        credentials.renew()
        seen.append(credentials.headers()["Authorization"])

    threads = [threading.Thread(target=call) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(set(seen)) == 1
    assert portal.tokens.refreshes == 2


def test_a_token_that_is_refused_as_soon_as_it_was_given_is_renewed(portal: Imitation, make: Make) -> None:
    """Somebody ended it: to send it again would look as if our credentials were wrong."""
    credentials = make()
    used = credentials.headers()

    assert credentials.renew()

    assert credentials.headers() != used
    assert portal.tokens.refreshes == 2


def test_an_app_that_was_removed_is_disconnected_and_says_what_to_do(portal: Imitation, make: Make) -> None:
    credentials = make()
    portal.uninstall()

    with pytest.raises(RetryLater, match="install the app again") as caught:
        credentials.headers()

    assert (caught.value.code, caught.value.scope) == ("disconnected", "connection")
    assert caught.value.after == 60.0, "whoever installs it again would wait for it"
    assert portal.credentials.refresh_token not in str(caught.value)


def test_a_new_refresh_token_in_the_configuration_replaces_the_stored_one(
    portal: Imitation, make: Make, store: MemoryStore
) -> None:
    """Else a connection that was disconnected could not be repaired by its operator."""
    with pytest.raises(RetryLater):
        make("na1-an-old-one").headers()
    now: datetime = portal.now()
    store.save(Token("stale", "na1-an-old-one", now, now.replace(year=now.year + 1), "of the old one"))

    assert make().headers()["Authorization"] != "Bearer stale"


def test_a_silent_token_address_is_only_late(portal: Imitation, make: Make) -> None:
    portal.faults.add("lost_answer", path="oauth")

    with pytest.raises(RetryLater) as caught:
        make().headers()

    assert caught.value.code == "no_token"


def test_nothing_of_a_token_is_shown(portal: Imitation, make: Make, store: MemoryStore) -> None:
    credentials = make()
    credentials.headers()
    (token,) = store.kept

    shown = repr([token, credentials, StaticCredentials("pat-secret")])

    assert not [secret for secret in (token.access, token.refresh, "pat-secret") if secret in shown]
