"""How commands print: tables in colour on a terminal, plain aligned lines elsewhere, JSON where it is asked for."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from typing import Any

import click

MARKS = {"ok": "green", "done": "green", "note": "cyan", "would": "cyan", "manual": "yellow", "problem": "red"}

UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Signs that a terminal would obey, or that turn a line around; the end of a line is none."""


def as_json(value: Any) -> None:
    """Print a value as JSON; moments as ISO 8601 in UTC."""
    told = json.dumps(_plain(value), indent=2, ensure_ascii=False, default=_scalar)
    click.echo(UNSEEN.sub(lambda sign: f"\\u{ord(sign[0]):04x}", told))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _scalar(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def cell(value: object) -> str:
    """A value on one line."""
    if value is None or value in ("", [], ()):
        return "-"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return UNSEEN.sub("\ufffd", " ".join(str(value).split()))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their names; nothing at all where there are none."""
    cells = [[cell(value) for value in row] for row in rows]
    if not cells:
        return
    if sys.stdout.isatty():
        _rich(columns, cells)
        return
    # The last column is free text and not padded.
    widths = [max(len(row[place]) for row in [list(columns), *cells]) for place in range(len(columns) - 1)]
    for row in [list(columns), *cells]:
        padded = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*padded, row[-1]]))


def _rich(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(*columns, box=None, header_style="bold")
    for row in cells:
        shown.add_row(*(Text(text) for text in row))
    Console().print(shown)


def finding(state: str, what: str, detail: str = "", advice: str = "") -> None:
    """One line of what was looked at or done, and under it what to do about it."""
    mark = click.style(f"{state:<8}", fg=MARKS.get(state))
    click.echo(f"{mark}{what}{': ' if detail else ''}{detail}")
    for line in advice.splitlines():
        click.echo(f"{'':8}{line}")
