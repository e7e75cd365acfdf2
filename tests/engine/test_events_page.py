"""`docs/events.md` tells receivers the truth: its snippet verifies, its table is whole, its examples have our keys."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.events import signing
from connector.events.catalogue import EventType
from connector.events.payload import VERSION, TicketView

from .listening import secret

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.M | re.S)


@pytest.fixture(scope="module")
def verify() -> Callable[..., None]:
    (snippet,) = blocks("python")
    names: dict[str, Any] = {}
    exec(snippet, names)  # noqa: S102 - it is our own page
    found: Callable[..., None] = names["verify"]
    return found


def test_the_snippet_verifies_what_we_sign_and_nothing_else(verify: Callable[..., None]) -> None:
    body = '{"words": "ünïcode"}'.encode()
    signed = dict(signing.headers([secret("b"), secret("a")], "msg_1", body, at=datetime.now(UTC)))

    verify(secret("a"), signed, body)
    verify(secret("b"), signed, body)

    for wrong in (
        {"secret": secret("c")},
        {"body": body + b" "},
        {"headers": signed | {"webhook-id": "msg_2"}},
        {"headers": signed | {"webhook-timestamp": str(int(time.time()) - 1)}},
        {"headers": signing.headers([secret("a")], "msg_1", body, at=datetime(2026, 1, 1, tzinfo=UTC))},
    ):
        with pytest.raises(ValueError, match=r"too old|not signed"):
            verify(**{"secret": secret("a"), "headers": signed, "body": body, **wrong})


def test_the_signature_is_that_of_the_specification() -> None:
    """The vector of the specification's own libraries."""
    made = signing.headers(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        at=datetime.fromtimestamp(1614265330, UTC),
    )

    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_every_type_stands_in_the_table() -> None:
    assert set(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \|", PAGE, flags=re.M)) == {str(one) for one in EventType}


def test_the_examples_have_our_keys() -> None:
    whole, with_words = json.loads(blocks("json")[0]), json.loads(blocks("json")[2])
    ticket = TicketView("1")

    assert (whole["version"], list(whole)) == (VERSION, ["type", "version", "timestamp", "data"])
    assert list(whole["data"]["ticket"]) == list(ticket.facts())
    assert list(with_words["ticket"])[1:] == list(ticket.words())
