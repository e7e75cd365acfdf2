"""`connector demo`: a support story, played on both imitations over real HTTP, and compared at the end.

Needs no account and nothing but this repository; listens on 127.0.0.1 only.
"""

from __future__ import annotations

import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console

from connector.demo import figures, summary
from connector.demo.agreement import differences
from connector.demo.people import NotDone
from connector.demo.picture import look
from connector.demo.play import Stuck, play
from connector.demo.screen import screen_on
from connector.demo.story import Story
from connector.demo.world import World, running

EQUAL, DIFFERENT, INTERRUPTED = 0, 1, 130
PAUSE = 0.5
"""Seconds between two steps where people watch; a log is in no need of them."""


def main(*, keep: bool) -> int:
    """Play the story and compare both sides: 0 where they and all counts agree, 1 where not, 130 after Ctrl-C.

    With `keep` everything stays up after the story, until Ctrl-C, and its folder for good. Raises ConfigError.
    """
    console = Console(emoji=False)  # Otherwise the `:id:` of a route would become a picture.
    with _interruptible():
        try:
            with _folder(console, keep=keep) as folder, running(folder) as world:
                verdict = _perform(world, console)
                if keep:
                    _stay(world, console)
                return verdict
        except KeyboardInterrupt:
            console.print("ended by Ctrl-C")
            return INTERRUPTED


def _perform(world: World, console: Console) -> int:
    """The story, then the summary, whatever became of the story."""
    started = time.monotonic()
    stuck: list[str] = []
    try:
        with screen_on(console) as screen:
            play(world, Story(world).steps(), screen, pause=PAUSE if console.is_terminal else 0.0)
    except Stuck as problem:
        stuck = [str(problem), *problem.unmet]
    except NotDone as problem:
        stuck = [f"the story came to a stand: {problem}"]
    picture = look(world)
    counted = figures.settled(world)
    found = dict.fromkeys([*stuck, *differences(picture.nextcap, picture.hubspot), *figures.miscounts(counted)])
    summary.tell(console, counted, list(found), picture.nextcap, time.monotonic() - started)
    return DIFFERENT if found else EQUAL


def _stay(world: World, console: Console) -> None:
    """Say how to play on, and wait for Ctrl-C, which is the end that is meant."""
    world.sandbox.start()  # A story that came to a stand in the outage has left HubSpot away.
    nextcap, hubspot = world.sandbox.nextcap.url, world.sandbox.hubspot.url
    number = next((one["ticket_number"] for one in look(world).nextcap["tickets"]), "…")
    lines = f"""
Everything stays up until Ctrl-C. Mia's ticket is {number}. To play on, from another terminal:
  Next Cap   {nextcap}/_control/
  HubSpot    {hubspot}/_control/
  connector  {world.url}/readyz, {world.url}/metrics
  files      {world.folder}

  curl -d '{{"ticket": {number}, "content": "Once more, please"}}' {nextcap}/_control/actions/customer_reply
  curl -d '{{"subject": "A new one", "contact": "eve@home.example"}}' {hubspot}/_control/actions/create_ticket
  curl -d '{{"kind": "status", "status": 503, "times": 3}}' {hubspot}/_control/faults
  curl {nextcap}/_control/actions
  CONNECTOR_CONFIG={world.folder}/config.toml .venv/bin/connector tickets show {number}"""
    console.print(lines, markup=False, highlight=False, soft_wrap=True)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


@contextmanager
def _folder(console: Console, *, keep: bool) -> Iterator[Path]:
    """A folder for database, configuration and log; removed at the end unless it is to be kept."""
    if keep:
        folder = tempfile.mkdtemp(prefix="connector-demo-")
        console.print(f"Database, configuration and log stay in {folder}", highlight=False, soft_wrap=True)
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory(prefix="connector-demo-") as folder:
        yield Path(folder)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the demo once; what comes after that does not disturb its end."""
    ended: list[int] = []

    def end(number: int, _frame: object) -> None:
        if not ended:
            ended.append(number)
            raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
