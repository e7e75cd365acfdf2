"""What a custom connection configures, and how its adapter is built."""

from __future__ import annotations

import base64
from dataclasses import replace
from urllib.parse import urljoin

from connector.adapters.budget import Limit
from connector.adapters.building import Ask, Kind, Parts
from connector.adapters.custom.adapter import Custom
from connector.adapters.custom.client import Live
from connector.adapters.oauth import Grant, StaticCredentials, client_credentials_grant, refresh_grant
from connector.adapters.settings import Secret, TokenSettings, shown
from connector.adapters.transport import HeaderCredentials
from connector.adapters.transport_network import PublicNetwork
from connector.adapters.wires import HttpxWire
from connector.domain.errors import ConfigError, NotSupported
from connector.mapping.grammar import Auth, Limits

ADVICE = "connect the account again and configure its new credentials"


class Settings(TokenSettings):
    """One account of a CRM that is declared in its mapping."""

    api_url: str
    username: str | None = None
    password: Secret = None
    allow_private: bool = False
    """Whether the CRM may stand in a private network, or on this machine."""

    def missing(self) -> str:
        """One way must be whole; which one it is, the mapping's adapter block says."""
        if self.access_token or (self.username and self.password) or (self.client_id and self.client_secret):
            return ""
        return "give access_token, username + password, or client_id + client_secret"

    def credentials(self) -> tuple[str, str]:
        """Which of the ways it is."""
        if self.access_token:
            return "access_token", ""
        if self.username:
            return "username and password", ""
        if not self.refresh_token:
            return "OAuth: client_id and client_secret", ""
        return super().credentials()


def grant(auth: Auth, settings: Settings) -> Grant:
    """How the account gives tokens, at the root of the CRM's own host."""
    root = urljoin(settings.api_url, "/")
    client_id, client_secret = settings.client_id or "", shown(settings.client_secret)
    if auth.kind == "refresh_token":
        refreshed = refresh_grant(
            auth.token_path,
            client_id=client_id,
            client_secret=client_secret,
            refresh_token=shown(settings.refresh_token),
            advice=ADVICE,
        )
        return replace(refreshed, base_url=root)
    granted = client_credentials_grant(
        auth.token_path, client_id=client_id, client_secret=client_secret, scope=auth.scope
    )
    return replace(granted, base_url=root)


def fixed(auth: Auth, settings: Settings) -> HeaderCredentials:
    """Credentials that do not end."""
    if auth.kind == "basic":
        pair = f"{settings.username or ''}:{shown(settings.password)}"
        return HeaderCredentials("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
    token = shown(settings.access_token)
    return HeaderCredentials(auth.header, token) if auth.kind == "header" else StaticCredentials(token)


def build(parts: Parts, settings: Settings) -> Custom:
    """The adapter of one account. How it proves who it is, and its limits, are those of the mapping at the start."""
    live = Live(parts.mapping_text)
    try:
        auth, limits = live.grammar.auth, live.grammar.limits
    except (ConfigError, NotSupported):
        auth, limits = Auth(), Limits()
    is_granted = auth.kind in ("client_credentials", "refresh_token")
    transport = parts.transport(
        grant(auth, settings) if is_granted else fixed(auth, settings),
        base_url=settings.api_url,
        wire=parts.keep(HttpxWire(network=None if settings.allow_private else PublicNetwork())),
        limits=dict.fromkeys(("default", "oauth"), Limit(limits.calls, limits.seconds)),
        sort=live.sort,
        rate=live.rate,
    )
    return Custom(
        transport,
        live,
        name=parts.name,
        webhook_secrets=parts.webhook_secrets,
        path_tokens=parts.path_tokens,
    )


KIND = Kind(
    label="the CRM",
    settings=Settings,
    build=build,
    asks=(
        Ask("access_token", "The CRM's API token", "CRM_TOKEN", instead=("username", "client_id")),
        Ask("webhook_secrets", "The secret with which the CRM signs", "CRM_WEBHOOK_SECRET", is_list=True),
    ),
)
