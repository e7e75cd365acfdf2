"""What a Salesforce connection configures, how it logs in, and how its adapter is built."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import jwt
from pydantic import Field

from connector.adapters.budget import Limit
from connector.adapters.building import Ask, Kind, Parts
from connector.adapters.oauth import Anonymous, Grant, OAuthCredentials, TokenStore
from connector.adapters.salesforce.adapter import Salesforce
from connector.adapters.salesforce.api import VERSION, long_id
from connector.adapters.salesforce.forms import FORMS
from connector.adapters.salesforce.refusals import rate, sort
from connector.adapters.salesforce.wire import SalesforceWire
from connector.adapters.settings import ConnectionSettings, Secret, shown
from connector.adapters.transport import Credentials, Request, Transport, is_loopback
from connector.domain.errors import RetryLater

TOKEN: Final = "/services/oauth2/token"  # noqa: S105 - an address
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
HOSTS: Final = (".salesforce.com", ".salesforce.mil", ".sfcrmproducts.cn")
LASTS: Final = 30 * 86_400.0
"""Salesforce names no end: a session serves until it answers 401."""

ADVICE: Final = (
    "look at the External Client App: its key, its secret or certificate, its run-as user, and whether it is installed"
)


class Settings(ConnectionSettings):
    """One org, reached with client credentials, or with a signed assertion for a named user."""

    address_key: ClassVar[str] = "login_url"

    login_url: str
    client_id: str | None = None
    client_secret: Secret = None
    private_key: Secret = None
    username: str | None = None
    audience: str | None = None
    org_id: str | None = None
    api_version: str = VERSION
    auto_assign: bool = False
    unassigned_owner: str | None = None
    calls_per_10_seconds: int = Field(default=50, ge=1)

    def counted_by(self) -> tuple[object, ...]:
        """Salesforce counts the calls of an org, whoever makes them; an address of all orgs does not name it."""
        is_its_own = urlsplit(self.login_url).hostname not in ("login.salesforce.com", "test.salesforce.com")
        return self.place() if is_its_own else self.credential()

    def missing(self) -> str:
        """One of the two ways must be whole, at the org's own address."""
        host = urlsplit(self.login_url).hostname or ""
        if host.endswith("lightning.force.com"):
            return "login_url: give the My Domain address (https://….my.salesforce.com), not that of Lightning"
        if self.private_key and host in ("login.salesforce.com", "test.salesforce.com"):
            return ""
        if host in ("login.salesforce.com", "test.salesforce.com"):
            return "login_url: client credentials work only at the My Domain address (https://….my.salesforce.com)"
        if self.client_id and (self.client_secret or (self.private_key and self.username)):
            return ""
        return "give client_id + client_secret, or client_id + private_key + username"

    def credentials(self) -> tuple[str, str]:
        """Which of the two ways it is."""
        return ("JWT bearer: client_id, private_key and username" if self.private_key else "client credentials", "")


def grant(settings: Settings, store: TokenStore, now: Callable[[], datetime]) -> Grant:
    """How this org gives sessions. The address that is kept with a token tells org and user too."""

    def ask(_: str) -> Request:
        if settings.private_key:
            form = {"grant_type": JWT_BEARER, "assertion": _assertion(settings, now())}
        else:
            form = {"grant_type": "client_credentials", "client_id": settings.client_id or ""}
            form["client_secret"] = shown(settings.client_secret)
        return Request("POST", TOKEN, TOKEN, form=form, bucket="oauth")

    secret = shown(settings.private_key) + (settings.username or "") or shown(settings.client_secret)
    return Grant(
        ask,
        f"{settings.client_id}{secret}",
        lasts=LASTS,
        advice=ADVICE,
        address=lambda told: _place(settings, store, told),
    )


