"""The `adapter:` block: what is wrong in one is shown where it stands, and no hostile one gets anywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from connector.mapping import grammar
from connector.mapping.forms import Part
from connector.mapping.lint import check
from connector.mapping.load import parse
from connector.mapping.problems import CODES, WARNINGS, MappingErrors, Problem
from tests.mapping.helpers import FILE, marked

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "mappings" / "custom-example.yaml").read_text()
PAGE = (ROOT / "docs" / "crm" / "custom.md").read_text()

FIND = EXAMPLE[EXAMPLE.index("  find:\n") : EXAMPLE.index("  create:\n")]


@dataclass(frozen=True, slots=True)
class Case:
    """A mistake made by replacing a part of the example; its place is marked with `«`."""

    code: str
    old: str
    new: str
    suggestion: str = ""


CASES = [
    Case("M101", "  record:  ", "  «recrod:  ", "record"),
    Case("M101", "    batch: 50\n\n  find", "    «bach: 50\n\n  find", "batch"),
    Case("M102", "  update:\n    path: /tickets/{id}\n    body", "  update:\n    «body"),
    Case("M103", "auth: {kind: bearer}", "auth: {kind: «baerer}", "bearer"),
    Case("M103", "kind: standard", "kind: «standart", "standard"),
    Case("M103", "path: /staff", "path: «https://evil.example/staff"),
    Case("M103", "path: /staff", "path: «/../staff"),
    Case("M103", "path: /staff", 'path: «"/staff?all=1"'),
    Case("M103", "    items: staff", "    items: «staff[?"),
    Case("M103", "headers: {Idempotency-Key:", "headers: {«Authorization:"),
    Case("M103", "paging: {kind: cursor, next: next, param: cursor}", "paging: «{kind: cursor}"),
    Case("M103", "    batch: 50\n\n  find", "    batch: «5000\n\n  find"),
    Case("M701", "crm: custom", "crm: «custom"),
    Case("M701", "crm: custom\n\nadapter:", "crm: hubspot\n\n«adapter:"),
    Case("M702", "query: {since: ", "query: «{from: '{sinc}', since: ", "since"),
    Case("M703", 'query: {since: "{since}"}', 'query: {since: "x"}'),
    Case("M703", 'text: "{text}", public: "{is_public}"', 'text: "{text}", public: true'),
    Case("M704", "  people:\n    path: /staff\n", '  people:\n    path: /staff\n    «body: {a: "b"}\n'),
    Case("M705", "external_id: nextcap_ticket_id", "external_id: «nextcap_tickets_id", "nextcap_ticket_id"),
    Case("M705", "    crm: description\n", "    crm: «desciption\n", "description"),
    Case("M706", "paging: {kind: cursor, next: next, param: cursor}", "paging: {kind: «page, param: page}"),
    Case("M707", "    external_id: nextcap_ticket_id\n", ""),
    Case("M708", FIND, ""),
    Case("M707", 'headers: {Idempotency-Key: "nextcap-{external_id}"}', "headers: {}"),
]


def found(text: str) -> list[Problem]:
    try:
        return check(parse(text, name=FILE))
    except MappingErrors as refused:
        return list(refused.problems)


def without_adapter(text: str) -> str:
    before, _, rest = text.partition("\nadapter:")
    return before + rest[rest.index("\ncarry:") :]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}-{case.new}"[:50])
def test_a_mistake_is_shown_where_it_stands(case: Case) -> None:
    assert case.old in EXAMPLE
    changed = EXAMPLE.replace(case.old, case.new, 1)
    if case.new == "crm: «custom":
        changed = without_adapter(changed)
    text, line, column = marked(changed) if "«" in changed else (changed, 0, 0)

    problems = found(text)

    of_code = [one for one in problems if one.code == case.code]
    here = [one for one in of_code if (one.line, one.column) == (line, column)] if line else of_code
    assert here, [str(problem) for problem in problems]
    assert here[0].suggestion == case.suggestion
    assert here[0].severity == ("warning" if case.code in WARNINGS else "error")


def test_every_code_of_the_block_has_a_case() -> None:
    assert {case.code for case in CASES if case.code > "M7"} == {code for code in CODES if code > "M7"}


def test_the_example_has_no_mistake() -> None:
    assert found(EXAMPLE) == []


def test_a_create_that_can_neither_be_repeated_nor_found_is_refused() -> None:
    text = EXAMPLE.replace("    is_repeatable: true           # the same key makes no second ticket\n", "")

    (problem,) = found(text.replace(FIND, ""))

    assert problem.code == "M707"


SAYS = 'public: "{is_public}", author'
ID = "      id: note.id\n"


@pytest.mark.parametrize(
    ("says", "words", "codes"),
    [
        ('audience: "{visibility}", author', "{public: customer, note: staff}", []),
        ('private: "{visibility}", author', "{public: false, note: true}", []),
        ('audience: "{visibility}", author', "", ["M703", "M704"]),
        ('public: "{is_public}", author', "{public: customer, note: staff}", ["M704"]),
        ('audience: "{visibility}", author', "{public: staff, note: staff}", ["M704"]),
    ],
)
def test_a_crms_own_words_for_who_sees_a_comment_are_two_and_are_sent(says: str, words: str, codes: list[str]) -> None:
    key = f"      visibility: {words}\n" if words else ""

    problems = found(EXAMPLE.replace(SAYS, says).replace(ID, ID + key))

    assert sorted(one.code for one in problems) == codes


def test_a_field_for_our_key_must_be_filled() -> None:
    (problem,) = found(EXAMPLE.replace(', reference: "{key}"', ""))

    assert problem.code == "M703"
    assert "{key}" in problem.message


@pytest.mark.parametrize(
    "hostile",
    [
        "adapter: {read: {path: " + "/a" * 2_000 + "}}",
        "adapter: {read: {path: /a, items: '" + "[" * 250 + "'}}",
        "adapter: {read: {path: /a, items: '" + "!" * 299 + "a'}}",
        "adapter: {read: &x {path: /a}, update: *x}",
        "adapter: !!python/object/apply:os.system [ls]",
        "adapter: [" + "[" * 20 + "]" * 21,
        "adapter: {read: {path: '/a\\r\\nHost: evil'}}",
        "adapter: 5",
    ],
)
def test_a_hostile_block_is_refused_in_words(hostile: str) -> None:
    problems = found(f"crm: custom\n{hostile}\n")

    assert problems
    assert all(one.code in CODES for one in problems)


def test_every_key_and_placeholder_is_in_the_manual() -> None:
    words = set(re.findall(r"`([^`\n]+)`", PAGE))
    parts = [
        one for one in vars(grammar).values() if isinstance(one, type) and issubclass(one, Part) and one is not Part
    ]
    keys = {field.alias or name for part in parts for name, field in part.model_fields.items()}

    assert sorted(keys - words) == []


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_every_example_of_the_manual_is_without_mistake(block: str) -> None:
    assert found(block + EXAMPLE[EXAMPLE.index("\ncarry:") :]) == []
