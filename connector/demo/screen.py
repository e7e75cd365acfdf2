"""The story in the terminal: a live table where there is one, plain lines where not."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from connector.demo.picture import Picture
from connector.demo.sides import Row, Shown, rows

LONGEST_WORDS = 60


class Screen(Protocol):
    """Where the story is shown. A context manager: the terminal is given back at its end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def begin(self, number: int, caption: str, picture: Picture) -> None:
        """A step begins."""

    def show(self, picture: Picture) -> None:
        """How things are just now."""

    def settled(self, picture: Picture, seconds: float) -> None:
        """The step has come to its end."""


def screen_on(console: Console) -> Screen:
    """What this terminal can show."""
    is_live = console.is_terminal and not console.is_dumb_terminal
    return LiveScreen(console) if is_live else PlainScreen(console)


class PlainScreen:
    """Lines for logs: each step, and both sides of every ticket that it changed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: list[Row] = []
        self._journal: frozenset[int] = frozenset()
        self._waits_for = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def begin(self, number: int, caption: str, picture: Picture) -> None:
        """The step's own line."""
        self._shown = rows(picture.nextcap, picture.hubspot)
        self._journal = frozenset(picture.journal)
        self._waits_for = picture.waits_for
        self._say(f"{number:2}. {caption}")

    def show(self, picture: Picture) -> None:
        """A wait is told once; all else when the step has settled."""
        if picture.waits_for and not self._waits_for:
            self._waits_for = picture.waits_for
            self._say(f"      waits     {picture.waits_for}")

    def settled(self, picture: Picture, seconds: float) -> None:
        """What is different from before on either side, and why."""
        for row in rows(picture.nextcap, picture.hubspot):
            if row not in self._shown:
                self._say(f"      Next Cap  {_line(row.nextcap)}")
                self._say(f"      HubSpot   {_line(row.hubspot)}")
        for number, sentence in picture.journal.items():
            if number not in self._journal:
                self._say(f"      journal   {sentence}")
        self._say(f"      after     {seconds:.1f} s")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class LiveScreen:
    """A table of both sides that changes as they do; steps that have settled scroll by above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=12, transient=False)
        self._caption = ""

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def begin(self, number: int, caption: str, picture: Picture) -> None:
        """The caption under the table."""
        self._caption = f"{number}. {caption}"
        self.show(picture)

    def show(self, picture: Picture) -> None:
        """Draw the table anew."""
        self._live.update(_drawing(self._caption, picture))

    def settled(self, picture: Picture, seconds: float) -> None:
        """The step joins those above."""
        self._live.console.print(Text.assemble(("✓ ", "green"), self._caption, (f"  {seconds:.1f} s", "dim")))
        self.show(picture)


def _drawing(caption: str, picture: Picture) -> Group:
    table = Table(expand=True, show_lines=True)
    table.add_column("Next Cap", ratio=1)
    table.add_column("HubSpot (does not answer)" if picture.waits_for else "HubSpot", ratio=1)
    for row in rows(picture.nextcap, picture.hubspot):
        table.add_row(_cell(row.nextcap), _cell(row.hubspot))
    said = (
        ("waits: ", picture.waits_for, "yellow") if picture.waits_for else ("journal: ", picture.newest_sentence, "dim")
    )
    return Group(table, Text(caption, style="bold"), Text(said[0] + said[1], style=said[2], overflow="ellipsis"))


def _cell(shown: Shown | None) -> Text:
    if shown is None:
        return Text("not there yet", style="dim")
    facts = " · ".join(one for one in (shown.priority, shown.assignee, shown.said) if one)
    return Text.assemble(
        (f"{shown.name} ", "dim"),
        (shown.subject, "bold"),
        "\n",
        (shown.status, "cyan"),
        f" · {facts}\n",
        (_cut(shown.last_words), "italic"),
    )


def _line(shown: Shown | None) -> str:
    if shown is None:
        return "does not have it yet"
    facts = (shown.subject, shown.status, shown.priority, shown.assignee, shown.said)
    words = f' · "{_cut(shown.last_words)}"' if shown.last_words else ""
    return f"{shown.name}  {' · '.join(one for one in facts if one)}{words}"


def _cut(words: str) -> str:
    return words if len(words) <= LONGEST_WORDS else f"{words[: LONGEST_WORDS - 1]}…"
