"""What a Zendesk connection configures, and how its adapter is built."""

from __future__ import annotations

from pydantic import Field

from connector.adapters.budget import Limit
from connector.adapters.building import Ask, Kind, Parts
from connector.adapters.oauth import Grant, StaticCredentials
from connector.adapters.settings import TokenSettings, shown
from connector.adapters.transport import Request
from connector.adapters.wires import HttpxWire
from connector.adapters.zendesk.adapter import Zendesk
from connector.adapters.zendesk.refusals import LIMITS, rate, sort

TOKENS = "/oauth/tokens"
LASTS = 1800
REFRESH_LASTS = 30 * 86_400
ADVICE = (
    "a person must connect it again: in Admin Center > Apps and integrations > OAuth clients check the client, "
    "authorise it anew where a refresh token is used, and configure the new credentials"
)


class Settings(TokenSettings):
    """One Zendesk account: an OAuth client's credentials, with a refresh token or without, or an access token."""

    api_url: str
    calls_per_minute: int = Field(default=200, ge=1)
    updates_per_minute: int = Field(default=100, ge=1)
    scope: str = "read write"

    def counted_by(self) -> tuple[object, ...]:
        """Zendesk counts the calls of an account, whoever makes them."""
        return self.place()

    def missing(self) -> str:
        """A client can ask for tokens by itself: it needs no refresh token."""
        if self.access_token or (self.client_id and self.client_secret):
            return ""
        return "give client_id + client_secret (and refresh_token where the client is not confidential)"

    def credentials(self) -> tuple[str, str]:
        """Which of the three ways it is."""
        if self.access_token:
            return "access_token", "an access token that nobody renews ends one day: prefer client_id + client_secret"
        if self.refresh_token:
            return "OAuth: client_id, client_secret and refresh_token", ""
        return "OAuth: client credentials", ""


def grant(settings: Settings) -> Grant:
    """Client credentials, or a refresh token that each renewal replaces."""
    app = {"client_id": settings.client_id or "", "client_secret": shown(settings.client_secret)}
    app |= {"scope": settings.scope}
    first = shown(settings.refresh_token)

    def ask(refresh: str) -> Request:
        told: dict[str, object] = {"grant_type": "client_credentials", **app, "expires_in": LASTS}
        if refresh:
            told |= {"grant_type": "refresh_token", "refresh_token": refresh}
            told |= {"refresh_token_expires_in": REFRESH_LASTS}
        return Request("POST", TOKENS, TOKENS, json=told, bucket="oauth")

    return Grant(ask, secret=first or shown(settings.client_secret), refresh=first, lasts=LASTS, advice=ADVICE)


def build(parts: Parts, settings: Settings) -> Zendesk:
    """The adapter of one account."""
    wire = parts.keep(HttpxWire())
    told = {"default": settings.calls_per_minute, "updates": settings.updates_per_minute}
    limits = {**LIMITS, **{bucket: Limit(calls, 60.0) for bucket, calls in told.items()}}
    login = StaticCredentials(shown(settings.access_token)) if settings.access_token else grant(settings)
    return Zendesk(
        parts.transport(login, base_url=settings.api_url, wire=wire, limits=limits, sort=sort, rate=rate),
        webhook_secrets=parts.webhook_secrets,
        keep_webhook_secret=parts.keep_webhook_secret,
        target=parts.target,
    )


KIND = Kind(
    label="Zendesk",
    settings=Settings,
    build=build,
    capabilities=Zendesk.capabilities,
    asks=(
        Ask(
            "client_id",
            "OAuth client's unique identifier",
            "ZENDESK_CLIENT_ID",
            hidden=False,
            instead=("access_token",),
        ),
        Ask("client_secret", "OAuth client's secret", "ZENDESK_CLIENT_SECRET", instead=("access_token",)),
    ),
)
