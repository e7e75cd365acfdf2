"""Many records in one call."""

from __future__ import annotations

from typing import Any

import pytest

from connector.sandbox.salesforce import Salesforce
from tests.sandbox.salesforce.conftest import BASE, Client, code

OURS = "/composite/sobjects/Case/NextCap_Ticket_Id__c"


def case(**fields: Any) -> dict[str, Any]:
    return {"attributes": {"type": "Case"}, **fields}


def test_each_record_has_its_outcome_in_the_order_asked(api: Client) -> None:
    records = [case(NextCap_Ticket_Id__c=name, Status=status) for name, status in (("a", "New"), ("b", "Nope"))]

    answer = api("PATCH", OURS, {"allOrNone": False, "records": [*records, case(NextCap_Ticket_Id__c="a")]})

    first, second, third = answer.json()
    assert answer.status_code == 200
    assert (first["success"], first["created"], third["created"]) == (True, True, False)
    assert first["id"] == third["id"]
    assert second["success"] is False
    assert second["errors"][0]["statusCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    assert second["errors"][0]["fields"] == ["Status"]
    assert answer.headers["Sforce-Limit-Info"] == "api-usage=1/100000"


def test_updates_by_id_name_what_is_gone(org: Salesforce, api: Client) -> None:
    there, gone = api.case(), api.case()
    org.delete_case(gone)
    records = [case(id=one, Subject="New") for one in (there, gone, "500000000000001AAA", "x")]

    outcomes = api("PATCH", "/composite/sobjects", {"records": records}).json()

    assert outcomes[0] == {"id": there, "success": True, "errors": []}
    codes = [one["errors"][0]["statusCode"] for one in outcomes[1:]]
    assert codes == ["ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID"]
    assert api.fields(there)["Subject"] == "New"


def test_all_or_none(org: Salesforce, api: Client) -> None:
    records = [case(Subject="fine"), case(Subject="x" * 300)]

    outcomes = api("POST", "/composite/sobjects", {"allOrNone": True, "records": records}).json()

    codes = [one["errors"][0]["statusCode"] for one in outcomes]
    assert codes == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "STRING_TOO_LONG"]
    assert org.state()["cases"] == []


def test_no_more_than_two_hundred_and_ten_runs(api: Client) -> None:
    many = {"records": [case(Subject="x")] * 201}
    runs = {"records": [case(Subject="x"), {"attributes": {"type": "Account"}, "Name": "x"}] * 6}

    assert code(api("POST", "/composite/sobjects", many)) == (400, "EXCEEDED_ID_LIMIT")
    assert code(api("POST", "/composite/sobjects", runs)) == (400, "INVALID_INPUT")


def test_an_unknown_field_may_fail_the_whole_call(org: Salesforce, api: Client) -> None:
    org.configure(unknown_field="call")

    refused = api("POST", "/composite/sobjects", {"records": [case(Subject="x"), case(Nope="x")]})

    assert code(refused) == (400, "INVALID_FIELD")


def test_many_are_read_at_once_with_null_for_what_is_not_there(org: Salesforce, api: Client) -> None:
    there, gone = api.case(), api.case()
    org.delete_case(gone)
    asked = {"ids": [there[:15], gone, "500000000000001AAA", "../x"], "fields": ["Subject"]}

    rows = api("POST", "/composite/sobjects/Case", asked).json()

    assert rows[0]["Id"] == there
    assert rows[0]["Subject"] == "It does not work"
    assert rows[1:] == [None, None, None]
    assert code(api("POST", "/composite/sobjects/Case", {**asked, "fields": ["Nope"]})) == (400, "INVALID_FIELD")


def part(method: str, path: str, name: str, body: Any = None) -> dict[str, Any]:
    return {"method": method, "url": BASE + path, "referenceId": name, "body": body}


def test_parts_name_one_another_and_what_depends_on_a_failure_is_halted(api: Client) -> None:
    parts = [
        part("PATCH", "/sobjects/Case/NextCap_Ticket_Id__c/abc", "case", {"Subject": "x"}),
        part("POST", "/sobjects/CaseComment", "said", {"ParentId": "@{case.id}", "CommentBody": "Hello"}),
        part("POST", "/sobjects/Case", "bad", {"Status": "Nope"}),
        part("POST", "/sobjects/CaseComment", "lost", {"ParentId": "@{bad.id}", "CommentBody": "Hello"}),
        part("GET", "/query?q=SELECT+Id+FROM+Case+WHERE+Id+=+'@{case.id}'", "found"),
    ]

    answer = api("POST", "/composite", {"compositeRequest": parts})

    told = {one["referenceId"]: one for one in answer.json()["compositeResponse"]}
    assert [told[name]["httpStatusCode"] for name in ("case", "said", "bad", "lost")] == [201, 201, 400, 400]
    assert told["lost"]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert told["found"]["body"]["totalSize"] == 1
    assert answer.headers["Sforce-Limit-Info"] == "api-usage=1/100000"


def test_all_parts_or_none(org: Salesforce, api: Client) -> None:
    parts = [
        part("POST", "/sobjects/Case", "fine", {"Subject": "x"}),
        part("POST", "/sobjects/Case", "bad", {"Status": "x"}),
    ]

    told = api("POST", "/composite", {"allOrNone": True, "compositeRequest": parts}).json()["compositeResponse"]

    assert [one["body"][0]["errorCode"] for one in told] == [
        "PROCESSING_HALTED",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
    ]
    assert org.state()["cases"] == []


@pytest.mark.parametrize("count", [0, 26])
def test_between_one_and_twenty_five_parts(api: Client, count: int) -> None:
    parts = [part("GET", "/limits", f"r{number}") for number in range(count)]

    assert api("POST", "/composite", {"compositeRequest": parts}).status_code == 400


def test_at_most_five_queries_in_one_call(api: Client) -> None:
    parts = [part("GET", "/query?q=SELECT+Id+FROM+Case", f"r{number}") for number in range(6)]

    assert api("POST", "/composite", {"compositeRequest": parts}).status_code == 400
    assert api("POST", "/composite", {"compositeRequest": parts[:5]}).status_code == 200
