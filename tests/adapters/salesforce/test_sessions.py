"""Sessions: granted, renewed once, used where they belong; and the client whose own renewal is not."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from connector.adapters.salesforce.wire import SalesforceWire
from connector.adapters.testing.salesforce import SalesforceArena
from connector.adapters.transport import Request
from connector.domain.errors import RetryLater


def test_many_threads_renew_a_session_that_ended_once(arena: SalesforceArena) -> None:
    case = arena.new_ticket()
    arena.salesforce.schema()
    arena.imitation.clock.advance(8000)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(arena.read(case).id)) for _ in range(6)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [case] * 6
    assert arena.sandbox.tokens.grants == 2


def test_a_session_that_ended_is_renewed_once_for_all(arena: SalesforceArena) -> None:
    case = arena.new_ticket()
    arena.imitation.clock.advance(8000)

    assert arena.read(case).id == case
    assert arena.sandbox.tokens.grants == 2


def test_a_401_that_stays_costs_one_renewal_and_no_recursion(arena: SalesforceArena) -> None:
    """The client's own renewal logged in 976 times here (1.12.10)."""
    case = arena.new_ticket()
    arena.imitation.clock.advance(60)
    arena.fault("status", status=401, path="/services/data", times=None, body="not JSON")

    with pytest.raises(RetryLater) as caught:
        arena.read(case)

    assert caught.value.code == "unauthorized"
    assert arena.sandbox.tokens.grants == 2
    assert len(arena.calls()) == 2


def test_the_instances_address_is_used_as_it_was_given() -> None:
    """The client makes it https whatever it is (1.12.10), and takes no path of ours for another host's."""
    wire, url = SalesforceWire(), "http://127.0.0.1:8123/services/data/v62.0/query"
    request = Request("GET", "/services/data/v62.0/query", "/query", query={"q": "SELECT Id FROM Case"})

    built = wire.encoded(request, url, {"Authorization": "Bearer t!ken"})

    assert str(built.url) == "http://127.0.0.1:8123/services/data/v62.0/query?q=SELECT+Id+FROM+Case"
    assert built.headers["Authorization"] == "Bearer t!ken"
    wire.close()


def test_a_token_is_asked_for_where_we_log_in_and_used_where_it_leads(arena: SalesforceArena) -> None:
    """The imitation answers on this machine under either name."""
    arena.store.token = None
    arena.salesforce = arena.new_adapter()
    elsewhere = arena.base_url.replace("127.0.0.1", "localhost")
    identity = f"https://login.salesforce.com/id/{arena.sandbox.org.org_id}/{arena.sandbox.org.user_id}"
    told = {"access_token": "t", "instance_url": elsewhere, "id": identity}
    arena.fault("status", path="oauth2/token", status=200, body=told)
    arena.fault("status", path="services/data", status=200, body={"records": [], "done": True}, times=None)
    arena.wire.urls.clear()

    arena.salesforce.people()

    assert [url.partition("/services/")[0] for url in arena.wire.urls] == [arena.base_url, elsewhere, elsewhere]


def test_a_vendor_that_says_nothing_ends_in_time(arena: SalesforceArena) -> None:
    """The client sets no time-out at all; ours is the transport's."""
    arena.fault("delay", seconds=5.0, times=None)

    request = Request("GET", "/services/data/v62.0/limits", "/limits", timeout=0.3)
    with pytest.raises(RetryLater) as caught:
        arena.salesforce.people.__self__._api._transport.send(request)  # type: ignore[attr-defined]

    assert caught.value.code in ("no_answer", "unreachable")


@pytest.mark.parametrize("place", ["https://evil.example", "http://na1.salesforce.com", "https://x.salesforce.com/a"])
def test_a_session_that_leads_elsewhere_is_not_used(arena: SalesforceArena, place: str) -> None:
    identity = f"https://login.salesforce.com/id/{arena.sandbox.org.org_id}/{arena.sandbox.org.user_id}"
    arena.store.token = None
    arena.salesforce = arena.new_adapter()
    told = {"access_token": "t", "instance_url": place, "id": identity}
    arena.fault("status", path="oauth2/token", status=200, body=told)

    with pytest.raises(RetryLater) as caught:
        arena.salesforce.people()

    assert caught.value.code == "wrong_address"


def test_another_org_behind_the_same_address_stops_the_connection(arena: SalesforceArena) -> None:
    """A refreshed sandbox holds copies of our ids: writing there would be a disaster."""
    arena.sandbox.refresh_sandbox()
    arena.imitation.clock.advance(60)

    with pytest.raises(RetryLater) as caught:
        arena.salesforce.people()
    arena.salesforce = arena.new_adapter(arena.settings(org_id=arena.sandbox.org.org_id))

    assert caught.value.code == "other_account"
    assert arena.salesforce.people()


def test_a_signed_assertion_logs_in(arena: SalesforceArena) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    arena.sandbox.configure(public_key=public.decode())
    arena.store.token = None
    username = arena.sandbox.settings.username
    settings = arena.settings(client_secret=None, private_key=SecretStr(pem), username=username)

    assert settings.missing() == ""
    assert arena.new_adapter(settings).people()
    assert pem not in repr(settings)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"login_url": "https://acme.lightning.force.com"}, "My Domain"),
        ({"login_url": "https://login.salesforce.com"}, "My Domain"),
        ({"client_secret": None}, "client_secret"),
        (
            {"login_url": "https://login.salesforce.com", "client_secret": None, "private_key": SecretStr("k")},
            "username",
        ),
    ],
)
def test_a_configuration_that_cannot_work_is_told(arena: SalesforceArena, change: dict[str, Any], word: str) -> None:
    assert word in arena.settings(**change).missing()
