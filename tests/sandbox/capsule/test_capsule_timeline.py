"""Entries and files."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from connector.sandbox.capsule import Capsule

from .support import person, project, read, refused


def note(api: httpx.Client, **members: Any) -> httpx.Response:
    return api.post("/entries", json={"entry": {"type": "note", "content": "Words", **members}})


def entries(api: httpx.Client, record: int, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"/kases/{record}/entries", params=query).json()["entries"]
    return found


def test_a_note_is_made_on_exactly_one_record_by_the_tokens_user(api: httpx.Client) -> None:
    record, party = project(api), person(api)

    made = note(api, kase={"id": record}, creator={"id": 1})

    assert made.status_code == 201
    entry = made.json()["entry"]
    assert (entry["creator"]["username"], entry["activityType"]) == ("connector", {"id": -1, "name": "Note"})
    assert entry["kase"]["id"] == record
    assert refused(note(api))[0] == "party"
    assert refused(note(api, kase={"id": record}, party={"id": party}))[0] == "party"
    assert refused(note(api, parties=[{"id": party}]))[0] == "party"


def test_only_notes_can_be_made(api: httpx.Client) -> None:
    assert refused(note(api, type="email", kase={"id": project(api)})) == ("type", "only notes can be created")


def test_some_accounts_call_the_reference_project(capsule: Capsule, api: httpx.Client) -> None:
    record = project(api)
    capsule.configure(entry_link="project")

    assert refused(note(api, kase={"id": record}))[1].startswith("entry must be linked")
    assert note(api, project={"id": record}).status_code == 201


def test_an_entrys_place_on_the_timeline_can_be_set_and_survives_edits(api: httpx.Client) -> None:
    record = project(api)
    made = note(api, kase={"id": record}, entryAt="2026-01-02T03:04:05Z").json()["entry"]

    edited = api.put(f"/entries/{made['id']}", json={"entry": {"content": "Other", "subject": "dropped"}})

    assert made["entryAt"] == "2026-01-02T03:04:05Z"
    assert edited.json()["entry"]["entryAt"] == made["entryAt"]
    assert (edited.json()["entry"]["content"], edited.json()["entry"]["subject"]) == ("Other", None)
    assert api.delete(f"/entries/{made['id']}").status_code == 204
    assert api.get(f"/entries/{made['id']}").status_code == 404


def test_a_note_moves_when_its_project_was_last_contacted_and_not_when_it_was_changed(
    capsule: Capsule, api: httpx.Client
) -> None:
    record = project(api)
    before = read(api, record)
    capsule.clock.advance(5)

    note(api, kase={"id": record})
    after = read(api, record)
    capsule.configure(note_touches_record=True)
    note(api, kase={"id": record})

    assert before["lastContactedAt"] is None
    assert after["lastContactedAt"]
    assert after["updatedAt"] == before["updatedAt"]
    assert read(api, record)["updatedAt"] > before["updatedAt"]


def test_a_records_entries_come_fifty_a_page_newest_first(api: httpx.Client) -> None:
    record = project(api)
    for number in range(3):
        note(api, kase={"id": record}, content=f"Note {number}")

    assert [one["content"] for one in entries(api, record, perPage=2)] == ["Note 2", "Note 1"]
    assert refused(api.get(f"/kases/{record}/entries", params={"perPage": 51}))[0] == "perPage"
    assert api.get("/entries", params={"perPage": 100}).status_code == 200


def test_the_accounts_entries_are_ordered_by_place_and_know_no_since(capsule: Capsule, api: httpx.Client) -> None:
    first, second = project(api), project(api)
    capsule.write_note(str(first), "Back-dated", at="2026-01-01T00:00:00+00:00")
    capsule.write_note(str(second), "New")

    listed = api.get("/entries", params={"since": "2099-01-01T00:00:00Z", "embed": "kase"}).json()["entries"]

    assert [one["content"] for one in listed] == ["New", "Back-dated"]
    assert listed[0]["kase"]["name"] == "Printer on fire"


def test_mails_and_tasks_are_entries_too(capsule: Capsule, api: httpx.Client) -> None:
    record = project(api)
    capsule.send_email(str(record), "About", "Dear Jo")
    capsule.complete_task(str(record), "Call back")
    capsule.write_note(str(record), "Tell them", activity="Customer reply", by="ben")

    shown = {one["type"]: one for one in entries(api, record)}

    assert (shown["email"]["subject"], shown["email"]["activityType"]) == ("About", None)
    assert shown["task"]["content"] == "Call back"
    assert shown["note"]["activityType"]["name"] == "Customer reply"
    assert shown["note"]["activityType"] in api.get("/activitytypes").json()["activityTypes"]


def test_files_are_sent_raw_and_named_in_a_header(api: httpx.Client) -> None:
    headers = {"Content-Type": "text/plain", "X-Attachment-Filename": quote("Grüße.txt")}
    record = project(api)

    token = api.post("/attachments/upload", content=b"bytes", headers=headers).json()["upload"]["token"]
    made = note(api, kase={"id": record}, attachments=[{"token": token}]).json()["entry"]
    again = note(api, kase={"id": record}, attachments=[{"token": token}])

    stored = made["attachments"][0]
    assert (stored["filename"], stored["contentType"], stored["size"]) == ("Grüße.txt", "text/plain", "5")
    assert api.get(f"/attachments/{stored['id']}").content == b"bytes"
    assert refused(again)[0] == "attachments"
    assert api.post("/attachments/upload", files={"file": b"x"}).status_code == 400


def test_a_file_of_more_than_25_megabytes_is_too_large(api: httpx.Client) -> None:
    headers = {"Content-Type": "text/plain", "X-Attachment-Filename": "big"}

    answer = api.post("/attachments/upload", content=bytes(25 * 1024 * 1024 + 1), headers=headers)

    assert answer.status_code == 413


@pytest.mark.parametrize("content", ["", "   ", None, 5])
def test_a_note_says_something(api: httpx.Client, content: object) -> None:
    assert refused(note(api, kase={"id": project(api)}, content=content))[0] == "content"
