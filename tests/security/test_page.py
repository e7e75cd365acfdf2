"""The security page tells the truth: the tests that it names exist, and what it says of the whole code holds."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connector.sandbox.kernel_http import Answer, Application, Environ
from tests.adapters.conftest import serve as serve

from .door import ROOT

NAMED = re.compile(r"`([a-z_/]+\.py)(?:::(\w+))?`")
SOURCES = sorted([*(ROOT / "connector").rglob("*.py"), *(ROOT / "workers").rglob("*.py")])
SECRET_WORDS = re.compile(r"secret|signature|token|password|mac$", re.I)


def test_every_test_that_the_page_names_exists() -> None:
    named = NAMED.findall((ROOT / "docs" / "security.md").read_text())

    assert len(named) > 40
    for file, test in named:
        text = (ROOT / "tests" / file.removeprefix("tests/")).read_text()
        assert not test or f"def {test}(" in text, f"{file} has no {test}"


def test_the_page_names_every_test_of_its_folder() -> None:
    """A promise that is kept is told."""
    page = (ROOT / "docs" / "security.md").read_text()
    kept = {
        f"{file.name}::{node.name}"
        for file in (ROOT / "tests" / "security").glob("test_*.py")
        if file.name not in ("test_page.py", "test_supply.py")
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }

    assert [one for one in sorted(kept) if one not in page] == []


def equalities(tree: ast.AST) -> Iterator[ast.Compare]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops):
            yield node


def is_secret(node: ast.expr) -> bool:
    """Whether an operand is named like something secret (and is not a count or a text that stands in the code)."""
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return bool(SECRET_WORDS.search(name))


def test_nothing_secret_is_compared_with_an_equals_sign() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in SOURCES
        if "sandbox" not in file.parts and "demo" not in file.parts
        for node in equalities(ast.parse(file.read_text()))
        if any(map(is_secret, [node.left, *node.comparators]))
        and not any(isinstance(one, ast.Constant) for one in [node.left, *node.comparators])
    ]

    assert found == []


def test_no_statement_is_put_together_from_text() -> None:
    """Raw SQL is a constant, but for words of ours that no one can set."""
    found = []
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            owner = (
                node.func.value.id
                if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
                else ""
            )
            is_raw = name == "exec_driver_sql" or (name in ("text", "literal_column") and owner == "sa")
            if is_raw and node.args and isinstance(node.args[0], ast.JoinedStr | ast.BinOp):
                found.append(f"{file.relative_to(ROOT)}:{node.lineno}")

    assert found == []


def advisories(url: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ADVISORIES_URL": url}
    command = [sys.executable, str(ROOT / ".ci" / "advisories")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("vulnerable", "code", "told"),
    [(True, 1, "alembic .*: TEST-1"), (False, 0, "nothing is known against"), (None, 0, "NOT checked")],
)
def test_the_look_for_advisories_is_honest(
    serve: Callable[[Application], str], vulnerable: bool | None, code: int, told: str
) -> None:
    def service(environ: Environ) -> Answer:
        asked = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))["queries"]
        results = [{"vulns": [{"id": "TEST-1"}]} if vulnerable and place == 0 else {} for place, _ in enumerate(asked)]
        return Answer(200, json.dumps({"results": results if vulnerable is not None else []}).encode())

    ended = advisories(serve(service) + "/v1/querybatch")

    assert ended.returncode == code, ended.stderr
    assert re.search(told, ended.stdout)


def test_a_service_that_is_away_is_told_plainly(tmp_path: Path) -> None:
    ended = advisories("http://127.0.0.1:9/")

    assert (ended.returncode, "NOT checked" in ended.stdout) == (0, True)
