"""Batches: limits, partial success, upsert, and what a batch does not know."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from connector.sandbox.hubspot import HubSpot

from .support import CONTACTS, NEW, TICKETS, made, read, refused

BAD_INPUT = {"subject": "Bad", "hs_pipeline": "0", "hs_pipeline_stage": "77"}


def upsert(api: httpx.Client, *inputs: dict[str, Any], traced: bool = True, path: str = TICKETS) -> httpx.Response:
    traces = [{"objectWriteTraceId": f"trace-{place}"} if traced else {} for place in range(len(inputs))]
    body = {"inputs": [{**one, **trace} for one, trace in zip(inputs, traces, strict=True)]}
    return api.post(f"{path}/batch/upsert", json=body)


def ours(key: str, **properties: str) -> dict[str, Any]:
    return {"id": key, "idProperty": "nextcap_ticket_id", "properties": {**NEW, **properties}}


def batch(api: httpx.Client, name: str, inputs: list[dict[str, Any]], path: str = TICKETS) -> httpx.Response:
    return api.post(f"{path}/batch/{name}", json={"inputs": inputs})


@pytest.mark.usefixtures("fields")
class TestUpsert:
    def test_it_creates_once_and_says_which_are_new(self, api: httpx.Client, hubspot: HubSpot) -> None:
        first = upsert(api, ours("t1"), ours("t2"))
        second = upsert(api, ours("t1", subject="Again"), ours("t3"))

        assert {one["new"] for one in first.json()["results"]} == {True}
        new = {one["properties"]["nextcap_ticket_id"]: one["new"] for one in second.json()["results"]}
        assert new == {"t1": False, "t3": True}
        assert hubspot.state()["creates"] == {"t1": 1, "t2": 1, "t3": 1}
        assert [one["properties"]["subject"] for one in hubspot.tickets_of("t1")] == ["Again"]

    def test_many_at_once_create_one(self, api: httpx.Client, hubspot: HubSpot) -> None:
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: upsert(api, ours("t1")), range(12)))

        assert [answer.json()["results"][0]["new"] for answer in answers].count(True) == 1
        assert hubspot.state()["creates"] == {"t1": 1}

    def test_results_are_told_apart_by_id_and_trace_not_by_place(self, api: httpx.Client) -> None:
        results = upsert(api, ours("t1"), ours("t2")).json()["results"]

        assert [one["objectWriteTraceId"] for one in results] == ["trace-1", "trace-0"]

    def test_traced_inputs_fail_alone(self, api: httpx.Client, hubspot: HubSpot) -> None:
        answer = upsert(api, ours("t1"), {**ours("t2"), "properties": BAD_INPUT}, ours("t3"))

        body = answer.json()
        assert answer.status_code == 207
        assert (body["status"], body["numErrors"], len(body["results"])) == ("COMPLETE", 1, 2)
        assert body["errors"][0]["context"]["objectWriteTraceId"] == ["trace-1"]
        assert body["errors"][0]["category"] == "VALIDATION_ERROR"
        assert set(hubspot.state()["creates"]) == {"t1", "t3"}

    def test_without_traces_one_bad_input_fails_the_lot(self, api: httpx.Client, hubspot: HubSpot) -> None:
        answer = upsert(api, ours("t1"), {**ours("t2"), "properties": BAD_INPUT}, traced=False)

        refused(answer, 400, "VALIDATION_ERROR")
        assert hubspot.state()["creates"] == {}

    def test_equal_traces_are_no_traces(self, api: httpx.Client) -> None:
        inputs = [ours("t1"), {**ours("t2"), "properties": BAD_INPUT}]

        answer = batch(api, "upsert", [{**one, "objectWriteTraceId": "same"} for one in inputs])

        refused(answer, 400, "VALIDATION_ERROR")

    def test_it_carries_no_associations(self, api: httpx.Client) -> None:
        refused(upsert(api, {**ours("t1"), "associations": []}, traced=False), 400, "VALIDATION_ERROR")

    def test_its_key_must_be_a_unique_property(self, api: httpx.Client) -> None:
        one = {"id": "A", "idProperty": "subject", "properties": NEW}

        refused(upsert(api, one, traced=False), 400, "VALIDATION_ERROR")

    def test_by_record_id_it_only_changes(self, api: httpx.Client) -> None:
        ticket = made(api)

        assert upsert(api, {"id": ticket, "properties": {"subject": "B"}}).json()["results"][0]["new"] is False
        refused(upsert(api, {"id": "17", "properties": NEW}, traced=False), 400, "OBJECT_NOT_FOUND")

    def test_an_archived_ticket_is_made_anew(self, api: httpx.Client, hubspot: HubSpot) -> None:
        upsert(api, ours("t1"))
        api.delete(f"{TICKETS}/{hubspot.tickets_of('t1')[0]['id']}")

        assert upsert(api, ours("t1")).json()["results"][0]["new"] is True
        assert hubspot.state()["creates"] == {"t1": 2}

    def test_the_same_key_twice_is_refused(self, api: httpx.Client) -> None:
        refused(upsert(api, ours("t1"), ours("t1")), 400, "VALIDATION_ERROR")

    def test_key_and_property_must_agree(self, api: httpx.Client) -> None:
        refused(upsert(api, ours("t1", nextcap_ticket_id="t2"), traced=False), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("name", ["read", "create", "update", "upsert", "archive"])
def test_a_batch_takes_one_to_a_hundred_inputs(api: httpx.Client, name: str) -> None:
    inputs = [{"id": str(number), "properties": NEW} for number in range(101)]

    refused(batch(api, name, inputs), 400, "VALIDATION_ERROR")
    refused(batch(api, name, []), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("name", ["read", "update", "upsert", "archive"])
def test_an_id_twice_in_a_batch_is_refused(api: httpx.Client, name: str) -> None:
    ticket = made(api)

    answer = batch(api, name, [{"id": ticket, "properties": {"subject": "B"}}] * 2)

    assert ticket in refused(answer, 400, "VALIDATION_ERROR")["message"]


def test_a_read_names_the_ids_it_lacks(api: httpx.Client, hubspot: HubSpot) -> None:
    live, archived, loser = made(api), made(api), made(api)
    hubspot.archive_ticket(archived)
    hubspot.merge_tickets(live, loser)

    answer = batch(api, "read", [{"id": one} for one in (live, archived, loser, "17")])

    assert answer.status_code == 207
    assert [one["id"] for one in answer.json()["results"]] == [live]
    assert answer.json()["errors"][0]["category"] == "OBJECT_NOT_FOUND"
    assert answer.json()["errors"][0]["context"]["ids"] == [archived, loser, "17"]
    again = api.post(f"{TICKETS}/batch/read?archived=true", json={"inputs": [{"id": archived}]})
    assert again.json()["results"][0]["archived"] is True


@pytest.mark.usefixtures("fields")
def test_a_read_goes_by_a_unique_property_and_shows_history(api: httpx.Client) -> None:
    made(api, nextcap_ticket_id="t1")
    body = {
        "inputs": [{"id": "t1"}],
        "idProperty": "nextcap_ticket_id",
        "properties": ["subject"],
        "propertiesWithHistory": ["subject"],
    }

    found = api.post(f"{TICKETS}/batch/read", json=body).json()["results"][0]

    assert found["properties"]["subject"] == NEW["subject"]
    assert found["propertiesWithHistory"]["subject"][0]["value"] == NEW["subject"]


def test_an_update_does_not_know_merged_or_archived_ids(api: httpx.Client, hubspot: HubSpot) -> None:
    live, archived, loser = made(api), made(api), made(api)
    hubspot.archive_ticket(archived)
    hubspot.merge_tickets(live, loser)
    inputs = [{"id": one, "properties": {"subject": "B"}, "objectWriteTraceId": one} for one in (live, archived, loser)]

    answer = batch(api, "update", inputs)

    assert answer.status_code == 207
    failed = [error["context"]["objectWriteTraceId"] for error in answer.json()["errors"]]
    assert failed == [[archived], [loser]]
    assert read(api, live)["subject"] == "B"


@pytest.mark.usefixtures("fields")
def test_an_update_goes_by_a_unique_property(api: httpx.Client) -> None:
    ticket = made(api, nextcap_ticket_id="t1")
    inputs = [
        {"id": key, "idProperty": "nextcap_ticket_id", "properties": {"subject": "B"}, "objectWriteTraceId": key}
        for key in ("t1", "t2")
    ]

    answer = batch(api, "update", inputs)

    assert [one["id"] for one in answer.json()["results"]] == [ticket]
    assert answer.json()["errors"][0]["context"] == {"ids": ["t2"], "objectWriteTraceId": ["t2"]}


def test_the_order_and_the_fields_of_an_envelope_are_settings(api: httpx.Client, hubspot: HubSpot) -> None:
    ids = [made(api) for _ in range(3)]
    hubspot.configure(batch_order="asked", surplus_fields=True)

    body = batch(api, "read", [{"id": one} for one in ids]).json()

    assert [one["id"] for one in body["results"]] == ids
    assert "futureField" in body


def test_a_create_takes_associations_whose_targets_exist(api: httpx.Client) -> None:
    contact = made(api, CONTACTS, email="eve@example.com")

    def create(target: str, type_id: int) -> httpx.Response:
        types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}]
        one = {"properties": NEW, "associations": [{"to": {"id": target}, "types": types}]}
        return batch(api, "create", [one])

    assert create(contact, 16).status_code == 201
    refused(create("17", 16), 400, "VALIDATION_ERROR")
    refused(create(contact, 15), 400, "VALIDATION_ERROR")
    assert len(api.get(TICKETS).json()["results"]) == 1


def test_archiving_a_batch_passes_over_what_is_gone(api: httpx.Client) -> None:
    ticket = made(api)

    assert batch(api, "archive", [{"id": ticket}, {"id": "17"}]).status_code == 204
    assert api.get(f"{TICKETS}/{ticket}").status_code == 404


class TestContacts:
    def test_an_upsert_by_address_is_all_or_nothing(self, api: httpx.Client) -> None:
        def one(email: str) -> dict[str, Any]:
            return {"id": email, "idProperty": "email", "properties": {"firstname": "Eve"}}

        refused(upsert(api, one("eve@example.com"), one("no address"), path=CONTACTS), 400, "VALIDATION_ERROR")
        assert api.get(CONTACTS).json()["results"] == []

        answer = upsert(api, one("Eve@Example.com"), path=CONTACTS)
        assert answer.json()["results"][0]["properties"]["email"] == "eve@example.com"
        assert upsert(api, one("EVE@example.com"), path=CONTACTS).json()["results"][0]["new"] is False
        refused(upsert(api, one("a@example.com"), one("A@example.com"), path=CONTACTS), 400, "VALIDATION_ERROR")

    def test_an_update_wants_record_ids(self, api: httpx.Client) -> None:
        made(api, CONTACTS, email="eve@example.com")
        one = {"id": "eve@example.com", "idProperty": "email", "properties": {"firstname": "Eve"}}

        refused(batch(api, "update", [one], CONTACTS), 400, "VALIDATION_ERROR")

    def test_creating_a_known_address_conflicts_by_id(self, api: httpx.Client) -> None:
        contact = made(api, CONTACTS, email="eve@example.com")

        answer = batch(api, "create", [{"properties": {"email": "eve@example.com"}}], CONTACTS)

        assert contact in refused(answer, 409, "CONFLICT")["message"]
