"""Credentials: one app with a static token and an OAuth installation."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .hubspot_errors import Refusal
from .hubspot_settings import Settings
from .kernel_clock import iso

INVALID = "INVALID_AUTHENTICATION"
EXPIRED = "EXPIRED_AUTHENTICATION"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the operator of this portal would copy into the connector's configuration."""

    portal_id: int = 62515
    app_id: int = 54321
    static_token: str = "pat-na1-sandbox-0000-4000-8000-000000000001"
    client_id: str = "sandbox-hubspot-client-id"
    refresh_token: str = "na1-sandbox-refresh-token"


@dataclass(slots=True)
class Tokens:
    """Which tokens are good. An app that is uninstalled has none left."""

    credentials: Credentials
    settings: Settings
    installed: bool = True
    refreshes: int = 0
    _expiry: dict[str, datetime] = field(default_factory=dict)

    def identify(self, header: str, *, now: datetime) -> str:
        """`static` or `oauth` for a good Authorization header; otherwise HubSpot's 401."""
        scheme, _, token = header.partition(" ")
        if scheme != "Bearer" or not token:
            raise Refusal(
                401,
                INVALID,
                "Authentication credentials not found. This API supports OAuth 2.0 authentication and you "
                "can find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
            )
        if self.installed and hmac.compare_digest(token.encode(), self.credentials.static_token.encode()):
            return "static"
        if not self.installed or token not in self._expiry:
            raise Refusal(401, INVALID, "The access token is not valid for this portal.")
        if now >= self._expiry[token]:
            late = int((now - self._expiry[token]).total_seconds())
            raise Refusal(
                401,
                EXPIRED,
                f"The OAuth token used to make this call expired {late} second(s) ago.",
                context={"expire time": [iso(self._expiry[token])]},
            )
        return "oauth"

    def grant(self, form: Mapping[str, str], *, now: datetime) -> dict[str, Any]:
        """Answer a token request: only the refresh grant, with the secret in the form."""
        if form.get("grant_type") != "refresh_token":
            raise _refused("unsupported_grant_type", "BAD_GRANT_TYPE", "grant_type must be refresh_token")
        self._check_app(form)
        if not self.installed or form.get("refresh_token") != self.credentials.refresh_token:
            raise _refused("invalid_grant", "BAD_REFRESH_TOKEN", "missing or invalid refresh token")
        self.refreshes += 1
        access = secrets.token_urlsafe(180)
        self._expiry[access] = now + timedelta(seconds=self.settings.token_lifetime)
        return {
            "token_type": "bearer",
            "access_token": access,
            "refresh_token": self.credentials.refresh_token,
            "expires_in": self.settings.token_lifetime,
            "hub_id": self.credentials.portal_id,
            "user_id": 900_101,
            "scopes": list(self.settings.scopes),
        }

    def introspect(self, form: Mapping[str, str], *, now: datetime) -> dict[str, Any]:
        """Whether a token is good, and what for."""
        self._check_app(form)
        token = form.get("token", "")
        expiry = self._expiry.get(token)
        is_refresh = token == self.credentials.refresh_token
        is_active = self.installed and (is_refresh or (expiry is not None and now < expiry))
        if not is_active:
            return {"active": False}
        facts: dict[str, Any] = {
            "active": True,
            "token_use": "refresh_token" if is_refresh else "access_token",
            "client_id": self.credentials.client_id,
            "hub_id": self.credentials.portal_id,
            "user_id": 900_101,
            "scopes": list(self.settings.scopes),
        }
        if expiry is not None:
            facts["expires_in"] = int((expiry - now).total_seconds())
        return facts

    def revoke(self, form: Mapping[str, str]) -> None:
        """End a token; ending the refresh token uninstalls the app."""
        self._check_app(form)
        if form.get("token") == self.credentials.refresh_token:
            self.installed = False
        self._expiry.pop(form.get("token", ""), None)

    def _check_app(self, form: Mapping[str, str]) -> None:
        if form.get("client_id") != self.credentials.client_id:
            raise _refused("invalid_client", "BAD_CLIENT_ID", "missing or unknown client id")
        if form.get("client_secret") != self.settings.client_secret:
            raise _refused("invalid_client", "BAD_CLIENT_SECRET", "missing or invalid client secret")


def _refused(error: str, status: str, message: str) -> Refusal:
    return Refusal(
        400,
        "VALIDATION_ERROR",
        message,
        extra={"status": status, "error": error, "error_description": message},
    )
