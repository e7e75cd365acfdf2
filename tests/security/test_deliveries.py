"""Deliveries that are forged, old, huge or unreadable, one promise each, through the real web application."""

from __future__ import annotations

import gzip
import json
import time
from dataclasses import replace
from typing import Any

import pytest

from connector.adapters.base import Delivery, Event
from connector.adapters.nextcap import NextCap
from connector.engine import intake, operators
from connector.store import tables
from connector.web.app import create_app

from .door import HUBSPOT_SECRET, NEXTCAP_SECRET, OLDER_SECRET, Door, Knock, from_hubspot, from_nextcap
from .hostile import HUBSPOT_EVENT, NEXTCAP_BODY, encoded

BODY = encoded(NEXTCAP_BODY)
EVENTS = encoded([HUBSPOT_EVENT])


def refused(door: Door, knock: Knock, status: int = 401) -> None:
    """Answered so, and nothing of it was kept."""
    assert door.knock(knock) == status
    assert door.rows(tables.deliveries) == []


def parked_codes(door: Door) -> list[str]:
    return [str(row["code"]) for row in door.rows(tables.parked)]


@pytest.mark.parametrize(
    "knock",
    [
        Knock("/webhooks/nextcap", BODY),
        Knock("/webhooks/hubspot", EVENTS),
        from_nextcap(BODY, secret="guess"),
        from_hubspot(EVENTS, secret="guess"),
        from_nextcap(BODY, secret=HUBSPOT_SECRET),
        from_hubspot(EVENTS, secret=NEXTCAP_SECRET),
        from_nextcap(BODY, secret=""),
        from_hubspot(EVENTS, secret=""),
        replace(from_nextcap(BODY), body=BODY.replace(b'"7"', b'"8"')),
        replace(from_hubspot(EVENTS), body=EVENTS.replace(b"512", b"513")),
        replace(from_hubspot(EVENTS), path="/webhooks/hubspot?x=1"),
        replace(from_nextcap(EVENTS), path="/webhooks/hubspot"),
        replace(from_hubspot(BODY), path="/webhooks/nextcap"),
    ],
)
def test_a_forged_delivery_is_refused_and_nothing_of_it_is_kept(door: Door, knock: Knock) -> None:
    refused(door, knock)


@pytest.mark.parametrize("seconds", [-301, 301, -86_400])
def test_a_delivery_from_another_time_is_refused(door: Door, seconds: int) -> None:
    refused(door, from_hubspot(EVENTS, at=time.time() + seconds))


@pytest.mark.parametrize("sign", [from_nextcap, from_hubspot])
def test_a_replayed_delivery_is_stored_once_and_counted(door: Door, sign: Any) -> None:
    knock = sign(BODY if sign is from_nextcap else EVENTS)

    assert [door.knock(knock) for _ in range(3)] == [202, 202, 202]

    assert [row["seen"] for row in door.rows(tables.deliveries)] == [3]
    assert len(door.rows(tables.tickets)) + len(door.rows(tables.unplaced)) == 1


def test_a_replayed_reading_never_replaces_a_newer_one(door: Door) -> None:
    def told(subject: str, minute: int) -> Knock:
        data = {**NEXTCAP_BODY["data"], "subject": subject, "updated_at": f"2026-04-07T14:{minute}:00.000Z"}
        return from_nextcap(encoded({**NEXTCAP_BODY, "id": f"evt-{minute}", "data": data}))

    for knock in (told("old", 30), told("new", 31), told("old", 30)):
        assert door.knock(knock) == 202

    (ticket,) = door.rows(tables.tickets)
    assert ticket["reading"]["fields"]["subject"] == "new"


def test_a_reading_from_the_future_is_only_a_doorbell(door: Door) -> None:
    """It would make every true reading that follows look old."""
    data = {**NEXTCAP_BODY["data"], "updated_at": "2999-01-01T00:00:00Z"}

    assert door.knock(from_nextcap(encoded({**NEXTCAP_BODY, "data": data}))) == 202

    (ticket,) = door.rows(tables.tickets)
    assert (ticket["reading"], ticket["version"]) == (None, None)
    assert [row["outcome"] for row in door.rows(tables.events)] == ["doorbell: the ticket will be read"]


def test_every_secret_of_a_rotation_signs(door: Door) -> None:
    assert door.knock(from_nextcap(BODY, secret=OLDER_SECRET)) == 202
    assert door.knock(from_nextcap(BODY, secret=NEXTCAP_SECRET)) == 202


@pytest.mark.parametrize("length", [None, "2000000"])
def test_a_body_that_is_too_large_is_not_read(door: Door, length: str | None) -> None:
    knock = from_nextcap(b" " * (1024 * 1024 + 1))
    headers = {**(knock.headers or {}), **({"Content-Length": length} if length else {})}

    refused(door, replace(knock, headers=headers), 413)