def _assertion(settings: Settings, now: datetime) -> str:
    host = urlsplit(settings.login_url).hostname or ""
    is_test = host.startswith("test.") or ".sandbox." in host
    audience = settings.audience or f"https://{'test' if is_test else 'login'}.salesforce.com"
    claims = {"iss": settings.client_id, "sub": settings.username, "aud": audience, "exp": int(now.timestamp()) + 180}
    return jwt.encode(claims, shown(settings.private_key), algorithm="RS256")


def _place(settings: Settings, store: TokenStore, told: Any) -> str:
    """Instance, org and user of a new session. Raises RetryLater for a strange address or another org."""
    instance = str(told.get("instance_url") or settings.login_url).rstrip("/")
    parts, login = urlsplit(instance), urlsplit(settings.login_url)
    at_home = (parts.scheme, parts.netloc) == (login.scheme, login.netloc)
    local = is_loopback(parts.hostname or "") and is_loopback(login.hostname or "")
    theirs = parts.scheme == "https" and (parts.hostname or "").endswith(HOSTS)
    if parts.path or not (at_home or local or theirs):
        raise RetryLater(
            "salesforce: the session names an address that is not Salesforce's", code="wrong_address", after=300.0
        )
    identity = str(told.get("id") or "").rstrip("/").split("/")
    org, user = (long_id(one) for one in identity[-2:]) if len(identity) >= 2 else ("", "")
    before = store.load()
    expected = long_id(settings.org_id) if settings.org_id else org_of(before.address) if before else ""
    if expected and org != expected:
        text = f"salesforce: the session is of org {org}, but this connection belongs to {expected}"
        advice = "a refreshed sandbox needs a connection of its own; if it is meant, configure its org_id"
        raise RetryLater(f"{text}: {advice}", code="other_org", after=300.0)
    return f"{instance}/id/{org}/{user}"


def org_of(place: str) -> str:
    """The org's id in what is kept with a token; empty where there is none."""
    return place.partition("/id/")[2].partition("/")[0]


def user_of(place: str) -> str:
    """Our user's id in what is kept with a token."""
    return place.partition("/id/")[2].partition("/")[2]


def build(parts: Parts, settings: Settings) -> Salesforce:
    """The adapter of one org."""
    limits = {"default": Limit(settings.calls_per_10_seconds, 10.0)}
    held: list[OAuthCredentials] = []
    wire = parts.keep(SalesforceWire(settings.login_url, lambda: held[0].token().address.partition("/id/")[0]))

    def transport(credentials: Credentials) -> Transport:
        return parts.transport(credentials, base_url=settings.login_url, wire=wire, limits=limits, sort=sort, rate=rate)

    def org() -> str:
        token = parts.token_store.load()
        return long_id(settings.org_id) if settings.org_id else org_of(token.address) if token else ""

    def user() -> str:
        return user_of(held[0].token().address)

    granted = grant(settings, parts.token_store, lambda: datetime.now(UTC))
    credentials = OAuthCredentials(transport(Anonymous()), granted, store=parts.token_store)
    held.append(credentials)
    return Salesforce(
        transport(credentials),
        webhook_secrets=[shown(secret) for secret in settings.webhook_secrets],
        path_tokens=parts.path_tokens,
        org=org,
        user=user,
        nobody=lambda: long_id(settings.unassigned_owner or user()),
        public_url=parts.public_url,
        path=parts.path,
        version=settings.api_version,
        auto_assign=settings.auto_assign,
        forms=parts.forms,
    )


KIND = Kind(
    label="Salesforce",
    settings=Settings,
    build=build,
    capabilities=Salesforce.capabilities,
    asks=(
        Ask("client_id", "Salesforce app's consumer key", "SALESFORCE_CLIENT_ID", hidden=False),
        Ask("client_secret", "Salesforce app's consumer secret", "SALESFORCE_CLIENT_SECRET"),
        Ask("webhook_secrets", "Secret of the Apex trigger", "SALESFORCE_TRIGGER_SECRET", is_list=True),
    ),
    forms=FORMS,
)
