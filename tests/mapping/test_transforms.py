"""Every two-way transform undoes itself on its image, whatever comes in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.rules import Untranslatable
from connector.domain.ticket import Value, normal
from connector.mapping.transforms import REGISTRY, Change, as_text, chain

ARGUMENTS = {"join": "; ", "split": ", ", "prefix": "NC-", "truncate": "5"}
NUMBERS = st.one_of(st.integers(-(10**16), 10**16), st.floats(allow_nan=True, allow_infinity=True))
TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["  a ; b", "NC-1", "true", "False", "0012.50", "-7", "<p>x</p>", "a & b <c>", "x\n\n\ny", "İıß"]),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
    st.dates().map(lambda day: day.isoformat()),
    st.integers(0, 4 * 10**12).map(str),
)
VALUES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, st.lists(TEXTS, max_size=4)).map(normal)


def applied(change: Change, value: Value) -> tuple[bool, Value]:
    try:
        return True, change(value)
    except Untranslatable:
        return False, None


def built(name: str) -> Any:
    op = REGISTRY[name]
    return chain([op.build(ARGUMENTS[name] if op.argument else "")])


TWO_WAY = [name for name in REGISTRY if built(name).backward is not None]


@pytest.mark.parametrize("name", TWO_WAY)
@given(value=VALUES)
def test_a_pair_undoes_itself_on_its_image(name: str, value: Value) -> None:
    """What has crossed once never changes again by crossing back and forth, in either direction."""
    pair = built(name)
    for there, back in ((pair.forward, pair.backward), (pair.backward, pair.forward)):
        crossed, image = applied(there, value)
        if not crossed:
            continue

        returned, original = applied(back, image)

        assert returned
        assert applied(there, original) == (True, image)


@pytest.mark.parametrize("name", REGISTRY)
@given(value=VALUES)
def test_what_comes_out_is_in_normal_form(name: str, value: Value) -> None:
    pair = built(name)
    for change in (pair.forward, pair.backward):
        crossed, image = applied(change, value) if change else (False, None)

        assert not crossed or normal(image) == image


@pytest.mark.parametrize("name", REGISTRY)
def test_only_what_shortens_or_joins_for_good_cannot_be_undone(name: str) -> None:
    assert (name in TWO_WAY) == (name not in ("truncate", "lines"))


@given(value=VALUES)
def test_the_default_makes_every_scalar_text(value: Value) -> None:
    image = as_text(value)

    assert image is None or isinstance(image, str | tuple)


@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [
        ("number", 5, "5"),
        ("number", 5.5, "5.5"),
        ("number", 1e-07, "0.0000001"),
        ("boolean", True, "true"),
        ("boolean", False, "false"),
        ("join", ("a", "b"), "a; b"),
        ("split", "a, b", ("a", "b")),
        ("prefix", "42", "NC-42"),
        ("html", "a & b\n\nc", "<p>a &amp; b</p><p>c</p>"),
        ("date", "2026-11-22", "2026-11-22"),
        ("datetime", "2026-11-22T14:30:00.000Z", "2026-11-22T14:30:00.000Z"),
    ],
)
def test_a_pair_by_example(name: str, ours: Value, theirs: Value) -> None:
    pair = built(name)

    assert pair.forward(ours) == theirs
    assert pair.backward(theirs) == ours
    assert type(pair.backward(theirs)) is type(ours)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2026-11-22T23:30:00-05:00", "2026-11-23"),
        ("2026-11-22T14:30:00.000+0000", "2026-11-22"),
        ("1795305600000", "2026-11-22"),
        ("2026-11-22", "2026-11-22"),
    ],
)
def test_a_date_is_read_in_every_form_that_vendors_use(written: str, day: str) -> None:
    assert built("date").backward(written) == day


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", "five"),
        ("number", "1e5"),
        ("number", "9" * 400),
        ("number", True),
        ("number", float("inf")),
        ("boolean", "maybe"),
        ("date", "yesterday"),
        ("date", "-99999999999999"),
        ("datetime", "0001-01-01T00:00:00+14:00"),
        ("join", ("a; b",)),
    ],
)
def test_what_has_no_counterpart_is_refused(name: str, value: Value) -> None:
    """A value is never passed through or guessed."""
    with pytest.raises(Untranslatable):
        built(name).forward(value)


def test_steps_run_in_order_and_back_in_the_opposite_one() -> None:
    steps = chain([REGISTRY["trim"].build(""), REGISTRY["prefix"].build("NC-")])

    assert steps.forward(" 7 ") == "NC-7"
    assert steps.backward is not None
    assert steps.backward("NC-7") == "7"


def test_truncation_shows_that_something_is_missing() -> None:
    assert built("truncate").forward("abcdefgh") == "abcd…"
    assert built("truncate").forward("abcde") == "abcde"
