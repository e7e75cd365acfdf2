"""`connector demo` as people start it: a process, its words and its exit code."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from connector.demo import INTERRUPTED

COMMAND = [str(Path(sys.executable).parent / "connector"), "demo"]
LONGEST = 90.0


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine with a configuration of its own, which the demo must leave alone."""
    own = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/theirs", "CONNECTOR__STORE__URL": "sqlite:////nowhere/x.db"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}
    return {**kept, **own, "TMPDIR": str(tmp_path), "COLUMNS": "110"}


def left_in(folder: Path) -> list[str]:
    return [one.name for one in folder.glob("connector-demo-*")]


def test_both_sides_end_equal(surroundings: dict[str, str], tmp_path: Path) -> None:
    played = subprocess.run(
        COMMAND, env=surroundings, cwd=tmp_path, capture_output=True, text=True, timeout=LONGEST, check=False
    )

    assert (played.returncode, played.stderr) == (0, ""), played.stdout
    captions = re.findall(r"^ *(\d+)\. ", played.stdout, re.MULTILINE)
    assert [int(number) for number in captions] == list(range(1, len(captions) + 1))
    assert "#1002 carried status → Next Cap (the CRM changed by way of open)" in played.stdout
    assert "waits     hubspot" in played.stdout
    for told in (
        r"events in +[1-9]",
        r"vendor calls +[1-9]",
        r"retries +[1-9]",
        r"duplicates +2 webhooks that came twice, [1-9]\d* echoes and [1-9]\d* late events changed nothing",
        r"both sides +3 tickets, 6 replies and notes, 1 mail to a customer: equal",
    ):
        assert re.search(told, played.stdout), told
    assert "differs" not in played.stdout
    assert left_in(tmp_path) == []


def test_what_is_kept_can_be_played_with(surroundings: dict[str, str], tmp_path: Path) -> None:
    """The addresses that it prints are those of a world that goes on working until Ctrl-C."""
    with subprocess.Popen(
        [*COMMAND, "--keep"], env=surroundings, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as up:
        told = "".join(_until(up, "tickets show"))
        nextcap, hubspot = re.findall(r"(http://\S+/_control)/$", told, re.MULTILINE)
        ready = httpx.get(re.findall(r"(http://\S+/readyz)", told)[0], trust_env=False)

        reply = {"ticket": 1001, "content": "Only once more"}
        httpx.post(f"{nextcap}/actions/customer_reply", json=reply, trust_env=False).raise_for_status()

        assert ready.status_code == 200
        _eventually_in(f"{hubspot}/state", "Only once more")
        up.send_signal(signal.SIGINT)
        assert up.wait(LONGEST) == 0
    kept = left_in(tmp_path)
    assert len(kept) == 1
    assert (tmp_path / kept[0] / "config.toml").is_file()


def test_ctrl_c_ends_it_cleanly_and_gives_the_terminal_back(surroundings: dict[str, str], tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        COMMAND, env={**surroundings, "TERM": "xterm"}, cwd=tmp_path, stdout=theirs, stderr=subprocess.PIPE, text=True
    ) as played:
        os.close(theirs)
        screen = _screen_until(ours, "Ben takes it in HubSpot")

        played.send_signal(signal.SIGINT)

        screen += _screen_until(ours, "ended by Ctrl-C")
        assert played.wait(LONGEST) == INTERRUPTED
        assert played.stderr is not None
        assert played.stderr.read() == ""
    os.close(ours)
    hidden, shown = "\x1b[?25l", "\x1b[?25h"
    assert screen.rfind(shown) > screen.rfind(hidden) > -1
    assert "Next Cap" in screen
    assert left_in(tmp_path) == []


def _until(process: subprocess.Popen[str], words: str) -> Iterator[str]:
    """What a process prints, up to the line with these words."""
    assert process.stdout is not None
    for line in process.stdout:
        yield line
        if words in line:
            return
    raise AssertionError(f"it ended without {words!r}")


def _screen_until(terminal: int, words: str) -> str:
    """What a terminal is sent, until these words have come."""
    seen = b""
    deadline = time.monotonic() + LONGEST
    while words.encode() not in seen:
        readable, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert readable, f"no {words!r} in {seen[-500:]!r}"
        seen += os.read(terminal, 65536)
    return seen.decode("utf-8", "replace")


def _eventually_in(url: str, words: str, within: float = 20.0) -> None:
    deadline = time.monotonic() + within
    while words not in httpx.get(url, trust_env=False).text:
        assert time.monotonic() < deadline, f"{words!r} did not come to {url}"
        time.sleep(0.05)
