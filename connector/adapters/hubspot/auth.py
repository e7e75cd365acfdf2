"""What proves who we are to HubSpot: a static token, or an OAuth token renewed ahead of time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from connector.adapters.hubspot.api import DEFAULT_VERSIONS, Sender
from connector.adapters.transport import HeaderCredentials, Request
from connector.domain.errors import Refused, RetryLater, UnknownOutcome

AHEAD: Final = timedelta(minutes=5)
FRESH: Final = timedelta(seconds=10)
DISCONNECTED_WAIT: Final = 300.0


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and what renews it. `seed` tells which configured refresh token it descends from."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    obtained_at: datetime
    expires_at: datetime
    seed: str = ""


class TokenStore(Protocol):
    """Where the rotated token lives. `save` has committed when it returns."""

    def lock(self) -> AbstractContextManager[object]:
        """Held by one process and thread at a time, for as long as a renewal takes."""

    def load(self) -> Token | None:
        """The token in force, or None before the first renewal."""

    def save(self, token: Token) -> None:
        """Keep the token before anybody uses it."""


class StaticCredentials(HeaderCredentials):
    """A project app's static token, a private app's token or a service key. It does not expire."""

    def __init__(self, token: str) -> None:
        super().__init__("Authorization", f"Bearer {token}")


class Anonymous:
    """No credentials: for the transport that asks for tokens."""

    def headers(self) -> Mapping[str, str]:
        """Nothing."""
        return {}

    def renew(self) -> bool:
        """There is nothing to renew."""
        return False


class OAuthCredentials:
    """An OAuth app's token, renewed five minutes ahead of its end or after a 401, by one holder of the store's lock.

    `transport` reaches the same address with `Anonymous` credentials. A refresh token that is changed in the
    configuration takes the place of the stored one.
    """

    def __init__(
        self,
        transport: Sender,
        *,
        client_id: str,
        client_secret: str,
        refresh_token: str,
        store: TokenStore,
        version: str = DEFAULT_VERSIONS["oauth"],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._transport = transport
        self._app = {"client_id": client_id, "client_secret": client_secret}
        self._first = refresh_token
        self._seed = hashlib.sha256(refresh_token.encode()).hexdigest()[:16]
        self._store = store
        self._path = f"/oauth/{version}/token"
        self._clock = clock
        self._token: Token | None = None

    def headers(self) -> Mapping[str, str]:
        """The bearer header. Raises RetryLater where no token can be had."""
        token = self._token
        if token is None or self._clock() >= token.expires_at - AHEAD:
            token = self._renewed(lambda stored: self._clock() < stored.expires_at - AHEAD)
        return {"Authorization": f"Bearer {token.access}"}

    def renew(self) -> bool:
        """A newer token is in force: somebody else's, one of the last seconds, or one asked for now."""
        used = self._token
        self._renewed(lambda stored: stored != used or self._clock() < stored.obtained_at + FRESH)
        return True

    def _renewed(self, serves: Callable[[Token], bool]) -> Token:
        """The stored token if it serves, else a new one, kept before it is used."""
        with self._store.lock():
            stored = self._store.load()
            stored = stored if stored is not None and stored.seed == self._seed else None
            if stored is None or not serves(stored):
                stored = self._ask(stored.refresh if stored else self._first)
                self._store.save(stored)
            self._token = stored
            return stored

    def _ask(self, refresh_token: str) -> Token:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, **self._app}
        try:
            told = self._transport.send(Request("POST", self._path, self._path, form=form, bucket="oauth")).json
        except Refused as error:
            advice = "install the app again and configure its new refresh token"
            raise RetryLater(
                f"hubspot is disconnected ({error}): {advice}", code="disconnected", after=DISCONNECTED_WAIT
            ) from error
        except UnknownOutcome as error:
            raise RetryLater(f"no new token: {error}", code="no_token", system=error.system) from error
        now = self._clock()
        ends = now + timedelta(seconds=float(told["expires_in"]))
        return Token(told["access_token"], told.get("refresh_token") or refresh_token, now, ends, self._seed)


__all__ = ["Anonymous", "OAuthCredentials", "StaticCredentials", "Token", "TokenStore"]
