"""Files: uploads, duplicates, who can read them."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import httpx
import pytest

from connector.sandbox.hubspot import HubSpot

from .support import refused

FILES = "/files/2026-03/files"
PRIVATE = {"access": "PRIVATE"}
ONCE = {**PRIVATE, "duplicateValidationStrategy": "RETURN_EXISTING", "duplicateValidationScope": "EXACT_FOLDER"}


def upload(
    api: httpx.Client, content: bytes = b"scream", name: str = "a.txt", *, options: Any = PRIVATE, **form: str
) -> httpx.Response:
    fields = {"folderPath": "/nextcap/1042", **form}
    if options is not None:
        fields["options"] = options if isinstance(options, str) else json.dumps(options)
    return api.post(FILES, files={"file": (name, content, "text/plain")}, data=fields)


def test_an_upload_answers_the_facts_of_the_file(api: httpx.Client) -> None:
    answer = upload(api)

    body = answer.json()
    assert answer.status_code == 201
    assert (body["name"], body["extension"], body["size"], body["access"]) == ("a", "txt", 6, "PRIVATE")
    assert (body["path"], body["type"]) == ("/nextcap/1042/a.txt", "DOCUMENT")
    assert body["fileMd5"] == hashlib.md5(b"scream", usedforsecurity=False).hexdigest()
    assert api.get(f"{FILES}/{body['id']}").json() == body
    assert api.get(f"/files/v3/files/{body['id']}").json() == body


@pytest.mark.parametrize(
    "wrong",
    [
        {"options": None},
        {"options": "no json"},
        {"options": "[]"},
        {"options": {}},
        {"options": {"access": "SECRET"}},
        {"options": {**PRIVATE, "duplicateValidationStrategy": "GUESS"}},
        {"options": {**PRIVATE, "duplicateValidationScope": "EVERYWHERE"}},
        {"folderId": "17"},
        {"fileName": "a/b.txt"},
    ],
)
def test_a_wrong_upload_is_refused(api: httpx.Client, hubspot: HubSpot, wrong: dict[str, Any]) -> None:
    refused(upload(api, **wrong), 400, "VALIDATION_ERROR")
    assert hubspot.state()["files"] == []


def test_an_upload_names_one_folder_and_one_file(api: httpx.Client) -> None:
    part = {"file": ("a.txt", b"a", "text/plain")}
    options = {"options": json.dumps(PRIVATE)}

    refused(api.post(FILES, files=part, data=options), 400, "VALIDATION_ERROR")
    refused(api.post(FILES, files=part, data={**options, "folderId": "17"}), 400, "VALIDATION_ERROR")
    refused(
        api.post(FILES, files={"other": part["file"]}, data={**options, "folderPath": "/a"}), 400, "VALIDATION_ERROR"
    )
    refused(api.post(FILES, json={}), 415, "VALIDATION_ERROR")


def test_a_folder_is_also_named_by_its_id(api: httpx.Client) -> None:
    folder = upload(api).json()["parentFolderId"]
    data = {"options": json.dumps(PRIVATE), "folderId": folder}

    second = api.post(FILES, files={"file": ("b.txt", b"b", "text/plain")}, data=data)

    assert second.json()["path"] == "/nextcap/1042/b.txt"


def test_returning_the_existing_file_makes_a_retry_harmless(api: httpx.Client, hubspot: HubSpot) -> None:
    first, second = upload(api, options=ONCE), upload(api, options=ONCE)

    assert second.status_code == 201
    assert first.json()["id"] == second.json()["id"]
    assert len(hubspot.state()["files"]) == 1


def test_a_duplicate_may_be_one_by_name_and_have_other_content(api: httpx.Client, hubspot: HubSpot) -> None:
    first = upload(api, b"one", options=ONCE).json()

    assert upload(api, b"two", options=ONCE).json()["fileMd5"] == first["fileMd5"]
    assert upload(api, b"two", options=ONCE, folderPath="/other").json()["fileMd5"] != first["fileMd5"]

    hubspot.configure(file_duplicates="content")
    assert upload(api, b"one", "b.txt", options=ONCE).json()["id"] == first["id"]


def test_duplicates_are_renamed_rejected_or_overwritten(api: httpx.Client) -> None:
    first = upload(api).json()

    assert upload(api).json()["name"] == "a-1"
    refused(upload(api, options={**ONCE, "duplicateValidationStrategy": "REJECT"}), 409, "CONFLICT")
    over = upload(api, b"new", options={**PRIVATE, "overwrite": True}).json()
    assert (over["id"], over["size"]) == (first["id"], 3)


def test_a_private_file_is_read_through_a_temporary_address_without_a_token(
    api: httpx.Client, hubspot: HubSpot
) -> None:
    private = upload(api, b"secret").json()
    signed = api.get(f"{FILES}/{private['id']}/signed-url", params={"expirationSeconds": 60}).json()

    assert httpx.get(private["url"]).status_code == 404
    assert httpx.get(signed["url"]).content == b"secret"
    assert api.get(signed["url"]).status_code == 400
    assert httpx.get(signed["url"] + "0").status_code == 403
    hubspot.clock.advance(61)
    assert httpx.get(signed["url"]).status_code == 403


def test_a_public_file_is_read_by_everybody(api: httpx.Client) -> None:
    public = upload(api, options={"access": "PUBLIC_NOT_INDEXABLE"}).json()

    assert httpx.get(public["url"]).content == b"scream"


def test_hidden_files_need_a_scope_of_their_own(api: httpx.Client, hubspot: HubSpot) -> None:
    content = base64.b64encode(b"form").decode()
    hidden = hubspot.add_file("form.pdf", content, access="HIDDEN_PRIVATE")
    assert api.get(f"{FILES}/{hidden}").status_code == 200

    hubspot.settings.scopes.remove("files.ui_hidden.read")

    for path in (f"{FILES}/{hidden}", f"{FILES}/{hidden}/signed-url"):
        errors = refused(api.get(path), 403, "MISSING_SCOPES")["errors"]
        assert errors[0]["context"] == {"requiredGranularScopes": ["files.ui_hidden.read"]}


def test_an_unknown_file_is_not_found(api: httpx.Client) -> None:
    refused(api.get(f"{FILES}/17"), 404, "OBJECT_NOT_FOUND")
    refused(api.get(f"{FILES}/17/signed-url"), 404, "OBJECT_NOT_FOUND")
