"""Whether a delivery comes from whom it claims: what all vendors' checks have in common, and Next Cap's layouts.

The layouts in which Next Cap may sign are data. Which one is in use is not public, so the list is closed and each row
still demands a valid MAC over the whole raw body. What stands around the signature (`sha256=`, `v1=`, `t=…,v1=…`,
several of them) is taken off alike for all rows.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from connector.domain.errors import BadDelivery, ConfigError

SIGNATURE_HEADERS: Final = (
    "x-nextcap-signature",
    "x-webhook-signature",
    "x-nextcap-webhook-signature",
    "x-signature",
    "x-signature-256",
    "x-hub-signature-256",
    "webhook-signature",
)
TIMESTAMP_HEADERS: Final = ("x-nextcap-timestamp", "x-webhook-timestamp", "webhook-timestamp")
ID_HEADERS: Final = (
    "x-nextcap-delivery",
    "x-nextcap-delivery-id",
    "x-webhook-delivery",
    "x-webhook-id",
    "webhook-id",
)
SIGNED: Final = ("id.timestamp.body", "timestamp.body", "body")
PREFIXES: Final = ("sha256=", "sha512=", "v1=", "v1,")
STANDARD_SECRET: Final = "whsec_"  # noqa: S105 - the public prefix of a secret, not one
TOLERANCE: Final = timedelta(seconds=300)
LARGEST_BODY: Final = 1024 * 1024


WRONG_PATH: Final = "wrong_path"


@dataclass(frozen=True, slots=True)
class Profile:
    """One layout: the header, how the MAC is made and written, and which bytes it covers."""

    header: str
    algorithm: str
    encoding: str
    signed: str

    @property
    def name(self) -> str:
        """As the configuration and the store name it: `x-nextcap-signature/sha256/hex/body`."""
        return f"{self.header}/{self.algorithm}/{self.encoding}/{self.signed}"

    @property
    def has_time(self) -> bool:
        """Whether the sender vouches for a time."""
        return "timestamp" in self.signed


PROFILES: Final = tuple(
    Profile(header, algorithm, encoding, signed)
    for signed, header, algorithm, encoding in product(
        SIGNED, SIGNATURE_HEADERS, ("sha256", "sha512"), ("hex", "base64")
    )
)
"""The closed list, those that vouch for a time first: where several hold, none that can be replayed is pinned."""
BY_NAME: Final = {profile.name: profile for profile in PROFILES}


def profile_named(name: str) -> Profile:
    """The row of that name. Raises ConfigError for any other."""
    if name not in BY_NAME:
        raise ConfigError(f"nextcap.signature: no profile {name!r}; use auto, or a name such as {PROFILES[0].name}")
    return BY_NAME[name]


def verify(
    headers: Mapping[str, str], body: bytes, *, secrets: Sequence[str], profiles: Sequence[Profile], now: datetime
) -> Profile:
    """The first of these profiles under which one of the secrets signs the body. Raises BadDelivery without one.

    Headers have lower-case names. A signed time further than five minutes from `now`, either way, is refused.
    """
    check_size(body)
    keys = [key for secret in secrets if secret for key in _keys(secret)]
    if not keys:
        raise BadDelivery("nextcap: no webhook secret is configured, so nothing can be believed", code="no_secret")
    if not any(headers.get(profile.header) for profile in profiles):
        raise BadDelivery("nextcap: the delivery carries no signature", code="no_signature")
    made: dict[tuple[str, bytes, bytes], bytes] = {}
    for profile in profiles:
        if _matches(profile, headers, body, keys, made):
            if profile.has_time:
                check_time(_moment(_timestamp(profile, headers)), now)
            return profile
    raise BadDelivery("nextcap: the signature does not match", code="bad_signature")


def _matches(
    profile: Profile,
    headers: Mapping[str, str],
    body: bytes,
    keys: Sequence[bytes],
    made: dict[tuple[str, bytes, bytes], bytes],
) -> bool:
    """`made` remembers MACs: many layouts differ in the header alone, and a stranger's body may be large."""
    size = hashlib.new(profile.algorithm).digest_size
    given = [one for one in _signatures(headers.get(profile.header, ""), profile.encoding) if len(one) == size]
    before = _signed_prefix(profile, headers)
    if before is None or not given:
        return False
    found = False
    for key in keys:
        asked = (profile.algorithm, key, before)
        if asked not in made:
            made[asked] = hmac.digest(key, before + body, profile.algorithm)
        for signature in given:
            found |= hmac.compare_digest(signature, made[asked])
    return found


