"""What is Salesforce's own: sessions, its client's traps, ids, visibility, sweeps, refusals, set-up."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from connector.adapters.base import Change, ChangeKind, Commented, EventKind, NewComment
from connector.adapters.salesforce.api import long_id
from connector.adapters.salesforce.comments import LONGEST
from connector.adapters.salesforce.refusals import rate, refusal
from connector.adapters.testing.salesforce import SalesforceArena
from connector.adapters.times import moment
from connector.adapters.transport import Response
from connector.domain.errors import ConnectorError, Gone, NeedsReview, Refused, RetryLater
from connector.domain.ticket import CommentKind, Requester
from connector.engine.prepare import schema_from_json, schema_to_json


def several(arena: SalesforceArena, our_id: str) -> tuple[str, ...]:
    """Cases with one id of ours, in an org whose field is not unique."""
    arena.sandbox.org.schema.objects["Case"].fields["NextCap_Ticket_Id__c"].unique = False
    held = {"NextCap_Ticket_Id__c": our_id}
    return tuple(arena.sandbox.create_case(subject, fields=held) for subject in ("One", "Other"))


def test_ids_and_times_in_every_form() -> None:
    assert long_id("001A0000006Vm9r") == "001A0000006Vm9rIAC"
    assert long_id("001A0000006Vm9rIAC") == "001A0000006Vm9rIAC"
    moments = {moment(f"2026-11-22T02:31:00{offset}") for offset in (".000+0000", "Z", "+00:00", ".000Z")}
    assert len(moments) == 1
    assert moment("soon") is None


def test_a_burst_costs_one_call_for_two_hundred_writes(arena: SalesforceArena) -> None:
    cases = [arena.sandbox.create_case(f"S{number}") for number in range(200)]
    arena.salesforce.schema()
    arena.forget_calls()

    arena.salesforce.read(cases, arena.fields)
    written = arena.write(*(Change(ChangeKind.UPDATE, one, {"Subject": "New"}, one) for one in cases))

    assert all(one.error is None for one in written.values())
    assert arena.calls() == ["GET /query", "PATCH /composite/sobjects"]


def test_the_days_count_reaches_the_budget(arena: SalesforceArena) -> None:
    told = rate(Response(200, {"sforce-limit-info": "api-usage=25/5000; per-app-api-usage=17/250(appName=x)"}))

    assert told is not None
    assert (told.day_limit, told.day_remaining) == (5000, 4975)


@pytest.mark.parametrize(
    ("code", "message", "kind", "scope"),
    [
        *((code, "", RetryLater, "record") for code in ("UNABLE_TO_LOCK_ROW", "QUERY_TIMEOUT", "ENTITY_IS_LOCKED")),
        *((code, "", RetryLater, "record") for code in ("REQUEST_RUNNING_TOO_LONG", "UNKNOWN_EXCEPTION")),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "T: UNABLE_TO_LOCK_ROW, x", RetryLater, "record"),
        ("CANNOT_EXECUTE_FLOW_TRIGGER", "The flow timed out", RetryLater, "record"),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "T: System.NullPointerException", Refused, ""),
        ("CANNOT_EXECUTE_FLOW_TRIGGER", "no such variable", Refused, ""),
        ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", RetryLater, "connection"),
        ("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", RetryLater, "connection"),
        *((code, "", RetryLater, "connection") for code in ("SERVER_UNAVAILABLE", "TOO_MANY_APEX_REQUESTS")),
        *((code, "", RetryLater, "connection") for code in ("ORG_IN_MAINTENANCE", "STORAGE_LIMIT_EXCEEDED")),
        *((code, "", RetryLater, "connection") for code in ("API_DISABLED_FOR_ORG", "UNSUPPORTED_API_VERSION")),
        *((code, "", RetryLater, "connection") for code in ("PASSWORD_LOCKOUT", "TXN_SECURITY_NO_ACCESS")),
        ("FUNCTIONALITY_TEMPORARILY_UNAVAILABLE", "", RetryLater, "connection"),
        ("INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", "", RetryLater, "connection"),
        *((code, "", Gone, "") for code in ("ENTITY_IS_DELETED", "NOT_FOUND")),
        ("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", Gone, ""),
        ("DUPLICATE_EXTERNAL_ID", "", NeedsReview, ""),
        *((code, "", Refused, "") for code in ("INSUFFICIENT_ACCESS", "INVALID_FIELD", "INVALID_TYPE")),
        *((code, "", Refused, "") for code in ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "REQUIRED_FIELD_MISSING")),
        *((code, "", Refused, "") for code in ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "DUPLICATES_DETECTED")),
        *((code, "", Refused, "") for code in ("INACTIVE_OWNER_OR_USER", "MALFORMED_QUERY", "SOMETHING_NEW")),
    ],
)
def test_errors_are_sorted_by_what_happens_next(
    code: str, message: str, kind: type[ConnectorError], scope: str
) -> None:
    told = {"statusCode": code, "message": message, "fields": []}

    error = refusal(told, told="salesforce", status=200)

    assert type(error) is kind
    assert getattr(error, "scope", "") == scope


def test_a_day_that_is_used_up_waits_longer_than_a_moments_crowd() -> None:
    def wait(message: str) -> float:
        error = refusal({"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": message}, told="salesforce", status=403)
        assert isinstance(error, RetryLater)
        return error.after or 0

    assert wait("TotalRequests Limit exceeded.") == 900
    assert wait("ConcurrentPerOrgLongTxn Limit exceeded.") < 60


def test_a_customers_words_stay_out_of_errors() -> None:
    error = refusal(
        {"errorCode": "STRING_TOO_LONG", "message": "Subject: data value too large: my secret", "fields": ["Subject"]},
        told="salesforce",
        status=400,
    )

    assert "my secret" not in str(error)


def test_a_text_that_is_too_long_is_cut_visibly(arena: SalesforceArena) -> None:
    case = arena.new_ticket()

    assert arena.update(case, {"Subject": "😀" * 200}).error is None
    assert arena.read(case).fields["Subject"] == "😀" * 127 + "…"


def test_it_is_cut_so_too_where_the_fields_are_known_from_the_store(arena: SalesforceArena) -> None:
    """As a process knows them after a restart."""
    case, stored = arena.new_ticket(), schema_to_json(arena.salesforce.schema())
    arena.adapter = arena.salesforce = arena.new_adapter()
    arena.salesforce.learn(schema_from_json(stored))

    assert arena.update(case, {"Subject": "x" * 300}).error is None
    assert arena.sandbox.case(case)["fields"]["Subject"] == "x" * 254 + "…"


@pytest.mark.parametrize("page", [{}, {"done": True}, {"records": []}, [], None])
def test_an_answer_that_is_no_page_of_a_query_is_not_taken_for_an_empty_one(arena: SalesforceArena, page: Any) -> None:
    """Neither alone nor as a part of a composite call, nor where parts are missing."""
    case, since = arena.new_ticket(), arena.now()
    arena.read(case)
    parts = [{"httpStatusCode": 200, "referenceId": "part0", "body": {"records": [], "done": True}}]
    arena.fault("status", path="/query", status=200, body=page, times=1)
    with pytest.raises(RetryLater):
        arena.read(case)

    for told in (parts, [*parts, *parts, {**parts[0], "body": page}]):
        arena.fault("status", path="/composite", status=200, body={"compositeResponse": told}, times=1)
        with pytest.raises(RetryLater):
            arena.salesforce.changes(since, arena.fields)


def test_a_field_that_is_hidden_is_left_out_and_holds_up_nothing(arena: SalesforceArena) -> None:
    case = arena.new_ticket()
    arena.read(case)
    arena.sandbox.configure(hidden_fields=["Case.Origin"])

    record = arena.read(case)

    assert "Origin" not in record.fields
    assert record.fields["Subject"] == "It does not work"


def test_whole_calls_that_are_refused_are_halved_until_the_culprit_is_alone(arena: SalesforceArena) -> None:
    arena.sandbox.configure(unknown_field="call")
    cases = [arena.new_ticket() for _ in range(5)]
    values = [{"Subject": "x"}, {"Subject": "x"}, {"Nope__c": "x"}, {"Subject": "x"}, {"Subject": "x"}]

    written = arena.write(
        *(Change(ChangeKind.UPDATE, one, value, one) for one, value in zip(cases, values, strict=True))
    )

    refused = [key for key, one in written.items() if one.error is not None]
    assert refused == [cases[2]]
    assert isinstance(written[cases[2]].error, Refused)


def test_an_assignment_rule_does_not_take_our_owner(arena: SalesforceArena) -> None:
    arena.sandbox.configure(assignment_queue="Billing Queue")

    made = arena.create("key", "outside-1")

    assert arena.sandbox.case(made.id)["owner"] == "Next Cap"


def test_our_own_user_as_owner_is_nobody(arena: SalesforceArena) -> None:
    made = arena.create("key", "outside-1")
    ben = next(one for one in arena.salesforce.people() if one.email == "ben@acme.example")

    assert arena.salesforce.read([made.id], ["OwnerId"])[made.id].fields["OwnerId"] is None
    arena.update(made.id, {"OwnerId": ben.id})
    assert arena.salesforce.read([made.id], ["OwnerId"])[made.id].fields["OwnerId"] == ben.id
    arena.update(made.id, {"OwnerId": None}, key="again")
    assert arena.sandbox.case(made.id)["owner"] == "Next Cap"


def test_a_customer_becomes_a_contact_once_and_several_are_nobodys_choice(arena: SalesforceArena) -> None:
    arena.create("key-1", "outside-1")
    arena.create("key-2", "outside-2")
    assert len(arena.sandbox.state()["contacts"]) == 1
    for _ in range(2):
        arena.sandbox.create_contact("o'brien@customer.example")
    who = Requester("o'brien@customer.example", "Pat O'Brien")

    written = arena.write(Change(ChangeKind.CREATE, "key-3", {"Subject": "x"}, external_id="outside-3", requester=who))

    made = arena.sandbox.case(written["key-3"].id)["fields"]
    assert made["ContactId"] is None
    assert made["SuppliedEmail"] == "o'brien@customer.example"
    assert "several" in written["key-3"].warnings[0]
    assert arena.salesforce.requesters([written["key-3"].id])[written["key-3"].id].email == who.email


def test_an_org_without_our_field_says_what_to_do(blank: SalesforceArena) -> None:
    written = blank.create("key", "outside-1")
    steps = blank.salesforce.ensure_schema(dry_run=False)

    assert isinstance(written.error, RetryLater)
    assert "connector setup" in str(written.error)
    assert {one.state for one in steps} == {"manual"}
    assert any(not check.ok and check.what == "fields" for check in blank.salesforce.check())


def test_record_types_are_the_pipelines_of_salesforce(arena: SalesforceArena) -> None:
    arena.sandbox.configure(record_types={"Support": {"Status": ["New", "Closed"]}, "Sales": {}})

    schema = arena.salesforce.schema()
    status, kinds = schema.field("Status"), schema.field("RecordTypeId")

    assert status is not None
    assert kinds is not None
    support = next(one.value for one in kinds.options if one.label == "Support")
    assert status.parent == "RecordTypeId"
    assert [one.value for one in status.options if one.group == support] == ["New", "Closed"]


def test_where_nobody_tells_their_statuses_record_types_are_still_told_apart(arena: SalesforceArena) -> None:
    """Or the cases of all of them would be carried."""
    arena.sandbox.configure(record_types={"Support": {"Status": ["New", "Closed"]}, "Sales": {}})
    refusal = [{"errorCode": "INSUFFICIENT_ACCESS", "message": "", "fields": []}]
    arena.fault("status", path="picklist-values", status=403, body=refusal, times=None)

    schema = arena.salesforce.schema()
    status, kinds = schema.field("Status"), schema.field("RecordTypeId")

    assert status is not None
    assert kinds is not None
    assert status.parent == "RecordTypeId"
    assert {one.group for one in status.options} == {one.value for one in kinds.options}
    assert {one.value for one in status.options} == {"New", "Working", "Escalated", "Closed"}


@pytest.mark.parametrize("repeated", [False, True])
def test_a_person_chooses_among_several_cases_with_our_id(arena: SalesforceArena, repeated: bool) -> None:
    """The upsert is refused (300); one that was sent before does not take the first either."""
    twins = several(arena, "outside-1")
    change = replace(arena.creation("key", "outside-1"), repeated=repeated)

    error = arena.write(change, arena.creation("other", "outside-2"))["key"].error

    assert isinstance(error, NeedsReview)
    assert (error.code, error.candidates) == ("ambiguous", twins)
    assert arena.tickets() == 3
    with pytest.raises(NeedsReview):
        arena.salesforce.probe_create(change, sent_at=arena.now())


def test_queues_and_users_are_people(arena: SalesforceArena) -> None:
    arena.sandbox.deactivate("ben@acme.example")

    people = {one.name: one for one in arena.salesforce.people()}

    assert people["Billing Queue"].email == "billing queue"
    assert people["Billing Queue"].id.startswith("00G")
    assert people["Ben Berg"].active is False


def test_only_a_colleagues_published_comment_is_a_reply(arena: SalesforceArena) -> None:
    case = arena.new_ticket()
    arena.sandbox.comment(case, "internal")
    arena.sandbox.comment(case, "published", public=True)
    portal = arena.sandbox.add_user("cus@home.example", "Cus", "Tomer", "CspLitePortal")
    arena.sandbox.comment(case, "by the customer", public=True, by=portal)
    flow = arena.sandbox.add_user("flow@acme.example", "Auto", "Mated", "AutomatedProcess")
    arena.sandbox.comment(case, "by a flow", public=True, by=flow)

    kinds = {one.text: one.kind for one in arena.timeline(case)}

    assert kinds == {
        "internal": CommentKind.NOTE,
        "published": CommentKind.REPLY,
        "by the customer": CommentKind.CUSTOMER_REPLY,
        "by a flow": CommentKind.NOTE,
    }


def test_a_long_comment_is_split_by_bytes_and_read_as_one(arena: SalesforceArena) -> None:
    case, sent_at = arena.new_ticket(), arena.now()
    long = NewComment("key", case, CommentKind.NOTE, "wört 漢字 " * 900, author="Ana")

    written = arena.add(long)["key"]
    kept = arena.sandbox.case(case)["comments"]

    assert len(kept) > 1
    assert all(len(one["body"].encode()) <= LONGEST for one in kept)
    assert [one.id for one in arena.timeline(case)] == [written.id]
    assert arena.recognise(long, sent_at) == written.id


def test_a_part_that_fails_takes_the_whole_comment_back(arena: SalesforceArena) -> None:
    long = NewComment("key", arena.gone_ticket(), CommentKind.NOTE, "word " * 2000)

    assert arena.add(long)["key"].error is not None


def test_what_is_to_blame_for_a_part_is_told_and_not_that_the_others_were_rolled_back(arena: SalesforceArena) -> None:
    """A lock heals: the comment is written later, and no person is asked."""
    codes = ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "UNABLE_TO_LOCK_ROW", "ALL_OR_NONE_OPERATION_ROLLED_BACK"]
    items = [{"success": False, "errors": [{"statusCode": one, "message": "", "fields": []}]} for one in codes]
    arena.fault("status", **arena.comment_call, status=200, body=items)
    long = NewComment("key", arena.new_ticket(), CommentKind.NOTE, "word " * 2000)

    error = arena.add(long)["key"].error

    assert isinstance(error, RetryLater)
    assert error.code == "unable_to_lock_row"


def test_an_id_whose_end_does_not_fit_is_nobodys_and_spoils_no_batch(arena: SalesforceArena) -> None:
    case = arena.new_ticket()
    wrong = "500Hs0000000001ZZZ"

    assert list(arena.salesforce.read([wrong, case], arena.fields)) == [case]
    assert arena.salesforce.parse(arena.signed({"ids": [wrong]}))[0].kind is EventKind.OTHER


def test_a_sweep_is_one_call_for_cases_comments_and_deletions(arena: SalesforceArena) -> None:
    since = arena.now() - timedelta(seconds=1)
    case, gone = arena.new_ticket(), arena.gone_ticket()
    comment = arena.sandbox.comment(case, "words")
    arena.salesforce.schema()
    arena.forget_calls()

    found = arena.salesforce.changes(since, arena.fields)

    assert arena.calls() == ["POST /composite"]
    assert [one.id for one in found.records] == [case]
    assert list(found.commented) == [Commented(case, comment)]
    assert list(found.gone) == [gone]
    assert found.after == ""


def test_a_long_sweep_goes_on_by_salesforces_own_cursor(arena: SalesforceArena) -> None:
    arena.sandbox.configure(query_page=3)
    since = arena.now() - timedelta(seconds=1)
    wanted = {arena.new_ticket() for _ in range(8)}

    parts = arena.swept(since)

    assert len(parts) == 3
    assert {one.id for part in parts for one in part.records} == wanted


@pytest.mark.parametrize("after", ["x", '{"cases": "https://evil.example/services/data/v62.0/query/1"}', "[1]"])
def test_a_place_in_a_sweep_that_is_none_is_refused(arena: SalesforceArena, after: str) -> None:
    with pytest.raises(Refused):
        arena.salesforce.changes(arena.now(), arena.fields, after)


def test_a_merge_names_its_survivor_and_a_deletion_does_not(arena: SalesforceArena) -> None:
    master, loser, deleted = arena.new_ticket(), arena.new_ticket(), arena.gone_ticket()
    arena.sandbox.merge_cases(master, loser)

    assert arena.salesforce.fate(loser).survivor == master
    assert arena.salesforce.fate(deleted).code == "archived"
    assert arena.salesforce.fate("500000000000001AAA").code == "gone"
    with pytest.raises(RetryLater):
        arena.salesforce.fate(master)


def test_an_independent_client_reads_what_we_wrote(arena: SalesforceArena) -> None:
    made = arena.create("key", "outside-1")
    told = {"grant_type": "client_credentials", "client_id": arena.sandbox.credentials.client_id}
    told["client_secret"] = arena.sandbox.settings.client_secret
    token = httpx.post(f"{arena.base_url}/services/oauth2/token", data=told).json()["access_token"]
    path = "/services/data/v62.0/sobjects/Case/NextCap_Ticket_Id__c/outside-1"
    case = httpx.get(f"{arena.base_url}{path}", headers={"Authorization": f"Bearer {token}"}).json()

    assert json.loads(json.dumps(case))["Id"] == made.id
    assert case["NextCap_Status__c"] == "new"
