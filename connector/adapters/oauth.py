"""What proves who we are: a token that lasts, or an OAuth token that is renewed ahead of time."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import jwt

from connector.adapters.transport import HeaderCredentials, Request, Response, is_loopback
from connector.domain.errors import Refused, RetryLater, UnknownOutcome

AHEAD: Final = timedelta(minutes=5)
DISCONNECTED_WAIT: Final = 60.0
ASSERTION_LASTS: Final = 180
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Sender(Protocol):
    """What asks for a token: a transport that reaches the token endpoint with `Anonymous` credentials."""

    system: str

    def send(self, request: Request) -> Response:
        """The answer, if it is a success; an error of `domain/errors.py` otherwise."""


@dataclass(frozen=True, slots=True)
class Home:
    """What a vendor tells with a token: where its API is, and of which account and user it is; empty where it does not.

    `address` has no slash at its end.
    """

    address: str = ""
    account: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and what renews it. `seed` tells which configuration it descends from."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    obtained_at: datetime
    expires_at: datetime
    seed: str = ""
    home: Home = field(default=Home())


class TokenStore(Protocol):
    """Where the rotated token lives. `save` has committed when it returns."""

    def lock(self) -> AbstractContextManager[object]:
        """Held by one process and thread at a time, for as long as a renewal takes."""

    def load(self) -> Token | None:
        """The token in force, or None before the first renewal."""

    def save(self, token: Token) -> None:
        """Keep the token before anybody uses it."""


@dataclass(frozen=True, slots=True)
class Grant:
    """How one account gives tokens.

    `ask` builds the request from the refresh token in force; it is given an empty text where `refresh`, the configured
    first one, is empty. `secret` is what of the configuration a stored token descends from: where it is changed, the
    stored token is forgotten. `lasts` is how many seconds a token serves whose answer does not say. `base_url` is where
    tokens are given, where that is not the API's own address. `home` reads what the answer tells beside the token, and
    raises RetryLater where that token must not be used. `account` is the configured account; where it is empty, it is
    that of the first token. `other_account` says what to do where a token is of another.
    """

    ask: Callable[[str], Request] = field(repr=False)
    secret: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    lasts: float = 1800.0
    advice: str = "connect the account again and configure its new credentials"
    home: Callable[[Any], Home] = field(default=lambda _: Home(), repr=False)
    base_url: str = ""
    account: str = ""
    other_account: str = "another account needs a connection of its own"


def refresh_grant(path: str, *, client_id: str, client_secret: str, refresh_token: str, advice: str) -> Grant:
    """The usual grant of a web app: the refresh token buys an access token, and often its own successor."""
    app = {"client_id": client_id, "client_secret": client_secret}

    def ask(refresh: str) -> Request:
        return _asked(path, {"grant_type": "refresh_token", "refresh_token": refresh, **app})

    return Grant(ask, secret=refresh_token, refresh=refresh_token, advice=advice)


def client_credentials_grant(path: str, *, client_id: str, client_secret: str, scope: str = "") -> Grant:
    """The grant of an app that acts for itself."""
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    form |= {"scope": scope} if scope else {}
    return Grant(lambda _: _asked(path, form), secret=f"{client_id}:{client_secret}")


def jwt_bearer_grant(
    path: str,
    *,
    client_id: str,
    username: str,
    private_key: str,
    audience: str,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Grant:
    """The grant of an app that signs for a user, RS256, with a key in PEM (RFC 7523)."""

    def ask(_: str) -> Request:
        ends = int(clock().timestamp()) + ASSERTION_LASTS
        claims = {"iss": client_id, "sub": username, "aud": audience, "exp": ends}
        assertion = jwt.encode(claims, private_key, algorithm="RS256")
        return _asked(path, {"grant_type": JWT_BEARER, "assertion": assertion})

    return Grant(ask, secret=f"{client_id}:{username}:{private_key}")


def home_address(told: object, *, login_url: str, hosts: tuple[str, ...], system: str) -> str:
    """Where the API is, as a vendor told it with a token; `login_url` where it did not.

    Raises RetryLater unless it is that of the log-in, or https below one of `hosts`, which begin with a dot.
    """
    address = str(told or login_url).rstrip("/")
    parts, login = urlsplit(address), urlsplit(login_url)
    at_home = (parts.scheme, parts.netloc) == (login.scheme, login.netloc)
    local = is_loopback(parts.hostname or "") and is_loopback(login.hostname or "")
    theirs = parts.scheme == "https" and (parts.hostname or "").endswith(hosts)
    if parts.path or not (at_home or local or theirs):
        text = f"{system}: the token comes with an address that is not the vendor's"
        raise RetryLater(text, code="wrong_address", after=DISCONNECTED_WAIT, system=system)
    return address


def _asked(path: str, form: Mapping[str, str]) -> Request:
    return Request("POST", path, path, form=form, bucket="oauth")


class StaticCredentials(HeaderCredentials):
    """A bearer token that does not expire."""

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
    """A token renewed five minutes ahead of its end or after a 401, by one holder of the store's lock."""

    def __init__(
        self,
        transport: Sender,
        grant: Grant,
        *,
        store: TokenStore,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._transport = transport
        self._grant = grant
        self._seed = hashlib.sha256(grant.secret.encode()).hexdigest()[:16]
        self._store = store
        self._clock = clock
        self._token: Token | None = None
        self._sent = threading.local()

    def headers(self) -> Mapping[str, str]:
        """The bearer header. Raises RetryLater where no token can be had."""
        self._sent.token = token = self.token()
        return {"Authorization": f"Bearer {token.access}"}

    def token(self) -> Token:
        """The token in force, renewed where it ends soon. Raises RetryLater where none can be had."""
        token = self._token
        if token is None or self._ends_soon(token):
            token = self._renewed(lambda stored: not self._ends_soon(stored))
        return token

    def address(self) -> str:
        """Where the API is, as it was told with the token in force; empty where it was not."""
        return self.token().home.address

    def account(self) -> str:
        """Whose tokens these are, as configured or told with the last one; empty before the first. Makes no call."""
        kept = self._store.load()
        return self._grant.account or (kept.home.account if kept else "")

    def renew(self) -> bool:
        """Another token is in force than the one that this thread sent: somebody else's, or one asked for now."""
        sent = getattr(self._sent, "token", None)
        self._renewed(lambda stored: stored != sent)
        return True

    def _ends_soon(self, token: Token) -> bool:
        ahead = min(AHEAD, (token.expires_at - token.obtained_at) / 2)
        return self._clock() >= token.expires_at - ahead

    def _renewed(self, serves: Callable[[Token], bool]) -> Token:
        """The stored token if it serves, else a new one, kept before it is used."""
        with self._store.lock():
            stored = self._store.load()
            stored = stored if stored is not None and stored.seed == self._seed else None
            if stored is None or not serves(stored):
                stored = self._ask(stored.refresh if stored else self._grant.refresh)
                self._check_account(stored.home.account)
                self._store.save(stored)
            self._token = stored
            return stored

    def _check_account(self, theirs: str) -> None:
        """A test account that was made anew holds copies of our ids: writing there would be a disaster."""
        if (ours := self.account()) and theirs != ours:
            system, advice = self._transport.system, self._grant.other_account
            told = f"{system}: the token is of account {theirs or 'unknown'}, but this connection belongs to {ours}"
            raise RetryLater(f"{told}: {advice}", code="other_account", after=DISCONNECTED_WAIT, system=system)

    def _ask(self, refresh: str) -> Token:
        system = self._transport.system
        try:
            told = self._transport.send(self._grant.ask(refresh)).json
        except Refused as error:
            raise RetryLater(
                f"{system} is disconnected ({error}): {self._grant.advice}",
                code="disconnected",
                after=DISCONNECTED_WAIT,
                system=system,
            ) from error
        except UnknownOutcome as error:
            raise RetryLater(f"no new token: {error}", code="no_token", system=error.system) from error
        now = self._clock()
        ends = now + timedelta(seconds=float(told.get("expires_in") or self._grant.lasts))
        rotated = told.get("refresh_token") or refresh
        return Token(told["access_token"], rotated, now, ends, self._seed, self._grant.home(told))
