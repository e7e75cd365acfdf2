"""What the CRM sends: known to be genuine by the declared signature, then read by the declared places."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from connector.adapters.base import Delivery, Event, EventKind
from connector.adapters.custom.client import Live
from connector.adapters.custom.shapes import at, text_at
from connector.adapters.signing import STANDARD_SECRET, check_path_token, check_size, check_time, json_of
from connector.adapters.times import moment
from connector.domain.errors import BadDelivery, RetryLater
from connector.mapping.grammar import Webhook

STANDARD: Final = Webhook(
    kind="standard",
    signature="webhook-signature",
    encoding="base64",
    prefix="v1,",
    timestamp="webhook-timestamp",
    kinds={"-": "ticket"},
)
"""How a Standard Webhook is signed: https://www.standardwebhooks.com, symmetric signatures."""


class Hooks:
    """Verifies and reads deliveries."""

    def __init__(self, live: Live, secrets: Sequence[str], path_tokens: Callable[[], Sequence[str]]) -> None:
        self._live, self._secrets, self._path_tokens = live, secrets, path_tokens

    def verify(self, delivery: Delivery, *, now: datetime) -> None:
        """Raises BadDelivery unless the delivery is the CRM's, and fresh where a time is signed."""
        block = self._live.grammar.webhook
        if block is None:
            raise BadDelivery("the adapter block declares no 'webhook', so nothing can be believed", code="no_webhook")
        check_size(delivery.body)
        if block.kind == "token":
            check_path_token(delivery.path, self._path_tokens())
            return
        verify(block, delivery, [one for one in self._secrets if one], now)

    def parse(self, delivery: Delivery) -> list[Event]:
        """The events of a delivery. Raises BadDelivery where it cannot be read."""
        block = self._live.grammar.webhook
        told = json_of(delivery.body)
        if block is None or not isinstance(told, dict | list):
            raise BadDelivery("the delivery holds no event", code="unreadable")
        try:
            found = at(block.events, told)
            events = found if isinstance(found, list) else [found]
            digest = hashlib.sha256(delivery.body).hexdigest()[:24]
            return [_event(block, one, f"{digest}-{place}") for place, one in enumerate(events)]
        except RetryLater as error:
            raise BadDelivery("the delivery is not as the adapter block says", code="unreadable") from error


def verify(block: Webhook, delivery: Delivery, secrets: Sequence[str], now: datetime) -> None:
    """Check the signature over the raw bytes in constant time, then the signed time."""
    is_standard = block.kind == "standard"
    if is_standard:
        block = STANDARD.model_copy(update={"tolerance": block.tolerance})
    if not secrets:
        raise BadDelivery("no webhook secret is configured, so nothing can be believed", code="no_secret")
    given = delivery.headers.get(block.signature.lower(), "")
    if not given:
        raise BadDelivery("the delivery carries no signature", code="no_signature")
    sent_at = delivery.headers.get(block.timestamp.lower(), "") if block.timestamp else ""
    before = f"{delivery.headers.get('webhook-id', '')}." if is_standard else ""
    before += f"{sent_at}." if block.timestamp else ""
    signed = before.encode("utf-8", "surrogateescape") + delivery.body
    matches = False
    for secret in secrets:
        expected = hmac.new(_key(secret), signed, getattr(hashlib, block.algorithm)).digest()
        for part in given.split(" ") if is_standard else [given]:
            matches |= hmac.compare_digest(_decoded(part, block), expected)
    if not matches:
        raise BadDelivery("the signature does not match", code="bad_signature")
    if block.timestamp:
        check_time(moment(sent_at), now, tolerance=timedelta(seconds=block.tolerance))


def _key(secret: str) -> bytes:
    """The secret's bytes; of one in the Standard Webhooks form, what its base64 stands for."""
    if secret.startswith(STANDARD_SECRET):
        try:
            return base64.b64decode(secret.removeprefix(STANDARD_SECRET), validate=True)
        except (ValueError, binascii.Error):
            return secret.encode()
    return secret.encode()


def _decoded(part: str, block: Webhook) -> bytes:
    """A signature's bytes; empty, which equals none, where it has not the declared form."""
    text = part.strip()
    if not text.startswith(block.prefix):
        return b""
    try:
        text = text.removeprefix(block.prefix)
        return bytes.fromhex(text) if block.encoding == "hex" else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""


def _event(block: Webhook, told: Any, fallback: str) -> Event:
    name, ticket = text_at(block.name, told), text_at(block.ticket_id, told)
    known = block.kinds.get(name)
    kind = EventKind(known) if known and ticket else EventKind.OTHER
    own = text_at(block.id, told)
    subject = (text_at(block.comment_id, told) if kind is EventKind.COMMENT else "") or ticket or "none"
    return Event(
        name=name or "unnamed",
        kind=kind,
        subject=subject,
        key=f"{name}:{ticket}:{own}" if own else fallback,
        ticket_id=ticket or None,
        survivor=text_at(block.survivor, told) or None,
        moment=moment(at(block.at, told)) if block.at else None,
    )
