"""Runs the contract suite against one arena, and says of every promise whether it was kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from inspect import getdoc
from pathlib import Path
from typing import Final

import pytest

from connector.adapters.testing.arena import Arena
from connector.adapters.testing.contract import AdapterContract
from connector.domain.errors import ConfigError
from connector.sandbox.kernel import Imitation

SUITE: Final = Path(__file__).with_name("suite.py")
PREFIX: Final = "test_"
ALONE: Final = (
    "--disable-plugin-autoload",
    "--noconftest",
    "--capture=sys",
    *("-p", "no:cacheprovider", "-p", "no:terminal", "-c", os.devnull),
    f"--rootdir={SUITE.parent}",
)
"""Nothing of where the command is run, and no other plugin, has a say; and pytest prints nothing."""


@dataclass(slots=True)
class Promise:
    """One promise and what came of it. `cases` were tried; `broken` says of each that failed why, in full."""

    about: str
    name: str
    why: str
    cases: int = 0
    broken: dict[str, str] = field(default_factory=dict)
    short: dict[str, str] = field(default_factory=dict)
    """The last line of each of those, for people in a hurry."""

    @property
    def is_kept(self) -> bool:
        """Whether every case came out as it must."""
        return not self.broken


def promises() -> dict[str, Promise]:
    """Every promise in the order of the contract, by the name of its test."""
    found: dict[str, Promise] = {}
    for part in AdapterContract.__mro__[1:]:
        for name, test in vars(part).items():
            if name.startswith(PREFIX):
                words = name.removeprefix(PREFIX).replace("_", " ")
                found[name] = Promise(getdoc(part) or part.__name__, words, getdoc(test) or "")
    return found


def run(arena: type[Arena], *, only: str = "", told: Callable[[Promise], None] = lambda _: None) -> list[Promise]:
    """Hold an adapter to the promises that hold `only` in their words. Raises ConfigError where nothing could be tried.

    `told` is called with each promise whenever one of its cases has been tried.
    """
    referee = _Referee(arena, told)
    chosen = [name for name, one in promises().items() if only.lower() in one.name]
    if not chosen:
        raise ConfigError(f"no promise has {only!r} in its words")
    asked = [f"{SUITE}::TestAdapter::{name}" for name in chosen]
    code = pytest.main([*ALONE, *asked], plugins=[referee])
    tried = [one for one in referee.promises.values() if one.cases]
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) or not tried:
        raise ConfigError(f"the suite could not be run: {referee.trouble or code}")
    reasons = {why for one in tried for why in (one.short or {"": ""}).values()}
    if len(tried) > 1 and len(reasons) == 1 and not any(one.is_kept for one in tried):
        raise ConfigError(f"nothing could be tried, always for one reason: {reasons.pop()}")
    return tried


class _Referee:
    """The part of pytest that gives the arena and hears how each case came out."""

    def __init__(self, arena: type[Arena], told: Callable[[Promise], None]) -> None:
        self.promises = promises()
        self.trouble = ""
        self._arena = arena
        self._told = told

    @pytest.fixture(scope="session")
    def imitation(self) -> Iterator[Imitation]:
        """The imitation, started once."""
        made = self._arena.imitate()
        made.start()
        yield made
        made.stop()

    @pytest.fixture
    def arena(self, imitation: Imitation) -> Iterator[Arena]:
        """A new arena in an imitation that remembers nothing."""
        imitation.reset()
        made = self._arena(imitation)
        made.set_up()
        yield made
        made.close()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a case that was tried, or that could not even begin or end."""
        if report.when != "call" and report.passed:
            return
        name, _, case = report.nodeid.rpartition("::")[2].partition("[")
        promise = self.promises[name]
        promise.cases += 1
        if not report.passed:
            promise.broken[case.rstrip("]")] = report.longreprtext
            promise.short[case.rstrip("]")] = _last(report)
        self._told(promise)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember why the suite itself could not be read."""
        if report.failed:
            self.trouble = report.longreprtext.strip().splitlines()[-1]


def _last(report: pytest.TestReport) -> str:
    """What went wrong, and where, in one line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return report.longreprtext.strip().splitlines()[-1]
    lines = [line for line in str(crash.message).splitlines() if line.strip()]
    return f"{' '.join(lines[:2])[:300]} ({Path(crash.path).name}:{crash.lineno})"
