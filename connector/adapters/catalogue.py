"""What is known of the fields of an account's tickets, so that values are read right without a call for each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from connector.domain.schema import FieldSchema, Schema

KEPT: Final = timedelta(minutes=10)
"""A field that somebody takes away is read as empty for no longer than this."""


class FieldCatalogue(ABC):
    """The fields by name, read again after ten minutes or for a name that is new. One adapter's threads share it."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._fields: Mapping[str, FieldSchema] = {}
        self._missed: frozenset[str] = frozenset()
        self._stale_at = clock()

    @abstractmethod
    def schema(self) -> Schema:
        """Everything as it is now, options included; it is learnt."""

    def look(self) -> Schema:
        """The fields as they are now; an adapter whose options cost further calls leaves those out."""
        return self.schema()

    def learn(self, schema: Schema) -> None:
        """Take a schema that was read before, so that no call is needed."""
        self._fields = {one.name: one for one in schema.fields}
        self._stale_at = self._clock() + KEPT

    def expect(self, names: Iterable[str], *, anew: bool = False) -> None:
        """Read the fields if what is known is old, or if one of these is new; an unknown name is asked for once."""
        new = set(names) - self._fields.keys() - self._missed
        if anew or new or self._clock() >= self._stale_at:
            self.learn(self.look())
            self._missed |= new - self._fields.keys()

    def field(self, name: str) -> FieldSchema | None:
        """The field of that name, where tickets have one. Makes no call."""
        return self._fields.get(name)
