"""Search: limits, operators, and an index that is late."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connector.sandbox.hubspot import HubSpot

from .support import CONTACTS, TICKETS, made, refused


def search(api: httpx.Client, *filters: dict[str, Any], path: str = TICKETS, **body: Any) -> httpx.Response:
    groups = [{"filters": list(filters)}] if filters else []
    return api.post(f"{path}/search", json={"filterGroups": groups, **body})


def found(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["results"]]


def where(name: str, operator: str, value: str | None = None, **more: Any) -> dict[str, Any]:
    return {"propertyName": name, "operator": operator, **({} if value is None else {"value": value}), **more}


@pytest.fixture(autouse=True)
def no_hurry(hubspot: HubSpot) -> None:
    hubspot.configure(search_burst=1000)


@pytest.mark.parametrize(
    ("wanted", "hits"),
    [
        (where("subject", "EQ", "alpha"), "a"),
        (where("subject", "NEQ", "alpha"), "b"),
        (where("hs_ticket_priority", "EQ", "HIGH"), "b"),
        (where("hs_ticket_priority", "EQ", "high"), ""),
        (where("hs_ticket_priority", "IN", values=["HIGH", "LOW"]), "b"),
        (where("hs_ticket_priority", "NOT_IN", values=["LOW"]), "b"),
        (where("subject", "IN", values=["alpha"]), "a"),
        (where("subject", "IN", values=["Alpha"]), ""),
        (where("content", "HAS_PROPERTY"), "a"),
        (where("content", "NOT_HAS_PROPERTY"), "b"),
        (where("content", "CONTAINS_TOKEN", "fire*"), "a"),
        (where("content", "NOT_CONTAINS_TOKEN", "fire*"), "b"),
        (where("hs_object_id", "GT", "0"), "ab"),
        (where("createdate", "LT", "1000"), ""),
        (where("createdate", "GTE", "2026-01-01T00:00:00Z"), "ab"),
        (where("createdate", "BETWEEN", "0", highValue="4102444800000"), "ab"),
        (where("createdate", "LTE", "4102444800000"), "ab"),
    ],
)
def test_operators(api: httpx.Client, wanted: dict[str, Any], hits: str) -> None:
    ids = {
        "a": made(api, subject="Alpha", content="It burns, fireman!"),
        "b": made(api, subject="Beta", hs_ticket_priority="HIGH"),
    }

    assert found(search(api, wanted)) == [ids[name] for name in hits]


def test_groups_are_alternatives_of_conditions_that_all_hold(api: httpx.Client) -> None:
    one, two = made(api, subject="One", source_type="CHAT"), made(api, subject="Two", source_type="CHAT")
    made(api, subject="Three", source_type="CHAT")
    groups = [
        {"filters": [where("subject", "EQ", name), where("source_type", "EQ", "CHAT")]} for name in ("one", "two")
    ]

    assert found(api.post(f"{TICKETS}/search", json={"filterGroups": groups})) == [one, two]


def test_tickets_are_found_by_their_contact(api: httpx.Client) -> None:
    ticket, contact = made(api), made(api, CONTACTS, email="eve@example.com")
    made(api)
    api.put(f"{TICKETS}/{ticket}/associations/default/contacts/{contact}")

    assert found(search(api, where("associations.contact", "EQ", contact))) == [ticket]


def test_words_are_found_in_the_default_texts(api: httpx.Client) -> None:
    made(api, subject="Other")
    ticket = made(api, subject="Broken lamp", content="in the Hall")

    assert found(search(api, query="hall LAMP")) == [ticket]


def test_results_are_sorted_and_paged(api: httpx.Client) -> None:
    ids = [made(api, subject=f"T{number}") for number in range(5)]
    body: dict[str, Any] = {"sorts": [{"propertyName": "subject", "direction": "DESCENDING"}], "limit": 2}

    first = search(api, **body)
    last = search(api, **body, after="4")

    assert first.json()["total"] == 5
    assert found(first) == ids[:2:-1]
    assert first.json()["paging"]["next"]["after"] == "2"
    assert found(last) == ids[:1]
    assert "paging" not in last.json()


def test_the_index_is_late(api: httpx.Client, hubspot: HubSpot) -> None:
    hubspot.configure(search_lag=5.0)
    ticket = made(api, subject="Old")
    assert found(search(api)) == []
    hubspot.clock.advance(6)
    api.patch(f"{TICKETS}/{ticket}", json={"properties": {"subject": "New"}})

    late = search(api, where("subject", "EQ", "old"))
    hubspot.clock.advance(6)

    assert late.json()["results"][0]["properties"]["subject"] == "Old"
    assert found(search(api, where("subject", "EQ", "old"))) == []
    assert found(search(api, where("subject", "EQ", "new"))) == [ticket]


def test_archived_and_merged_records_are_never_found(api: httpx.Client, hubspot: HubSpot) -> None:
    live, archived, loser = made(api), made(api), made(api)
    hubspot.archive_ticket(archived)
    hubspot.merge_tickets(live, loser)

    assert found(search(api)) == [live]


@pytest.mark.parametrize(
    "body",
    [
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": [{"filters": [where("subject", "EQ", "a")] * 7}]},
        {"filterGroups": [{"filters": [where("subject", "EQ", "a")] * 5}] * 4},
        {"limit": 201},
        {"limit": 0},
        {"after": "9995"},
        {"after": "first"},
        {"query": "x" * 3000},
        {"sorts": ["subject", "content"]},
        {"sorts": ["no_such"]},
        {"sorts": [{"propertyName": "subject", "direction": "UP"}]},
        {"filterGroups": [{"filters": [where("no_such", "EQ", "a")]}]},
        {"filterGroups": [{"filters": [where("subject", "LIKE", "a")]}]},
        {"filterGroups": [{"filters": [where("subject", "EQ")]}]},
        {"filterGroups": [{"filters": [where("subject", "IN", "a")]}]},
        {"filterGroups": [{"filters": [where("createdate", "GT", "yesterday")]}]},
        {"filterGroups": [{"filters": [where("hs_object_id", "GT", "x")]}]},
        {"filterGroups": [{"filters": [where("createdate", "BETWEEN", "1")]}]},
        {"filterGroups": [{"filters": [where("associations.dragon", "EQ", "1")]}]},
        {"filterGroups": [{"filters": [where("associations.contact", "GT", "1")]}]},
        {"filterGroups": "all"},
    ],
)
def test_requests_past_the_limits_are_refused(api: httpx.Client, body: dict[str, Any]) -> None:
    refused(api.post(f"{TICKETS}/search", json=body), 400, "VALIDATION_ERROR")


def test_only_the_asked_properties_come_back(api: httpx.Client) -> None:
    made(api, source_type="CHAT")

    shown = search(api, properties=["source_type"]).json()["results"][0]["properties"]

    assert set(shown) == {"source_type", "hs_object_id", "createdate", "hs_lastmodifieddate"}
