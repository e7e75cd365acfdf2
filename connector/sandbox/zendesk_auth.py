"""Tokens of one confidential OAuth client: client credentials, and refresh tokens that are good once."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from .zendesk_errors import Refusal, forbidden, unauthorized
from .zendesk_settings import Settings

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
GRANTS = ("client_credentials", "refresh_token")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the administrator would copy into the connector's configuration."""

    client_id: str = "nextcap_connector"
    client_secret: str = "sandbox-zendesk-client-secret"
    refresh_token: str = "sandbox-zendesk-first-refresh-token"
    access_token: str = "sandbox-zendesk-lasting-access-token"


@dataclass(slots=True)
class Tokens:
    """Which tokens are good. `access_token` of the credentials lasts; `granted` turns false when access is revoked."""

    credentials: Credentials
    settings: Settings
    grants: int = 0
    granted: bool = True
    refresh_token: str = ""
    refresh_ends: datetime = datetime(9999, 1, 1, tzinfo=UTC)
    _expiry: dict[str, tuple[datetime, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.refresh_token = self.credentials.refresh_token

    def identify(self, header: str, *, now: datetime) -> frozenset[str]:
        """The scopes of the bearer; otherwise Zendesk's 401."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthorized("Couldn't authenticate you")
        if self.granted and hmac.compare_digest(token.encode(), self.credentials.access_token.encode()):
            return frozenset(self.settings.scope.split())
        ends, scope = self._expiry.get(token, (LONG_AGO, ""))
        if not self.granted or now >= ends:
            raise unauthorized("The access token provided is expired, revoked, malformed or invalid for other reasons.")
        return frozenset(scope.split())

    def need(self, scopes: frozenset[str], resource: str, *, writes: bool) -> None:
        """Raise Forbidden unless the scopes cover this."""
        verb = "write" if writes else "read"
        if not scopes & {verb, f"{resource}:{verb}"}:
            raise forbidden("You do not have access to this page. Please contact the account owner of this help desk.")

    def grant(self, asked: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
        """Answer a token request. A refresh ends the old pair at once, whether its answer arrives or not."""
        if (asked.get("client_id"), asked.get("client_secret")) != (
            self.credentials.client_id,
            self.credentials.client_secret,
        ):
            raise Refusal(401, {"error": "invalid_client", "error_description": "Client authentication failed"})
        if asked.get("grant_type") not in GRANTS:
            raise _refused("unsupported_grant_type", "The authorization grant type is not supported")
        if not self.granted:
            raise _refused("invalid_grant", "The access was revoked")
        lifetime = int(asked.get("expires_in") or self.settings.access_lifetime)
        if not 300 <= lifetime <= 172_800:
            raise _refused("invalid_request", "expires_in must be between 300 and 172800")
        self.grants += 1
        if asked["grant_type"] == "client_credentials":
            return self._issued(asked, lifetime, now, {})
        return self._refreshed(asked, lifetime, now)

    def expire(self) -> None:
        """Every access token has run out."""
        self._expiry = {token: (LONG_AGO, scope) for token, (_, scope) in self._expiry.items()}

    def _refreshed(self, asked: Mapping[str, Any], lifetime: int, now: datetime) -> dict[str, Any]:
        if asked.get("refresh_token") != self.refresh_token or now >= self.refresh_ends:
            raise _refused("invalid_grant", "The provided refresh token is invalid, expired or revoked")
        self._expiry.clear()
        self.refresh_token = secrets.token_hex(32)
        days = self.settings.refresh_lifetime
        self.refresh_ends = now + timedelta(days=days)
        told = {"refresh_token": self.refresh_token, "refresh_token_expires_in": days * 86_400}
        return self._issued(asked, lifetime, now, told)

    def _issued(
        self, asked: Mapping[str, Any], lifetime: int, now: datetime, more: Mapping[str, Any]
    ) -> dict[str, Any]:
        access, scope = secrets.token_hex(32), str(asked.get("scope") or self.settings.scope)
        granted = " ".join(one for one in scope.split() if one in self.settings.scope.split())
        self._expiry[access] = (now + timedelta(seconds=lifetime), granted)
        return {"access_token": access, "token_type": "bearer", "scope": scope, "expires_in": lifetime, **more}


def _refused(error: str, description: str) -> Refusal:
    return Refusal(400, {"error": error, "error_description": description})
