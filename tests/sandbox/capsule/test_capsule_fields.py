"""Custom fields and tags."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connector.sandbox.capsule import Capsule

from .support import field, found, project, put, read, refused


def write(api: httpx.Client, record: int, definition: int, value: Any) -> httpx.Response:
    return put(api, record, fields=[{"definition": {"id": definition}, "value": value}])


def values(api: httpx.Client, record: int) -> dict[str, Any]:
    return {one["definition"]["name"]: one["value"] for one in read(api, record)["fields"]}


def test_definitions_are_made_for_one_kind_under_a_name_of_their_own(api: httpx.Client) -> None:
    made = field(api, "Next Cap ticket ID")

    again = api.post("/kases/fields/definitions", json={"definition": {"name": "next cap ticket id", "type": "text"}})

    assert refused(again) == ("name", "name must be unique")
    assert api.get(f"/kases/fields/definitions/{made}").json()["definition"]["name"] == "Next Cap ticket ID"
    assert api.get(f"/opportunities/fields/definitions/{made}").status_code == 404
    assert api.get("/opportunities/fields/definitions").json()["definitions"] == []
    assert field(api, "Next Cap ticket ID", kind="opportunities") != made


@pytest.mark.parametrize(
    "definition",
    [{"name": "", "type": "text"}, {"name": "x", "type": "text", "options": ["a"]}, {"name": "x", "type": "list"}],
)
def test_a_definition_must_make_sense(api: httpx.Client, definition: dict[str, Any]) -> None:
    refused(api.post("/kases/fields/definitions", json={"definition": definition}))


@pytest.mark.parametrize(
    ("type", "good", "kept", "bad"),
    [
        ("text", "Grüße 👋", "Grüße 👋", 5),
        ("number", 3, "3", "many"),
        ("number", "2.50", "2.5", True),
        ("date", "2027-02-28", "2027-02-28", "2027-02-31"),
        ("boolean", True, True, "true"),
        ("list", "High", "High", "Somewhat"),
    ],
)
def test_values_by_type(api: httpx.Client, type: str, good: Any, kept: Any, bad: Any) -> None:
    """Numbers come back as text, and a refusal does not say which field it was."""
    options = ["Low", "High"] if type == "list" else []
    definition, record = field(api, "One", type, options=options), project(api)

    assert write(api, record, definition, good).status_code == 200

    assert values(api, record) == {"One": kept}
    assert refused(write(api, record, definition, bad))[0] == "value"


def test_fields_can_be_set_when_a_project_is_made(api: httpx.Client) -> None:
    definition = field(api, "One")

    record = project(api, fields=[{"definition": {"id": definition}, "value": "x"}])

    assert values(api, record) == {"One": "x"}


def test_null_clears_every_type_but_boolean_whose_row_is_deleted(api: httpx.Client) -> None:
    text, boolean, record = field(api, "Text"), field(api, "Flag", "boolean"), project(api)
    write(api, record, text, "x")
    write(api, record, boolean, True)

    assert write(api, record, text, None).status_code == 200
    assert refused(write(api, record, boolean, None)) == ("value", "invalid type for field")
    row = read(api, record)["fields"][0]["id"]
    put(api, record, fields=[{"id": row, "_destroy": True, "value": True}])
    assert values(api, record) == {"Flag": True}
    put(api, record, fields=[{"id": row, "_delete": True}])

    assert values(api, record) == {}


def test_fields_and_tags_are_absent_unless_embedded(api: httpx.Client) -> None:
    record = read(api, project(api), embed="")

    assert "fields" not in record
    assert "tags" not in record


def test_a_field_of_another_kind_or_of_none_is_refused(api: httpx.Client) -> None:
    other, record = field(api, "One", kind="parties"), project(api)

    assert refused(write(api, record, other, "x"))[0] == "definition"
    assert refused(write(api, record, 1, "x"))[0] == "definition"


def test_a_field_under_a_data_tag_does_not_bring_the_tag(capsule: Capsule, api: httpx.Client) -> None:
    definition, record = field(api, "Contract"), project(api)
    capsule.account.definitions[definition].tag = capsule.account.tag("Contract details")

    write(api, record, definition, "x")

    shown = read(api, record)
    assert shown["tags"] == []
    assert shown["fields"][0]["tagId"]


def test_important_fields_that_are_missing_are_told_on_request(api: httpx.Client) -> None:
    definition = field(api, "Must", important=True)
    record = project(api)

    missing = read(api, record, "missingImportantFields")["missingImportantFields"]
    write(api, record, definition, "x")

    assert missing is True
    assert read(api, record, "missingImportantFields")["missingImportantFields"] is False


def test_tags_are_added_by_name_whatever_the_case_and_removed_by_id(api: httpx.Client) -> None:
    record, other = project(api, tags=[{"name": "VIP"}]), project(api)

    put(api, other, tags=[{"name": "vip"}, {"name": "Late"}])
    shown = {one["name"]: one["id"] for one in read(api, other)["tags"]}
    put(api, other, tags=[{"id": shown["VIP"], "_delete": True}])
    again = put(api, other, tags=[{"id": shown["VIP"], "_delete": True}])

    assert read(api, record)["tags"][0]["id"] == shown["VIP"]
    assert [one["name"] for one in read(api, other)["tags"]] == ["Late"]
    assert refused(again) == ("tags", "tag not found to delete")
    assert found(api, "tag", "late") == [other]
