"""The signature of Standard Webhooks: HMAC-SHA256 over id, time and body (https://www.standardwebhooks.com, v1)."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

PREFIX: Final = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Bytes of a key, as the specification asks."""


def key_of(secret: str) -> bytes:
    """The key that a secret stands for. Raises ValueError where it is none; the message does not show it."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not SHORTEST <= len(key) <= LONGEST:
        told = f"must be {PREFIX} and the base64 of {SHORTEST} to {LONGEST} random bytes"
        raise ValueError(f'{told}: echo "{PREFIX}$(openssl rand -base64 32)" makes one')
    return key


def headers(secrets: Sequence[str], message_id: str, body: bytes, *, at: datetime) -> Mapping[str, str]:
    """The three headers of one try. Every secret signs, so that a receiver may know any of them."""
    seconds = str(int(at.timestamp()))
    signed = b".".join((message_id.encode(), seconds.encode(), body))
    made = (base64.b64encode(hmac.digest(key_of(secret), signed, "sha256")).decode() for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in made),
    }
