"""Reading YAML: every word as it was written, every mistake with its place, nothing without a bound."""

from __future__ import annotations

import time

import pytest

from connector.mapping.problems import MappingErrors
from connector.mapping.source import MAX_CHARACTERS, MAX_DEPTH, MAX_ENTRIES, Unquoted, read_tree


def refused(text: str) -> MappingErrors:
    with pytest.raises(MappingErrors) as caught:
        read_tree(text)
    return caught.value


def test_unquoted_words_stay_as_they_were_written() -> None:
    """A table of statuses must not lose its zeros, its `no` or its `off`."""
    tree, _ = read_tree("a: 0123\nb: no\nc: off\nd: 1.0\ne: 2026-01-01\nf: true\ng: 12:30\n")

    assert tree == {"a": "0123", "b": "no", "c": "off", "d": "1.0", "e": "2026-01-01", "f": "true", "g": "12:30"}


@pytest.mark.parametrize(("written", "meant"), [("5", 5), ("-5", -5), ("1.50", 1.5), ("true", True), ("False", False)])
def test_numbers_and_truth_values_can_be_asked_for(written: str, meant: object) -> None:
    tree, _ = read_tree(f"a: {written}\nb: '{written}'\n")

    assert isinstance(tree, dict)
    assert isinstance(tree["a"], Unquoted)
    assert tree["a"].typed() == meant
    assert not isinstance(tree["b"], Unquoted)


def test_every_key_and_value_has_its_place() -> None:
    _, marks = read_tree("a:\n  b: [x, {c: y}]\n")

    assert marks.key(("a", "b")) == (2, 3)
    assert marks.value(("a", "b", 1, "c")) == (2, 14)
    assert marks.value(("a", "b", 7, "nowhere")) == (2, 6)


@pytest.mark.parametrize("empty", ["", "~", "null"])
def test_nothing_is_none(empty: str) -> None:
    tree, _ = read_tree(f"a: {empty}\n")

    assert tree == {"a": None}


HOSTILE = {
    "deep lists": "[" * 150_000,
    "deep tables": "{a: " * 45_000,
    "deep blocks": "".join(f"{' ' * depth}a:\n" for depth in range(400)),
    "dashes": "- " * 90_000,
    "question marks": "? " * 90_000,
    "many keys": "".join(f"k{number}: v\n" for number in range(15_000)),
    "many small tables": "a: [" + "{}," * 60_000,
    "one long word": "a: " + "x" * (MAX_CHARACTERS - 10),
    "one long line of escapes": 'a: "' + "\\\n" * 90_000,
    "tags": "!" * 190_000,
    "colons": ":" * 190_000,
    "too long a file": "#" * (MAX_CHARACTERS + 1),
    "billion laughs": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "a tag that runs code": "a: !!python/object/apply:os.system [x]\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_at_once(name: str) -> None:
    """No file can hang a process that reads it."""
    begun = time.thread_time()

    problems = refused(HOSTILE[name]).problems

    assert time.thread_time() - begun < 3
    assert problems[0].code in {"M001", "M002", "M004"}


def test_the_bounds_are_wide_enough_for_real_files() -> None:
    rows = "".join(f"  k{number}: v\n" for number in range(MAX_ENTRIES))
    nested = "".join(f"{'  ' * depth}a:\n" for depth in range(MAX_DEPTH))

    assert read_tree(f"a:\n{rows}")
    assert read_tree(nested)


def test_a_second_document_is_refused() -> None:
    assert refused("a: 1\n--- \nb: 2\n").problems[0].code == "M002"
