"""Contacts and owners: people by address."""

from __future__ import annotations

import httpx

from connector.sandbox.hubspot import HubSpot

from .support import CONTACTS, codes, made, read, refused

OWNERS = "/crm/owners/2026-09"


def test_a_known_address_conflicts_and_names_the_contact(api: httpx.Client) -> None:
    contact = made(api, CONTACTS, email="eve@example.com")

    answer = api.post(CONTACTS, json={"properties": {"email": "EVE@example.com"}})

    assert refused(answer, 409, "CONFLICT")["message"] == f"Contact already exists. Existing ID: {contact}"


def test_a_contact_needs_an_address_or_a_name(api: httpx.Client) -> None:
    refused(api.post(CONTACTS, json={"properties": {"phone": "1"}}), 400, "VALIDATION_ERROR")
    assert codes(api.post(CONTACTS, json={"properties": {"email": "eve"}})) == ["INVALID_EMAIL"]
    assert made(api, CONTACTS, lastname="Smith")


def test_a_contact_is_read_and_changed_by_address(api: httpx.Client) -> None:
    contact = made(api, CONTACTS, email="eve@example.com")
    by_address = {"idProperty": "email"}

    found = api.get(f"{CONTACTS}/Eve@example.com", params=by_address)
    changed = api.patch(f"{CONTACTS}/eve@example.com", params=by_address, json={"properties": {"firstname": "Eve"}})

    assert found.json()["id"] == changed.json()["id"] == contact
    refused(api.get(f"{CONTACTS}/bob@example.com", params=by_address), 404, "OBJECT_NOT_FOUND")
    refused(api.get(f"{CONTACTS}/eve@example.com"), 404, "OBJECT_NOT_FOUND")


def test_further_addresses_count_as_taken(api: httpx.Client, hubspot: HubSpot) -> None:
    contact = hubspot.create_contact("eve@example.com", additional_emails=["Eve@Home.example"])
    by_address = {"idProperty": "email"}

    answer = api.post(CONTACTS, json={"properties": {"email": "eve@home.example"}})
    assert contact in refused(answer, 409, "CONFLICT")["message"]
    refused(api.get(f"{CONTACTS}/eve@home.example", params=by_address), 404, "OBJECT_NOT_FOUND")

    upserted = api.post(
        f"{CONTACTS}/batch/upsert",
        json={"inputs": [{"id": "eve@home.example", "idProperty": "email", "properties": {"firstname": "E"}}]},
    )
    assert contact in refused(upserted, 409, "CONFLICT")["message"]

    hubspot.configure(find_by_additional_email=True)
    assert api.get(f"{CONTACTS}/eve@home.example", params=by_address).json()["id"] == contact


def test_a_merged_contact_keeps_the_losers_address_and_answers_for_it(api: httpx.Client, hubspot: HubSpot) -> None:
    winner, loser = hubspot.create_contact("eve@example.com"), hubspot.create_contact("eve@old.example")

    hubspot.merge_contacts(winner, loser)

    assert api.get(f"{CONTACTS}/{loser}").json()["id"] == winner
    assert read(api, winner, "hs_additional_emails", path=CONTACTS)["hs_additional_emails"] == "eve@old.example"
    refused(api.post(CONTACTS, json={"properties": {"email": "eve@old.example"}}), 409, "CONFLICT")


def test_a_forgotten_contact_is_gone_for_good(api: httpx.Client, hubspot: HubSpot) -> None:
    contact = made(api, CONTACTS, email="eve@example.com")
    ticket = hubspot.create_ticket("A", contact="eve@example.com")

    hubspot.forget_contact(contact)

    assert hubspot.ticket(ticket)["contacts"] == []
    refused(api.get(f"{CONTACTS}/{contact}?archived=true"), 404, "OBJECT_NOT_FOUND")
    assert made(api, CONTACTS, email="eve@example.com") != contact


def test_owners_are_found_by_exact_address(api: httpx.Client) -> None:
    everybody = api.get(OWNERS).json()["results"]

    assert [one["email"] for one in everybody] == ["ana@acme.example", "ben@acme.example", "carla@acme.example"]
    assert {one["type"] for one in everybody} == {"PERSON"}
    assert api.get(OWNERS, params={"email": "ben@acme.example"}).json()["results"] == [everybody[1]]
    assert api.get(OWNERS, params={"email": "ben"}).json()["results"] == []


def test_an_archived_owner_has_no_user_id(api: httpx.Client) -> None:
    gone = api.get(OWNERS, params={"archived": "true"}).json()["results"]

    assert [(one["email"], one["userId"]) for one in gone] == [("dora@acme.example", None)]
    assert gone[0]["userIdIncludingInactive"]


def test_an_owner_is_read_by_owner_id_or_user_id(api: httpx.Client, hubspot: HubSpot) -> None:
    ben = hubspot.portal.owners.named("ben@acme.example")

    assert api.get(f"{OWNERS}/{ben.id}").json()["email"] == ben.email
    assert api.get(f"{OWNERS}/{ben.user_id}?idProperty=userId").json()["email"] == ben.email
    refused(api.get(f"{OWNERS}/{ben.user_id}"), 404, "OBJECT_NOT_FOUND")
    refused(api.get(f"{OWNERS}/1?idProperty=email"), 400, "VALIDATION_ERROR")


def test_owners_are_paged_and_can_be_other_people(api: httpx.Client, hubspot: HubSpot) -> None:
    hubspot.configure(owner_emails=["x@nextcap.example", "y@nextcap.example"])

    first = api.get(OWNERS, params={"limit": 1}).json()
    second = api.get(OWNERS, params={"limit": 1, "after": first["paging"]["next"]["after"]}).json()

    assert [one["email"] for one in first["results"] + second["results"]] == [
        "x@nextcap.example",
        "y@nextcap.example",
    ]
    assert "paging" not in second
