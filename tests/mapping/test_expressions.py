"""Computed values: what an expression may read, how far it may grow, and what happens where it fails."""

from __future__ import annotations

import time

import pytest

from connector.domain.rules import MISSING, Untranslatable
from connector.domain.ticket import Value
from connector.mapping.expressions import (
    FAILED,
    Expression,
    Template,
    compile_expression,
    compile_template,
    observe_field,
)
from connector.mapping.problems import Marks, Report
from tests.mapping.helpers import NOBODY, mapping, ticket

TICKET = ticket(subject="Hello", priority="high", tags=("a", "b"), custom_fields__plan="pro", custom_fields__seats=5)


def report() -> Report:
    return Report("m.yaml", Marks({}, {}), [])


def compiled(text: str) -> Expression:
    found = compile_expression(text, report())
    assert found is not None
    return found


def refusals(text: str) -> list[str]:
    notes = report()
    assert compile_expression(text, notes) is None
    return [problem.code for problem in notes.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("subject", "Hello"),
        ("join(', ', tags)", "a, b"),
        ("tags[?@ != 'a']", ("b",)),
        ("custom_fields.plan", "pro"),
        ("custom_fields.seats > `4` && 'large' || 'small'", "large"),
        ("custom_fields.nothing", None),
        ("contains(tags, 'a')", True),
        ("length(subject)", 5),
    ],
)
def test_an_expression_reads_the_ticket(text: str, value: Value) -> None:
    assert compiled(text).observe(TICKET) == value


def test_a_reading_that_leaves_out_a_field_says_nothing_of_the_expression() -> None:
    """Else a partial payload would look like a change."""
    assert compiled("category || subject").observe(TICKET) is MISSING
    assert compiled("metadata.key").observe(TICKET) is MISSING


def test_the_order_of_a_reading_makes_no_difference() -> None:
    backwards = ticket(custom_fields__seats=5, custom_fields__plan="pro")
    forwards = ticket(custom_fields__plan="pro", custom_fields__seats=5)
    keys = compiled("join(' ', keys(custom_fields))")

    assert keys.observe(backwards) == keys.observe(forwards) == "plan seats"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("subject ||", "M501"),
        ("'open", "M501"),
        ("a = b", "M501"),
        ("jion(', ', tags)", "M501"),
        ("join(tags)", "M501"),
        ("sbject", "M503"),
        ("keys(@)", "M503"),
        ("*", "M503"),
        ("subject == null", "M503"),
        ("x" * 600, "M502"),
        ("(" * 20 + "subject" + ")" * 20, "M502"),
        ("!" * 40 + "subject", "M502"),
        ("& " * 40 + "subject", "M502"),
        ("subject." * 50 + "subject", "M502"),
        ("[subject, subject]" + " | [@, @]" * 8, "M502"),
        ("to_string([" * 7 + "tags" + "])" * 7, "M502"),
    ],
)
def test_what_cannot_work_or_could_grow_is_refused(text: str, code: str) -> None:
    assert code in refusals(text)


@pytest.mark.parametrize(
    "text",
    [
        "join('x', [tags, tags, tags, tags][][])",
        "to_string([to_string([to_string([tags])])])",
        "[[tags, tags], [tags, tags]][][] | sort(@) | reverse(@)",
        "map(&to_string(@), tags) | join(',', @)",
    ],
)
def test_the_largest_expressions_are_still_quick(text: str) -> None:
    """A ticket with a megabyte of text holds up nobody."""
    big = ticket(tags=tuple(f"{number} {'é' * 100}" for number in range(5_000)))
    expression = compiled(text)
    begun = time.thread_time()

    expression.observe(big)

    assert time.thread_time() - begun < 3


@pytest.mark.parametrize("text", ["priority < `1`", "starts_with(subject, `1`)", "tags[::0]", "{a: subject}"])
def test_a_failure_on_one_ticket_refuses_its_field_and_hides_its_words(text: str) -> None:
    value = compiled(text).observe(TICKET)

    assert isinstance(value, str)
    assert value.startswith(FAILED)
    assert "Hello" not in value
    rule = mapping(f'fields: {{a: {{crm: a, expression: "{text}"}}}}').rules[0]
    with pytest.raises(Untranslatable, match="could not be computed"):
        rule.to_crm(value, NOBODY)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_a_word_in_back_ticks_is_refused_while_the_library_still_takes_it() -> None:
    assert refusals("priority == `high`") == ["M501"]
    assert compiled('priority == `"high"`').observe(TICKET) is True


def template(text: str) -> Template:
    found = compile_template(text, report())
    assert found is not None
    return found


def test_a_template_fills_its_slots() -> None:
    assert template("[{priority}] {subject} ({custom_fields.plan})").observe(TICKET) == "[high] Hello (pro)"
    assert template("{category}!").observe(TICKET) is MISSING


def test_values_cannot_open_slots_of_their_own() -> None:
    assert template("{subject}!").observe(ticket(subject="{priority}")) == "{priority}!"


@pytest.mark.parametrize(
    ("text", "code"),
    [("{subject", "M504"), ("{}", "M504"), ("fixed", "M504"), ("{sbject}", "M503"), ("{metadata}", "M503")],
)
def test_a_template_with_a_mistake_is_refused(text: str, code: str) -> None:
    notes = report()

    assert compile_template(text, notes) is None
    assert [problem.code for problem in notes.problems] == [code]


def test_an_object_is_read_as_lines() -> None:
    observe = observe_field("custom_fields")

    assert observe(TICKET) == ("plan: pro", "seats: 5")
    assert observe(ticket(custom_fields=None)) is None
    assert observe(ticket(subject="x")) is MISSING
    assert observe(ticket(custom_fields__note="two\nlines", custom_fields__empty=None)) == ("note: two lines",)
