"""What a Salesforce connection configures, how it logs in, and how its adapter is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import Field

from connector.adapters import oauth
from connector.adapters.budget import Limit
from connector.adapters.building import Ask, Kind, Parts
from connector.adapters.salesforce.adapter import Salesforce
from connector.adapters.salesforce.api import VERSION, Api, long_id
from connector.adapters.salesforce.forms import FORMS
from connector.adapters.salesforce.refusals import rate, sort
from connector.adapters.salesforce.wire import SalesforceWire
from connector.adapters.settings import AppSettings

TOKEN: Final = "/services/oauth2/token"  # noqa: S105 - an address
OF_ALL_ORGS: Final = ("login.salesforce.com", "test.salesforce.com")
HOSTS: Final = (".salesforce.com", ".salesforce.mil", ".sfcrmproducts.cn")
LASTS: Final = 30 * 86_400.0
"""Salesforce names no end: a session serves until it answers 401."""

ADVICE: Final = (
    "look at the External Client App: its key, its secret or certificate, its run-as user, and whether it is installed"
)
REFRESHED: Final = "a refreshed sandbox needs a connection of its own; if it is meant, configure its org_id"


class Settings(AppSettings):
    """One org."""

    address_key: ClassVar[str] = "login_url"

    login_url: str
    audience: str | None = None
    org_id: str | None = None
    api_version: str = Field(default=VERSION, pattern=r"^\d{2}\.0$")
    auto_assign: bool = False
    unassigned_owner: str | None = None
    calls_per_10_seconds: int = Field(default=50, ge=1)

    @property
    def host(self) -> str:
        """Where we log in."""
        return urlsplit(self.login_url).hostname or ""

    def counted_by(self) -> tuple[object, ...]:
        """Salesforce counts the calls of an org, whoever makes them; an address of all orgs does not name it."""
        return self.credential() if self.host in OF_ALL_ORGS else self.place()

    def missing(self) -> str:
        """One of the two ways must be whole, at the org's own address."""
        if self.host.endswith("lightning.force.com"):
            return "login_url: give the My Domain address (https://….my.salesforce.com), not that of Lightning"
        if self.host in OF_ALL_ORGS and not self.private_key:
            return "login_url: client credentials work only at the My Domain address (https://….my.salesforce.com)"
        return super().missing()


def grant(settings: Settings, clock: Callable[[], datetime]) -> oauth.Grant:
    """How this org gives sessions."""
    is_test = settings.host.startswith("test.") or ".sandbox." in settings.host
    audience = settings.audience or f"https://{'test' if is_test else 'login'}.salesforce.com"
    return replace(
        settings.login(TOKEN, audience=audience, clock=clock),
        lasts=LASTS,
        advice=ADVICE,
        home=partial(_home, settings.login_url),
        account=long_id(settings.org_id),
        other_account=REFRESHED,
    )


def _home(login_url: str, told: Mapping[str, Any]) -> oauth.Home:
    """Instance, org and user of a new session. Raises RetryLater for a strange address."""
    address = oauth.home_address(told.get("instance_url"), login_url=login_url, hosts=HOSTS, system=Salesforce.name)
    identity = str(told.get("id") or "").rstrip("/").split("/")
    org, user = (long_id(one) for one in ("", *identity)[-2:])
    return oauth.Home(address, org, user)


def build(parts: Parts, settings: Settings) -> Salesforce:
    """The adapter of one org."""
    over = partial(
        parts.transport,
        base_url=settings.login_url,
        wire=parts.keep(SalesforceWire()),
        limits={"default": Limit(settings.calls_per_10_seconds, 10.0)},
        sort=sort,
        rate=rate,
    )
    granted = grant(settings, parts.clock)
    tokens = oauth.OAuthCredentials(over(oauth.Anonymous()), granted, store=parts.token_store, clock=parts.clock)
    api = Api(over(tokens), settings.api_version, auto_assign=settings.auto_assign)
    return Salesforce(api, tokens, parts, settings.unassigned_owner)


KIND = Kind(
    label="Salesforce",
    settings=Settings,
    build=build,
    capabilities=Salesforce.capabilities,
    asks=(
        Ask("client_id", "Salesforce app's consumer key", "SALESFORCE_CLIENT_ID", hidden=False),
        Ask("client_secret", "Salesforce app's consumer secret", "SALESFORCE_CLIENT_SECRET", instead=("private_key",)),
        Ask("webhook_secrets", "Secret of the Apex trigger", "SALESFORCE_TRIGGER_SECRET", is_list=True),
    ),
    forms=FORMS,
)
