"""One record at a time: codes, values, rules of the org."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connector.sandbox.salesforce import Salesforce
from connector.sandbox.salesforce_ids import long_id, looks_like_id
from tests.sandbox.salesforce.conftest import Client, code

OURS = "/sobjects/Case/NextCap_Ticket_Id__c"


def test_the_checksum_of_an_id() -> None:
    assert long_id("001A0000006Vm9r") == "001A0000006Vm9rIAC"
    assert looks_like_id("001A0000006Vm9r")
    assert not looks_like_id("001A0000006Vm9rIAA")


def test_made_read_changed_deleted(api: Client) -> None:
    case = api.case(Priority="High")
    fields = api.fields(case)

    assert len(case) == 18
    assert case.startswith("500")
    assert (fields["Status"], fields["Priority"], fields["IsClosed"]) == ("New", "High", False)
    assert fields["SystemModstamp"].endswith(".000+0000")
    assert api("PATCH", f"/sobjects/Case/{case[:15]}", {"Status": "closed"}).status_code == 204
    assert (api.fields(case)["Status"], api.fields(case)["IsClosed"]) == ("Closed", True)
    assert api("DELETE", f"/sobjects/Case/{case}").status_code == 204
    assert code(api("GET", f"/sobjects/Case/{case}")) == (404, "ENTITY_IS_DELETED")
    assert code(api("PATCH", f"/sobjects/Case/{case}", {"Subject": "x"})) == (404, "ENTITY_IS_DELETED")
    assert code(api("GET", "/sobjects/Case/500000000000001")) == (404, "NOT_FOUND")


def test_an_upsert_makes_then_changes_and_says_so(api: Client) -> None:
    made, again = api("PATCH", f"{OURS}/abc", {"Subject": "One"}), api("PATCH", f"{OURS}/abc", {"Subject": "Two"})

    assert (made.status_code, made.json()["created"]) == (201, True)
    assert (again.status_code, again.json()["created"]) == (200, False)
    assert made.json()["id"] == again.json()["id"]
    assert api("GET", f"{OURS}/abc").json()["Subject"] == "Two"


def test_an_upsert_that_may_not_make(api: Client) -> None:
    assert code(api("PATCH", f"{OURS}/abc?updateOnly=true", {"Subject": "x"})) == (404, "NOT_FOUND")


def test_an_upsert_does_not_repeat_its_id_and_needs_an_external_one(api: Client) -> None:
    assert code(api("PATCH", f"{OURS}/abc", {"NextCap_Ticket_Id__c": "abc"})) == (400, "INVALID_FIELD")
    assert code(api("PATCH", "/sobjects/Case/NextCap_Status__c/abc", {})) == (404, "NOT_FOUND")
    assert code(api("PATCH", "/sobjects/Case/No_Such__c/abc", {})) == (404, "NOT_FOUND")


def test_our_id_is_unique_and_a_deleted_case_frees_it(api: Client) -> None:
    first = api.case(NextCap_Ticket_Id__c="abc")

    answer = api("POST", "/sobjects/Case", {"NextCap_Ticket_Id__c": "abc"})
    assert code(answer) == (400, "DUPLICATE_VALUE")
    assert first in answer.json()[0]["message"]
    api("DELETE", f"/sobjects/Case/{first}")
    assert api("PATCH", f"{OURS}/abc", {"Subject": "x"}).json()["created"] is True


@pytest.mark.parametrize(
    ("fields", "error", "name"),
    [
        ({"Status": "Nope"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Status"),
        ({"Subject": "x" * 256}, "STRING_TOO_LONG", "Subject"),
        ({"SuppliedEmail": "nobody"}, "INVALID_EMAIL_ADDRESS", "SuppliedEmail"),
        ({"OwnerId": "abc"}, "MALFORMED_ID", "Owner ID"),
        ({"OwnerId": "005000000000001"}, "INVALID_CROSS_REFERENCE_KEY", "OwnerId"),
        ({"ContactId": "500000000000001"}, "FIELD_INTEGRITY_EXCEPTION", "ContactId"),
        ({"IsClosed": True}, "INVALID_FIELD_FOR_INSERT_UPDATE", "IsClosed"),
        ({"No_Such__c": "x"}, "INVALID_FIELD", None),
        ({"Subject": 5}, "JSON_PARSER_ERROR", "Subject"),
    ],
)
def test_a_value_that_does_not_fit(api: Client, fields: dict[str, Any], error: str, name: str | None) -> None:
    case = api.case()

    answer = api("PATCH", f"/sobjects/Case/{case}", {**fields, "Priority": "Low"})

    assert code(answer) == (400, error)
    assert answer.json()[0].get("fields", [None]) == [name]
    assert api.fields(case)["Priority"] == "Medium"


def test_a_body_is_counted_in_bytes_and_stays_as_it_is(api: Client) -> None:
    case = api.case()
    body = {"ParentId": case, "CommentBody": "ä" * 2000}

    made = api("POST", "/sobjects/CaseComment", body).json()["id"]
    answer = api("POST", "/sobjects/CaseComment", {**body, "CommentBody": "ä" * 2001})

    assert code(answer) == (400, "STRING_TOO_LONG")
    comment = f"/sobjects/CaseComment/{made}"
    assert api("GET", comment).json()["IsPublished"] is False
    assert api("PATCH", comment, {"IsPublished": True}).status_code == 204
    assert code(api("PATCH", comment, {"CommentBody": "other"})) == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    assert api("DELETE", comment).status_code == 403


def test_hidden_and_readonly_fields(org: Salesforce, api: Client) -> None:
    org.configure(hidden_fields=["Case.Reason"], readonly_fields=["Case.Type"])
    described = {one["name"]: one for one in api("GET", "/sobjects/Case/describe").json()["fields"]}

    assert "Reason" not in described
    assert described["Type"]["updateable"] is False
    assert described["NextCap_Ticket_Id__c"]["externalId"] is True
    assert described["NextCap_Ticket_Id__c"]["unique"] is True
    assert [one["value"] for one in described["Status"]["picklistValues"]] == ["New", "Working", "Escalated", "Closed"]
    assert code(api.query("SELECT Reason FROM Case")) == (400, "INVALID_FIELD")
    for name in ("Reason", "Type"):
        refused = api("POST", "/sobjects/Case", {name: "Other"})
        assert code(refused) == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")


def test_required_fields_validation_rules_and_auto_response(org: Salesforce, api: Client) -> None:
    rule = {"status": "Closed", "requires": "Reason", "message": "Say why before you close"}
    org.configure(required_fields=["Case.Origin"], validation_rules=[rule], auto_response=True)

    assert code(api("POST", "/sobjects/Case", {"SuppliedEmail": "a@b.example"})) == (400, "REQUIRED_FIELD_MISSING")
    answer = api("POST", "/sobjects/Case", {"Origin": "Web"})
    assert answer.json()[0]["fields"] == ["SuppliedEmail"]
    case = api.case(Origin="Web", SuppliedEmail="a@b.example")
    refused = api("PATCH", f"/sobjects/Case/{case}", {"Status": "Closed"})
    assert refused.json() == [
        {"message": rule["message"], "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": ["Reason"]}
    ]


def test_an_assignment_rule_takes_the_owner_unless_told_not_to(org: Salesforce, api: Client) -> None:
    org.configure(assignment_queue="Billing Queue")
    mine = {"OwnerId": org.org.user_id, "Subject": "x"}

    taken = api("POST", "/sobjects/Case", mine).json()["id"]
    kept = api("POST", "/sobjects/Case", mine, headers={"Sforce-Auto-Assign": "FALSE"}).json()["id"]

    assert [org.case(one)["owner"] for one in (taken, kept)] == ["Billing Queue", "Next Cap"]


def test_an_inactive_owner(org: Salesforce, api: Client) -> None:
    org.deactivate("ben@acme.example")
    ben = next(one["Id"] for one in api.rows("SELECT Id FROM User WHERE Email = 'Ben@acme.example'"))

    assert code(api("POST", "/sobjects/Case", {"OwnerId": ben})) == (400, "INACTIVE_OWNER_OR_USER")


def test_record_types_decide_what_a_picklist_takes(org: Salesforce, api: Client) -> None:
    org.configure(
        picklists={"Status": ["New", "Working", "Waiting on Customer", "Closed"]},
        record_types={"Support": {"Status": ["New", "Working", "Closed"]}, "Sales": {}},
    )
    types = {one["Name"]: one["Id"] for one in api.rows("SELECT Id, Name FROM RecordType WHERE SobjectType = 'Case'")}
    case = api.case()

    assert api.fields(case)["RecordTypeId"] == types["Support"]
    refused = api("PATCH", f"/sobjects/Case/{case}", {"Status": "Waiting on Customer"})
    assert code(refused) == (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")
    other = {"RecordTypeId": types["Sales"], "Status": "Waiting on Customer"}
    assert api("PATCH", f"/sobjects/Case/{case}", other).status_code == 204
    path = f"/ui-api/object-info/Case/picklist-values/{types['Support']}/Status"
    assert [one["value"] for one in api("GET", path).json()["values"]] == ["New", "Working", "Closed"]
    assert [one["ApiName"] for one in api.rows("SELECT ApiName FROM CaseStatus WHERE IsClosed = true")] == ["Closed"]


@pytest.mark.parametrize(("rule", "header", "status"), [("alert", "", 400), ("alert", "allowSave=true", 201)])
def test_a_duplicate_rule_of_contacts(org: Salesforce, api: Client, rule: str, header: str, status: int) -> None:
    org.configure(contact_duplicates=rule)
    org.create_contact("jo@customer.example")

    headers = {"Sforce-Duplicate-Rule-Header": header} if header else {}
    body = {"LastName": "Jo", "Email": "Jo@customer.example"}
    answer = api("POST", "/sobjects/Contact", body, headers=headers)

    assert answer.status_code == status


def test_a_condition_on_the_time_of_change(org: Salesforce, api: Client) -> None:
    case = api.case()
    past = {"If-Unmodified-Since": "Tue, 10 Nov 2020 00:00:00 GMT"}

    assert api("PATCH", f"/sobjects/Case/{case}", {"Subject": "x"}, headers=past).status_code == 412
    broken = {"If-Unmodified-Since": "yesterday"}
    assert api("PATCH", f"/sobjects/Case/{case}", {"Subject": "x"}, headers=broken).status_code == 400


def test_a_merge_and_a_deletion_are_found(org: Salesforce, api: Client) -> None:
    master, loser = api.case(), api.case()
    org.comment(loser, "Moves along")
    org.merge_cases(master, loser)

    assert code(api("GET", f"/sobjects/Case/{loser}")) == (404, "ENTITY_IS_DELETED")
    fate = f"SELECT MasterRecordId, IsDeleted FROM Case WHERE Id = '{loser}'"  # noqa: S608 - an id of the imitation
    found = api.rows(fate, "/queryAll")
    assert (found[0]["MasterRecordId"], found[0]["IsDeleted"]) == (master, True)
    assert api.rows(fate) == []
    assert [one["body"] for one in org.case(master)["comments"]] == ["Moves along"]
    now = org.now()
    span = {"start": f"{now:%Y-%m-%dT%H:%M:00Z}", "end": f"{now:%Y-%m-%dT%H}:59:00Z"}
    if now.minute < 59:
        gone = api("GET", "/sobjects/Case/deleted/", params=span).json()["deletedRecords"]
        assert [one["id"] for one in gone] == [loser]


def test_a_flow_runs_under_the_writers_name(org: Salesforce, api: Client) -> None:
    org.configure(flows=[{"field": "Priority", "becomes": "High", "set": {"Reason": "Other"}}])
    case = api.case()

    api("PATCH", f"/sobjects/Case/{case}", {"Priority": "High"})

    assert api.fields(case)["Reason"] == "Other"
    assert api.fields(case)["LastModifiedById"] == org.org.user_id


def test_a_user_who_wants_what_is_not_there_is_told(org: Salesforce) -> None:
    answer = httpx.post(f"{org.url}/_control/actions/move", json={"case": "500000000000001", "status": "x"})

    assert answer.status_code == 404
