"""Two connections of one vendor's account: one limit, one token, and neither is known by what it would reveal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from connector import config
from connector.doctor import limits
from connector.domain.errors import RetryLater
from connector.sandbox.hubspot import HubSpot
from connector.sandbox.zendesk import Zendesk
from connector.store import tables
from connector.wiring import Runtime, alike, build, counted_as

HEAD = """
secret_key = "a-key-for-tests"
[store]
url = "sqlite:///{folder}/connector.db"
[nextcap]
api_url = "http://127.0.0.1:9/api/v1"
api_key = "nextcap_ck_test"
"""
MAPPINGS = Path(__file__).parents[1] / "mappings"


def configured(folder: Path, *connections: str) -> config.Settings:
    """A configuration with these connections."""
    path = folder / "config.toml"
    path.write_text(HEAD.format(folder=folder) + "\n".join(connections))
    return config.load(path)


def hubspot(name: str, url: str, token: str, more: str = "") -> str:
    mapping = MAPPINGS / "hubspot.yaml"
    told = f'[connections.{name}]\ncrm = "hubspot"\nmapping = "{mapping}"\napi_url = "{url}"\n'
    return f'{told}access_token = "{token}"\ncalls_per_10_seconds = 10\nshare_of_limit = 100\n{more}'


def zendesk(name: str, url: str, more: str) -> str:
    return f'[connections.{name}]\ncrm = "zendesk"\nmapping = "{MAPPINGS / "zendesk.yaml"}"\napi_url = "{url}"\n{more}'


@pytest.fixture
def portal() -> Iterator[HubSpot]:
    imitation = HubSpot()
    imitation.start()
    yield imitation
    imitation.stop()


@pytest.fixture
def runtime(portal: HubSpot, tmp_path: Path) -> Iterator[Runtime]:
    """Sales and service work in one portal with one token; a partner's portal has another."""
    token = portal.credentials.static_token
    made = build(
        configured(
            tmp_path,
            hubspot("sales", portal.url, token),
            hubspot("service", f"{portal.url}/", token),
            hubspot("partner", portal.url, "pat-of-somebody-else"),
        ),
        upgrade=True,
    )
    yield made
    made.close()


def call(runtime: Runtime, name: str, times: int = 1) -> None:
    for _ in range(times):
        runtime.engine.crms[name].people()


def test_two_connections_with_one_token_share_one_limit(runtime: Runtime, portal: HubSpot) -> None:
    """The vendor counts its app's calls, whoever of us makes them: eleven are one too many."""
    portal.configure(burst=10)
    call(runtime, "sales")
    each = portal.calls.total
    call(runtime, "service", 10 // each - 1)

    with pytest.raises(RetryLater) as caught:
        call(runtime, "service")

    assert caught.value.code == "rate_limited"
    assert portal.calls.total == 10
    assert portal.calls.count(status=429) == 0


def test_a_limit_that_one_of_them_met_is_the_others_wait_and_nobody_elses(runtime: Runtime, portal: HubSpot) -> None:
    portal.faults.add("status", status=429, headers={"Retry-After": "60"}, body={"policyName": "TEN_SECONDLY_ROLLING"})

    with pytest.raises(RetryLater):
        call(runtime, "sales")
    with pytest.raises(RetryLater):
        call(runtime, "service")
    with pytest.raises(RetryLater) as partner:
        call(runtime, "partner")

    assert portal.calls.total == 2
    assert partner.value.code == "unauthorized"


def test_the_store_tells_no_token_and_doctor_tells_who_shares(runtime: Runtime, portal: HubSpot) -> None:
    call(runtime, "service")

    with runtime.db.read() as connection:
        names = [row.name for row in connection.execute(sa.select(tables.budgets))]
    told = [(one.where, one.detail) for one in limits.examine(runtime) if "counted with" in one.detail]

    assert {name.partition(":")[0] for name in names} == {"sales"}
    assert told == [("service", "its calls are counted with those of sales: one account, one limit")]


def test_what_a_vendor_counts_by_account_is_shared_by_different_credentials(tmp_path: Path) -> None:
    """Zendesk counts an account's calls, HubSpot an app's."""
    settings = configured(
        tmp_path,
        zendesk("one", "https://acme.zendesk.com", 'access_token = "a"'),
        zendesk("two", "https://acme.zendesk.com/", 'client_id = "app"\nclient_secret = "b"'),
        zendesk("other", "https://other.zendesk.com", 'access_token = "a"'),
        hubspot("three", "https://api.hubapi.com", "pat-1"),
        hubspot("four", "https://api.hubapi.com", "pat-2"),
    )

    assert {name: counted_as(settings, name) for name in settings.connections} == {
        "one": "one",
        "two": "one",
        "other": "other",
        "three": "three",
        "four": "four",
    }
    assert counted_as(settings, "nextcap") == "nextcap"


def test_whose_credential_it_is_tells_accounts_with_one_secret_apart(tmp_path: Path) -> None:
    settings = configured(
        tmp_path,
        zendesk("one", "https://acme.zendesk.com", 'client_id = "app"\nclient_secret = "same"'),
        zendesk("two", "https://acme.zendesk.com", 'client_id = "app"\nclient_secret = "same"\nlabel = "Other"'),
        zendesk("three", "https://acme.zendesk.com", 'client_id = "another"\nclient_secret = "same"'),
    )

    groups = alike(settings.connections, lambda one: one.credential())

    assert groups == {"one": ("one", "two"), "two": ("one", "two"), "three": ("three",)}
    assert "same" not in repr([one.credential() for one in settings.connections.values()])


def test_a_refresh_token_that_two_connections_share_is_used_up_once(tmp_path: Path) -> None:
    """Zendesk replaces it at each renewal: the second must find what the first was given, whoever came first before."""
    account = Zendesk()
    account.start()
    known = account.credentials
    oauth = f'client_id = "{known.client_id}"\nclient_secret = "{known.client_secret}"\n'
    oauth += f'refresh_token = "{known.refresh_token}"\n'
    old = zendesk("old", account.url, oauth)
    try:
        for connections in ((old,), (zendesk("new", account.url, oauth), old)):
            runtime = build(configured(tmp_path, *connections), upgrade=True)
            try:
                told = [check for one in runtime.engine.crms.values() for check in one.check() if not check.ok]
            finally:
                runtime.close()
            assert not [one for one in told if "disconnected" in one.detail], told
    finally:
        account.stop()
    assert account.calls.count(method="POST", template="/oauth/tokens") == 1
