"""The file that is shipped for Capsule: right on an account with the board of the manual, without editing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from connector.adapters.testing.capsule import CapsuleArena
from connector.domain.lifecycle import Status
from connector.mapping.compile import bind
from connector.mapping.lint import check
from connector.mapping.load import Document, parse
from connector.sandbox.capsule import Capsule as Imitation

FILE = Path(__file__).parents[2] / "mappings" / "capsule.yaml"
TEXT = FILE.read_text(encoding="utf-8")


@pytest.fixture
def document() -> Document:
    return parse(TEXT, name="capsule.yaml")


@pytest.fixture(scope="module")
def served() -> Iterator[Imitation]:
    with Imitation() as running:
        yield running


@pytest.fixture
def account(served: Imitation) -> Iterator[CapsuleArena]:
    served.reset()
    with closing(CapsuleArena(served)) as arena:
        arena.set_up()
        yield arena


def test_it_is_right_by_itself_and_its_examples_come_out(document: Document) -> None:
    assert check(document) == []


def test_it_fits_an_account_that_is_set_up(document: Document, account: CapsuleArena) -> None:
    assert check(document, account.capsule.schema()) == []


def test_every_stage_of_the_board_asks_for_something(document: Document, account: CapsuleArena) -> None:
    schema = account.capsule.schema()
    mapping = bind(document, schema)
    stages, boards = schema.field("stage"), schema.field("board")

    assert stages is not None
    assert boards is not None
    support = next(one.value for one in boards.options if one.label == "Support")
    assert {one.value for one in stages.options if one.group == support} == set(mapping.status.to_nextcap)
    assert set(mapping.status.to_crm) == set(Status)
    assert mapping.scope == {"board": support}


def test_a_board_that_is_not_there_is_named_with_its_line(account: CapsuleArena) -> None:
    other = parse(TEXT.replace("# pipeline: Support", "pipeline: Second line"), name="capsule.yaml")

    problems = check(other, account.capsule.schema())

    assert any("Second line" in one.message and one.line > 1 for one in problems)
