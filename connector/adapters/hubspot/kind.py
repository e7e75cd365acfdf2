"""What a HubSpot connection configures, and how its adapter is built."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from connector.adapters.budget import Limit
from connector.adapters.building import Ask, Kind, Parts
from connector.adapters.hubspot.adapter import HubSpot
from connector.adapters.hubspot.api import VERSIONS
from connector.adapters.hubspot.refusals import LIMITS, rate, sort
from connector.adapters.hubspot.wire import HubSpotWire
from connector.adapters.settings import CommaList, TokenSettings, shown

TOKEN = f"/oauth/{VERSIONS['oauth']}/token"  # an address
ADVICE = "install the app again and configure its new refresh token"


class Settings(TokenSettings):
    """One HubSpot account."""

    token_prefix: ClassVar[str] = "pat-"  # noqa: S105 - how all of them begin

    api_url: str = "https://api.hubapi.com"
    signatures: CommaList[Literal["v1", "v2", "v3"]] = Field(default=["v3"])
    calls_per_10_seconds: int = Field(default=100, ge=1)


def build(parts: Parts, settings: Settings) -> HubSpot:
    """The adapter of one account."""
    login, wire = settings.login(TOKEN, advice=ADVICE), parts.keep(HubSpotWire())
    limits = {**LIMITS, "default": Limit(settings.calls_per_10_seconds, 10.0)}
    transport = parts.transport(login, base_url=settings.api_url, wire=wire, limits=limits, sort=sort, rate=rate)
    return HubSpot(
        transport,
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
    capabilities=HubSpot.capabilities,
    asks=(
        Ask("access_token", "HubSpot access token", "HUBSPOT_TOKEN", instead=("client_id", "refresh_token")),
        Ask("webhook_secrets", "HubSpot app's client secret", "HUBSPOT_CLIENT_SECRET", is_list=True),
    ),
)
