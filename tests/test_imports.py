"""Who may import whom. Every file is read as a tree, so imports inside functions and for type checking count too."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTING = "adapters.testing"
BELOW_WIRING = ("domain", "mapping", "adapters", "store", "events", "engine", "chat", "log", "config", "secretbox")
BELOW_THE_TOP = (*BELOW_WIRING, "wiring")

# Room → the rooms that it may import, besides itself. A room is a package or module of `connector`, or `workers`; what
# adapters are tested with is one of its own, as it knows the imitations and nothing in production knows it.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "domain": (),
    "log": (),
    "sandbox": ("log",),
    "mapping": ("domain",),
    "adapters": ("domain", "mapping"),
    TESTING: ("domain", "mapping", "adapters", "sandbox"),
    "store": ("domain",),
    "events": ("domain", "adapters", "store"),
    "engine": ("domain", "mapping", "adapters", "store", "events"),
    "chat": ("domain", "mapping", "adapters", "store", "engine"),
    "config": ("domain", "adapters", "events"),
    "secretbox": ("domain", "adapters", "store", "engine"),
    "wiring": BELOW_WIRING,
    "doctor": BELOW_THE_TOP,
    "embedded": BELOW_THE_TOP,
    "workers": BELOW_THE_TOP,
    "web": (*BELOW_THE_TOP, "workers"),
    "demo": (*BELOW_THE_TOP, "embedded", "web", "sandbox"),
    "cli": (*BELOW_THE_TOP, "embedded", "web", "workers", "doctor", "demo", "sandbox", TESTING),
}

# Library → the only rooms that know it.
KNOWN_ONLY_TO: dict[str, tuple[str, ...]] = {
    "flask": ("web", "sandbox"),
    "werkzeug": ("web", "sandbox"),
    "celery": ("workers",),
    "kombu": ("workers",),
    "billiard": ("workers",),
    "sqlalchemy": ("store", "events", "engine", "demo"),
    "alembic": ("store",),
    "psycopg": ("store",),
    "sqlite3": ("store",),
    "httpx": ("adapters", TESTING, "sandbox", "demo"),
    "httpcore": ("adapters",),
    "requests": ("adapters",),
    "urllib3": ("adapters",),
    "hubspot": ("adapters",),
    "simple_salesforce": ("adapters",),
    "socketio": ("chat", "sandbox"),
    "click": ("cli", "demo"),
    "rich": ("cli", "demo"),
    "redis": ("wiring", "doctor"),
    "pytest": (TESTING,),
}

IMPURE = frozenset(
    {"asyncio", "ctypes", "ftplib", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random", "select"}
    | {"shutil", "signal", "smtplib", "socket", "ssl", "subprocess", "tempfile", "threading", "time", "urllib"}
)
"""Modules of the standard library that read the world, which the domain does not."""

CLOCKS = frozenset({"now", "utcnow", "today", "time", "monotonic", "perf_counter"})
FILES = sorted([*(ROOT / "connector").rglob("*.py"), *(ROOT / "workers").rglob("*.py")])


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


OURS = frozenset(module_of(file) for file in FILES)


def room_of(module: str) -> str | None:
    """The room of a module of ours; empty for the bare package, None for a library."""
    top, _, rest = module.partition(".")
    if top == "connector":
        return TESTING if f"{rest}.".startswith(f"{TESTING}.") else rest.partition(".")[0]
    return "workers" if top == "workers" else None


def imported(tree: ast.Module, module: str, *, is_package: bool) -> Iterator[tuple[str, int]]:
    """Every module that a file names, with the line: by import, or as a text that is imported by name."""
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            source = ".".join(part for part in (base, node.module or "") if part)
            for alias in node.names:
                whole = f"{source}.{alias.name}"
                yield (whole if whole in OURS else source), node.lineno
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in OURS:
            yield node.value, node.lineno


def imports() -> Iterator[tuple[str, str, str]]:
    """Of every file: its room, what it imports, and where."""
    for file in FILES:
        module = module_of(file)
        tree = ast.parse(file.read_text())
        for target, line in imported(tree, module, is_package=file.name == "__init__.py"):
            yield room_of(module) or "", target, f"{file.relative_to(ROOT)}:{line} imports {target}"


def test_every_room_is_in_the_table() -> None:
    rooms = {room_of(module_of(file)) for file in FILES} - {""}

    assert rooms <= MAY_IMPORT.keys()


def test_imports_point_downward() -> None:
    wrong = [
        where
        for room, target, where in imports()
        if (other := room_of(target)) not in (None, "", room) and other not in MAY_IMPORT[room]
    ]

    assert wrong == []


def test_the_table_itself_has_no_circle() -> None:
    """Rooms can be put in an order in which each imports only those before it."""
    placed: set[str] = set()
    while ready := {room for room in MAY_IMPORT.keys() - placed if placed.issuperset(MAY_IMPORT[room])}:
        placed |= ready

    assert placed == MAY_IMPORT.keys()


def test_each_library_is_known_only_where_it_belongs() -> None:
    wrong = [
        where for room, target, where in imports() if room not in KNOWN_ONLY_TO.get(target.partition(".")[0], (room,))
    ]

    assert wrong == []


def test_the_domain_needs_nothing_but_the_language() -> None:
    """Pure: no library, no clock of its own, no file, no network."""
    allowed = sys.stdlib_module_names - IMPURE
    wrong = [
        where
        for room, target, where in imports()
        if room == "domain" and room_of(target) != "domain" and target.partition(".")[0] not in allowed
    ]

    assert wrong == []


@pytest.mark.parametrize("room", ["domain", "mapping"])
def test_the_core_never_reads_the_clock(room: str) -> None:
    """`now` is an argument."""
    calls = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in FILES
        if room_of(module_of(file)) == room
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS
    ]

    assert calls == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import flask.json", {"flask.json"}),
        ("from connector import log", {"connector.log"}),
        ("from connector.store.links import mark", {"connector.store.links"}),
        ("from . import reading", {"connector.engine.reading"}),
        ("from .reading import read_crm", {"connector.engine.reading"}),
        ("from ..store import links", {"connector.store.links"}),
        ("def later():\n    import celery", {"celery"}),
        ("if TYPE_CHECKING:\n    from workers.bell import broker", {"workers.bell"}),
        ("importlib.import_module('workers.bell')", {"workers.bell"}),
    ],
)
def test_no_import_is_overlooked(text: str, found: set[str]) -> None:
    seen = imported(ast.parse(text), "connector.engine.sync", is_package=False)

    assert {target for target, _ in seen} == found
