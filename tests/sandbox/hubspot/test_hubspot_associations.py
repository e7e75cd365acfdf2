"""Associations: direction, labels, primaries, batches."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connector.sandbox.hubspot import HubSpot

from .support import CONTACTS, TICKETS, made, refused

COMPANIES = "/crm/objects/2026-09/companies"
BATCH = "/crm/associations/2026-09/tickets/contacts/batch"


@pytest.fixture
def ticket(api: httpx.Client) -> str:
    return made(api)


@pytest.fixture
def contact(api: httpx.Client) -> str:
    return made(api, CONTACTS, email="eve@example.com")


@pytest.fixture
def company(api: httpx.Client, hubspot: HubSpot) -> str:
    hubspot.settings.scopes.append("crm.objects.companies.write")
    return made(api, COMPANIES, name="Acme")


def ends(api: httpx.Client, start: str, to: str, path: str = TICKETS) -> list[dict[str, Any]]:
    answer = api.get(f"{path}/{start}/associations/{to}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def spec(type_id: int, category: str = "HUBSPOT_DEFINED") -> dict[str, Any]:
    return {"associationCategory": category, "associationTypeId": type_id}


def test_the_plain_association_is_made_from_both_sides_and_repeatable(
    api: httpx.Client, ticket: str, contact: str
) -> None:
    path = f"{TICKETS}/{ticket}/associations/default/contacts/{contact}"

    first, second = api.put(path), api.put(path)

    assert first.status_code == second.status_code == 200
    plain = {"category": "HUBSPOT_DEFINED", "typeId": 16, "label": None}
    assert ends(api, ticket, "contacts") == [{"toObjectId": contact, "associationTypes": [plain]}]
    assert ends(api, contact, "tickets", CONTACTS)[0]["associationTypes"][0]["typeId"] == 15


def test_the_numbered_path_of_one_association_is_v4(api: httpx.Client, ticket: str, contact: str) -> None:
    tail = f"tickets/{ticket}/associations/default/contacts/{contact}"

    assert api.put(f"/crm/v4/objects/{tail}").status_code == 200
    assert api.put(f"/crm/v3/objects/{tail}").status_code == 404


def test_a_missing_end_is_not_found(api: httpx.Client, ticket: str) -> None:
    path = f"{TICKETS}/{ticket}/associations/default/contacts"

    refused(api.put(f"{path}/17"), 404, "OBJECT_NOT_FOUND")
    refused(api.get(f"{TICKETS}/17/associations/contacts"), 404, "OBJECT_NOT_FOUND")


def test_types_that_no_pair_has_are_refused(api: httpx.Client, ticket: str, contact: str) -> None:
    path = f"{TICKETS}/{ticket}/associations/contacts/{contact}"

    refused(api.put(path, json=[spec(15)]), 400, "VALIDATION_ERROR")
    refused(api.put(path, json=[spec(16, "USER_DEFINED")]), 400, "VALIDATION_ERROR")
    refused(api.put(path, json=[]), 400, "VALIDATION_ERROR")
    refused(api.put(path, json={}), 400, "VALIDATION_ERROR")
    refused(api.get(f"/crm/objects/2026-09/notes/{ticket}/associations/emails"), 400, "VALIDATION_ERROR")


def test_a_primary_company_brings_the_plain_association_and_takes_the_others_place(
    api: httpx.Client, ticket: str, company: str
) -> None:
    other = made(api, COMPANIES, name="Other")
    path = f"{TICKETS}/{ticket}/associations/companies"

    made_primary = api.put(f"{path}/{company}", json=[spec(26)])
    api.put(f"{path}/{other}", json=[spec(26)])

    assert (made_primary.status_code, made_primary.json()["labels"]) == (201, ["Primary"])
    types = {
        end["toObjectId"]: sorted(one["typeId"] for one in end["associationTypes"])
        for end in ends(api, ticket, "companies")
    }
    assert types == {company: [339], other: [26, 339]}
    assert {one["typeId"] for one in ends(api, other, "tickets", COMPANIES)[0]["associationTypes"]} == {25, 340}


def test_labels_of_the_portal_are_added_to_what_is_there(
    api: httpx.Client, hubspot: HubSpot, ticket: str, contact: str
) -> None:
    type_id = hubspot.add_label("tickets", "contacts", "Requester")
    path = f"{TICKETS}/{ticket}/associations"
    api.put(f"{path}/default/contacts/{contact}")

    answer = api.put(f"{path}/contacts/{contact}", json=[spec(type_id, "USER_DEFINED")])

    assert answer.json()["labels"] == ["Requester"]
    assert {one["label"] for one in ends(api, ticket, "contacts")[0]["associationTypes"]} == {None, "Requester"}
    listed = api.get("/crm/associations/2026-09/tickets/contacts/labels").json()["results"]
    assert [(one["typeId"], one["label"]) for one in listed] == [(16, None), (type_id, "Requester")]


def test_unlinking_takes_all_types_and_is_repeatable(api: httpx.Client, ticket: str, company: str) -> None:
    path = f"{TICKETS}/{ticket}/associations/companies/{company}"
    api.put(path, json=[spec(26)])

    assert api.delete(path).status_code == api.delete(path).status_code == 204
    assert ends(api, ticket, "companies") == []


def test_archived_ends_are_left_out_and_come_back(
    api: httpx.Client, hubspot: HubSpot, ticket: str, contact: str
) -> None:
    hubspot.associate_contact(ticket, contact)

    hubspot.archive_ticket(ticket)
    assert ends(api, contact, "tickets", CONTACTS) == []

    hubspot.restore_ticket(ticket)
    assert len(ends(api, contact, "tickets", CONTACTS)) == 1


def test_links_of_one_are_paged(api: httpx.Client, ticket: str) -> None:
    contacts = [made(api, CONTACTS, email=f"{number}@example.com") for number in range(3)]
    inputs = [{"from": {"id": ticket}, "to": {"id": one}} for one in contacts]
    api.post(f"{BATCH}/associate/default", json={"inputs": inputs})
    path = f"{TICKETS}/{ticket}/associations/contacts"

    first = api.get(path, params={"limit": 2}).json()
    second = api.get(path, params={"limit": 2, "after": first["paging"]["next"]["after"]}).json()

    assert [one["toObjectId"] for one in first["results"] + second["results"]] == contacts
    refused(api.get(path, params={"limit": 501}), 400, "VALIDATION_ERROR")


def test_links_of_many_say_who_has_none(api: httpx.Client, hubspot: HubSpot, ticket: str, contact: str) -> None:
    lonely = made(api)
    hubspot.associate_contact(ticket, contact)

    answer = api.post(f"{BATCH}/read", json={"inputs": [{"id": ticket}, {"id": lonely}]})

    body = answer.json()
    assert (answer.status_code, body["numErrors"]) == (207, 1)
    assert [(one["from"]["id"], one["to"][0]["toObjectId"]) for one in body["results"]] == [(ticket, contact)]
    assert body["errors"][0]["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"
    assert body["errors"][0]["context"]["fromObjectId"] == [lonely]
    assert api.post(f"{BATCH}/read", json={"inputs": [{"id": ticket}]}).status_code == 200


def test_a_batch_of_links_fails_pair_by_pair(api: httpx.Client, ticket: str, contact: str) -> None:
    pairs = [(ticket, contact), (ticket, "17")]
    inputs = [{"from": {"id": start}, "to": {"id": end}, "types": [spec(16)]} for start, end in pairs]

    answer = api.post(f"{BATCH}/create", json={"inputs": inputs})

    assert answer.status_code == 207
    assert len(answer.json()["results"]) == 1
    assert answer.json()["errors"][0]["context"] == {"fromObjectId": [ticket], "toObjectId": ["17"]}
    assert api.post(f"{BATCH}/create", json={"inputs": inputs[:1]}).status_code == 201


@pytest.mark.parametrize(("name", "limit"), [("read", 1000), ("create", 2000), ("associate/default", 2000)])
def test_batches_of_links_have_their_own_limits(api: httpx.Client, name: str, limit: int) -> None:
    one = {"id": "1", "from": {"id": "1"}, "to": {"id": "2"}}

    refused(api.post(f"{BATCH}/{name}", json={"inputs": [one] * (limit + 1)}), 400, "VALIDATION_ERROR")
    assert api.post(f"{BATCH}/{name}", json={"inputs": [one] * limit}).status_code == 207
