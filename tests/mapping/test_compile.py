"""Binding a file to an account: what a compiled rule does with every kind of value."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.domain.lifecycle import Status
from connector.domain.rules import MISSING, Direction, Directories, Rule, Untranslatable
from connector.domain.schema import FieldSchema, Option, Schema
from connector.domain.ticket import CommentKind, Person, Record, Value
from connector.mapping.compile import bind
from connector.mapping.expressions import FAILED
from connector.mapping.problems import MappingErrors
from tests.mapping.helpers import NOBODY, document, mapping, options, schema, ticket

PIPELINES = (
    FieldSchema("pipe", "Pipeline", options=(Option("7", "Sales"), Option("0", "Support"))),
    FieldSchema(
        "stage",
        "Stage",
        parent="pipe",
        options=(
            *options("New", "Us", "Contact", "Closed", group="0"),
            Option("70", "New", "7"),
            Option("71", "Us", "7"),
            Option("72", "Contact", "7"),
            Option("73", "Closed", "7"),
        ),
    ),
)


def rule(block: str, *, account: Schema | None = None) -> Rule:
    """The one rule of a file."""
    return mapping(f"fields: {{{block}}}", schema=account).rules[0]


def refusal(translate: object, value: Value, people: Directories = NOBODY) -> str:
    with pytest.raises(Untranslatable) as caught:
        translate(value, people)  # type: ignore[operator]  # one of a rule's two translations
    return caught.value.code


def test_labels_become_native_values_and_keep_their_names_for_people() -> None:
    status = mapping(schema=schema()).status

    assert status.to_crm[Status.OPEN] == "US"
    assert status.to_nextcap["CLOSED"] is Status.RESOLVED
    assert status.when["US", Status.CLOSED] is Status.REOPENED
    assert status.label("US") == "Us"


def test_without_an_account_labels_stay_labels() -> None:
    assert mapping().status.to_crm[Status.OPEN] == "Us"


@pytest.mark.parametrize("word", ["Medium", "mEDium", "MEDIUM"])
def test_a_value_may_be_named_by_label_in_any_case_or_natively(word: str) -> None:
    account = schema(FieldSchema("prio", options=options("Low", "Medium")))

    found = rule(f"priority: {{crm: prio, values: {{normal: {word}}}, otherwise: stop}}", account=account)

    assert found.to_crm("normal", NOBODY) == "MEDIUM"
    assert found.to_nextcap("MEDIUM", NOBODY) == "normal"


def test_a_field_may_be_named_by_its_label() -> None:
    account = schema(FieldSchema("c_42", "Customer words"))

    assert rule("subject: {crm: customer words}", account=account).crm == "c_42"


@pytest.mark.parametrize(
    ("named", "scope", "stage"),
    [("", "0", "US"), ("pipeline: Sales", "7", "71"), ("pipeline: '7'", "7", "71"), ("pipeline: support", "0", "US")],
)
def test_the_pipeline_decides_what_a_stage_label_means(named: str, scope: str, stage: str) -> None:
    bound = mapping(named, schema=Schema(PIPELINES))

    assert bound.scope == {"pipe": scope}
    assert bound.status.to_crm[Status.OPEN] == stage


@pytest.mark.parametrize("group", ["a", "b"])
def test_without_a_pipeline_called_0_the_first_one_that_has_every_stage_counts(group: str) -> None:
    pipe = FieldSchema("pipe", options=(Option("a", "One"), Option("b", "Two")))
    todo = options("New", group="a")
    stage = FieldSchema(
        "stage", parent="pipe", options=(*todo, *options("New", "Us", "Contact", "Closed", group=group))
    )

    assert mapping(schema=Schema((pipe, stage))).scope == {"pipe": group}


def test_what_an_account_does_not_have_is_an_error_with_its_place() -> None:
    with pytest.raises(MappingErrors) as caught:
        bind(document("fields:\n  subject: {crm: sbject}"), schema(FieldSchema("subject")))

    assert [str(problem) for problem in caught.value.problems] == [
        "mappings/test.yaml:13:18 M202 the CRM has no field 'sbject' (did you mean 'subject'?)"
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(5, "5"), (5.0, "5"), (0.5, "0.5"), (True, "true"), (False, "false"), ("x", "x"), (None, None)]
)
def test_a_plain_field_becomes_text(value: Value, text: Value) -> None:
    assert rule("subject: {crm: a}").to_crm(value, NOBODY) == text


def test_a_value_outside_its_table_is_refused() -> None:
    """Never passed through, never guessed."""
    found = rule("category: {crm: a, values: {x: X}, otherwise: stop}")

    assert found.to_crm("x", NOBODY) == "X"
    assert refusal(found.to_crm, "y") == "value_not_mapped"
    assert refusal(found.to_nextcap, "Y") == "value_not_mapped"


def test_a_refusal_hides_a_personal_value() -> None:
    found = rule("category: {crm: a, values: {x: X}, otherwise: stop, class: personal}")

    with pytest.raises(Untranslatable, match="its value is not in the table") as caught:
        found.to_crm("secret", NOBODY)
    assert "secret" not in str(caught.value)
    assert found.personal


def test_a_default_is_used_where_it_is_declared_and_only_there() -> None:
    found = rule("category: {crm: a, values: {x: X}, otherwise: {to_crm: X}}")

    assert found.to_crm("y", NOBODY) == "X"
    assert refusal(found.to_nextcap, "Y") == "value_not_mapped"


def test_case_makes_no_difference_to_next_caps_words() -> None:
    assert rule("category: {crm: a, values: {Billing: B}, otherwise: stop}").to_crm("bILLING", NOBODY) == "B"


def test_a_word_for_what_is_empty() -> None:
    found = rule("priority: {crm: a, values: {low: L}, otherwise: stop, empty: {to_crm: N, to_nextcap: low}}")

    assert found.to_crm(None, NOBODY) == "N"
    assert found.to_nextcap(None, NOBODY) == "low"


def test_transforms_and_tables_work_together() -> None:
    yes_no = rule(
        "custom_fields.vip: {crm: a, transform: boolean, values: {true: Yes, false: No}, empty: {to_nextcap: false}}"
    )

    assert yes_no.to_crm(True, NOBODY) == "Yes"
    assert yes_no.to_nextcap("No", NOBODY) is False
    assert yes_no.to_nextcap(None, NOBODY) is False


def test_a_list_is_translated_element_by_element() -> None:
    found = rule("category: {crm: a, transform: {split: '; '}, values: {x: X, y: Y}, otherwise: stop}")

    assert found.to_crm("y; x", NOBODY) == ("X", "Y")
    assert found.to_nextcap(("Y", "X"), NOBODY) == "x; y"
    assert refusal(found.to_crm, "x; z") == "value_not_mapped"


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("tags: {crm: many}", True),
        ("tags: {crm: a, transform: {join: ', '}}", True),
        ("custom_fields.colours: {crm: many}", True),
        ("category: {crm: many, transform: {split: ', '}}", False),
        ("subject: {crm: a}", False),
        ("x: {crm: many, expression: tags}", False),
    ],
)
def test_only_next_caps_lists_are_merged_element_by_element(block: str, expected: bool) -> None:
    account = schema(FieldSchema("many", multiple=True), FieldSchema("a"))

    assert rule(block, account=account).is_set is expected


def test_a_computed_field_travels_to_the_crm_only() -> None:
    found = rule("line: {crm: a, template: '#{number} {subject}'}")

    assert found.direction is Direction.TO_CRM
    assert found.nextcap == ""
    assert found.observe_nextcap(ticket(number="7", subject="x")) == "#7 x"
    assert found.observe_nextcap(ticket(subject="x")) is MISSING


def test_a_failed_expression_is_refused_by_name() -> None:
    found = rule("line: {crm: a, expression: 'starts_with(subject, `1`)'}")

    value = found.observe_nextcap(ticket(subject="words"))

    assert str(value).startswith(FAILED)
    assert refusal(found.to_crm, value if value is not MISSING else None) == "expression_failed"


ADA = Person("a1", "ada@example.com")
PEOPLE = Directories(
    nextcap={"a1": ADA, "bot": Person("bot", None), "a2": Person("a2", "bob@example.com")},
    crm={
        "11": Person("11", "ADA@example.com"),
        "12": Person("12", "bob@example.com", active=False),
        "13": Person("13", "eve@example.com"),
        "queue": Person("queue", None),
    },
)
PERSON = "assignee: {nextcap: assigned_agent_id, crm: owner, person: email, otherwise: %s}"


def test_a_person_is_the_one_with_the_same_address() -> None:
    found = rule(PERSON % "stop")

    assert found.to_crm("a1", PEOPLE) == "11"
    assert found.to_nextcap("11", PEOPLE) == "a1"
    assert found.to_crm(None, PEOPLE) is None


@pytest.mark.parametrize("nobody", ["bot", "a2"])
def test_a_person_without_a_counterpart_is_the_declared_fallback(nobody: str) -> None:
    """Someone without an address, or whose counterpart has left, is not guessed."""
    assert refusal(rule(PERSON % "stop").to_crm, nobody, PEOPLE) == "person_without_counterpart"
    assert rule(PERSON % "{to_crm: nobody}").to_crm(nobody, PEOPLE) is None
    assert rule(PERSON % "{to_crm: Eve@example.com}").to_crm(nobody, PEOPLE) == "13"
    assert refusal(rule(PERSON % "{to_crm: x@example.com}").to_crm, nobody, PEOPLE) == "fallback_unknown"


def test_an_id_that_nobody_has_seen_is_never_taken_for_the_fallback() -> None:
    """It may be a colleague who joined a minute ago."""
    assert refusal(rule(PERSON % "{to_crm: nobody}").to_crm, "new", PEOPLE) == "person_unknown"


def test_two_people_with_one_address_are_not_chosen_between() -> None:
    twins = Directories(nextcap={"a1": ADA}, crm={"1": Person("1", ADA.email), "2": Person("2", ADA.email)})

    assert refusal(rule(PERSON % "{to_crm: nobody}").to_crm, "a1", twins) == "person_ambiguous"


DEPARTMENT = "department: {nextcap: department_id, crm: queue, department: true%s}"


def test_a_department_goes_by_its_name() -> None:
    known = Directories(departments={"d1": "Billing", "d2": "Support", "d3": "support"})
    found = rule(DEPARTMENT % "")

    assert found.to_crm("d1", known) == "Billing"
    assert found.to_nextcap("BILLING", known) == "d1"
    assert refusal(found.to_crm, "d9", known) == "department_unknown"
    assert refusal(found.to_nextcap, "Sales", known) == "department_unknown"
    assert refusal(found.to_nextcap, "Support", known) == "department_ambiguous"


def test_the_files_own_departments_come_first_and_pass_through_a_table() -> None:
    blocks = f"fields: {{{DEPARTMENT % ', values: {Billing: Queue B}, otherwise: stop'}}}\ndepartments: {{Billing: d7}}"
    found = mapping(blocks).rules[0]

    assert found.to_crm("d7", NOBODY) == "Queue B"
    assert found.to_nextcap("Queue B", NOBODY) == "d7"


def test_the_rest_of_the_file_is_compiled() -> None:
    blocks = """\
