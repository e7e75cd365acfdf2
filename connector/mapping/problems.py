"""What can be wrong with a mapping file: stable codes, and where each mistake stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from connector.domain.errors import ConfigError

Severity = Literal["error", "warning"]
Step = str | int
Path = tuple[Step, ...]
Position = tuple[int, int]
"""Line and column, both counted from 1."""

CODES: Mapping[str, str] = {
    "M001": "the file is too large, too deep or has too many entries",
    "M002": "not YAML",
    "M003": "a key stands twice",
    "M004": "anchors, aliases and tags are not allowed",
    "M101": "unknown key",
    "M102": "a key is missing",
    "M103": "a value does not fit",
    "M104": "keys contradict each other",
    "M201": "unknown Next Cap field",
    "M202": "unknown CRM field",
    "M203": "the CRM field has no such value",
    "M204": "the label stands for several values",
    "M205": "the CRM field is read-only",
    "M206": "unknown pipeline",
    "M207": "one value meets a field that holds several",
    "M208": "the CRM requires a field that nothing fills",
    "M209": "Next Cap's field never has this value",
    "M210": "the CRM has no such form of entry",
    "M211": "the form can only be read",
    "M212": "the customer gets the same twice",
    "M301": "a status has no CRM value",
    "M302": "a CRM value that is written cannot be read back",
    "M303": "a CRM value is neither mapped nor ignored",
    "M304": "a status cannot be reached",
    "M305": "the two status tables would bounce a ticket",
    "M306": "a row never applies",
    "M307": "a CRM value is both mapped and ignored",
    "M308": "the CRM makes no follow-ups",
    "M401": "a CRM field is written twice",
    "M402": "a Next Cap field is written twice",
    "M403": "a table cannot be read backwards",
    "M404": "two tables would bounce a value",
    "M405": "a table is not total",
    "M406": "the field can only travel to the CRM",
    "M407": "a default cannot be read back",
    "M408": "Next Cap's field cannot be written",
    "M409": "a required field is never written",
    "M501": "the expression cannot be read",
    "M502": "the expression is too big",
    "M503": "the expression or template names an unknown field",
    "M504": "the template cannot be read",
    "M601": "an example comes out differently",
    "M602": "an example names an unknown field",
    "M701": "the adapter block is missing, or not wanted",
    "M702": "unknown placeholder",
    "M703": "a call lacks its placeholder",
    "M704": "keys of a call contradict each other",
    "M705": "a field is not declared",
    "M706": "a list may leave something out",
    "M707": "a ticket could be made twice",
    "M708": "a person's change could be taken back",
}
GUESSES = 100
WARNINGS = frozenset({"M208", "M212", "M306", "M407", "M706", "M708"})


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: its stable code, what is wrong in words, where it stands, and the word that was probably meant."""

    code: str
    message: str
    line: int
    column: int
    suggestion: str = ""
    severity: Severity = "error"
    file: str = ""

    @property
    def is_error(self) -> bool:
        """Whether the file may not be used because of it; a warning forbids nothing."""
        return self.severity == "error"

    def __str__(self) -> str:
        word = "" if self.is_error else "warning: "
        hint = f" (did you mean '{self.suggestion}'?)" if self.suggestion else ""
        return f"{self.file}:{self.line}:{self.column} {self.code} {word}{self.message}{hint}"


class MappingErrors(ConfigError):
    """A mapping file that cannot be used; `problems` are all that were found, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_order(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems), code="mapping")


@dataclass(frozen=True, slots=True)
class Marks:
    """Where every key and value of a file stands, by its path."""

    keys: Mapping[Path, Position]
    values: Mapping[Path, Position]

    def key(self, path: Path) -> Position:
        """Where the key at this path stands, or the nearest thing around it."""
        place = self._nearest(path)
        is_whole = bool(place) and place[-1] == path[-1]
        return self.keys.get(place, self.value(path)) if is_whole else self.value(path)

    def value(self, path: Path) -> Position:
        """Where the value at this path begins, or the nearest thing around it."""
        return self.values.get(self._nearest(path), (1, 1))

    def _nearest(self, path: Path) -> Path:
        """As much of a path as the file has. One value in the place of a list has no number of its own."""
        place: Path = ()
        for step in path:
            if (*place, step) in self.values:
                place = (*place, step)
            elif isinstance(step, str):
                break
        return place


@dataclass(frozen=True, slots=True)
class Report:
    """Collects the problems of one file."""

    file: str
    marks: Marks
    problems: list[Problem]

    def add(self, code: str, message: str, *path: Step, suggestion: str = "") -> None:
        """Note a mistake in the value at this path."""
        self._note(code, message, self.marks.value(path), suggestion)

    def add_at_key(self, code: str, message: str, *path: Step, suggestion: str = "") -> None:
        """Note a mistake in the key at this path."""
        self._note(code, message, self.marks.key(path), suggestion)

    def _note(self, code: str, message: str, at: Position, suggestion: str) -> None:
        severity: Severity = "warning" if code in WARNINGS else "error"
        self.problems.append(
            Problem(code, message, at[0], at[1], suggestion=suggestion, severity=severity, file=self.file)
        )

    def guess(self, word: str, known: Iterable[str]) -> str:
        """The known word that was probably meant. Only the first mistakes are worth the time that this takes."""
        return nearest(word, known) if len(self.problems) < GUESSES else ""

    def errors(self) -> list[Problem]:
        """The problems that forbid the file's use."""
        return [problem for problem in self.problems if problem.is_error]


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems without repeats, as they stand in the file."""
    found: dict[tuple[int, int, str, str], Problem] = {}
    for one in problems:
        found.setdefault((one.line, one.column, one.code, one.message), one)
    return tuple(found[place] for place in sorted(found))


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or an empty text."""
    by_fold: dict[str, str] = {}
    for name in known:
        by_fold.setdefault(name.casefold(), name)
    close = get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    return by_fold[close[0]] if close else ""


def listed(words: Sequence[str], *, last: str = "and") -> str:
    """Words as people list them: `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
