"""`make bench`: measures, prints a table and writes JSON. `python -m bench [FIGURE …] [--scale 0.1] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.figures import ALL, Bench, run


def main() -> None:
    """Measure what was asked for, all of it by default."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("figures", nargs="*", choices=[*ALL, []], help="which figures; all without a name")
    parser.add_argument("--scale", type=float, default=1.0, help="0.1 for a quick look at a tenth of the work")
    parser.add_argument("--json", type=Path, default=Path("build") / "bench.json")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="connector-bench") as folder:
        bench = run(Path(folder), told.figures or list(ALL), told.scale)
    _show(bench)
    _write(bench, told.json)


def _show(bench: Bench) -> None:
    table = Table(title=f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    for column in ("figure", "measured", "goal", "of the goal", ""):
        table.add_column(column)
    for one in bench.figures:
        ratio = "" if one.ratio is None else f"{one.ratio:.2f} ×"
        mark = {True: "reached", False: "not reached", None: ""}[one.passes]
        table.add_row(one.name, one.value, one.goal, ratio, mark)
    Console(width=170).print(table)


def _write(bench: Bench, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    when = datetime.now(UTC).isoformat(timespec="seconds")
    told = {"at": when, "scale": bench.scale, "figures": [asdict(one) for one in bench.figures], "raw": bench.raw}
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False))
    print(f"written to {path}")


if __name__ == "__main__":
    main()
