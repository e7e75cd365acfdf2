"""For every test: no address but this machine's, and, where it is asked for, no skipped test goes unnoticed."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("quick", max_examples=60, deadline=None)
settings.register_profile("soak", max_examples=1_000, deadline=None)
settings.load_profile(os.environ.get("EXAMPLES", "quick"))

LOOPBACK = ("127.", "::1", "localhost")
_connect = socket.socket.connect


def _only_here(self: socket.socket, address: Any) -> None:
    if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(LOOPBACK):
        raise AssertionError(f"a test tried to reach {address[0]}")
    _connect(self, address)


@pytest.fixture(autouse=True, scope="session")
def _no_other_machine(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _only_here)
        # The tests' own clients need no list of authorities, which takes each of them 30 ms to read.
        patch.delenv("SSL_CERT_FILE", raising=False)
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("authorities")))
        yield


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: whole worlds and real processes wait much of their time."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With CONNECTOR_NO_SKIPS, a skipped test fails the run: where everything can be installed, everything runs."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and os.environ.get("CONNECTOR_NO_SKIPS"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
