"""Secrets at rest: what a vendor hands out once is kept encrypted in the store, under keys that can be rotated."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import overload

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from connector.adapters.oauth import Home, Token
from connector.domain.errors import ConfigError, RetryLater
from connector.engine.context import utc_now
from connector.engine.points import Point, at
from connector.store import connections, secrets
from connector.store.database import Database

LOOK_AGAIN = 5.0
PATIENCE = 30.0
LEASE = 15.0
"""Longer than the call that renews a token may take; whoever holds it and dies holds up the others no longer."""
TURN = 0.1


class SecretBox:
    """Encrypts under the newest key, reads under any of them. The name is part of what is sealed."""

    def __init__(self, db: Database, keys: Sequence[str]) -> None:
        """`keys` are newest first. Without any, only `put` and a stored `get` complain."""
        self._db = db
        self._keys = list(keys)
        derived = [Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys]
        self._fernet = MultiFernet(derived) if derived else None

    def put(self, name: str, value: str) -> None:
        """Seal and commit a secret."""
        sealed = self._key().encrypt(json.dumps([name, value]).encode()).decode()
        with self._db.write() as connection:
            secrets.put(connection, name, sealed, utc_now())

    def get(self, name: str) -> str | None:
        """A secret, or None where there is none. Raises ConfigError where no configured key opens it."""
        with self._db.read() as connection:
            sealed = secrets.get(connection, name)
        if sealed is None:
            return None
        try:
            inside, value = json.loads(self._key().decrypt(sealed.encode()))
        except InvalidToken as problem:
            raise ConfigError(
                f"the stored secret {name} cannot be opened with SECRET_KEY; add the former key to the comma list"
            ) from problem
        if inside != name:
            raise ConfigError(f"the stored secret {name} belongs to another name; the store was tampered with")
        return str(value)

    def path_tokens(self, name: str) -> list[str]:
        """The secret last parts of a webhook's address, newest key first. Raises ConfigError without a key.

        They are derived, so that every process knows them and a key that is rotated out takes its token along.
        """
        self._key()
        return [_derived(key, f"webhook path of {name}") for key in self._keys]

    def _key(self) -> MultiFernet:
        if self._fernet is None:
            raise ConfigError("SECRET_KEY is not set; it is needed to keep secrets that vendors hand out")
        return self._fernet


def _derived(key: str, purpose: str) -> str:
    made = hmac.digest(key.encode(), purpose.encode(), "sha256")
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


class LiveSecrets(Sequence[str]):
    """The configured secrets, and the one that a vendor handed out once, looked up anew every few seconds."""

    def __init__(self, configured: Sequence[str], box: SecretBox, name: str) -> None:
        self._configured = list(configured)
        self._box = box
        self._name = name
        self._known: list[str] = []
        self._read_at = -LOOK_AGAIN

    def _all(self) -> list[str]:
        if time.monotonic() - self._read_at >= LOOK_AGAIN:
            kept = self._box.get(self._name)
            self._known = [kept] if kept else []
            self._read_at = time.monotonic()
        return self._configured + self._known

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return f"LiveSecrets({len(self._configured)} configured)"


class StoredToken:
    """A credential's rotated OAuth token: sealed in the store, renewed by one process at a time."""

    def __init__(self, db: Database, box: SecretBox, names: Sequence[str]) -> None:
        """`names` are the connections that share the credential; the token is kept under the first one's name."""
        self._db = db
        self._box = box
        self._names = tuple(names)
        self._name = self._names[0]
        self._threads = threading.Lock()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Wait for the renewal's lease, at most half a minute, and hold it."""
        row = f"token:{self._name}"
        owner = uuid.uuid4().hex
        with self._threads:
            lease = self._acquire(row, owner)
            try:
                yield
            finally:
                with self._db.write() as connection:
                    connections.give_back(connection, lease)

    def _acquire(self, row: str, owner: str) -> connections.Lease:
        for _ in range(int(PATIENCE / TURN)):
            now = utc_now()
            with self._db.write() as connection:
                connections.ensure(connection, [row])
                until = now + timedelta(seconds=LEASE)
                lease = connections.acquire(connection, row, owner=owner, now=now, until=until)
            if lease is not None:
                return lease
            time.sleep(TURN)
        raise RetryLater("another process is renewing the token", code="renewing", system=self._name)

    def load(self) -> Token | None:
        """The token in force, or None before the first renewal: the newest, where the first name was another once."""
        kept = [self._loaded(text) for name in self._names if (text := self._box.get(f"token:{name}")) is not None]
        return max(kept, key=lambda token: token.obtained_at, default=None)

    def _loaded(self, text: str) -> Token:
        told = json.loads(text)
        return Token(
            access=told["access"],
            refresh=told["refresh"],
            obtained_at=datetime.fromisoformat(told["obtained_at"]),
            expires_at=datetime.fromisoformat(told["expires_at"]),
            seed=told["seed"],
            home=Home(**told["home"]) if "home" in told else Home(),
        )

    def save(self, token: Token) -> None:
        """Keep the token before anybody uses it."""
        at(Point.RENEWED, self._name)
        told = {"access": token.access, "refresh": token.refresh, "seed": token.seed, "home": asdict(token.home)}
        told |= {"obtained_at": token.obtained_at.isoformat(), "expires_at": token.expires_at.isoformat()}
        self._box.put(f"token:{self._name}", json.dumps(told))


def local_key(folder: Path) -> str:
    """A key for an embedded installation, made once and kept beside its database, readable by its owner alone."""
    path = folder / "connector.key"
    if not path.exists():
        # Written whole before it gets its name: a process that starts at the same moment finds all of it, or none.
        new = folder / f"connector.key.{uuid.uuid4().hex}"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(Fernet.generate_key().decode())
        with suppress(FileExistsError):
            os.link(new, path)
        new.unlink()
    return path.read_text().strip()
