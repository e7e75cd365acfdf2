"""Our own callout: what a script inside a CRM posts to us about records, signed with a secret that both keep.

`X-Connector-Signature` is the HMAC-SHA256 of the raw body, in hex. The body is `{"ids": […], "sent_at": …, "nonce": …}`
or one id, or a list of either. It holds no values: whatever it names is read again. With `sent_at` it is refused where
it comes again five minutes later; with `nonce` a repetition is known.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from connector.adapters import signing
from connector.adapters.base import Delivery, Event, EventKind
from connector.adapters.times import moment
from connector.domain.errors import BadDelivery

SIGNATURE: Final = "x-connector-signature"
NAMES: Final = ("ids", "id", "Id", "caseId", "recordId")
MOST: Final = 200

KindOf = Callable[[str], tuple[EventKind, str]]
"""What a record of this id is, and the id in its normal form; OTHER and nothing of what is no id."""


def verify(delivery: Delivery, secrets: Sequence[str], *, now: datetime) -> None:
    """Raises BadDelivery unless it is signed with one of the secrets, and not too old where it tells its time."""
    given = delivery.headers.get(SIGNATURE, "").strip().lower()
    signing.check_signature(given, secrets, lambda key: hmac.digest(key, delivery.body, "sha256").hex())
    try:
        told = signing.json_of(delivery.body)
    except BadDelivery:
        return  # It is ours: reading it tells what is wrong with it.
    if isinstance(told, dict) and "sent_at" in told:
        signing.check_time(moment(told["sent_at"]), now)


def parse(body: bytes, kind_of: KindOf) -> Iterator[Event]:
    """An event for each record that is named, at most two hundred of one item. Raises BadDelivery."""
    told = signing.json_of(body)
    if not isinstance(told, dict | list):
        raise BadDelivery("the body is neither an object nor a list", code="unreadable")
    for item in told if isinstance(told, list) else [told]:
        about = item if isinstance(item, dict) else {"ids": item}
        listed = next((about[name] for name in NAMES if about.get(name)), "")
        when = about.get("nonce") or about.get("sent_at") or signing.digest(body)
        for place, one in enumerate(dict.fromkeys(map(str, listed[:MOST] if isinstance(listed, list) else [listed]))):
            kind, subject = kind_of(one)
            ticket, key = subject if kind is EventKind.TICKET else None, f"trigger:{when}:{subject or place}"
            yield Event("trigger", kind, subject, key, ticket_id=ticket, moment=moment(about.get("sent_at")))
