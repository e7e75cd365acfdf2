"""Counters by name and label, for metrics and `doctor`."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from connector.store import bulk
from connector.store.tables import counters


def _counting(new: bulk.New) -> bulk.Insert:
    insert = new.into(counters)
    more = {"value": counters.c.value + insert.excluded.value}
    return insert.on_conflict_do_update(index_elements=["name", "label"], set_=more)


_add = bulk.Each(_counting, {name: counters.c[name].type for name in ("name", "label", "value")})


def add(connection: sa.Connection, amounts: Mapping[tuple[str, str], int]) -> None:
    """Add to counters, by (name, label)."""
    rows = [{"name": name, "label": label, "value": value} for (name, label), value in sorted(amounts.items())]
    _add(connection, rows)


def every(connection: sa.Connection) -> dict[tuple[str, str], int]:
    """All counters."""
    return {(row.name, row.label): int(row.value) for row in connection.execute(sa.select(counters))}
