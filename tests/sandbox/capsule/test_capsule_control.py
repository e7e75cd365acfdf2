"""What people do, what goes wrong, and what can be seen, over the control API."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connector.sandbox.capsule import Capsule

from .support import field, project


def control(capsule: Capsule, path: str, /, **body: Any) -> Any:
    answer = httpx.post(f"{capsule.url}/_control/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_people_work_in_the_account(capsule: Capsule, api: httpx.Client) -> None:
    field(api, "Flag", "boolean")
    record = control(capsule, "actions/create_project", name="It fails", email="jo@x.example", tags=["vip"])["result"]

    control(capsule, "actions/assign", record=record, owner="ben", team="Support")
    control(capsule, "actions/set_fields", record=record, fields={"Flag": True})
    control(capsule, "actions/write_note", record=record, content="Looked at it", by="ben")
    control(capsule, "actions/move", record=record, stage="In progress")
    control(capsule, "actions/set_tags", record=record, tags=["late"])

    shown = capsule.record(record)
    assert (shown["owner"], shown["team"], shown["stage"], shown["tags"]) == ("ben", "Support", "In progress", ["late"])
    assert shown["fields"] == {"Flag": True}
    assert [(one["creator"], one["content"]) for one in shown["entries"]] == [("ben", "Looked at it")]
    control(capsule, "actions/set_fields", record=record, fields={"Flag": None})
    assert capsule.record(record)["fields"] == {}


def test_people_are_bound_by_the_same_rules(capsule: Capsule) -> None:
    record = capsule.create_project("It fails")

    answer = httpx.post(f"{capsule.url}/_control/actions/assign", json={"record": record, "owner": None})

    assert answer.status_code == 422


def test_administrators_change_the_account(capsule: Capsule) -> None:
    capsule.add_board("Second line", ["In", "Out"])
    capsule.add_stage("Escalated")
    capsule.rename_stage("New", "Fresh")
    capsule.add_field("Level", "list", ["1", "2"])
    capsule.set_options("Level", ["1"])
    capsule.add_user("dora", "Dora New", "dora@acme.example", ["Sales"])
    record = capsule.create_project("It fails", stage="Fresh", fields={"Level": "1"})
    capsule.move_to_board(record, "Out", "Second line")
    capsule.remove_field("Level")

    state = capsule.state()
    assert state["boards"]["Second line"] == ["In", "Out"]
    assert state["boards"]["Support"][0] == "Fresh"
    assert state["boards"]["Support"][-1] == "Escalated"
    assert "dora@acme.example" in [one["email"] for one in state["users"]]
    assert capsule.record(record)["board"] == "Second line"
    assert capsule.record(record)["fields"] == {}


@pytest.mark.parametrize(("name", "status"), [("limit", 429), ("error", 500), ("gateway", 502), ("expired", 401)])
def test_troubles_have_capsules_own_answers(capsule: Capsule, api: httpx.Client, name: str, status: int) -> None:
    control(capsule, "actions/fail", name=name, path="/site", seconds=30)

    answer = api.get("/site")

    assert answer.status_code == status
    assert api.get("/site").status_code == 200
    if name == "limit":
        assert 25 < int(answer.headers["X-RateLimit-Reset"]) - capsule.now().timestamp() < 35


def test_settings_are_checked_whole(capsule: Capsule) -> None:
    for wrong in ({"refresh": "sometimes"}, {"nonsense": 1}, {"rate_limit": "many"}, {"automation": [{"stage": "x"}]}):
        answer = httpx.post(f"{capsule.url}/_control/settings", json={"role": "NORMAL", **wrong})

        assert answer.status_code == 400
        assert capsule.settings.role == "ADMIN"
    assert httpx.get(f"{capsule.url}/_control/settings").json()["rate_limit"] == 4000


def test_a_reset_forgets_everything(capsule: Capsule, api: httpx.Client) -> None:
    project(api)
    capsule.configure(rate_limit=7)

    capsule.reset()

    assert capsule.state()["projects"] == []
    assert capsule.settings.rate_limit == 4000
