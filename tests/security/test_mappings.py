"""A mapping file is edited by people and may come from anywhere: it cannot hang a worker or make a note public."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from connector.engine.mappings import Mappings, check_text
from connector.store import connections
from connector.store.database import Database

from .door import ROOT

MAPPING = (ROOT / "mappings" / "hubspot.yaml").read_text()
PATIENCE = 20.0
"""Seconds on a busy machine; alone none takes two."""

HOSTILE = {
    "aliases": "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"b{n}: &b{n} [*a,*a,*a,*a,*a,*a,*a,*a]\n" for n in range(9)),
    "merge keys": "a: &a {x: 1}\nb:\n  <<: *a\n",
    "tags": "a: !!python/object/apply:os.system ['true']\n",
    "deep list": "a: " + "[" * 50_000,
    "deep path": "".join("  " * depth + "a:\n" for depth in range(400)),
    "huge table": "status:\n  to_crm:\n" + "".join(f"    k{n}: v{n}\n" for n in range(20_000)),
    "long word": "name: " + "x" * 190_000,
    "long key": "x" * 190_000 + ": 1",
    "many documents": "---\n" * 60_000,
    "many comments": "# x\n" * 60_000,
    "unclosed quote": 'name: "' + "a\n" * 90_000,
    "directives": "%YAML 1.2\n" * 15_000,
    "percent": "%" * 190_000,
    "question marks": "? " * 90_000,
    "dashes": "- " * 90_000,
    "colons": ": " * 90_000,
    "blanks": " " * 199_000 + "x",
    "escapes": 'a: "' + "\\x41" * 49_000 + '"',
    "too long": "#" * 2_000_000,
    "nul": "a: \0",
    "half a character": "a: \ud800",
    "jmespath product": 'fields:\n  - {nextcap: {expression: "[' + "tags," * 70 + 'tags]"}, crm: x}\n',
    "jmespath depth": 'fields:\n  - {nextcap: {expression: "' + "!" * 400 + 'tags"}, crm: x}\n',
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_refused_in_a_moment(text: str) -> None:
    started = time.thread_time()

    problems = check_text(text, name="hostile.yaml")

    assert problems
    assert time.thread_time() - started < PATIENCE
    assert max(map(len, problems)) < 2_000


@pytest.mark.parametrize("marker", ["My", "the customer", "re ply", "42"])
def test_a_word_that_a_note_may_begin_with_is_no_marker(marker: str) -> None:
    """It would send the notes that happen to begin so to the customer."""
    text = MAPPING.replace('["#reply"]', f'["#reply", "{marker}"]')
    assert text != MAPPING

    problems = check_text(text, name="hubspot.yaml")

    assert ["needs a sign" in one for one in problems] == [True]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00x", b"#" * 3_000_000])
def test_a_file_that_is_no_text_leaves_the_last_good_version_in_force(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "mapping.yaml"
    db = Database(f"sqlite:///{tmp_path / 'connector.db'}")
    db.upgrade()
    with db.write() as connection:
        connections.ensure(connection, ["hubspot"])
    mappings = Mappings(db, {"hubspot": file})
    file.write_text(MAPPING)
    assert [one.state for one in mappings.import_changed(by="test")] == ["activated"]

    file.write_bytes(content)
    (refused,) = mappings.import_changed(by="test")

    assert refused.state in ("refused", "unreadable")
    assert refused.problems
    with db.read() as connection:
        assert mappings.active(connection, "hubspot").rules
    db.close()


@pytest.mark.parametrize("name", ["/dev/zero", "fifo"])
def test_what_is_no_file_is_not_read(tmp_path: Path, name: str) -> None:
    """Reading it would never end."""
    path = tmp_path / name
    if name == "fifo":
        os.mkfifo(path)
    db = Database(f"sqlite:///{tmp_path / 'connector.db'}")
    db.upgrade()

    (refused,) = Mappings(db, {"hubspot": path}).import_changed(by="test")

    db.close()
    assert (refused.state, refused.problems) == ("unreadable", (f"{path}: it is no regular file",))
