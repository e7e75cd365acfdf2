"""`run` and `sandbox` as real processes: they say where they listen, work, and end when they are asked to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.flows.world import eventually

from .conftest import MAPPINGS, Installation

STARTS_WITHIN = 15.0
MOST_MEMORY = 150 * 1024
"""Kilobytes that an idle process may hold."""


class Process:
    """A started command; its output is read from files, so that no pipe can fill up."""

    def __init__(self, folder: Path, *arguments: str, environment: Mapping[str, str]) -> None:
        self.out, self.err = folder / "stdout", folder / "stderr"
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from connector.cli import main; main()", *arguments],
                cwd=folder,
                env={**os.environ, **environment},
                stdout=out,
                stderr=err,
            )

    def says(self, words: str) -> str:
        """Wait for these words on standard output; all of it."""
        eventually(lambda: words in self.out.read_text() or self.process.poll() is not None, within=STARTS_WITHIN)
        assert words in self.out.read_text(), self.err.read_text()
        return self.out.read_text()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(20)


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Process] = []

    def begin(*arguments: str, **environment: str) -> Process:
        started.append(Process(tmp_path, *arguments, environment=environment))
        return started[-1]

    yield begin
    for one in started:
        with suppress(ProcessLookupError):
            one.process.kill()
        one.process.wait()


def get(url: str) -> Any:
    return httpx.get(url, timeout=5).json()


def address(greeting: str) -> str:
    return greeting.split("listening on ", 1)[1].split(",", 1)[0]


def test_run_syncs_and_ends_cleanly(start: Start, installation: Installation) -> None:
    process = start("run", "--port", "0")
    greeting = process.says("listening on")

    assert greeting.count("\n") == 1
    assert get(address(greeting) + "/readyz")["status"] == "ok"
    ticket = installation.sandbox.nextcap.create_ticket(subject="Printer on fire")
    eventually(lambda: bool(installation.sandbox.hubspot.tickets_of(ticket["id"])), what="the HubSpot ticket")
    assert process.end() == 0
    assert "ended by SIGTERM" in process.out.read_text()


def test_ctrl_c_ends_it_as_well(start: Start, installation: Installation) -> None:
    process = start("run", "--port", "0")
    process.says("listening on")

    assert process.end(signal.SIGINT) == 0


def test_port_is_honoured(start: Start, installation: Installation) -> None:
    process = start("run", PORT="0")

    assert not address(process.says("listening on")).endswith(":8000")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_an_idle_process_is_small(start: Start, installation: Installation) -> None:
    process = start("run", "--port", "0")
    process.says("listening on")

    status = Path(f"/proc/{process.process.pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert resident < MOST_MEMORY


def test_a_mapping_that_never_passed_stops_it_with_every_mistake(start: Start, installation: Installation) -> None:
    text = installation.mapping.read_text()
    installation.mapping.write_text(text.replace("direction:", "directoin:"))

    process = start("run", "--port", "0")

    assert process.process.wait(STARTS_WITHIN) == 2
    told = process.err.read_text()
    assert told.count("did you mean 'direction'?") >= text.count("direction:") > 1
    assert "Traceback" not in told


def test_a_mapping_that_passed_before_stays_in_force(start: Start, installation: Installation) -> None:
    with installation.runtime():
        installation.mapping.write_text("status: [")

    process = start("run", "--port", "0")
    process.says("listening on")

    assert "stays in force" in process.err.read_text()
    assert process.end() == 0


@pytest.mark.parametrize("environment", [{"WEB_CONCURRENCY": "2"}, {"DYNO": "web.1"}])
def test_what_does_not_fit_the_platform_is_refused(
    start: Start, installation: Installation, environment: dict[str, str]
) -> None:
    process = start("run", "--port", "0", **environment)

    assert process.process.wait(STARTS_WITHIN) == 2
    assert next(iter(environment)) in process.err.read_text()


def test_a_port_that_is_taken_is_told(start: Start, installation: Installation) -> None:
    port = installation.sandbox.nextcap.url.rpartition(":")[2]

    process = start("run", "--port", port)

    assert process.process.wait(STARTS_WITHIN) == 2
    assert f"127.0.0.1:{port}" in process.err.read_text()
    assert "Traceback" not in process.err.read_text()


def test_the_sandbox_prints_a_configuration_that_works(start: Start, tmp_path: Path) -> None:
    process = start("sandbox", "--port", "0", "--connector", "http://127.0.0.1:9")
    printed = process.says("actions/create_ticket")

    written = tomllib.loads(printed)
    assert written["connections"]["hubspot"]["mapping"] == "mappings/hubspot.yaml"
    (tmp_path / "mappings").symlink_to(MAPPINGS)
    (tmp_path / "config.toml").write_text(printed)
    checked = subprocess.run(
        [sys.executable, "-c", "from connector.cli import main; main()", "setup", "hubspot"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 2, "there are no tables yet"
    assert "create_ticket" in get(written["nextcap"]["api_url"].removesuffix("/api/v1") + "/_control/actions")
    assert process.end() == 0


def test_the_sandbox_speaks_json(start: Start) -> None:
    process = start("sandbox", "--port", "0", "--json")

    told = json.loads(process.says("}\n}"))

    assert told["nextcap"]["api_key"].startswith("nextcap_ck_")
    assert get(told["control"]["hubspot"] + "settings")["webhook_url"] == "http://127.0.0.1:8000/webhooks/hubspot"
