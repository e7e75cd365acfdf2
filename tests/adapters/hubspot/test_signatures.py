"""HubSpot's own signature vectors, and everything that is not one of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from connector.adapters.base import Delivery
from connector.adapters.hubspot.webhooks import Webhooks
from connector.domain.errors import BadDelivery
from connector.domain.ticket import normal
from connector.sandbox.hubspot_events import sign_v3

SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
EXAMPLE = "https://www.example.com"
QUOTES = b"{'example_field':'example_value'}"
V1_BODY = (
    b'[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":'
    b'"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]'
)
HOUR = 1_700_000_000_000
NOW = datetime.fromtimestamp(HOUR / 1000, UTC)


def at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def v3(signature: str, timestamp: str, body: bytes = QUOTES, path: str = "/webhook_uri") -> Delivery:
    headers = {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": timestamp}
    return Delivery("POST", path, headers, body)


def old(version: str, signature: str, body: bytes, method: str = "POST") -> Delivery:
    headers = {"x-hubspot-signature": signature, "x-hubspot-signature-version": version}
    return Delivery(method, "/webhook_uri", headers, body)


def verifier(*secrets: str, url: str = EXAMPLE, accepted: tuple[str, ...] = ("v3",)) -> Webhooks:
    return Webhooks(secrets, url, frozenset(accepted), native=lambda _, told: normal(told))


# -- signatures


@pytest.mark.parametrize(
    ("secret", "url", "path", "body", "timestamp", "signature"),
    [
        (SECRET, EXAMPLE, "/webhook_uri", QUOTES, "1693657560000", "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="),
        (SECRET, EXAMPLE, "/webhook_uri", QUOTES, "1700000300000", "RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw="),
        (
            "nextcap-test-secret",
            "https://hooks.example.test",
            "/hubspot/7?src=hs%3Aapp%2Fv3&x=%28a%29&sp=a%20b&e=%C3%A9",
            b"[]",
            "1790000000000",
            "w50QV4mLiayjntl/tTHXts+anGWvihyNG8su4DvQq+0=",
        ),
    ],
)
def test_the_vectors_of_version_3(
    secret: str, url: str, path: str, body: bytes, timestamp: str, signature: str
) -> None:
    """HubSpot's own example, and the escapes that are decoded before signing."""
    delivery = v3(signature, timestamp, body, path)

    verifier(secret, url=url).verify(delivery, now=at(int(timestamp)))
    verifier("a newer one", secret, url=url + "/").verify(delivery, now=at(int(timestamp)))
    with pytest.raises(BadDelivery, match="does not match"):
        verifier("another", url=url).verify(delivery, now=at(int(timestamp)))


@pytest.mark.parametrize(
    "delivery",
    [
        old("v1", "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de", V1_BODY),
        old("v2", "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e", b"", "GET"),
        old(
            "v2",
            "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900",
            b'{"example_field":"example_value"}',
        ),
    ],
)
def test_the_vectors_of_versions_1_and_2_count_only_where_asked_for(delivery: Delivery) -> None:
    """They carry no time, so that anybody who once saw one may send it again."""
    verifier(SECRET, accepted=("v1", "v2")).verify(delivery, now=NOW)
    with pytest.raises(BadDelivery, match="not accepted"):
        verifier(SECRET).verify(delivery, now=NOW)
    with pytest.raises(BadDelivery, match="does not match"):
        verifier("another", accepted=("v1", "v2")).verify(delivery, now=NOW)


def signed(timestamp: str, body: bytes = b"[]") -> Delivery:
    return v3(sign_v3(SECRET, "POST", f"{EXAMPLE}/webhook_uri", body, timestamp), timestamp, body)


@pytest.mark.parametrize("minutes", [-5, 5])
def test_five_minutes_either_way_are_the_limit(minutes: int) -> None:
    edge = NOW + timedelta(minutes=minutes)

    verifier(SECRET).verify(signed(str(HOUR)), now=edge)
    with pytest.raises(BadDelivery, match="time"):
        verifier(SECRET).verify(signed(str(HOUR)), now=edge + timedelta(milliseconds=1 if minutes > 0 else -1))


@pytest.mark.parametrize("timestamp", ["", "soon", "-5", "1.7e12", "١٧٠٠٠٠٠٠٠٠٠٠٠", "9" * 400])
def test_a_time_that_is_none_is_refused(timestamp: str) -> None:
    with pytest.raises(BadDelivery, match="time"):
        verifier(SECRET).verify(signed(timestamp), now=NOW)


def test_an_empty_secret_signs_nothing() -> None:
    """A setting left empty must not become a key that everybody knows."""
    timestamp = str(HOUR)
    forged = base64.b64encode(
        hmac.digest(b"", f"POST{EXAMPLE}/webhook_uri[]{timestamp}".encode(), hashlib.sha256)
    ).decode()

    with pytest.raises(BadDelivery, match="no webhook secret"):
        verifier("", "").verify(v3(forged, timestamp, b"[]"), now=NOW)
    with pytest.raises(BadDelivery, match="does not match"):
        verifier("", SECRET).verify(v3(forged, timestamp, b"[]"), now=NOW)


def test_a_wrong_new_signature_is_not_excused_by_a_right_old_one() -> None:
    both = old("v1", hashlib.sha256(SECRET.encode() + V1_BODY).hexdigest(), V1_BODY)
    headers = {**both.headers, **v3("wrong", str(HOUR)).headers}

    with pytest.raises(BadDelivery, match="does not match"):
        verifier(SECRET, accepted=("v1", "v3")).verify(Delivery("POST", "/webhook_uri", headers, V1_BODY), now=NOW)


@pytest.mark.parametrize(
    "changed",
    [
        Delivery("GET", "/webhook_uri", signed(str(HOUR)).headers, b"[]"),
        Delivery("POST", "/webhook_uri?", signed(str(HOUR)).headers, b"[]"),
        Delivery("POST", "/webhook%5Furi", signed(str(HOUR)).headers, b"[]"),
        Delivery("POST", "/webhook_uri", signed(str(HOUR)).headers, b"[ ]"),
        Delivery("POST", "/webhook_uri\udcff", signed(str(HOUR)).headers, b"[]"),
        v3("\udcff☃", str(HOUR), b"[]"),
    ],
)
def test_method_address_and_bytes_are_signed(changed: Delivery) -> None:
    with pytest.raises(BadDelivery):
        verifier(SECRET).verify(changed, now=NOW)
