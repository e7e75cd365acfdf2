"""The HubSpot adapter: `HubSpot` for the engine, `auth` for the transport's credentials, `refusals` for its hooks."""

from connector.adapters.hubspot.adapter import HubSpot
from connector.adapters.hubspot.api import DEFAULT_VERSIONS
from connector.adapters.hubspot.auth import Anonymous, OAuthCredentials, StaticCredentials, Token, TokenStore
from connector.adapters.hubspot.notes import marker
from connector.adapters.hubspot.refusals import LIMITS, rate, sort

__all__ = [
    "DEFAULT_VERSIONS",
    "LIMITS",
    "Anonymous",
    "HubSpot",
    "OAuthCredentials",
    "StaticCredentials",
    "Token",
    "TokenStore",
    "marker",
    "rate",
    "sort",
]
