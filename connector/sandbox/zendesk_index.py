"""The search index of an account: it learns of every change, and shows it only some time later."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .zendesk_errors import Refusal

Raw = dict[str, Any]
TERM = re.compile(r'(\w+):(?:"([^"]*)"|(\S+))')
WORD = re.compile(r"[^\W_]+")
CUSTOM = re.compile(r"custom_field_(\d+)")
EXACT = {"status": "status", "priority": "priority", "ticket_type": "type", "external_id": "external_id"}
EXACT |= {"assignee": "assignee_id", "group": "group_id"}
KEYWORDS = frozenset({"subject", "tags", *EXACT})
LONGEST = 1000


@dataclass(slots=True)
class Index:
    """What tickets looked like, newest last. `lag` is for how many seconds a change cannot be found."""

    now: Callable[[], datetime]
    lag: Callable[[], float]
    _states: dict[int, list[tuple[datetime, Raw | None]]] = field(default_factory=dict)

    def note(self, ticket_id: int, values: Raw | None) -> None:
        """The ticket looks so from now on; None where it is deleted."""
        states = self._states.setdefault(ticket_id, [])
        states.append((self.now(), values))
        while len(states) > 1 and states[1][0] <= self._newest():
            del states[0]

    def search(self, query: str) -> list[Raw]:
        """The tickets that match every term of a query, as the index knows them."""
        terms = [(name, phrase or word) for name, phrase, word in TERM.findall(query)]
        if TERM.sub("", query).strip() or ("type", "ticket") not in terms or len(query) > LONGEST:
            raise _invalid("the imitation finds tickets by keyword:value, beside type:ticket")
        wanted = [term for term in terms if term != ("type", "ticket")]
        if unknown := [name for name, _ in wanted if name not in KEYWORDS and not CUSTOM.fullmatch(name)]:
            raise _invalid(f"there is no keyword {unknown[0]}")
        return [
            {"id": ticket, "result_type": "ticket", **values}
            for ticket, values in self._shown()
            if all(_fits(values, name, text) for name, text in wanted)
        ]

    def _newest(self) -> datetime:
        return self.now() - timedelta(seconds=self.lag())

    def _shown(self) -> Iterator[tuple[int, Raw]]:
        for ticket, states in self._states.items():
            known = [values for at, values in states if at <= self._newest()]
            if known and known[-1] is not None:
                yield ticket, known[-1]


def _fits(values: Mapping[str, Any], name: str, wanted: str) -> bool:
    custom = CUSTOM.fullmatch(name)
    if custom or name == "subject":
        return f" {_words(wanted)} " in f" {_words(values.get(custom[1] if custom else name))} "
    if name == "tags":
        return wanted.casefold() in values["tags"]
    return str(values.get(EXACT[name])).casefold() == wanted.casefold()


def _words(told: object) -> str:
    return " ".join(WORD.findall(str(told or "").casefold()))


def _invalid(told: str) -> Refusal:
    return Refusal(422, {"error": "invalid", "description": f"Invalid search: {told}"})
