"""Projects, opportunities and parties: shapes, and what is refused, silently changed or silently dropped."""

from __future__ import annotations

import httpx
import pytest

from connector.sandbox.capsule import Capsule

from .support import id_of, person, project, put, read, refused, stage_id


def test_projects_are_still_called_kases_and_seconds_are_the_finest_time(api: httpx.Client) -> None:
    record = read(api, project(api))

    assert record["updatedAt"].endswith("Z")
    assert "." not in record["updatedAt"]
    assert record["status"] == "OPEN"
    assert type(record["id"]) is int


def test_a_stage_is_written_as_a_number_and_read_as_an_object(api: httpx.Client) -> None:
    stage = stage_id(api, "Open")

    record = project(api, stage=stage)
    wrong = put(api, record, stage={"id": stage})

    assert read(api, record)["stage"]["id"] == stage
    assert read(api, record)["stage"]["board"]["name"] == "Support"
    assert refused(wrong) == ("stage", "invalid type for field")


def test_a_stage_of_another_board_moves_the_project_without_a_word(api: httpx.Client) -> None:
    record = project(api, stage=stage_id(api, "Open"))

    answer = put(api, record, stage=stage_id(api, "Doing", "Delivery"))

    assert answer.status_code == 200
    assert read(api, record)["stage"]["board"]["name"] == "Delivery"


def test_no_stage_is_off_all_boards_and_keeps_owner_and_team(api: httpx.Client) -> None:
    team = id_of(api, "teams", "Support")
    record = project(api, stage=stage_id(api, "Open"), owner={"id": id_of(api, "users", "ben")}, team={"id": team})

    put(api, record, stage=None)

    shown = read(api, record)
    assert shown["stage"] is None
    assert (shown["owner"]["username"], shown["team"]["id"]) == ("ben", team)


def test_an_owner_without_a_team_clears_the_team_and_a_team_alone_keeps_the_owner(api: httpx.Client) -> None:
    team, ben = id_of(api, "teams", "Support"), id_of(api, "users", "ben")
    record = project(api, owner={"id": ben}, team={"id": team})

    put(api, record, owner={"id": ben})
    cleared = read(api, record)["team"]
    put(api, record, team={"id": team})

    assert cleared is None
    assert read(api, record)["owner"]["id"] == ben


def test_where_owner_and_team_are_a_pair_either_clears_the_other(capsule: Capsule, api: httpx.Client) -> None:
    capsule.configure(ownership="pair")
    record = project(api, owner={"id": id_of(api, "users", "ben")})

    put(api, record, team={"id": id_of(api, "teams", "Sales")})

    assert read(api, record)["owner"] is None


def test_owner_and_team_must_fit_and_one_of_them_must_be_there(api: httpx.Client) -> None:
    record = project(api)

    stranger = put(api, record, owner={"id": id_of(api, "users", "ben")}, team={"id": id_of(api, "teams", "Sales")})
    nobody = put(api, record, owner=None)

    assert refused(stranger) == ("owner", "owner is not a member of the team")
    assert refused(nobody) == ("owner", "owner or team is required")


def test_a_project_without_an_owner_belongs_to_the_tokens_user(api: httpx.Client) -> None:
    assert read(api, project(api))["owner"]["username"] == "connector"


def test_what_a_project_needs(api: httpx.Client) -> None:
    record = project(api)

    assert refused(api.post("/kases", json={"kase": {"name": "x"}})) == ("party", "party is required")
    assert refused(api.post("/kases", json={"kase": {"party": person(api)}})) == ("name", "name is required")
    assert refused(put(api, record, party=None)) == ("party", "party is required")
    assert refused(put(api, record, name="")) == ("name", "name is required")
    assert refused(put(api, record, status="RESOLVED")) == ("status", "status must be OPEN or CLOSED")
    assert refused(put(api, record, owner={"id": 1})) == ("owner", "owner not found")
    assert refused(put(api, record, stage=1)) == ("stage", "stage not found")
    assert refused(put(api, record, expectedCloseOn="tomorrow")) == ("expectedCloseOn", "invalid date")


