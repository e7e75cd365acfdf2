"""Associations between records: types, labels, and the pairs themselves, always kept from both sides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .hubspot_errors import Refusal, bad_request
from .hubspot_stock import HUBSPOT_DEFINED, PLAIN_TYPES, PRIMARY_TYPES

Kinds = tuple[str, str]
End = tuple[str, str]
"""An object type's name and a record id."""


@dataclass(frozen=True, slots=True, order=True)
class LinkType:
    """One kind of association in one direction."""

    category: str
    type_id: int
    label: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {"category": self.category, "typeId": self.type_id, "label": self.label}

    def as_spec(self) -> dict[str, Any]:
        return {"associationCategory": self.category, "associationTypeId": self.type_id}


def _stock_types() -> dict[Kinds, list[LinkType]]:
    types: dict[Kinds, list[LinkType]] = defaultdict(list)
    for kinds, type_id in PLAIN_TYPES.items():
        types[kinds].append(LinkType(HUBSPOT_DEFINED, type_id))
    for kinds, type_id in PRIMARY_TYPES.items():
        types[kinds].append(LinkType(HUBSPOT_DEFINED, type_id, "Primary"))
    return types


class Links:
    """Every association of the portal, archived records' included: readers leave those out."""

    def __init__(self) -> None:
        self._types = _stock_types()
        self._pairs: dict[End, dict[str, dict[str, set[LinkType]]]] = defaultdict(lambda: defaultdict(dict))
        self._custom = 0

    def types(self, kinds: Kinds) -> list[LinkType]:
        """The types of that direction; the plain one is first. 400 where HubSpot knows none."""
        if kinds not in self._types:
            raise bad_request(f"No association types exist between {kinds[0]} and {kinds[1]}")
        return self._types[kinds]

    def plain(self, kinds: Kinds) -> LinkType:
        return self.types(kinds)[0]

    def typed(self, kinds: Kinds, category: str, type_id: int) -> LinkType:
        """The type of that id in that direction: an id of the other direction is refused."""
        for one in self.types(kinds):
            if (one.category, one.type_id) == (category, type_id):
                return one
        raise Refusal(
            400,
            "VALIDATION_ERROR",
            f"Association type {category} {type_id} does not exist from {kinds[0]} to {kinds[1]}",
            sub_category="crm.associations.INVALID_ASSOCIATION_TYPE",
        )

    def target_of(self, kind: str, category: str, type_id: int) -> str:
        """The object type to which an association of that type leads from `kind`."""
        for (from_kind, to_kind), types in self._types.items():
            if from_kind == kind and any((one.category, one.type_id) == (category, type_id) for one in types):
                return to_kind
        raise bad_request(f"Association type {category} {type_id} does not exist from {kind}")

    def add_label(self, kinds: Kinds, label: str) -> LinkType:
        """A label of the portal's own, with an id for each direction."""
        self._custom += 2
        made = LinkType("USER_DEFINED", self._custom - 1, label)
        self._types[kinds].append(made)
        self._types[kinds[1], kinds[0]].append(LinkType("USER_DEFINED", self._custom, label))
        return made

    def put(self, start: End, end: End, wanted: Iterable[LinkType]) -> list[LinkType]:
        """Add types between two records; the plain one always comes along. Returns those that are new."""
        kinds = (start[0], end[0])
        held = self._pairs[start][end[0]].setdefault(end[1], set())
        asked = sorted({self.plain(kinds), *wanted}, key=lambda one: one.type_id)
        fresh = [one for one in asked if one not in held]
        for one in fresh:
            if one.label == "Primary":
                self._drop_primary(start, end[0], one)
            held.add(one)
            self._held(end, start).add(self.reverse(kinds, one))
        return fresh

    def reverse(self, kinds: Kinds, one: LinkType) -> LinkType:
        """The same association seen from the other side."""
        back = self.types((kinds[1], kinds[0]))
        return back[self.types(kinds).index(one)]

    def remove(self, start: End, end: End) -> list[LinkType]:
        """Take away every type between two records and return what there was."""
        held = self._pairs[start][end[0]].pop(end[1], set())
        self._pairs[end][start[0]].pop(start[1], None)
        return sorted(held, key=lambda one: one.type_id)

    def of(self, start: End, to_kind: str) -> Mapping[str, set[LinkType]]:
        """The ids associated with a record, with the types of each, oldest first."""
        return self._pairs[start][to_kind] if start in self._pairs else {}

    def all_of(self, start: End) -> list[tuple[End, set[LinkType]]]:
        kinds = self._pairs.get(start, {})
        return [((kind, other), types) for kind, ends in kinds.items() for other, types in ends.items()]

    def _held(self, start: End, end: End) -> set[LinkType]:
        return self._pairs[start][end[0]].setdefault(end[1], set())

    def _drop_primary(self, start: End, to_kind: str, primary: LinkType) -> None:
        """A record has one primary of a kind: a new one takes the place of the old."""
        for other, types in self._pairs[start][to_kind].items():
            if primary in types:
                types.discard(primary)
                self._pairs[to_kind, other][start[0]][start[1]].discard(self.reverse((start[0], to_kind), primary))
