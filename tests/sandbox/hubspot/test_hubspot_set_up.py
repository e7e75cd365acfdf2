"""The portal's set-up: account, properties, groups, pipelines."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connector.sandbox.hubspot import HubSpot

from .support import PROPERTIES, SET_UP, made, refused

PIPELINES = "/crm/pipelines/2026-09/tickets"
GROUP, PROPERTY = (body for _, body in SET_UP)


def test_the_account_tells_its_portal(api: httpx.Client, hubspot: HubSpot) -> None:
    details = api.get("/account-info/2026-09/details").json()

    assert details["portalId"] == hubspot.credentials.portal_id
    assert (details["timeZone"], details["uiDomain"]) == ("UTC", "app.hubspot.com")


def test_a_new_portal_has_the_stock_pipeline(api: httpx.Client) -> None:
    (pipeline,) = api.get(PIPELINES).json()["results"]

    assert (pipeline["id"], pipeline["label"]) == ("0", "Support Pipeline")
    assert [(one["id"], one["label"], one["metadata"]) for one in pipeline["stages"]] == [
        ("1", "New", {"ticketState": "OPEN"}),
        ("2", "Waiting on contact", {"ticketState": "OPEN"}),
        ("3", "Waiting on us", {"ticketState": "OPEN"}),
        ("4", "Closed", {"ticketState": "CLOSED"}),
    ]
    assert api.get(f"{PIPELINES}/0").json() == pipeline
    assert api.get(f"{PIPELINES}/0/stages").json()["results"] == pipeline["stages"]
    refused(api.get(f"{PIPELINES}/1"), 404, "OBJECT_NOT_FOUND")
    refused(api.get("/crm/pipelines/2026-09/contacts"), 400, "VALIDATION_ERROR")


STAGE = {"label": "Waiting on a part", "displayOrder": 2, "metadata": {"ticketState": "OPEN"}}


def test_a_stage_is_added_with_an_id_of_its_own(api: httpx.Client) -> None:
    stage = api.post(f"{PIPELINES}/0/stages", json={**STAGE, "stageId": "part"})
    older = "/crm/pipelines/2026-03/tickets/0/stages"
    other = api.post(older, json={**STAGE, "label": "Other", "stageId": "other", "metadata": {}})

    assert (stage.status_code, stage.json()["id"]) == (201, "part")
    assert other.json()["id"] != "other"
    assert other.json()["metadata"] == {}
    assert made(api, hs_pipeline_stage="part")


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"label": ""}, 400),
        ({"label": "Closed"}, 409),
        ({"displayOrder": "2"}, 400),
        ({"metadata": {"ticketState": "AJAR"}}, 400),
        ({"metadata": None}, 201),
        ({"stageId": "4"}, 409),
    ],
)
def test_a_wrong_stage_is_refused(api: httpx.Client, wrong: dict[str, Any], status: int) -> None:
    assert api.post(f"{PIPELINES}/0/stages", json={**STAGE, **wrong}).status_code == status


def test_a_pipeline_has_at_most_a_hundred_stages(api: httpx.Client, hubspot: HubSpot) -> None:
    for number in range(96):
        hubspot.add_stage(f"Stage {number}")

    refused(api.post(f"{PIPELINES}/0/stages", json=STAGE), 400, "VALIDATION_ERROR")


def test_a_renamed_stage_keeps_its_id_and_a_label_is_unique(api: httpx.Client, hubspot: HubSpot) -> None:
    hubspot.rename_stage("Waiting on us", "Our turn")

    labels = {one["id"]: one["label"] for one in api.get(f"{PIPELINES}/0").json()["stages"]}
    assert labels["3"] == "Our turn"
    answer = api.post("/_control/actions/rename_stage", json={"stage": "3", "label": "Closed"})
    refused(answer, 409, "CONFLICT")


def test_our_properties_are_not_there_until_made(api: httpx.Client) -> None:
    path = f"{PROPERTIES}/nextcap_ticket_id"
    refused(api.get(path), 404, "OBJECT_NOT_FOUND")
    refused(api.get(f"{PROPERTIES}/groups/nextcap"), 404, "OBJECT_NOT_FOUND")
    refused(api.post(PROPERTIES, json=PROPERTY), 400, "VALIDATION_ERROR")

    assert api.post(f"{PROPERTIES}/groups", json=GROUP).status_code == 201
    assert api.post(PROPERTIES, json=PROPERTY).status_code == 201

    shown = api.get(path).json()
    assert (shown["hasUniqueValue"], shown["groupName"], shown["archived"]) == (True, "nextcap", False)
    assert "nextcap" in [one["name"] for one in api.get(f"{PROPERTIES}/groups").json()["results"]]
    refused(api.post(PROPERTIES, json=PROPERTY), 409, "CONFLICT")
    refused(api.post(f"{PROPERTIES}/groups", json=GROUP), 409, "CONFLICT")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Next Cap"},
        {"name": ""},
        {"label": None},
        {"groupName": "no_such"},
        {"type": "text"},
        {"fieldType": "number"},
        {"options": [{"label": "A", "value": "a"}]},
        {"type": "enumeration", "fieldType": "select"},
        {"type": "enumeration", "fieldType": "select", "options": "a"},
        {"type": "enumeration", "fieldType": "select", "options": [{"label": "A", "value": "a"}] * 2},
        {
            "type": "enumeration",
            "fieldType": "select",
            "options": [{"label": "A", "value": "a"}],
            "hasUniqueValue": True,
        },
    ],
)
@pytest.mark.usefixtures("fields")
def test_a_wrong_property_is_refused(api: httpx.Client, wrong: dict[str, Any]) -> None:
    good = {**PROPERTY, "name": "other", "hasUniqueValue": False}

    refused(api.post(PROPERTIES, json={**good, **wrong}), 400, "VALIDATION_ERROR")


@pytest.mark.usefixtures("fields")
def test_an_object_type_has_at_most_ten_unique_properties(api: httpx.Client) -> None:
    made_now = [api.post(PROPERTIES, json={**PROPERTY, "name": f"key_{number}"}) for number in range(10)]

    assert [answer.status_code for answer in made_now] == [201] * 9 + [400]


def test_notes_take_no_unique_property(api: httpx.Client) -> None:
    path = "/crm/properties/2026-09/notes"
    wanted = {**PROPERTY, "groupName": "engagement"}

    refused(api.post(path, json=wanted), 400, "VALIDATION_ERROR")
    assert api.post(path, json={**wanted, "hasUniqueValue": False}).status_code == 201


def test_an_enumeration_shows_its_options(api: httpx.Client, hubspot: HubSpot) -> None:
    hubspot.add_option("hs_resolution", "REPLACED", "Replaced")

    listed = {one["name"]: one for one in api.get(PROPERTIES).json()["results"]}

    options = [one["value"] for one in listed["hs_resolution"]["options"]]
    assert options == ["ISSUE_FIXED", "WONT_FIX", "DUPLICATE", "REPLACED"]
    assert (listed["hubspot_owner_id"]["externalOptions"], listed["hubspot_owner_id"]["options"]) == (True, [])
    assert listed["hs_object_id"]["modificationMetadata"]["readOnlyValue"] is True


@pytest.mark.usefixtures("fields")
def test_an_archived_property_keeps_its_name(api: httpx.Client, hubspot: HubSpot) -> None:
    hubspot.archive_property("nextcap_ticket_id")

    refused(api.get(f"{PROPERTIES}/nextcap_ticket_id"), 404, "OBJECT_NOT_FOUND")
    assert api.get(f"{PROPERTIES}/nextcap_ticket_id?archived=true").json()["archived"] is True
    refused(api.post(PROPERTIES, json=PROPERTY), 409, "CONFLICT")
    answer = api.post("/_control/actions/archive_property", json={"property": "subject"})
    refused(answer, 400, "VALIDATION_ERROR")
