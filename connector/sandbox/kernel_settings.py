"""The knobs of an imitation: set by name at any time, all of a change or nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar


@dataclass(slots=True)
class Knobs:
    """What an imitation's `Settings` inherit; each of their fields is a knob."""

    choices: ClassVar[Mapping[str, tuple[object, ...]]] = {}
    """The values that a knob takes, where only some will do."""

    rules: ClassVar[Mapping[str, frozenset[str]]] = {}
    """The members that each rule of a list of rules has."""

    def change(self, wanted: Mapping[str, Any]) -> None:
        """Set several knobs. ValueError for an unknown name or a wrong value, and then none is set."""
        for name, value in wanted.items():
            self._check(name, value)
        for name, value in wanted.items():
            setattr(self, name, value)

    def view(self) -> dict[str, Any]:
        """All knobs as JSON."""
        return asdict(self)

    def _check(self, name: str, value: object) -> None:
        known = sorted(one.name for one in fields(self))
        if name not in known:
            raise ValueError(f"no setting {name!r}; there are {', '.join(known)}")
        if name in self.choices and value not in self.choices[name]:
            raise ValueError(f"{name} must be one of {', '.join(map(str, self.choices[name]))}")
        present = getattr(self, name)
        kind = (int, float) if isinstance(present, float) else type(present)
        if not isinstance(value, kind) or (isinstance(value, bool) and not isinstance(present, bool)):
            raise ValueError(f"{name} must be of type {type(present).__name__}")
        if name in self.rules and isinstance(value, list) and any(set(rule) != self.rules[name] for rule in value):
            raise ValueError(f"each of {name} must have exactly {', '.join(sorted(self.rules[name]))}")
