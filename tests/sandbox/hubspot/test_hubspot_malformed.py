"""Requests of a wrong shape are refused, never guessed at and never an error of the server."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from .support import CONTACTS, NEW, PROPERTIES, TICKETS, made, refused

LINK_16 = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 16}
LINK_227 = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 227}
ENUMERATION = {"name": "mood", "label": "Mood", "groupName": "ticketinformation", "type": "enumeration"}


@pytest.mark.parametrize(
    "path",
    [
        f"{TICKETS}?archived=perhaps",
        f"{TICKETS}?after=first",
        f"{TICKETS}?limit=many",
        f"{TICKETS}?limit=0",
        "/crm/owners/2026-09?after=x",
        "/crm/owners/2026-09?limit=501",
    ],
)
def test_wrong_parameters(api: httpx.Client, path: str) -> None:
    refused(api.get(path), 400, "VALIDATION_ERROR")


def test_wrong_parameters_of_one_record(api: httpx.Client) -> None:
    ticket = made(api)

    refused(api.get(f"{TICKETS}/{ticket}?associations=dragons"), 400, "VALIDATION_ERROR")
    refused(api.get(f"{TICKETS}/{ticket}/associations/contacts?after=x"), 400, "VALIDATION_ERROR")


def creation(*types: Any, to: Any = None) -> dict[str, Any]:
    return {"properties": NEW, "associations": [{"to": {"id": "17"} if to is None else to, "types": list(types)}]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (TICKETS, {"properties": NEW, "associations": "all"}),
        (TICKETS, creation()),
        (TICKETS, creation(LINK_16, to={})),
        (TICKETS, creation(LINK_16, to="17")),
        (TICKETS, creation(LINK_16, LINK_227)),
        (TICKETS, creation({**LINK_16, "associationTypeId": "16"})),
        (TICKETS, creation({**LINK_16, "associationTypeId": 99_999})),
        (f"{TICKETS}/batch/read", {}),
        (f"{TICKETS}/batch/read", {"inputs": ["17"]}),
        (f"{TICKETS}/batch/read", {"inputs": [{"id": 17}]}),
        (f"{TICKETS}/batch/read", {"inputs": [{"id": "17"}], "properties": "subject"}),
        (f"{TICKETS}/batch/read", {"inputs": [{"id": "17"}], "idProperty": 1}),
        (f"{TICKETS}/batch/update", {"inputs": [{"properties": {}}]}),
        (f"{TICKETS}/search", {"properties": "subject"}),
        (f"{TICKETS}/search", {"sorts": [7]}),
        (f"{TICKETS}/search", {"limit": True}),
        (f"{TICKETS}/merge", {"primaryObjectId": "1"}),
        (f"{PROPERTIES}/groups", {"name": "Next Cap", "label": "Next Cap"}),
        (
            PROPERTIES,
            {**ENUMERATION, "fieldType": "select", "options": [{"label": "A", "value": v} for v in ("a", "b")]},
        ),
        ("/crm/pipelines/2026-09/tickets/0/stages", {"label": "A", "displayOrder": 1}),
    ],
)
def test_wrong_bodies(api: httpx.Client, path: str, body: dict[str, Any]) -> None:
    refused(api.post(path, json=body), 400, "VALIDATION_ERROR")
    assert api.get(TICKETS).json()["results"] == []


def test_two_inputs_with_one_unique_value(api: httpx.Client) -> None:
    inputs = [{"properties": {"email": "eve@example.com", "firstname": name}} for name in ("Eve", "Eva")]

    refused(api.post(f"{CONTACTS}/batch/create", json={"inputs": inputs}), 400, "VALIDATION_ERROR")
    assert api.get(CONTACTS).json()["results"] == []


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_method_that_a_path_does_not_have(api: httpx.Client, method: str) -> None:
    answer = api.request(method, f"{TICKETS}/batch/read")

    assert answer.status_code in {404, 405}
    assert answer.json()["status"] == "error"


def test_addresses_of_files_that_are_not_there(api: httpx.Client) -> None:
    for path in ("/hubfs/1/a.txt", "/hubfs/62515/a.txt"):
        assert httpx.get(f"{api.base_url}{path}").status_code == 404
