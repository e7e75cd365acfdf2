"""Secrets that vendors hand out, sealed by `secretbox.py`: nothing here can read them."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from connector.store import bulk
from connector.store.tables import secrets


def put(connection: sa.Connection, name: str, ciphertext: str, now: datetime) -> None:
    """Store a sealed secret under this name."""
    bulk.put(connection, secrets, [{"name": name, "ciphertext": ciphertext, "at": now}], ["name"])


def get(connection: sa.Connection, name: str) -> str | None:
    """The sealed secret of this name."""
    return connection.execute(sa.select(secrets.c.ciphertext).where(secrets.c.name == name)).scalar()
