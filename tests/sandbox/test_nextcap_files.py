"""Attachments of the Next Cap imitation, and the storage at another origin."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connector.sandbox.nextcap import CRM_KEY, NextCap

from .conftest import problem
from .test_nextcap_tickets import ticket_at

PDF = {"filename": "a.pdf", "content_type": "application/pdf", "size": 4}


def upload(crm: httpx.Client, content: bytes = b"text") -> str:
    answer = crm.post("/attachments", files={"file": ("a.txt", content, "text/plain")})
    assert answer.status_code == 201
    return str(answer.json()["data"]["id"])


def presigned(crm: httpx.Client, **facts: Any) -> dict[str, Any]:
    answer = crm.post("/attachments/presign", json={**PDF, **facts})
    assert answer.status_code == 201
    found: dict[str, Any] = answer.json()["data"]
    return found


def put(url: str, content: bytes = b"%PDF", **headers: str) -> httpx.Response:
    return httpx.put(url, content=content, headers={"Content-Type": "application/pdf", **headers})


def test_a_direct_upload_is_staged_and_downloadable_without_keys(nextcap: NextCap, crm: httpx.Client) -> None:
    attachment = upload(crm)

    facts = crm.get(f"/attachments/{attachment}").json()["data"]
    redirect = crm.get(f"/attachments/{attachment}/download")
    fetched = httpx.get(redirect.headers["Location"])

    assert facts.items() >= {"filename": "a.txt", "content_type": "text/plain", "size": 4}.items()
    assert redirect.status_code == 302
    assert httpx.URL(redirect.headers["Location"]).port != httpx.URL(nextcap.url).port
    assert (fetched.content, fetched.headers["Content-Type"]) == (b"text", "text/plain")
    assert httpx.get(facts["url"]).content == b"text"


@pytest.mark.parametrize("header", ["X-Api-Key", "Authorization"])
def test_the_storage_refuses_and_remembers_a_key(nextcap: NextCap, crm: httpx.Client, header: str) -> None:
    url = crm.get(f"/attachments/{upload(crm)}/download").headers["Location"]

    refused = httpx.get(url, headers={header: CRM_KEY})

    assert refused.status_code == 400
    assert nextcap.state()["storage_leaks"] == [header]
    assert nextcap.storage_calls.kept()[-1].headers[header.lower()] == CRM_KEY


def test_a_client_that_follows_redirects_with_its_key_is_caught(nextcap: NextCap, crm: httpx.Client) -> None:
    followed = crm.get(f"/attachments/{upload(crm)}/download", follow_redirects=True)

    assert followed.status_code == 400
    assert nextcap.state()["storage_leaks"] == ["X-Api-Key"]


def test_a_presigned_upload_takes_the_three_steps(nextcap: NextCap, crm: httpx.Client) -> None:
    announced = presigned(crm)
    path = f"/attachments/{announced['id']}"

    early = crm.post(f"{path}/complete")
    not_yet = crm.get(f"{path}/download")
    stored = put(announced["upload_url"])
    completed = crm.post(f"{path}/complete")

    assert announced["url"] is None
    assert problem(early) == (400, "VALIDATION_ERROR", ["file"])
    assert not_yet.status_code == 404
    assert stored.status_code == 200
    assert completed.json()["data"]["status"] == "staged"
    assert httpx.get(completed.json()["data"]["url"]).content == b"%PDF"
    assert nextcap.calls.count(template="(storage)") == 0


def test_the_storage_wants_the_exact_content_type(crm: httpx.Client) -> None:
    url = presigned(crm)["upload_url"]

    for kind in ("application/pdf; charset=utf-8", "Application/PDF", "text/plain"):
        refused = httpx.put(url, content=b"%PDF", headers={"Content-Type": kind})
        assert (refused.status_code, "SignatureDoesNotMatch" in refused.text) == (403, True)


def test_the_declared_size_is_checked_on_completion(crm: httpx.Client) -> None:
    announced = presigned(crm)
    put(announced["upload_url"], b"too long")

    refused = crm.post(f"/attachments/{announced['id']}/complete")

    assert problem(refused) == (400, "VALIDATION_ERROR", ["size"])


def test_presigned_addresses_are_for_one_method_one_file_and_a_day(nextcap: NextCap, crm: httpx.Client) -> None:
    announced = presigned(crm)
    other = presigned(crm)
    put(announced["upload_url"])
    crm.post(f"/attachments/{announced['id']}/complete")
    crm.post(f"/tickets/{ticket_at(nextcap, 'open')}/reply", json={"content": "a", "attachment_ids": [announced["id"]]})
    download = crm.get(f"/attachments/{announced['id']}").json()["data"]["url"]

    assert httpx.get(announced["upload_url"]).status_code == 403
    assert put(download).status_code == 403
    assert httpx.get(download.replace(announced["id"], other["id"])).status_code == 403
    assert httpx.get(download.partition("?")[0]).status_code == 403
    nextcap.clock.advance(24 * 3600 + 1)
    assert httpx.get(download).status_code == 403
    assert crm.get(f"/attachments/{announced['id']}").status_code == 200


def test_a_staged_file_lives_a_day_and_a_linked_one_for_ever(nextcap: NextCap, crm: httpx.Client) -> None:
    kept, lost = upload(crm), upload(crm)
    ticket = ticket_at(nextcap, "open")
    crm.post(f"/tickets/{ticket}/reply", json={"content": "a", "attachment_ids": [kept]})

    nextcap.clock.advance(24 * 3600 + 1)

    assert crm.get(f"/attachments/{kept}/download").status_code == 302
    assert crm.get(f"/attachments/{lost}").status_code == 404
    late = crm.post(f"/tickets/{ticket}/reply", json={"content": "a", "attachment_ids": [lost]})
    assert problem(late) == (400, "VALIDATION_ERROR", ["attachment_ids"])


def test_a_reply_carries_its_files(nextcap: NextCap, crm: httpx.Client) -> None:
    ticket, attachment = ticket_at(nextcap, "open"), upload(crm)

    reply = crm.post(f"/tickets/{ticket}/reply", json={"content": "See file", "attachment_ids": [attachment]})

    assert [one["id"] for one in reply.json()["data"]["attachments"]] == [attachment]
    events = crm.get(f"/tickets/{ticket}/events").json()["data"]
    assert httpx.get(events[-1]["attachments"][0]["url"]).content == b"text"
    assert crm.get(f"/tickets/{ticket}").json()["data"]["attachments"][0]["ticket_id"] == ticket


def test_at_most_twenty_staged_files_of_this_ticket_can_be_named(nextcap: NextCap, crm: httpx.Client) -> None:
    ticket, other = ticket_at(nextcap, "open"), ticket_at(nextcap, "open")
    files = [upload(crm) for _ in range(21)]
    path = f"/tickets/{ticket}/reply"

    too_many = crm.post(path, json={"content": "a", "attachment_ids": files})
    twenty = crm.post(path, json={"content": "a", "attachment_ids": files[:20]})
    elsewhere = crm.post(f"/tickets/{other}/reply", json={"content": "a", "attachment_ids": files[:1]})
    unfinished = crm.post(path, json={"content": "a", "attachment_ids": [presigned(crm)["id"]]})
    unknown = crm.post(path, json={"content": "a", "attachment_ids": ["none"]})

    assert twenty.status_code == 201
    for refused in (too_many, elsewhere, unfinished, unknown):
        assert problem(refused) == (400, "VALIDATION_ERROR", ["attachment_ids"])
    assert len(nextcap.timeline(ticket)) == 3


def test_only_an_unlinked_file_can_be_deleted(nextcap: NextCap, crm: httpx.Client) -> None:
    linked, staged = upload(crm), upload(crm)
    crm.post(f"/tickets/{ticket_at(nextcap, 'open')}/reply", json={"content": "a", "attachment_ids": [linked]})

    assert problem(crm.delete(f"/attachments/{linked}"))[:2] == (400, "VALIDATION_ERROR")
    assert crm.delete(f"/attachments/{staged}").status_code == 204
    assert crm.get(f"/attachments/{staged}").status_code == 404


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["filename", "content_type", "size"]),
        ({**PDF, "size": "4"}, ["size"]),
        ({**PDF, "size": 0}, ["size"]),
        ({**PDF, "size": 51 * 1024 * 1024}, ["size"]),
    ],
)
def test_presign_refuses_wrong_bodies(crm: httpx.Client, body: dict[str, Any], fields: list[str]) -> None:
    assert problem(crm.post("/attachments/presign", json=body)) == (400, "VALIDATION_ERROR", fields)


def test_a_direct_upload_wants_the_part_file_and_a_fitting_size(nextcap: NextCap, crm: httpx.Client) -> None:
    nextcap.configure(max_upload=3)

    assert problem(crm.post("/attachments", files={"upload": b"a"})) == (400, "VALIDATION_ERROR", ["file"])
    assert crm.post("/attachments", files={"file": b"four"}).status_code == 413
    assert crm.post("/attachments", files={"file": b"345"}).status_code == 201


def test_files_need_a_ticketing_permission_and_the_tickets_widget(nextcap: NextCap, crm: httpx.Client) -> None:
    ticket = nextcap.create_ticket(subject="a", widget="widget-shop", files=[{"text": "a"}])
    path = f"/attachments/{ticket['attachments'][0]['id']}"

    nextcap.configure(widgets=["widget-main"])
    other_widget = crm.get(path)
    nextcap.configure(permissions=["conversations:view"])

    assert problem(other_widget) == (403, "FORBIDDEN", [])
    assert problem(crm.post("/attachments", files={"file": b"a"})) == (403, "FORBIDDEN", [])


def test_storage_faults_are_possible_too(nextcap: NextCap, crm: httpx.Client) -> None:
    announced = presigned(crm)
    nextcap.faults.add("drop_before", method="PUT", path="^/files/")

    with pytest.raises(httpx.RemoteProtocolError):
        put(announced["upload_url"])

    assert crm.post(f"/attachments/{announced['id']}/complete").status_code == 400
