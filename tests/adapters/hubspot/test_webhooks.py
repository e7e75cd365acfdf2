"""What events say, and that HubSpot itself says it so."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.adapters.base import Delivery, Event, EventKind
from connector.adapters.hubspot.webhooks import Webhooks
from connector.adapters.testing.hubspot import PATH, PUBLIC_URL, HubSpotArena
from connector.domain.errors import BadDelivery
from connector.domain.ticket import normal
from connector.sandbox.hubspot import HubSpot as Imitation
from connector.sandbox.kernel_http import Answer

HOUR = 1_700_000_000_000
NOW = datetime.fromtimestamp(HOUR / 1000, UTC)


# -- events


WEBHOOKS = Webhooks([], PUBLIC_URL, frozenset({"v3"}), native=lambda _, value: normal(value))


def parse(body: bytes) -> list[Event]:
    return WEBHOOKS.parse(Delivery("POST", PATH, {}, body))


def events(*items: Mapping[str, Any] | object) -> list[Event]:
    return parse(json.dumps(items).encode())


def about(what: str, **more: Any) -> dict[str, Any]:
    return {"subscriptionType": what, "portalId": 62515, "objectId": 7, "occurredAt": HOUR, "eventId": 1, **more}


def test_a_change_of_a_property_is_a_reading_of_one_field() -> None:
    (event,) = events(about("ticket.propertyChange", propertyName="hs_pipeline_stage", propertyValue="3"))

    assert (event.kind, event.subject, event.ticket_id) == (EventKind.TICKET, "7", "7")
    assert (event.field, event.value, event.has_value, event.moment) == ("hs_pipeline_stage", "3", True, NOW)


def test_both_namings_of_an_event_are_one_event() -> None:
    told = {"propertyName": "subject", "propertyValue": "x"}
    legacy, generic, table = events(
        about("ticket.propertyChange", **told),
        about("object.propertyChange", objectTypeId="0-5", eventId=2, **told),
        {"eventType": "ticket.propertyChange", **about("", **told), "subscriptionType": None},
    )

    assert legacy.key == generic.key == table.key
    assert legacy.kind is generic.kind is table.kind is EventKind.TICKET
    assert generic.name == "object.propertyChange"


def test_an_emptied_property_is_a_value_and_a_hidden_one_is_not() -> None:
    emptied, hidden, silent = events(
        about("ticket.propertyChange", propertyName="content", propertyValue=""),
        about("ticket.propertyChange", propertyName="content", propertyValue="REDACTED", isSensitive=True),
        about("ticket.propertyChange", propertyName="content"),
    )

    assert (emptied.value, emptied.has_value) == (None, True)
    assert (hidden.value, hidden.has_value) == (None, False)
    assert not silent.has_value


@pytest.mark.parametrize(
    ("what", "kind"),
    [("creation", EventKind.CREATED), ("deletion", EventKind.DELETED), ("restore", EventKind.RESTORED)],
)
def test_the_life_of_a_ticket(what: str, kind: EventKind) -> None:
    legacy, generic = events(about(f"ticket.{what}"), about(f"object.{what}", objectTypeId="0-5"))

    assert legacy.kind is generic.kind is kind
    assert legacy.subject == "7"
    assert legacy.field is None


def test_a_merge_is_an_event_for_each_ticket_that_is_no_more() -> None:
    plain = events(about("ticket.merge", primaryObjectId=1, mergedObjectIds=[2, 3], newObjectId=1))
    third = events(about("object.merge", objectTypeId="0-5", primaryObjectId=1, mergedObjectIds=[2], newObjectId=9))

    assert [(one.kind, one.subject, one.survivor) for one in plain] == [
        (EventKind.MERGED, "2", "1"),
        (EventKind.MERGED, "3", "1"),
    ]
    assert [(one.subject, one.survivor) for one in third] == [("2", "9"), ("1", "9")]
    assert len({one.key for one in (*plain, *third)}) == 4


def test_a_note_names_no_ticket_until_it_is_put_on_one() -> None:
    made, body, gone = (
        *events(about("object.creation", objectTypeId="0-46")),
        *events(about("object.propertyChange", objectTypeId="0-46", propertyName="hs_note_body", propertyValue="x")),
        *events(about("object.deletion", objectTypeId="0-46")),
    )

    assert (made.kind, made.subject, made.ticket_id) == (EventKind.COMMENT, "7", None)
    assert body.kind is EventKind.COMMENT
    assert gone.kind is EventKind.OTHER


def link(source: str, start: int, target: str, end: int, **more: Any) -> dict[str, Any]:
    ends = {"fromObjectTypeId": source, "fromObjectId": start, "toObjectTypeId": target, "toObjectId": end}
    return about("object.associationChange", objectTypeId=source, **{**ends, "associationTypeId": 1, **more})


def test_a_note_put_on_a_ticket_names_both_whichever_side_tells() -> None:
    ticket_side, note_side, named = events(
        link("0-5", 7, "0-46", 80),
        link("0-46", 80, "0-5", 7),
        about("ticket.associationChange", associationType="TICKET_TO_NOTE", fromObjectId=7, toObjectId=80),
    )

    for event in (ticket_side, note_side, named):
        assert (event.kind, event.subject, event.ticket_id) == (EventKind.COMMENT, "80", "7")


def test_other_associations_are_put_aside() -> None:
    contact, removed = events(link("0-5", 7, "0-1", 5), link("0-5", 7, "0-46", 80, associationRemoved=True))

    assert contact.kind is removed.kind is EventKind.OTHER


def test_the_two_events_of_one_primary_association_are_one() -> None:
    """Setting a primary association sets the plain one too, and HubSpot tells of both."""
    plain, primary = events(
        link("0-5", 7, "0-2", 5, associationTypeId=339), link("0-5", 7, "0-2", 5, associationTypeId=26)
    )

    assert plain.key == primary.key


def test_an_event_id_is_not_what_makes_an_event_itself() -> None:
    first, same, later, other = events(
        about("ticket.propertyChange", propertyName="subject", propertyValue="x"),
        about("ticket.propertyChange", propertyName="subject", propertyValue="x", eventId=2, attemptNumber=3),
        about("ticket.propertyChange", propertyName="subject", propertyValue="x", occurredAt=HOUR + 1),
        about("ticket.propertyChange", propertyName="subject", propertyValue="y"),
    )

    assert first.key == same.key
    assert len({first.key, later.key, other.key}) == 3


@pytest.mark.parametrize(
    "item",
    [
        about("contact.privacyDeletion"),
        about("conversation.newMessage", messageId="a"),
        about("object.creation", objectTypeId="2-99"),
        about("ticket.somethingNew"),
        about("ticket.creation", objectId=None),
        about("object.creation", objectTypeId="0-46", objectId=None),
        about("event.completed"),
        {"portalId": 1},
        {},
        17,
        None,
    ],
)
def test_what_we_do_not_know_is_put_aside(item: object) -> None:
    (event,) = events(item)

    assert event.kind is EventKind.OTHER


def test_one_object_is_a_delivery_too() -> None:
    (event,) = parse(json.dumps(about("ticket.creation")).encode())

    assert event.subject == "7"


def test_more_than_a_hundred_events_are_all_read() -> None:
    assert len(events(*(about("ticket.creation", objectId=number) for number in range(250)))) == 250


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
WORDS = st.sampled_from(["ticket.merge", "ticket.propertyChange", "object.associationChange", "object.creation"])
NAMES = (
    *("objectId", "propertyName", "propertyValue", "occurredAt", "mergedObjectIds", "primaryObjectId", "newObjectId"),
    *("fromObjectTypeId", "toObjectTypeId", "associationType", "objectTypeId", "isSensitive"),
)


@given(WORDS, st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON)))
def test_no_event_however_odd_breaks_the_reader(what: str, fields: Mapping[str, Any]) -> None:
    """An id that no record can have is the one thing that is refused."""
    with suppress(BadDelivery):
        for event in events({"subscriptionType": what, **fields}):
            assert event.key
            assert event.moment is None or event.moment.utcoffset() == timedelta(0)


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 200_000, b"\xff", b"NaN"])
def test_a_hostile_body_is_a_bad_delivery(body: bytes) -> None:
    with pytest.raises(BadDelivery):
        parse(body)


# -- with HubSpot itself


class Inbox:
    """Takes deliveries as the connector's front door gets them."""

    def __init__(self) -> None:
        self.taken: list[Delivery] = []

    def __call__(self, environ: Mapping[str, Any]) -> Answer:
        size = int(environ.get("CONTENT_LENGTH") or 0)
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        body = environ["wsgi.input"].read(size)
        self.taken.append(Delivery("POST", environ["PATH_INFO"], headers, body))
        return Answer(200)


