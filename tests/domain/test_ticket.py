"""The canonical values: one normal form, and what a reading has and has not said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.ticket import MISSING, Record, Side, Value, is_form_of, normal

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
anything = scalars | st.lists(scalars) | st.sets(st.text()) | st.tuples(scalars, scalars) | st.datetimes()


@given(value=anything)
def test_the_normal_form_is_normal(value: object) -> None:
    """`normal(normal(x)) == normal(x)`: what was written and read back is no change."""
    assert normal(normal(value)) == normal(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", None),
        ([], None),
        (["", None], None),
        (["b", "a", "b", ""], ("a", "b")),
        ({"b", "a"}, ("a", "b")),
        ([2, "a"], ("2", "a")),
        ("a\r\nb\rc", "a\nb\nc"),
        (0, 0),
        (False, False),
        (1.5, 1.5),
        (float("inf"), "inf"),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01 00:00:00+00:00"),
    ],
)
def test_the_normal_form(value: object, expected: object) -> None:
    assert normal(value) == expected


@given(items=st.lists(st.text()))
def test_the_order_and_number_of_a_sets_elements_mean_nothing(items: list[str]) -> None:
    assert normal(items) == normal([*reversed(items), *items])


def test_a_reading_tells_empty_from_not_mentioned() -> None:
    record = Record("1", {"subject": None})

    assert record.get("subject") is None
    assert record.get("priority") is MISSING


def test_a_reading_that_names_an_object_has_named_all_its_parts() -> None:
    record = Record("1", {"custom_fields": "plan: pro", "custom_fields.plan": "pro", "metadata.hubspot": "7"})

    assert record.get("custom_fields.plan") == "pro"
    assert record.get("custom_fields.seats") is None
    assert record.get("metadata.hubspot") == "7"
    assert record.get("metadata.zendesk") is MISSING


def test_each_side_has_another() -> None:
    assert [side.other for side in Side] == [Side.CRM, Side.NEXTCAP]


@pytest.mark.parametrize(
    ("shown", "written", "is_it"),
    [
        ("Hello  World", "hello world", True),
        ("<p>Hello</p><p>World</p>", "Hello\nWorld", True),
        ("All good ", "All good 👍", True),
        (("b", "VIP"), ("B", "vip"), True),
        (("log_in",), ("Log in",), True),
        ("x" * 200, "x" * 500, True),
        ("Waiting", "Waiting on contact", False),
        ("MEDIUM", "URGENT", False),
        ("10", "1.0", False),
        (None, "Here", False),
        ("Here", None, False),
        (("vip",), ("vip", "new"), False),
        (True, False, False),
    ],
)
def test_a_form_of_what_was_written_is_told_from_another_value(shown: Value, written: Value, is_it: bool) -> None:
    """Mark-up, white space, case, order and a cut are the system's way to write; all else is another value."""
    assert is_form_of(shown, written) is is_it


def test_no_value_is_taken_for_one_that_was_not_mentioned() -> None:
    record = Record("1", {"subject": "missing"})

    assert record.get("subject") != MISSING
    assert not isinstance(record.get("elsewhere"), str)
