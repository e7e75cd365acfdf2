"""Credentials: a registered application with an OAuth grant, and a user's personal access token."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from .capsule_errors import Refusal, forbidden, unauthorized
from .capsule_settings import Settings

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the operator of this account would copy into the connector's configuration."""

    subdomain: str = "acme"
    personal_token: str = "sandbox-capsule-personal-access-token-0001"
    client_id: str = "sandbox-capsule-client-id"
    client_secret: str = "sandbox-capsule-client-secret"
    refresh_token: str = "sandbox-capsule-first-refresh-token"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: always the connector's user; `client_id` is None for a personal token."""

    client_id: str | None
    scopes: frozenset[str]
    is_admin: bool

    def need(self, scope: str) -> None:
        if scope not in self.scopes:
            raise forbidden(f"The token lacks the scope {scope}", [scope])

    def need_hooks(self) -> None:
        """Hooks are managed through a registered application, by an administrator."""
        if self.client_id is None:
            raise forbidden("REST hooks are managed by registered applications only")
        if not self.is_admin:
            raise forbidden("REST hooks are managed by administrators only")


@dataclass(slots=True)
class Tokens:
    """Which tokens are good; `granted` turns false when the user takes the grant back."""

    credentials: Credentials
    settings: Settings
    refreshes: int = 0
    refresh_token: str = ""
    granted: bool = True
    _expiry: dict[str, datetime] = field(default_factory=dict)
    _codes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.refresh_token = self.credentials.refresh_token

    def identify(self, header: str, *, now: datetime) -> Caller:
        """The caller behind an Authorization header; otherwise Capsule's 401."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthorized("An access token is required")
        if hmac.compare_digest(token.encode(), self.credentials.personal_token.encode()):
            return self._caller(None)
        if not self.granted or token not in self._expiry:
            raise unauthorized("The access token is invalid")
        if now >= self._expiry[token]:
            raise unauthorized("The access token expired")
        return self._caller(self.credentials.client_id)

    def authorise(self, query: Mapping[str, str]) -> str:
        """A code for the application, as if an administrator had clicked on Allow."""
        if query.get("response_type") != "code" or query.get("client_id") != self.credentials.client_id:
            raise _refused("invalid_request", "response_type must be code and client_id known")
        code = secrets.token_urlsafe(24)
        self._codes[code] = query.get("redirect_uri", "")
        self.granted = True
        return code

    def grant(self, form: Mapping[str, str], *, now: datetime) -> dict[str, Any]:
        """Answer a token request of the code or the refresh grant."""
        self._check_app(form)
        match form.get("grant_type"):
            case "authorization_code":
                if self._codes.pop(form.get("code", ""), None) is None:
                    raise _refused("invalid_grant", "the code is unknown or was used")
                self.refresh_token = secrets.token_urlsafe(32)
                return self._issued(now, told=self.refresh_token)
            case "refresh_token":
                return self._refreshed(form, now)
            case _:
                raise _refused("unsupported_grant_type", "grant_type must be authorization_code or refresh_token")

    def revoke(self, form: Mapping[str, str]) -> None:
        """End a token; ending the refresh token ends the grant."""
        self._check_app(form)
        if form.get("token") == self.refresh_token:
            self.granted = False
        self._expiry.pop(form.get("token", ""), None)

    def expire(self) -> None:
        """Every access token of the application has run out."""
        self._expiry = dict.fromkeys(self._expiry, LONG_AGO)

    def _refreshed(self, form: Mapping[str, str], now: datetime) -> dict[str, Any]:
        if not self.granted or form.get("refresh_token") != self.refresh_token:
            raise _refused("invalid_grant", "the refresh token is invalid")
        self.refreshes += 1
        if self.settings.refresh == "rotated":
            self.refresh_token = secrets.token_urlsafe(32)
        return self._issued(now, told=None if self.settings.refresh == "omitted" else self.refresh_token)

    def _issued(self, now: datetime, *, told: str | None) -> dict[str, Any]:
        access = secrets.token_urlsafe(48)
        self._expiry[access] = now + timedelta(seconds=self.settings.token_lifetime)
        answer = {
            "access_token": access,
            "token_type": "bearer",
            "expires_in": self.settings.token_lifetime,
            "scope": self.settings.scope,
            "subdomain": self.credentials.subdomain,
        }
        return answer if told is None else {**answer, "refresh_token": told}

    def _caller(self, client_id: str | None) -> Caller:
        return Caller(client_id, frozenset(self.settings.scope.split()), self.settings.role == "ADMIN")

    def _check_app(self, form: Mapping[str, str]) -> None:
        known = (self.credentials.client_id, self.credentials.client_secret)
        if (form.get("client_id"), form.get("client_secret")) != known:
            raise Refusal(401, {"error": "invalid_client", "error_description": "unknown client or wrong secret"})


def _refused(error: str, description: str) -> Refusal:
    return Refusal(400, {"error": error, "error_description": description})
