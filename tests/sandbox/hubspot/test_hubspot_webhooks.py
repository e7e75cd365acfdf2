"""Webhooks: signatures, what events say, how they travel and what happens to them on the way."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from connector.sandbox.hubspot import HubSpot
from connector.sandbox.hubspot_events import sign_v1, sign_v3

from .support import CONTACTS, NOTES, TICKETS, Receiver, linked_note, made

SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"


@pytest.mark.parametrize(
    ("secret", "uri", "body", "timestamp", "expected"),
    [
        (
            SECRET,
            "https://www.example.com/webhook_uri",
            b"{'example_field':'example_value'}",
            "1693657560000",
            "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=",
        ),
        (
            SECRET,
            "https://www.example.com/webhook_uri",
            b"{'example_field':'example_value'}",
            "1700000300000",
            "RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw=",
        ),
        (
            "nextcap-test-secret",
            "https://hooks.example.test/hubspot/7?src=hs%3Aapp%2Fv3&x=%28a%29&sp=a%20b&e=%C3%A9",
            b"[]",
            "1790000000000",
            "w50QV4mLiayjntl/tTHXts+anGWvihyNG8su4DvQq+0=",
        ),
    ],
)
def test_signature_v3_fits_the_known_examples(
    secret: str, uri: str, body: bytes, timestamp: str, expected: str
) -> None:
    assert sign_v3(secret, "POST", uri, body, timestamp) == expected


def test_signature_v1_fits_the_known_example() -> None:
    event = (
        b'[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,'
        b'"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM",'
        b'"changeFlag":"NEW","appId":54321}]'
    )

    assert sign_v1(SECRET, event) == "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de"


def of(events: list[dict[str, Any]], kind: str, **having: Any) -> list[dict[str, Any]]:
    """The events of a type with these fields."""
    return [
        one
        for one in events
        if one["subscriptionType"] == kind and all(one.get(name) == value for name, value in having.items())
    ]


def test_deliveries_are_signed_over_the_address_as_called(hubspot: HubSpot, receiver: Receiver) -> None:
    hubspot.create_ticket("A")
    receiver.events(hubspot)

    headers, body = receiver.got[0]
    timestamp = headers["HTTP_X_HUBSPOT_REQUEST_TIMESTAMP"]
    secret = hubspot.settings.client_secret
    assert abs(time.time() * 1000 - int(timestamp)) < 60_000
    assert headers["HTTP_X_HUBSPOT_SIGNATURE_V3"] == sign_v3(secret, "POST", receiver.url, body, timestamp)
    assert headers["HTTP_X_HUBSPOT_SIGNATURE"] == sign_v1(secret, body)
    assert headers["HTTP_X_HUBSPOT_SIGNATURE_VERSION"] == "v1"


def test_a_rotated_secret_signs_what_follows(hubspot: HubSpot, receiver: Receiver) -> None:
    hubspot.configure(client_secret="rotated")
    hubspot.create_ticket("A")
    receiver.events(hubspot)

    headers, body = receiver.got[0]
    timestamp = headers["HTTP_X_HUBSPOT_REQUEST_TIMESTAMP"]
    assert headers["HTTP_X_HUBSPOT_SIGNATURE_V3"] == sign_v3("rotated", "POST", receiver.url, body, timestamp)


def test_our_own_writes_carry_our_app_and_peoples_their_user(
    api: httpx.Client, hubspot: HubSpot, receiver: Receiver
) -> None:
    ticket = made(api, subject="Ours")
    hubspot.set_properties(ticket, {"subject": "Theirs"}, by="ben@acme.example")

    ours, theirs = of(receiver.events(hubspot), "ticket.propertyChange", propertyName="subject")

    assert (ours["changeSource"], ours["sourceId"]) == ("INTEGRATION", str(hubspot.credentials.app_id))
    ben = hubspot.portal.owners.named("ben@acme.example")
    assert (theirs["changeSource"], theirs["sourceId"]) == ("CRM_UI", f"userId:{ben.user_id}")
    assert (theirs["objectId"], theirs["propertyValue"]) == (int(ticket), "Theirs")
    assert (theirs["portalId"], theirs["appId"]) == (hubspot.credentials.portal_id, hubspot.credentials.app_id)
    assert "objectTypeId" not in theirs


def test_a_creation_comes_with_its_property_changes_and_associations(hubspot: HubSpot, receiver: Receiver) -> None:
    ticket = hubspot.create_ticket("A", content="B", contact="eve@example.com")

    events = receiver.events(hubspot)

    assert len(receiver.got) == 1
    assert len(of(events, "ticket.creation", objectId=int(ticket), changeFlag="CREATED")) == 1
    changed = {one["propertyName"] for one in of(events, "ticket.propertyChange")}
    assert changed == {"subject", "content", "hs_pipeline", "hs_pipeline_stage"}
    link = of(events, "ticket.associationChange")[0]
    assert (link["associationType"], link["associationTypeId"]) == ("TICKET_TO_CONTACT", 16)
    assert (link["fromObjectId"], link["associationRemoved"]) == (int(ticket), False)


def test_unwatched_properties_and_writes_without_a_change_are_silent(
    api: httpx.Client, hubspot: HubSpot, receiver: Receiver
) -> None:
    ticket = made(api)
    before = len(receiver.events(hubspot))

    api.patch(f"{TICKETS}/{ticket}", json={"properties": {"source_type": "CHAT", "hs_pipeline_stage": "1"}})

    assert len(receiver.events(hubspot)) == before


def test_notes_have_generic_events_with_their_type(api: httpx.Client, hubspot: HubSpot, receiver: Receiver) -> None:
    ticket = made(api)
    note = linked_note(api, ticket).json()["id"]
    api.patch(f"{NOTES}/{note}", json={"properties": {"hs_note_body": "B"}})
    api.delete(f"{NOTES}/{note}")

    events = [one for one in receiver.events(hubspot) if one.get("objectTypeId") == "0-46"]

    kinds = [one["subscriptionType"] for one in events]
    assert kinds[0] == "object.creation"
    assert kinds.count("object.propertyChange") == 2
    assert set(kinds) == {"object.creation", "object.deletion", "object.propertyChange", "object.associationChange"}


def test_a_persons_note_may_be_there_before_its_ticket(api: httpx.Client, hubspot: HubSpot, receiver: Receiver) -> None:
    hubspot.configure(note_link_delay=0.1)
    ticket = made(api)

    note = hubspot.write_note(ticket, "<p>A</p>")

    path = f"{NOTES}/{note}/associations/tickets"
    assert api.get(path).json()["results"] == []
    assert of(receiver.events(hubspot), "object.creation", objectId=int(note))
    deadline = time.monotonic() + 5
    while not api.get(path).json()["results"]:
        assert time.monotonic() < deadline
    assert of(receiver.events(hubspot), "object.associationChange", objectId=int(note))


@pytest.mark.parametrize(
    ("naming", "kinds"),
    [
        ("legacy", {"ticket.deletion"}),
        ("generic", {"object.deletion"}),
        ("both", {"ticket.deletion", "object.deletion"}),
    ],
)
def test_tickets_are_named_as_the_app_subscribed(
    api: httpx.Client, hubspot: HubSpot, receiver: Receiver, naming: str, kinds: set[str]
) -> None:
    hubspot.configure(event_naming=naming)
    api.delete(f"{TICKETS}/{made(api)}")

    events = [one for one in receiver.events(hubspot) if one["subscriptionType"].endswith("deletion")]

    assert {one["subscriptionType"] for one in events} == kinds
    assert all(("objectTypeId" in one) is one["subscriptionType"].startswith("object") for one in events)


def test_merging_archiving_and_restoring_are_told(api: httpx.Client, hubspot: HubSpot, receiver: Receiver) -> None:
    winner, loser, other = made(api), made(api, content="A"), made(api)
    hubspot.merge_tickets(winner, loser)
    hubspot.archive_ticket(other)
    hubspot.restore_ticket(other)

    events = receiver.events(hubspot)

    merge = of(events, "ticket.merge")[0]
    assert (merge["primaryObjectId"], merge["mergedObjectIds"]) == (int(winner), [int(loser)])
    assert (merge["newObjectId"], merge["numberOfPropertiesMoved"]) == (int(winner), 1)
    moved = of(events, "ticket.propertyChange", propertyName="content", objectId=int(winner))
    assert [one["changeSource"] for one in moved] == ["MERGE_OBJECTS"]
    assert of(events, "ticket.deletion", objectId=int(other))
    assert of(events, "ticket.restore", objectId=int(other))


def test_a_primary_association_sends_two_events(api: httpx.Client, hubspot: HubSpot, receiver: Receiver) -> None:
    hubspot.settings.scopes.append("crm.objects.companies.write")
    ticket, company = made(api), made(api, "/crm/objects/2026-09/companies", name="Acme")

    body = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 26}]
    api.put(f"{TICKETS}/{ticket}/associations/companies/{company}", json=body)

    links = of(receiver.events(hubspot), "ticket.associationChange")
    assert {(one["associationTypeId"], one["isPrimaryAssociation"]) for one in links} == {(339, False), (26, True)}


def test_a_forgotten_contact_is_told_by_name(hubspot: HubSpot, receiver: Receiver) -> None:
    hubspot.configure(event_naming="generic")
    contact = hubspot.create_contact("eve@example.com")
    hubspot.forget_contact(contact)

    assert of(receiver.events(hubspot), "contact.privacyDeletion", objectId=int(contact))


def test_a_workflow_answers_with_a_source_of_its_own(api: httpx.Client, hubspot: HubSpot, receiver: Receiver) -> None:
    hubspot.add_workflow("hs_ticket_priority", "URGENT", {"hs_pipeline_stage": "3"})
    hubspot.add_workflow("hs_pipeline_stage", "3", {"hs_ticket_priority": "LOUD"})

    ticket = made(api, hs_ticket_priority="URGENT")

    moved = of(receiver.events(hubspot), "ticket.propertyChange", propertyName="hs_pipeline_stage")
    assert [(one["propertyValue"], one["changeSource"]) for one in moved] == [
        ("1", "INTEGRATION"),
        ("3", "AUTOMATION_PLATFORM"),
    ]
    assert hubspot.ticket(ticket)["stage"] == "Waiting on us"


def test_a_refused_delivery_is_tried_again_with_its_number(
    api: httpx.Client, hubspot: HubSpot, receiver: Receiver
) -> None:
    receiver.statuses = [500, 401, 200]
    made(api)
    assert hubspot.deliveries.wait_idle(5)

    attempts = [[one["attemptNumber"] for one in json.loads(body)] for _, body in receiver.got]

    assert [set(numbers) for numbers in attempts] == [{0}, {1}, {2}]
    assert len({len(numbers) for numbers in attempts}) == 1


def test_a_delivery_is_given_up_after_ten_further_tries(hubspot: HubSpot, receiver: Receiver) -> None:
    hubspot.configure(retry_factor=0.0)
    receiver.statuses = [500] * 20
    hubspot.create_ticket("A")
    assert hubspot.deliveries.wait_idle(5)

    assert len(receiver.got) == 11
    assert [one.state for one in hubspot.deliveries.all()] == ["failed"]


def test_an_array_holds_at_most_a_hundred_events(api: httpx.Client, hubspot: HubSpot, receiver: Receiver) -> None:
    hubspot.configure(event_window=0.5)
    inputs = [{"properties": {"subject": "A", "hs_pipeline_stage": "1"}}] * 60
    api.post(f"{TICKETS}/batch/create", json={"inputs": inputs})

    receiver.events(hubspot)

    assert sorted([len(json.loads(body)) for _, body in receiver.got]) == [40, 100, 100]


def test_doubles_dropped_and_turned_deliveries_are_on_request(hubspot: HubSpot, receiver: Receiver) -> None:
    hubspot.configure(event_window=0.0, subscriptions=[{"subscriptionType": "ticket.creation"}])
    hubspot.deliveries.duplicate(1)
    twice = int(hubspot.create_ticket("Twice"))
    hubspot.deliveries.drop(1)
    lost = int(hubspot.create_ticket("Lost"))
    assert [one["objectId"] for one in receiver.events(hubspot)] == [twice, twice]

    assert hubspot.deliveries.redeliver() == 1

    assert [one["objectId"] for one in receiver.events(hubspot)] == [twice, twice, lost]


def test_what_was_dropped_can_be_looked_at(hubspot: HubSpot, receiver: Receiver) -> None:
    hubspot.configure(event_window=1.0)
    hubspot.deliveries.drop(1)
    hubspot.create_ticket("A")

    (dropped,) = hubspot.deliveries.all()

    assert dropped.state == "dropped"
    assert [one["subscriptionType"] for one in json.loads(dropped.body)] == list(dropped.events)
    assert receiver.got == []


def test_two_events_may_share_an_id(hubspot: HubSpot, receiver: Receiver) -> None:
    hubspot.configure(repeat_event_ids=True)
    hubspot.create_ticket("A")

    ids = [one["eventId"] for one in receiver.events(hubspot)]

    assert len(set(ids)) == (len(ids) + 1) // 2


def test_events_may_have_fields_more_or_less(hubspot: HubSpot, receiver: Receiver) -> None:
    hubspot.configure(surplus_fields=True, association_object_id=False)
    hubspot.create_ticket("A", contact="eve@example.com")

    events = receiver.events(hubspot)

    assert all(one["futureField"] for one in events)
    assert all("objectId" not in one for one in of(events, "ticket.associationChange"))


def test_a_subscription_needs_the_scope_of_its_object(hubspot: HubSpot, receiver: Receiver) -> None:
    hubspot.settings.scopes.remove("tickets")
    hubspot.create_ticket("A")

    assert receiver.events(hubspot) == []


@pytest.mark.parametrize(
    "wanted",
    [
        {"subscriptionType": "ticket.explosion"},
        {"subscriptionType": "ticket.propertyChange"},
        {"subscriptionType": "ticket.creation", "propertyName": "subject"},
        {"subscriptionType": "note.creation"},
        {"subscriptionType": "object.creation"},
        {"subscriptionType": "ticket.privacyDeletion"},
        {"subscriptionType": "ticket.propertyChange", "propertyName": "hs_lastmodifieddate"},
        {"subscriptionType": "object.propertyChange", "objectType": "0-49", "propertyName": "hs_email_html"},
    ],
)
def test_subscriptions_that_hubspot_does_not_offer_are_refused(
    api: httpx.Client, hubspot: HubSpot, wanted: dict[str, str]
) -> None:
    before = hubspot.settings_view(), hubspot.state()["subscriptions"]

    assert api.post("/_control/settings", json={"subscriptions": [wanted]}).status_code == 400
    assert (hubspot.settings_view(), hubspot.state()["subscriptions"]) == before


def test_without_a_target_nothing_is_sent(api: httpx.Client, hubspot: HubSpot) -> None:
    made(api, CONTACTS, email="eve@example.com")

    assert hubspot.deliveries.all() == []
