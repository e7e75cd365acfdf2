"""What a HubSpot connection configures, and how its adapter is built."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from connector.adapters.budget import Limit
from connector.adapters.building import Ask, Kind, Parts
from connector.adapters.hubspot.adapter import HubSpot
from connector.adapters.hubspot.api import DEFAULT_VERSIONS
from connector.adapters.hubspot.refusals import LIMITS, rate, sort
from connector.adapters.hubspot.wire import HubSpotWire
from connector.adapters.oauth import Anonymous, Grant, OAuthCredentials, StaticCredentials, refresh_grant
from connector.adapters.settings import TokenSettings, listed, shown
from connector.adapters.transport import Credentials, Transport

ADVICE = "install the app again and configure its new refresh token"


class Settings(TokenSettings):
    """One HubSpot account."""

    token_prefix: ClassVar[str] = "pat-"  # noqa: S105 - how all of them begin

    api_url: str = "https://api.hubapi.com"
    signatures: Annotated[list[Literal["v1", "v2", "v3"]], NoDecode, BeforeValidator(listed)] = Field(default=["v3"])
    calls_per_10_seconds: int = Field(default=100, ge=1)


def oauth(client_id: str, client_secret: str, refresh_token: str) -> Grant:
    """The grant of an OAuth app, at the version in use."""
    path = f"/oauth/{DEFAULT_VERSIONS['oauth']}/token"
    return refresh_grant(
        path, client_id=client_id, client_secret=client_secret, refresh_token=refresh_token, advice=ADVICE
    )


def build(parts: Parts, settings: Settings) -> HubSpot:
    """The adapter of one account."""
    wire = parts.keep(HubSpotWire())
    limits = {**LIMITS, "default": Limit(settings.calls_per_10_seconds, 10.0)}

    def transport(credentials: Credentials) -> Transport:
        return parts.transport(credentials, base_url=settings.api_url, wire=wire, limits=limits, sort=sort, rate=rate)

    if settings.access_token:
        credentials: Credentials = StaticCredentials(shown(settings.access_token))
    else:
        grant = oauth(settings.client_id or "", shown(settings.client_secret), shown(settings.refresh_token))
        credentials = OAuthCredentials(transport(Anonymous()), grant, store=parts.token_store)
    return HubSpot(
        transport(credentials),
        webhook_secrets=[shown(secret) for secret in settings.webhook_secrets],
        public_url=parts.public_url,
        path=parts.path,
        signatures=frozenset(settings.signatures),
        watched=parts.watched,
    )


KIND = Kind(
    label="HubSpot",
    settings=Settings,
    build=build,
    asks=(
        Ask("access_token", "HubSpot access token", "HUBSPOT_TOKEN"),
        Ask("webhook_secrets", "HubSpot app's client secret", "HUBSPOT_CLIENT_SECRET", is_list=True),
    ),
)