def _signed_prefix(profile: Profile, headers: Mapping[str, str]) -> bytes | None:
    """What is signed before the body; None where the delivery lacks a part of it."""
    parts = []
    if profile.signed.startswith("id."):
        parts.append(_first(headers, ID_HEADERS))
    if profile.has_time:
        parts.append(_timestamp(profile, headers))
    return "".join(f"{part}." for part in parts).encode("utf-8", "surrogateescape") if all(parts) else None


def _timestamp(profile: Profile, headers: Mapping[str, str]) -> str:
    inline = re.search(r"(?:^|[,;\s])t=([^,;\s]+)", headers.get(profile.header, ""))
    return inline[1] if inline else _first(headers, TIMESTAMP_HEADERS)


def _first(headers: Mapping[str, str], names: Sequence[str]) -> str:
    return next((headers[name].strip() for name in names if headers.get(name)), "")


def _signatures(value: str, encoding: str) -> Iterator[bytes]:
    """Every signature in a header's value, decoded; what cannot be decoded is no signature."""
    for part in re.split(r"[;\s]+|,(?!(?<=v1,))", value):
        text = next((part[len(prefix) :] for prefix in PREFIXES if part.startswith(prefix)), part)
        try:
            yield bytes.fromhex(text) if encoding == "hex" else base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            continue


def _keys(secret: str) -> Iterator[bytes]:
    """The secret's own bytes and, where it has the Standard Webhooks form, what its base64 stands for."""
    yield secret.encode()
    if secret.startswith(STANDARD_SECRET):
        try:
            yield base64.b64decode(secret.removeprefix(STANDARD_SECRET), validate=True)
        except (ValueError, binascii.Error):
            return


def _moment(told: str) -> datetime | None:
    """A time written as Unix seconds, milliseconds, or ISO 8601."""
    try:
        if re.fullmatch(r"\d{1,13}(\.\d+)?", told):
            seconds = float(told)
            return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
        moment = datetime.fromisoformat(told)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def check_path_token(path: str, tokens: Sequence[str]) -> None:
    """For vendors that do not sign: raises BadDelivery (answered 404) unless the path ends with a token of ours."""
    given = path.partition("?")[0].rpartition("/")[2].encode()
    if not any(hmac.compare_digest(given, token.encode()) for token in tokens if token):
        raise BadDelivery("the address does not end with the connection's path token", code=WRONG_PATH)


def check_size(body: bytes) -> None:
    """Raises BadDelivery for more than 1 MiB: no vendor sends that much."""
    if len(body) > LARGEST_BODY:
        raise BadDelivery("the delivery is larger than 1 MiB", code="too_large")


def check_signature(given: str, secrets: Sequence[str], sign: Callable[[bytes], bytes | str]) -> None:
    """Raises BadDelivery unless `sign` makes this signature of one of the secrets; compared in constant time."""
    keys = [one.encode() for one in secrets if one]
    if not keys:
        raise BadDelivery("no webhook secret is known, so no delivery can be believed", code="no_secret")
    if not given:
        raise BadDelivery("the delivery carries no signature", code="no_signature")
    theirs = given.encode("utf-8", "replace")
    ours = [made if isinstance(made := sign(key), bytes) else made.encode() for key in keys]
    if not any(hmac.compare_digest(one, theirs) for one in ours):
        raise BadDelivery("the signature does not match", code="bad_signature")


def check_time(told: datetime | None, now: datetime, *, tolerance: timedelta = TOLERANCE) -> None:
    """Raises BadDelivery for a signed time that is missing, or further from `now` than five minutes, either way."""
    if told is None or abs(now - told) > tolerance:
        raise BadDelivery("the signed time is missing or too far from now", code="stale")


def json_of(body: bytes) -> Any:
    """A delivery as JSON. Raises BadDelivery where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadDelivery("the body is not JSON", code="unreadable") from error


def xml_of(body: bytes) -> Element:
    """A delivery as XML, its root. Raises BadDelivery where it is none, or has a DTD or entities of its own."""
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise BadDelivery("the body is no plain XML", code="unreadable") from error
    return root


def digest(told: object) -> str:
    """A short text that is the same for the same words: for the keys of events that have no id of their own."""
    return hashlib.sha256(str(told).encode("utf-8", "surrogatepass")).hexdigest()[:16]
