"""What somebody might post who means harm or whose software is broken: as strategies, and as mutations by a seed."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from .door import HUBSPOT_SECRET, NEXTCAP_SECRET, Knock, from_hubspot, from_nextcap

WORDS = ("", "\0", "\ud800", "\udfff\ud800", "a\0b", "x" * 300, "9" * 4000, "../..", "%2e%2e", "' OR 1=1 --", "ＡＢＣ")
NUMBERS = (0, -1, 2**63, 10**4000, -(10**400), 1.5, 1e308, float("inf"), float("-inf"), float("nan"))
TIMES = (
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-13-01", "yesterday", "2026-04-07T14:30:00.000Z"),
    *(1e300, -1e18, 10**30, 1_790_000_000_000),
)
LEAVES = st.one_of(
    st.sampled_from([*WORDS, *NUMBERS, *TIMES, None, True, False]),
    st.text(st.characters(codec=None), max_size=20),
    st.integers(-(10**20), 10**20),
)
VALUES = st.recursive(
    LEAVES,
    lambda inside: st.one_of(
        st.lists(inside, max_size=4),
        st.dictionaries(st.sampled_from(["id", "name", "email", "status", "a", "\ud800", ""]), inside, max_size=4),
    ),
    max_leaves=8,
)

TICKET: Mapping[str, Any] = {
    "id": "7",
    "ticket_number": "T-7",
    "subject": "It burns",
    "description": "Help",
    "status": "open",
    "priority": "high",
    "category": "bug",
    "source": "widget",
    "tags": ["a", "b"],
    "updated_at": "2026-04-07T14:30:00.000Z",
    "created_at": "2026-04-07T14:00:00.000Z",
    "custom_fields": {"plan": "pro"},
    "metadata": {"hubspot": "1"},
    "customer": {"email": "jo@home.example", "name": "Jo"},
    "assigned_agent": {"id": "u1", "email": "ann@acme.example"},
    "department": {"id": "d1", "name": "Support"},
}
NEXTCAP_BODY: Mapping[str, Any] = {
    "event": "ticket.updated",
    "id": "evt-1",
    "timestamp": "2026-04-07T14:30:00.000Z",
    "data": TICKET,
    "ticket_id": "7",
}
HUBSPOT_EVENT: Mapping[str, Any] = {
    "eventId": 1,
    "subscriptionType": "object.propertyChange",
    "objectTypeId": "0-5",
    "objectId": 512,
    "propertyName": "subject",
    "propertyValue": "It burns",
    "portalId": 1,
    "occurredAt": 1_790_000_000_000,
    "messageId": "m",
    "isSensitive": False,
    "primaryObjectId": 1,
    "mergedObjectIds": [2, 3],
    "newObjectId": 4,
    "fromObjectTypeId": "0-46",
    "toObjectTypeId": "0-5",
    "fromObjectId": 9,
    "toObjectId": 512,
    "associationType": "NOTE_TO_TICKET",
    "associationRemoved": False,
}


@dataclass(frozen=True, slots=True)
class Sender:
    """Somebody who posts to us: a good body, how they sign one (`sign(body, secret=…)`), and their secret."""

    body: bytes
    sign: Callable[..., Knock]
    secret: str


KINDS = ("creation", "deletion", "restore", "merge", "propertyChange", "associationChange", "sing")


def encoded(value: object) -> bytes:
    """JSON as a careless sender writes it: NaN, half characters and all."""
    return json.dumps(value).encode()


SENDERS = (
    Sender(encoded(NEXTCAP_BODY), from_nextcap, NEXTCAP_SECRET),
    Sender(encoded([HUBSPOT_EVENT]), from_hubspot, HUBSPOT_SECRET),
)


def spoilt(draw: st.DrawFn, template: Mapping[str, Any]) -> dict[str, Any]:
    """The template with some of its values replaced or left out."""
    spoilt = dict(template)
    for name in draw(st.lists(st.sampled_from(sorted(template)), max_size=4, unique=True)):
        spoilt[name] = draw(VALUES)
    for name in draw(st.lists(st.sampled_from(sorted(template)), max_size=3, unique=True)):
        spoilt.pop(name, None)
    return spoilt


@st.composite
def signed_nonsense(draw: st.DrawFn) -> Knock:
    """Rightly signed, so that every reader behind the signature is reached."""
    if draw(st.booleans()):
        body = {**spoilt(draw, NEXTCAP_BODY), "data": spoilt(draw, TICKET)} if draw(st.booleans()) else draw(VALUES)
        return from_nextcap(encoded([body] if draw(st.booleans()) else body))
    kind = draw(st.sampled_from(["object", "ticket", "note", "contact"])) + "." + draw(st.sampled_from(KINDS))
    event = {**spoilt(draw, HUBSPOT_EVENT), "subscriptionType": kind}
    return from_hubspot(encoded([event, draw(VALUES)] if draw(st.booleans()) else event))


# -- mutations, a thousand a second

Change = Callable[[random.Random, Knock], Knock]
PATHS = (
    *("/webhooks", "/webhooks/", "//webhooks/nextcap", "/webhooks//nextcap", "/webhooks/nextcap/", "/webhooks/NEXTCAP"),
    *("/webhooks/%6eextcap", "/webhooks/hubspot%2f", "/webhooks/hubspot;x", "/webhooks/%00", "/webhooks/%ff%fe"),
    *("/webhooks/../healthz", "/webhooks/nextcap?x=%ff&y=\xff", "/webhooks/hubspot?", "/", "", "*", "http://evil/x"),
    *("/webhooks/" + "a" * 8000, "/healthz", "/metrics", "/webhooks/zendesk", "/webhooks/hubspot#", "/webhooks/."),
)
METHODS = ("GET", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "PATCH", "post", "P OST", "")
LINES = ("", "x", "\xff\xfe", "," * 2000, "a" * 8000, "t=,v1=", "v1," + "A" * 400, "sha256=", "\t", "=?utf-8?q?=00?=")
NAMES = (
    *("X-NextCap-Signature", "X-HubSpot-Signature-v3", "X-HubSpot-Signature", "X-HubSpot-Signature-Version"),
    *("X-HubSpot-Request-Timestamp", "X-NextCap-Timestamp", "X-NextCap-Delivery", "X-NextCap-Event", "Webhook-Id"),
    *("Content-Type", "Content-Encoding", "Transfer-Encoding", "Host", "X-Forwarded-For", "X-Forwarded-Proto"),
    *("X-Forwarded-Host", "X-Forwarded-Prefix", "X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override"),
    *("Authorization", "Cookie", "Expect", "Range", "Connection", "Accept", "X" * 200),
)


def _cut(dice: random.Random, knock: Knock) -> Knock:
    return replace(knock, body=knock.body[: dice.randrange(len(knock.body) + 1)])


def _flip(dice: random.Random, knock: Knock) -> Knock:
    body = bytearray(knock.body or b"x")
    for _ in range(dice.randrange(1, 6)):
        body[dice.randrange(len(body))] = dice.randrange(256)
    return replace(knock, body=bytes(body))


def _swap(dice: random.Random, knock: Knock) -> Knock:
    return replace(knock, body=dice.choice([b"", b"null", b"[]", b"{}", b'"x"', b"7", b"\xff\xfe", b"\xef\xbb\xbf{}"]))


def _recode(dice: random.Random, knock: Knock) -> Knock:
    text = knock.body.decode("latin-1")
    return replace(knock, body=text.encode(dice.choice(["utf-16", "utf-32", "utf-16-le", "utf-7", "cp037"]), "replace"))


def _squeeze(dice: random.Random, knock: Knock) -> Knock:
    return replace(knock, body=gzip.compress(knock.body), headers={"Content-Encoding": dice.choice(["gzip", "br"])})


def _nest(dice: random.Random, knock: Knock) -> Knock:
    depth = dice.choice([5, 60, 400, 900, 985, 3000])
    opening, closing = dice.choice([(b"[", b"]"), (b'{"a":', b"}")])
    value = opening * depth + b"1" + closing * depth
    inside = knock.body[:-1] + b',"custom_fields":{"a":' + value + b"}}"
    return replace(knock, body=dice.choice([value, inside, opening * depth]))


def _double(dice: random.Random, knock: Knock) -> Knock:
    return replace(knock, body=knock.body[:-1] + b',"event":"ticket.reply","objectId":null,"data":[]' + knock.body[-1:])


def _lead(dice: random.Random, knock: Knock) -> Knock:
    return replace(knock, path=dice.choice(PATHS))


def _ask(dice: random.Random, knock: Knock) -> Knock:
    return replace(knock, method=dice.choice(METHODS))


def _label(dice: random.Random, knock: Knock) -> Knock:
    return replace(knock, headers={**(knock.headers or {}), dice.choice(NAMES): dice.choice(LINES)})


def _grow(dice: random.Random, knock: Knock) -> Knock:
    return replace(knock, body=b" " * dice.choice([1024 * 1024, 1024 * 1024 + 1]))


BODIES: tuple[Change, ...] = (_cut, _flip, _swap, _recode, _squeeze, _nest, _double)
ENVELOPES: tuple[Change, ...] = (_lead, _ask, _label, _label)


def mutation(seed: int, senders: Sequence[Sender] = SENDERS) -> Knock:
    """The bad request of this seed: a good one with its body or envelope changed, before it is signed or after."""
    dice = random.Random(seed)
    place = int(dice.random() * len(senders))
    sign = senders[place].sign
    knock = Knock("/", senders[place].body)
    for change in dice.sample(BODIES, dice.randrange(1, 3)):
        knock = change(dice, knock)
    if dice.random() < 0.005:
        knock = _grow(dice, knock)
    kind = dice.random()
    if kind < 0.5:
        return replace(sign(knock.body), headers={**(knock.headers or {}), **(sign(knock.body).headers or {})})
    if kind < 0.6:
        return sign(knock.body, secret=dice.choice(["", "guess", senders[place - 1].secret]))
    if kind < 0.7:
        return _flip(dice, sign(knock.body))
    return dice.choice(ENVELOPES)(dice, dice.choice(ENVELOPES)(dice, sign(knock.body)))