@pytest.mark.parametrize("naming", ["legacy", "generic", "both"])
def test_what_a_person_does_arrives_as_events(arena: HubSpotArena, portal: Imitation, serve: Any, naming: str) -> None:
    inbox = Inbox()
    url = serve(inbox)
    adapter = arena.new_adapter(public_url=url)
    adapter.schema()
    portal.configure(webhook_url=f"{url}/webhooks/hubspot", event_naming=naming, note_link_delay=0.1)

    ticket = arena.new_ticket()
    note = portal.write_note(ticket, "<p>Hello</p>")
    portal.set_properties(ticket, {"hs_ticket_category": "BILLING_ISSUE;PRODUCT_ISSUE"})
    heard: list[Event] = []
    deadline = time.monotonic() + 5
    while not any(one.subject == note and one.ticket_id for one in heard) and time.monotonic() < deadline:
        portal.deliveries.wait_idle(0.2)
        while inbox.taken:
            delivery = inbox.taken.pop(0)
            adapter.verify(delivery, now=arena.now())
            heard += adapter.parse(delivery)

    assert ("hs_ticket_category", ("BILLING_ISSUE", "PRODUCT_ISSUE")) in {(one.field, one.value) for one in heard}
    assert (EventKind.CREATED, ticket, None) in {(one.kind, one.subject, one.field) for one in heard}
    assert (EventKind.COMMENT, note, ticket) in {(one.kind, one.subject, one.ticket_id) for one in heard}
    assert (EventKind.COMMENT, note, None) in {(one.kind, one.subject, one.ticket_id) for one in heard}


def test_the_component_that_setup_prints_is_one_that_hubspot_takes(arena: HubSpotArena, portal: Imitation) -> None:
    watched = ["nextcap_status", "hs_lastmodifieddate", "subject"]
    steps = arena.new_adapter(watched=lambda: watched).subscribe(PUBLIC_URL + PATH, dry_run=False)
    component = json.loads(steps[0].advice.split(":\n", 1)[1])["config"]
    wanted = component["subscriptions"]["crmObjects"]

    portal.configure(subscriptions=[{**one, "objectType": f"{one['objectType']}s"} for one in wanted])

    assert component["settings"]["targetUrl"] == PUBLIC_URL + PATH
    assert {one.state for one in steps} == {"manual"}
    named = [one.get("propertyName") for one in wanted]
    assert named.count("subject") == 1
    assert "nextcap_status" in named
    assert "hs_lastmodifieddate" not in named