def test_a_put_changes_what_it_names_and_drops_what_it_does_not_know(api: httpx.Client) -> None:
    record = project(api, description="All of it", expectedCloseOn="2027-01-31")

    answer = put(api, record, name="New name", nonsense="x", id=7)

    assert answer.status_code == 200
    shown = read(api, record)
    assert (shown["name"], shown["description"], shown["expectedCloseOn"]) == ("New name", "All of it", "2027-01-31")
    assert "nonsense" not in shown


def test_a_closed_project_stays_editable_keeps_its_stage_and_can_be_opened_again(api: httpx.Client) -> None:
    record = project(api, stage=stage_id(api, "Open"))

    put(api, record, status="CLOSED")
    closed = read(api, record)
    put(api, record, name="Edited", stage=stage_id(api, "Resolved"))
    put(api, record, status="OPEN")

    assert (closed["status"], closed["stage"]["name"]) == ("CLOSED", "Open")
    assert closed["closedOn"]
    shown = read(api, record)
    assert (shown["status"], shown["closedOn"], shown["name"]) == ("OPEN", None, "Edited")


def test_tracks_are_taken_on_create_only_and_never_shown(api: httpx.Client) -> None:
    assert "tracks" not in read(api, project(api, tracks=[{"id": 1}]))


def test_deleting_is_for_good(api: httpx.Client) -> None:
    record = project(api)

    answer = api.delete(f"/kases/{record}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert api.get(f"/kases/{record}").json() == {"message": "kase not found"}
    assert api.delete(f"/kases/{record}").status_code == 404


def test_several_are_read_at_once_up_to_ten(api: httpx.Client) -> None:
    ids = [project(api) for _ in range(3)]

    several = api.get(f"/kases/{','.join(map(str, [*ids, 99]))}").json()["kases"]
    too_many = api.get(f"/kases/{','.join(map(str, range(11)))}")

    assert {one["id"] for one in several} == set(ids)
    assert (too_many.status_code, too_many.json()["message"]) == (422, "too many ids")


def test_boards_own_rules_change_a_project_after_it_was_made(capsule: Capsule, api: httpx.Client) -> None:
    capsule.configure(automation=[{"stage": "Open", "set": {"owner": "ada", "team": "Support"}}])

    record = project(api, stage=stage_id(api, "Open"))

    assert read(api, record)["owner"]["username"] == "ada"


def test_additional_contacts_are_answered_without_a_body(api: httpx.Client) -> None:
    record, other = project(api), person(api)
    main = read(api, record)["party"]["id"]

    added = api.post(f"/kases/{record}/parties/{other}")
    again = api.post(f"/kases/{record}/parties/{other}")
    same = api.post(f"/kases/{record}/parties/{main}")
    listed = [one["id"] for one in api.get(f"/kases/{record}/parties").json()["parties"]]
    removed = api.delete(f"/kases/{record}/parties/{other}")

    assert (added.status_code, added.content) == (204, b"")
    assert refused(again)[1] == "party is already a contact for this project"
    assert refused(same)[1] == "party is already related to this project"
    assert listed == [other]
    assert removed.status_code == 204
    assert api.delete(f"/kases/{record}/parties/{other}").status_code == 404


def test_an_opportunity_is_closed_by_its_milestone(api: httpx.Client) -> None:
    pipeline = id_of(api, "pipelines", "Sales")
    steps = {one["name"]: one["id"] for one in api.get(f"/pipelines/{pipeline}/milestones").json()["milestones"]}
    body = {"name": "Deal", "party": {"id": person(api)}, "milestone": {"id": steps["Bid"]}}
    made = api.post("/opportunities", json={"opportunity": body}).json()["opportunity"]

    won = api.put(f"/opportunities/{made['id']}", json={"opportunity": {"milestone": steps["Won"]}})

    assert (made["milestone"]["name"], made["closedOn"]) == ("Bid", None)
    assert won.json()["opportunity"]["closedOn"]
    assert won.json()["opportunity"]["lastOpenMilestone"]["name"] == "Bid"
    del body["milestone"]
    assert refused(api.post("/opportunities", json={"opportunity": body}))[0] == "milestone"
    assert [one["name"] for one in api.get("/milestones").json()["milestones"]] == ["New", "Bid", "Won", "Lost"]


def test_a_project_may_belong_to_an_opportunity(capsule: Capsule, api: httpx.Client) -> None:
    deal = int(capsule.create_opportunity("Deal"))

    record = project(api, opportunity={"id": deal})

    assert read(api, record)["opportunity"] == {"id": deal, "name": "Deal"}


def test_organisations_have_names_of_their_own_and_people_do_not(api: httpx.Client) -> None:
    acme = {"party": {"type": "organisation", "name": "Acme"}}
    first, second = api.post("/parties", json=acme), api.post("/parties", json=acme)

    assert first.status_code == 201
    assert refused(second) == ("name", "name must be unique")
    assert person(api) != person(api)
    member = person(api, organisation={"id": first.json()["party"]["id"]})
    listed = api.get(f"/parties/{first.json()['party']['id']}/people").json()["parties"]
    assert [one["id"] for one in listed] == [member]


def test_children_are_added_changed_and_removed_by_their_ids(api: httpx.Client) -> None:
    party = person(api, emailAddresses=[{"type": "Work", "address": "a@x.example"}])

    def change(item: dict[str, object]) -> list[str]:
        answer = api.put(f"/parties/{party}", json={"party": {"emailAddresses": [item]}})
        assert answer.status_code == 200, answer.text
        return [one["address"] for one in answer.json()["party"]["emailAddresses"]]

    known = api.get(f"/parties/{party}").json()["party"]["emailAddresses"][0]["id"]
    assert change({"type": "Home", "address": "b@x.example"}) == ["a@x.example", "b@x.example"]
    assert change({"id": known, "address": "c@x.example"}) == ["c@x.example", "b@x.example"]
    assert change({"id": known, "_destroy": True}) == ["c@x.example", "b@x.example"]
    assert change({"id": known, "_delete": True}) == ["b@x.example"]
    gone = api.put(f"/parties/{party}", json={"party": {"emailAddresses": [{"id": known, "_delete": True}]}})
    assert gone.status_code == 404


@pytest.mark.parametrize(("told", "kept"), [("USA", "United States"), ("France", "France"), ("UK", None)])
def test_countries_are_spelled_as_capsule_does(api: httpx.Client, told: str, kept: str | None) -> None:
    body = {"party": {"type": "person", "firstName": "Jo", "addresses": [{"country": told}]}}

    answer = api.post("/parties", json=body)

    if kept is None:
        assert refused(answer)[0] == "addresses.country"
    else:
        assert answer.json()["party"]["addresses"][0]["country"] == kept
    assert {"name": "United States"} in api.get("/countries").json()["countries"]


def test_deleting_a_party_takes_its_projects_along_and_a_large_one_goes_by_a_job(
    capsule: Capsule, api: httpx.Client
) -> None:
    capsule.configure(large_party=1)
    small, large = person(api), person(api)
    projects = [project(api, party=small), *(project(api, party=large) for _ in range(2))]

    assert api.delete(f"/parties/{small}").status_code == 204
    answer = api.delete(f"/parties/{large}")

    assert answer.status_code == 202
    job = api.get(answer.headers["Location"].removeprefix("/api/v2")).json()["job"]
    assert (job["status"], job["progress"]) == ("COMPLETE", 100)
    assert [api.get(f"/kases/{one}").status_code for one in projects] == [404, 404, 404]


def test_members_that_nobody_knows_may_appear(capsule: Capsule, api: httpx.Client) -> None:
    record = project(api)
    capsule.configure(surplus_members=True)

    assert read(api, record)["enrichment"]


def test_answers_to_writes_do_not_embed_unless_the_account_does(capsule: Capsule, api: httpx.Client) -> None:
    record = project(api)

    plain = api.put(f"/kases/{record}?embed=fields", json={"kase": {"name": "a"}})
    capsule.configure(embed_on_write=True)
    embedding = api.put(f"/kases/{record}?embed=fields", json={"kase": {"name": "a"}})

    assert "fields" not in plain.json()["kase"]
    assert embedding.json()["kase"]["fields"] == []