find:
  - {crm: ext, nextcap: number}
constants: {origin: Web}
create: both
requester: false
on_delete: close
comments: {to_crm: [note], to_nextcap: [note], reply_markers: ['#reply'], history: 30 days}
fields:
  resolution: {nextcap: custom_fields.resolution, crm: res, required_on: [Closed], only_on_create: true, owner: crm}
"""
    bound = mapping(
        blocks, schema=schema(FieldSchema("ext"), FieldSchema("origin", options=options("Web")), FieldSchema("res"))
    )

    assert bound.constants == {"origin": "WEB"}
    assert bound.creates_in_nextcap
    assert not bound.requester
    assert bound.on_delete == "close"
    assert bound.comments.to_crm == {CommentKind.NOTE}
    assert bound.comments.history == timedelta(days=30)
    assert bound.find[0].crm == "ext"
    assert bound.find[0].observe_nextcap(ticket(number=7)) == "7"
    assert bound.rules[0].required_on == {"CLOSED"}
    assert bound.rules[0].only_on_create
    assert bound.rules[0].line == 20


@pytest.mark.parametrize(
    ("written", "meant"), [("all", None), ("none", timedelta(0)), ("12 hours", timedelta(hours=12))]
)
def test_history(written: str, meant: timedelta | None) -> None:
    assert mapping(f"comments: {{history: {written}}}").comments.history == meant


CARRY = """\
carry:
  when:
    - {field: priority, in: [high, urgent]}
    - {field: tags, not_in: [internal]}
    - {field: department_id, empty: false}
  filter: custom_fields.plan != 'free'
