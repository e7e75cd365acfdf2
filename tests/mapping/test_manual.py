"""docs/mappings.md tells the truth: its files pass the check, and no key of the language is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from connector.mapping import model
from connector.mapping.forms import Part
from connector.mapping.lint import check
from connector.mapping.load import parse
from connector.mapping.problems import CODES, WARNINGS
from connector.mapping.transforms import REGISTRY
from connector.mapping.vocabulary import FIELDS, OBJECTS
from tests.mapping.helpers import text_of

MANUAL = (Path(__file__).parents[2] / "docs" / "mappings.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", MANUAL, re.DOTALL)
WORDS = set(re.findall(r"`+ ?([^`\n]+?) ?`+", MANUAL)) | set(re.findall(r"[\w.]+", " ".join(BLOCKS)))


def keys() -> Iterator[str]:
    for part in vars(model).values():
        if isinstance(part, type) and issubclass(part, Part) and part.__module__ == model.__name__:
            block: type[BaseModel] = part
            yield from (field.alias or name for name, field in block.model_fields.items())


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: str(block.split(":")[0]))
def test_every_example_of_the_manual_is_without_mistake(block: str) -> None:
    text = f"crm: acme\n{block}" if "status:\n" in block else text_of(block)

    assert check(parse(text, name="docs/mappings.md")) == []


def test_every_key_is_in_the_manual() -> None:
    assert sorted({key for key in keys() if key not in WORDS}) == []


def test_every_transform_and_field_is_in_the_manual() -> None:
    names = {word.split(":")[0] for word in WORDS}

    assert sorted(REGISTRY.keys() - names) == []
    assert sorted((FIELDS.keys() | OBJECTS.keys()) - WORDS) == []


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_in_the_manual(code: str) -> None:
    (row,) = re.findall(rf"^\| `{code}` \| (.*)$", MANUAL, re.MULTILINE)

    assert row.startswith("(w)") is (code in WARNINGS)
