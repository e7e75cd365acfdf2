"""What the house style asks of every file: short files and functions, no broad except, nothing left to do."""

from __future__ import annotations

import ast
import io
import re
import shutil
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from connector.store import migrations
from connector.store.database import Database
from connector.store.tables import metadata

ROOT = Path(__file__).parents[1]
LONGEST_FILE, LONGEST_FUNCTION = 400, 40
BROAD = ("Exception", "BaseException")
ADAPTERS = ROOT / "connector" / "adapters"
LARGEST_ADAPTER = 900
"""Lines of code of all its files: lines that are empty or hold a comment or docstring alone are not counted."""

# File and function of each handler that catches everything, and why it may.
CATCHES_EVERYTHING = {
    (
        "connector/engine/intake.py",
        "read",
    ): "a delivery that our reader fails on is kept, parked and logged as a defect",
    ("workers/app.py", "__call__"): "an error that nobody thought of is told without its message, as a defect",
    ("connector/embedded.py", "_kept_alive"): "one defect must not end a thread for good; it is logged as a defect",
}

SOURCES = sorted([*(ROOT / "connector").rglob("*.py"), *(ROOT / "workers").rglob("*.py")])
LEFT_TO_DO = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b")
MACHINE_PATH = re.compile(r"(?<![\w.:/$}])/(?:home|Users|root|work)/\w")
REGISTRY = re.compile(r"py(?:pi|thonhosted)\.org|/simple/|--(?:extra-)?index-url|--find-links|registry\.npmjs", re.I)
LOCKS = ("requirements.txt", "requirements-dev.txt")

Function = ast.FunctionDef | ast.AsyncFunctionDef


NO_CODE = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


def lines_of_code(source: str) -> int:
    """How many lines hold code. A text that stands alone explains what is above it, so it is none."""
    prose: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            prose |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE:
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - prose)


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def catches_everything(node: ast.AST) -> bool:
    """Whether this is an `except` or a `suppress` of everything."""
    if isinstance(node, ast.ExceptHandler):
        return node.type is None or bool(named(node.type) & set(BROAD))
    if isinstance(node, ast.Call) and "suppress" in named(node.func):
        return any(named(argument) & set(BROAD) for argument in node.args)
    return False


def named(node: ast.AST) -> set[str]:
    """The last words of the names in an expression: a class, or several in a tuple."""
    if isinstance(node, ast.Tuple):
        return {word for item in node.elts for word in named(item)}
    return {node.attr} if isinstance(node, ast.Attribute) else {node.id} if isinstance(node, ast.Name) else set()


def tracked() -> list[Path]:
    """The text files under version control; skips the test where there is none."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def lines(files: list[Path]) -> Iterator[tuple[str, str]]:
    """Every line of these files, with where it stands."""
    for file in files:
        text = file.read_bytes().decode(errors="replace")
        yield from ((f"{name_of(file)}:{number}", line) for number, line in enumerate(text.splitlines(), start=1))


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    long = {name_of(file): count for file in SOURCES if (count := len(file.read_text().splitlines())) > LONGEST_FILE}

    assert long == {}


def test_no_adapter_is_larger_than_a_reader_can_hold() -> None:
    """An adapter holds its vendor's grammar; what several have in common lies beside them."""
    sizes = {
        folder.name: sum(lines_of_code(file.read_text()) for file in folder.glob("*.py"))
        for folder in ADAPTERS.iterdir()
        if (folder / "adapter.py").exists()
    }

    assert {"capsule", "custom", "hubspot", "salesforce", "zendesk"} <= sizes.keys()
    assert {name: size for name, size in sizes.items() if size > LARGEST_ADAPTER} == {}


def test_what_explains_is_no_code() -> None:
    assert lines_of_code('"""Doc."""\n\n# why\nA = 1\n"""What A is,\nin two lines."""\n\nB = (\n    2,\n)\n') == 4


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{name_of(file)}:{function.lineno} {function.name}": length
        for file in SOURCES
        for function in functions(ast.parse(file.read_text()))
        if (length := (function.end_lineno or 0) - function.lineno + 1) > LONGEST_FUNCTION
    }

    assert long == {}


def test_every_handler_that_catches_everything_is_listed_with_a_reason() -> None:
    found = set()
    for file in SOURCES:
        tree = ast.parse(file.read_text())
        inside = {node: function.name for function in functions(tree) for node in ast.walk(function)}
        found |= {(name_of(file), inside.get(node, "")) for node in ast.walk(tree) if catches_everything(node)}

    assert found == CATCHES_EVERYTHING.keys()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("try: f()\nexcept: pass", True),
        ("try: f()\nexcept Exception: pass", True),
        ("try: f()\nexcept (OSError, builtins.BaseException) as error: pass", True),
        ("with suppress(Exception): f()", True),
        ("with contextlib.suppress(Exception): f()", True),
        ("try: f()\nexcept (OSError, ValueError): pass", False),
        ("with suppress(KeyError): f()", False),
    ],
)
def test_no_broad_handler_is_overlooked(code: str, expected: bool) -> None:
    assert any(catches_everything(node) for node in ast.walk(ast.parse(code))) is expected


def test_nothing_is_left_to_do() -> None:
    assert [where for where, line in lines(tracked()) if LEFT_TO_DO.search(line)] == []


def test_no_path_of_a_developers_machine_is_in_any_file() -> None:
    assert [where for where, line in lines(tracked()) if MACHINE_PATH.search(line)] == []


def test_no_package_registry_is_named() -> None:
    """A lock that names none works behind every mirror."""
    files = [file for file in tracked() if file != Path(__file__)]

    assert [where for where, line in lines(files) if REGISTRY.search(line)] == []
    assert [where for where, line in lines([ROOT / name for name in LOCKS]) if "://" in line] == []


def test_the_newest_migration_is_the_tables(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'connector.db'}")
    try:
        database.upgrade()
        with database.read() as connection:
            differences = compare_metadata(MigrationContext.configure(connection), metadata)
    finally:
        database.close()

    assert differences == []


def test_there_is_one_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))

    assert len(ScriptDirectory.from_config(config).get_heads()) == 1
