"""Kill point × kind of effect: every place where a process must have died, and whether one did."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from connector.engine.points import Point

from .desks import DESKS

COMMENTS = ("comment_crm", "reply_nextcap", "note_nextcap")
WRITES = ("create_crm", "create_nextcap", "update_crm", "update_nextcap", "walk", *COMMENTS)


def passes(crm: str) -> dict[Point, tuple[str, ...]]:
    """What passes each point, for a CRM. Values, creates and walks are named and marked as sending at once."""
    writes = (*WRITES, "follow_up") if DESKS[crm].follows_up else WRITES
    found: dict[Point, tuple[str, ...]] = {
        Point.TAKING: ("nextcap", crm),
        Point.TAKEN: ("nextcap", crm),
        Point.INTENDED: COMMENTS,
        Point.SENDING: writes,
        Point.APPLIED: writes,
        Point.KEEPING: writes,
        Point.HOP: ("walk",),
    }
    return {**found, Point.RENEWED: (crm,)} if DESKS[crm].renews else found


def cells(crm: str) -> tuple[str, ...]:
    """Every place where a process must have died."""
    return tuple(f"{point}.{kind}" for point, kinds in passes(crm).items() for kind in kinds)


class Traps:
    """The traps of one run, as files that processes take."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("set", "sprung"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def set(self, *cells: str, order: str = "SIGKILL") -> None:
        """Whoever passes one of these next gets this signal from itself."""
        for cell in cells:
            (self.folder / cell).write_text(order)
            (self.folder / cell).rename(self.folder / "set" / cell)

    def clear(self) -> None:
        """Nobody is to die any more."""
        for trap in (self.folder / "set").iterdir():
            trap.unlink(missing_ok=True)

    def waiting(self) -> list[str]:
        """Cells whose trap nobody has taken yet."""
        return sorted(one.name for one in (self.folder / "set").iterdir())

    def sprung(self) -> dict[str, list[int]]:
        """The processes that took each cell's trap."""
        found: dict[str, list[int]] = {}
        for one in (self.folder / "sprung").iterdir():
            cell, _, process = one.name.rpartition(".")
            found.setdefault(cell, []).append(int(process))
        return found


def table(hits: Counter[str], crm: str) -> str:
    """The matrix with the number of deaths in each place; `0` is a place where nobody died, `·` one that is none."""
    columns = passes(crm)
    kinds = list(dict.fromkeys(kind for kinds in columns.values() for kind in kinds))
    lines = [f"{'':16}" + "".join(f"{point:>10}" for point in columns)]
    for kind in kinds:
        shown = [str(hits[f"{point}.{kind}"]) if kind in kinds_of else "·" for point, kinds_of in columns.items()]
        lines.append(f"{kind:16}" + "".join(f"{one:>10}" for one in shown))
    return "\n".join(lines)
