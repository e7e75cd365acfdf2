"""Tokens of one external client app: client credentials and JWT bearer, sessions that end, an app that is removed."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import jwt

from .kernel_gate import Refusal
from .salesforce_errors import Failure
from .salesforce_settings import Settings

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the operator of this org would copy into the connector's configuration."""

    client_id: str = "3MVG9sandbox.salesforce.consumer.key"


@dataclass(slots=True)
class Tokens:
    """Which sessions are good. `identity` is the org and the user that the app runs as."""

    credentials: Credentials
    settings: Settings
    identity: tuple[str, str]
    grants: int = 0
    blocked: bool = False
    _used_at: dict[str, datetime] = field(default_factory=dict)

    def identify(self, header: str, *, now: datetime) -> None:
        """Pass for a good Authorization header; otherwise Salesforce's 401. Use keeps a session alive."""
        scheme, _, token = header.partition(" ")
        used = self._used_at.get(token) if scheme in ("Bearer", "OAuth") else None
        if used is None or now - used > timedelta(seconds=self.settings.session_lifetime):
            raise Failure("INVALID_SESSION_ID", "Session expired or invalid")
        self._used_at[token] = now

    def expire(self) -> None:
        """End every session."""
        self._used_at.clear()

    def grant(self, form: Mapping[str, str], basic: str, *, url: str, now: datetime) -> dict[str, Any]:
        """Answer a token request; `url` is the address that was called, where the API is too."""
        kind = form.get("grant_type")
        if kind == "client_credentials":
            self._check_app(form, basic)
        elif kind == JWT_BEARER:
            self._check_assertion(form.get("assertion", ""), now=now)
        elif kind in ("password", "refresh_token", "authorization_code"):
            raise _refused("invalid_grant", "authentication failure")
        else:
            raise _refused("unsupported_grant_type", "grant type not supported")
        if self.blocked:
            raise _refused("invalid_client", "app is blocked by the administrator")
        self.grants += 1
        token = f"{self.identity[0][:15]}!AQE{secrets.token_urlsafe(64)}"
        self._used_at[token] = now
        issued = str(int(now.timestamp() * 1000))
        identity = f"https://login.salesforce.com/id/{self.identity[0]}/{self.identity[1]}"
        signature = base64.b64encode(
            hmac.digest(self.settings.client_secret.encode(), (identity + issued).encode(), "sha256")
        ).decode()
        return {
            "access_token": token,
            "signature": signature,
            "scope": "api",
            "instance_url": url,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued,
        }

    def _check_app(self, form: Mapping[str, str], basic: str) -> None:
        given_id, given_secret = form.get("client_id", ""), form.get("client_secret", "")
        if basic.startswith("Basic "):
            try:
                given_id, _, given_secret = base64.b64decode(basic[6:]).decode().partition(":")
            except ValueError as wrong:
                raise _refused("invalid_client", "invalid client credentials") from wrong
        if given_id != self.credentials.client_id:
            raise _refused("invalid_client_id", "client identifier invalid")
        if not hmac.compare_digest(given_secret.encode(), self.settings.client_secret.encode()):
            raise _refused("invalid_client", "invalid client credentials")

    def _check_assertion(self, assertion: str, *, now: datetime) -> None:
        if not self.settings.public_key:
            raise _refused("invalid_grant", "user hasn't approved this consumer")
        options: Any = {"verify_exp": False, "require": ["iss", "sub", "aud", "exp"]}
        try:
            claims = jwt.decode(assertion, self.settings.public_key, ["RS256"], audience=AUDIENCES, options=options)
        except jwt.InvalidAudienceError as wrong:
            raise _refused("invalid_grant", "audience is invalid") from wrong
        except jwt.InvalidTokenError as wrong:
            raise _refused("invalid_grant", "invalid assertion") from wrong
        if claims["iss"] != self.credentials.client_id:
            raise _refused("invalid_client_id", "client identifier invalid")
        if claims["sub"] != self.settings.username:
            raise _refused("invalid_grant", "user hasn't approved this consumer")
        ahead = float(claims["exp"]) - now.timestamp()
        if not 0 < ahead <= 300:
            raise _refused(
                "invalid_grant", "expired authorization code" if ahead <= 0 else "assertion expires too late"
            )


def _refused(error: str, description: str) -> Refusal:
    return Refusal(400, {"error": error, "error_description": description})