"""
CARRIED: dict[str, Value] = {"priority": "high", "tags": ("vip",), "department_id": "d1", "custom_fields.plan": "pro"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"priority": "low"}, "not carried: priority is not high or urgent"),
        ({"tags": ("Internal", "vip")}, "not carried: tags is internal"),
        ({"department_id": None}, "not carried: department_id is empty"),
        ({"custom_fields.plan": "free"}, "not carried: the filter 'custom_fields.plan != 'free'' does not hold"),
    ],
)
def test_the_verdict_names_the_clause_and_no_value_of_the_ticket(change: dict[str, Value], reason: str) -> None:
    carries = mapping(CARRY).carries

    assert carries(Record("t", CARRIED)).carried
    verdict = carries(Record("t", {**CARRIED, **change}))
    assert not verdict.carried
    assert verdict.reason == reason


def test_a_filter_that_fails_carries_nothing() -> None:
    verdict = mapping("carry: {filter: 'starts_with(subject, `1`)'}").carries(ticket(subject="x"))

    assert not verdict.carried


@pytest.mark.parametrize(("expression", "carried"), [("`0`", True), ("`false`", False), ("''", False), ("tags", False)])
def test_a_filter_is_true_as_jmespath_has_it(expression: str, carried: bool) -> None:
    filtered = mapping(f'carry: {{filter: "subject && {expression}"}}').carries(ticket(subject="x", tags=None))

    assert filtered.carried is carried


def test_every_ticket_is_carried_where_nothing_is_said() -> None:
    assert mapping("carry:\n").carries(ticket()).reason == "every ticket is carried"


def test_the_version_is_that_of_the_text() -> None:
    assert mapping().version == mapping().version
    assert mapping("# changed\n").version != mapping().version
