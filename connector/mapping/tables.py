"""Value tables as functions. A value that a table does not name is refused, or becomes the declared default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from connector.domain.rules import Untranslatable
from connector.domain.ticket import Value, normal
from connector.mapping.forms import STOP
from connector.mapping.transforms import text_of

SHOWN = 60


@dataclass(frozen=True, slots=True)
class Table:
    """One direction of a value table. Lists are translated element by element.

    `folded` holds the same rows by their words in lower case, where upper and lower case make no difference.
    """

    name: str
    rows: Mapping[str, str]
    otherwise: str | None = None
    personal: bool = False
    folded: Mapping[str, str] = field(default_factory=dict)

    def translate(self, value: Value) -> Value:
        """The other side's value. Raises `Untranslatable` where there is neither a row nor a default."""
        if isinstance(value, tuple):
            return normal([self.row(item) for item in value])
        return self.row(text_of(value))

    def row(self, word: str) -> str:
        """The counterpart of one word. Raises `Untranslatable`."""
        found = self.rows.get(word)
        if found is None and self.folded:
            found = self.folded.get(word.casefold())
        if found is None:
            found = self.otherwise
        if found is None:
            shown = "its value" if self.personal else f"'{word[:SHOWN]}'"
            raise Untranslatable("value_not_mapped", f"{shown} is not in the table of {self.name}")
        return found


def table(name: str, rows: Mapping[str, str], *, otherwise: str, personal: bool, fold: bool = False) -> Table:
    """A table; an empty default and `stop` refuse. `fold`: the words' case makes no difference."""
    folded = {word.casefold(): value for word, value in reversed([*rows.items()])} if fold else {}
    return Table(name, rows, otherwise if otherwise not in (STOP, "") else None, personal, folded)


def backwards(rows: Mapping[str, str]) -> dict[str, str]:
    """A table read from right to left; of several rows with one right side, the first counts."""
    return {value: word for word, value in reversed([*rows.items()])}