@pytest.mark.parametrize("depth", [100, 900, 985, 5_000, 150_000])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_a_deeply_nested_body_is_kept_and_no_crash(door: Door, depth: int, brackets: str) -> None:
    opening = "[" if brackets == "[]" else '{"a":'
    value = opening * depth + "1" + brackets[1] * depth
    ours = BODY.replace(b'"pro"', value.encode())
    theirs = EVENTS.replace(b'"It burns"', value.encode())

    assert [door.knock(from_nextcap(ours)), door.knock(from_hubspot(theirs))] == [202, 202]

    assert len(door.rows(tables.deliveries)) == 2
    assert "defect" not in parked_codes(door)


@pytest.mark.parametrize(
    "body", [BODY[:-2], gzip.compress(BODY), b"", b"\xff\xfe\x00", BODY.decode().encode("utf-7")[1:], b'"text"', b"7"]
)
def test_a_signed_body_that_cannot_be_read_waits_for_a_person(door: Door, body: bytes) -> None:
    assert door.knock(from_nextcap(body)) == 202

    assert [row["body"] for row in door.rows(tables.deliveries)] == [body]
    assert parked_codes(door) == ["unreadable"]


@pytest.mark.parametrize("word", ["7\ud800", "7\0", "7" * 256])
def test_an_id_that_no_record_has_waits_for_a_person(door: Door, word: str) -> None:
    theirs = encoded([{**HUBSPOT_EVENT, "objectId": word}])
    ours = encoded({**NEXTCAP_BODY, "data": {**NEXTCAP_BODY["data"], "id": word}, "ticket_id": word})

    assert [door.knock(from_nextcap(ours)), door.knock(from_hubspot(theirs))] == [202, 202]

    assert parked_codes(door) == ["bad_id", "bad_id"]
    assert door.rows(tables.tickets) == []


def test_half_a_character_in_somebodys_words_stops_nothing(door: Door) -> None:
    """Senders cut emoji in two; only ids must be whole."""
    data = {**NEXTCAP_BODY["data"], "subject": "burns \ud83d", "customer": {"name": "J\ud83do", "email": "j\0@x"}}

    assert door.knock(from_nextcap(encoded({**NEXTCAP_BODY, "data": data}))) == 202

    (ticket,) = door.rows(tables.tickets)
    assert ticket["reading"]["fields"]["subject"] == "burns \ufffd"
    assert ticket["reading"]["requester"] == ["j@x", "J\ufffdo", None]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", 1e300, 10**30])
def test_a_time_outside_the_calendar_is_no_time(door: Door, moment: object) -> None:
    ours = {**NEXTCAP_BODY, "timestamp": moment, "data": {**NEXTCAP_BODY["data"], "updated_at": moment}}
    theirs = {**HUBSPOT_EVENT, "occurredAt": moment}

    assert door.knock(from_nextcap(encoded(ours))) == 202
    assert door.knock(from_hubspot(encoded([theirs]))) == 202

    assert parked_codes(door) == []


def test_of_a_key_that_stands_twice_the_last_counts(door: Door) -> None:
    """Here as in the JSON readers that vendors use; both stand under the signature."""
    assert door.knock(from_nextcap(b'{"event": "lead.created", "data": {"id": "1"}, ' + BODY[1:])) == 202

    assert [row["name"] for row in door.rows(tables.events)] == ["ticket.updated"]


@pytest.mark.parametrize("count", [2_000, 2_001, 20_000])
def test_a_delivery_of_very_many_events_costs_seconds_at_most(door: Door, count: int) -> None:
    events = [{"event": "ticket.updated", "data": {"id": number}} for number in range(count)]
    started = time.monotonic()

    assert door.knock(from_nextcap(json.dumps(events).encode())) == 202

    assert time.monotonic() - started < 10
    taken = count <= intake.MOST_EVENTS
    assert parked_codes(door) == ([] if taken else ["too_many_events"])
    assert len(door.rows(tables.tickets)) == (count if taken else 0)


class _Defective(NextCap):
    """An adapter whose reader meets something that its author did not think of."""

    def __init__(self, inside: Any) -> None:
        self._inside = inside

    def verify(self, delivery: Delivery, *, now: Any) -> None:
        self._inside.verify(delivery, now=now)

    def parse(self, delivery: Delivery) -> list[Event]:
        raise KeyError("who@home.example")


def test_a_defect_of_a_reader_loses_no_delivery(door: Door) -> None:
    sound = door.runtime.engine
    door.runtime.engine = replace(sound, nextcap=_Defective(sound.nextcap))
    door.app = create_app(door.runtime)

    assert door.knock(from_nextcap(BODY)) == 202

    (delivery,) = door.rows(tables.deliveries)
    (item,) = door.rows(tables.parked)
    assert (delivery["body"], item["code"]) == (BODY, "defect")
    assert "who@home.example" not in str(item)
    assert operators.retry(sound, [item["id"]], by="ops") == 1
    assert len(door.rows(tables.tickets)) == 1
