"""Text → plain values with positions, bounded at every step.

The parser's events are read one by one and the reading ends at the first sign of a bomb, so a hostile file costs
milliseconds. Every unquoted word stays the text that was written (`0123`, `1.0`, `yes`), as tables demand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from connector.mapping.problems import MappingErrors, Marks, Path, Position, Problem

MAX_CHARACTERS = 200_000
MAX_NODES = 10_000
MAX_DEPTH = 12
MAX_ENTRIES = 1_000
MAX_TEXT = 2_000
NULL = frozenset({"", "~", "null", "Null", "NULL"})
TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
INTEGER = re.compile(r"[-+]?[0-9]{1,15}\Z")
DECIMAL = re.compile(r"[-+]?[0-9]{1,15}\.[0-9]{1,15}\Z")


class Unquoted(str):
    """A number or truth value as it was written: text to a table, a number to whoever asks for one."""

    __slots__ = ()

    def typed(self) -> bool | int | float:
        """What YAML 1.2 takes the text for."""
        text = str(self)
        if text in TRUTH:
            return TRUTH[text]
        return int(text) if INTEGER.match(text) else float(text)


Tree = dict[str, "Tree"] | list["Tree"] | str | None


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not been read yet. `key` is the mapping's key that waits for its value."""

    path: Path
    content: dict[str, Tree] | list[Tree]
    key: str | None = None


@dataclass(slots=True)
class _Builder:
    """Builds the tree from events and refuses what a mapping file has no need of."""

    keys: dict[Path, Position] = field(default_factory=dict)
    values: dict[Path, Position] = field(default_factory=dict)
    stack: list[_Open] = field(default_factory=list)
    root: Tree = None
    nodes: int = 0
    documents: int = 0

    def take(self, event: Event) -> None:
        if isinstance(event, DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self.refuse("M002", "a mapping file is one document; a second one begins here", _at(event))
        elif isinstance(event, NodeEvent):
            self._node(event)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self.stack.pop()

    def _node(self, event: NodeEvent) -> None:
        at = _at(event)
        self.nodes += 1
        if isinstance(event, AliasEvent) or event.anchor is not None:
            self.refuse("M004", "anchors and aliases (& and *) are not allowed; write the value out", at)
        if not isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent) or event.tag is not None:
            self.refuse("M004", "tags (!) are not allowed; write the plain value", at)
        if self.nodes > MAX_NODES:
            self.refuse("M001", f"the file has more than {MAX_NODES:,} values", at)
        if len(self.stack) > MAX_DEPTH:
            self.refuse("M001", f"the file is nested deeper than {MAX_DEPTH} levels", at)
        parent = self.stack[-1] if self.stack else None
        if parent is not None and isinstance(parent.content, dict) and parent.key is None:
            self._key(parent, event, at)
        elif isinstance(event, ScalarEvent):
            self._place(self._scalar(event, at), at)
        else:
            content: dict[str, Tree] | list[Tree] = {} if isinstance(event, MappingStartEvent) else []
            self.stack.append(_Open(self._place(content, at), content))

    def _key(self, parent: _Open, event: NodeEvent, at: Position) -> None:
        key = self._scalar(event, at) if isinstance(event, ScalarEvent) else None
        if key is None:
            self.refuse("M002", "a key is one word or a quoted text", at)
        path = (*parent.path, key)
        if path in self.keys:
            self.refuse("M003", f"'{key}' stands here a second time; it is on line {self.keys[path][0]} already", at)
        self.keys[path] = at
        parent.key = key

    def _place(self, value: Tree, at: Position) -> Path:
        """Put a value where it belongs; its path."""
        if not self.stack:
            self.root = value
            self.values[()] = at
            return ()
        parent = self.stack[-1]
        if len(parent.content) >= MAX_ENTRIES:
            self.refuse("M001", f"a table or list has more than {MAX_ENTRIES} entries", at)
        if isinstance(parent.content, dict):
            path = (*parent.path, str(parent.key))
            parent.content[str(parent.key)] = value
            parent.key = None
        else:
            path = (*parent.path, len(parent.content))
            parent.content.append(value)
        self.values[path] = at
        return path

    def _scalar(self, event: ScalarEvent, at: Position) -> str | None:
        text = str(event.value)
        if len(text) > MAX_TEXT:
            self.refuse("M001", f"a text is longer than {MAX_TEXT:,} characters", at)
        if event.style in ("'", '"', "|", ">"):
            return text
        if text in NULL:
            return None
        return Unquoted(text) if text in TRUTH or INTEGER.match(text) or DECIMAL.match(text) else text

    def refuse(self, code: str, message: str, at: Position) -> NoReturn:
        raise MappingErrors([Problem(code, message, at[0], at[1])])


def read_tree(text: str) -> tuple[Tree, Marks]:
    """The values of a YAML text and where they stand. Raises `MappingErrors` at the first thing that is not YAML."""
    builder = _Builder()
    if len(text) > MAX_CHARACTERS:
        builder.refuse("M001", f"the file is longer than {MAX_CHARACTERS:,} characters", (1, 1))
    try:
        for event in _events(text):
            builder.take(event)
    except MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        at = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        words = " ".join(str(part) for part in (problem.context, problem.problem) if part)
        raise MappingErrors([Problem("M002", f"not YAML: {words}", at[0], at[1])]) from problem
    except (YAMLError, ValueError) as problem:
        first = str(problem).splitlines()[0]
        raise MappingErrors([Problem("M002", f"not YAML: {first}", 1, 1)]) from problem
    return builder.root, Marks(builder.keys, builder.values)


def _events(text: str) -> Iterator[Event]:
    events: Iterator[Event] = YAML(typ="safe", pure=True).parse(text)
    return events


def _at(event: Event) -> Position:
    return (event.start_mark.line + 1, event.start_mark.column + 1)
