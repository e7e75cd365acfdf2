"""Changing many rows, each in its own way, with one statement that is built once.

To build a statement and to find its SQL again costs SQLAlchemy more than to send it. So what is asked at every webhook
or in every pass is built once and takes its values as parameters: queries as constants of their modules, changes of
many rows by `Each`.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from connector.store.tables import Utc

POSTGRESQL = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
SQLITE = sqlite.dialect(paramstyle="named")
"""The two grammars, with parameters as `sa.text` takes them."""

JSONB = postgresql.JSONB(none_as_null=True)

Insert = postgresql.Insert | sqlite.Insert
Change = sa.Update | Insert | sa.sql.dml.ReturningUpdate[Any] | sa.sql.dml.ReturningInsert[Any]


class New(dict[str, sa.ColumnElement[Any]]):
    """A row's new values by name, as columns that a statement can use."""

    def __init__(
        self,
        values: Mapping[str, sa.ColumnElement[Any]],
        insert: Callable[[sa.Table], Insert],
        filled: Mapping[str, sa.CTE] | None = None,
    ) -> None:
        super().__init__(values)
        self._insert = insert
        self._filled = filled or {}

    def into(self, table: sa.Table, **more: sa.ColumnElement[Any]) -> Insert:
        """Their insertion into this table's columns of the same names; add what is to happen at a conflict."""
        values = {name: value for name, value in self.items() if name in table.c} | more
        # Without a condition SQLite would take ON CONFLICT for a part of a join.
        chosen = sa.select(*values.values()).where(sa.true())
        return self._insert(table).from_select(list(values), chosen, include_defaults=False)

    def rows_of(self, table: sa.Table) -> sa.FromClause:
        """The table; where an earlier part of the same statement changes it, the rows that it returns instead."""
        return self._filled.get(str(table), table)


class Each:
    """One statement that changes every row in its own way: call it with the rows.

    `build` makes it from the new values of a row, whose types are told. PostgreSQL is sent all rows as one JSON value:
    the statement is the same whatever their number, and one round trip. SQLite, which is no trip away, is given them
    one by one.
    """

    def __init__(self, build: Callable[[New], Change], types: Mapping[str, TypeEngine[Any]]) -> None:
        self._build, self._types = build, types
        given = {name: sa.bindparam(name, type_=kind) for name, kind in types.items()}
        self._one = _as_text(build(New(given, sqlite.insert)), SQLITE)
        self._all = _as_text(self.many("all_rows"), POSTGRESQL)

    def many(self, rows: str, filled: Mapping[str, sa.CTE] | None = None) -> Change:
        """The statement for PostgreSQL; `rows` names the parameter with the rows as JSON.

        `filled` are the earlier parts of the same statement, by the table that they change.
        """
        columns = [sa.column(name, _sent_as(kind)) for name, kind in self._types.items()]
        sent = sa.func.jsonb_to_recordset(sa.cast(sa.bindparam(rows, type_=sa.Text), postgresql.JSONB))
        new = sent.table_valued(*columns).render_derived(with_types=True)
        taken = {name: _received(new.c[name], kind) for name, kind in self._types.items()}
        return self._build(New(taken, postgresql.insert, filled))

    def __call__(
        self, connection: sa.Connection, rows: Sequence[Mapping[str, Any]], **same: Any
    ) -> Sequence[sa.Row[Any]]:
        """Carry it out; the rows that it returns, if it is made to. `same` are values that it takes once, for all."""
        if not rows:
            return []
        if connection.dialect.name == "postgresql":
            return _returned(connection.execute(self._all, {"all_rows": as_json(rows), **same}))
        return [row for one in rows for row in _returned(connection.execute(self._one, {**one, **same}))]


class Chain:
    """Several changes, and one that takes what the last of them returned.

    By one statement on PostgreSQL, where none sees in a table what another has changed; what an earlier one returned,
    it finds by `New.rows_of`. One after the other on SQLite. Call it with the rows of each, by its name. It returns
    the rows of the final one, which `then` makes of the values that the last of the others returned.
    """

    def __init__(self, then: Callable[[Any], sa.sql.dml.ReturningUpdate[Any]], **parts: Each) -> None:
        self._parts = parts
        filled: dict[str, sa.CTE] = {}
        for name, part in parts.items():
            change = part.many(name, filled)
            filled[str(change.table)] = change.cte(f"{name}_part")
        *others, last = filled.values()
        self._all = _as_text(then(sa.select(*last.c)).add_cte(*others), POSTGRESQL)
        self._then = then(sa.bindparam("returned", expanding=True))

    def __call__(
        self, connection: sa.Connection, rows: Mapping[str, Sequence[Mapping[str, Any]]], **same: Any
    ) -> Sequence[sa.Row[Any]]:
        """Carry them out. `same` are values that all of them take."""
        if connection.dialect.name == "postgresql":
            return connection.execute(self._all, {name: as_json(rows[name]) for name in self._parts} | same).all()
        returned = [part(connection, rows[name], **same) for name, part in self._parts.items()][-1]
        values = sorted({value for (value,) in returned})
        return connection.execute(self._then, {"returned": values, **same}).all() if values else []


def as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as PostgreSQL is sent them."""
    return json.dumps(rows, default=_written)


def _as_text(change: Change | sa.Select[Any], dialect: sa.Dialect) -> sa.TextClause:
    """The statement as text: SQLAlchemy does not remember how it compiled one with ON CONFLICT."""
    compiled = dialect.statement_compiler(dialect, change)
    binds = [
        sa.bindparam(name, type_=one.type) if one.required else sa.bindparam(name, one.value, one.type)
        for one, name in compiled.bind_names.items()
    ]
    return sa.text(str(compiled)).bindparams(*binds)


def _returned(result: sa.CursorResult[Any]) -> Sequence[sa.Row[Any]]:
    return result.all() if result.returns_rows else []


def _sent_as(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    if isinstance(kind, Utc):
        return postgresql.TIMESTAMP(timezone=True)
    if isinstance(kind, sa.LargeBinary):
        return sa.Text()
    return JSONB if isinstance(kind, sa.JSON) else kind


def _received(column: sa.ColumnElement[Any], kind: TypeEngine[Any]) -> sa.ColumnElement[Any]:
    return sa.func.decode(column, "base64") if isinstance(kind, sa.LargeBinary) else column


def _written(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return b64encode(value).decode()
    raise TypeError(f"a {type(value).__name__} cannot be sent")


def add(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all name the same columns."""
    _insert(connection, table, rows, (), is_put=False)


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> int:
    """Insert rows, leaving those that exist already as they are. How many were new."""
    return _insert(connection, table, rows, keys, is_put=False)


def put(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> None:
    """Insert rows or overwrite those with the same keys."""
    _insert(connection, table, rows, keys, is_put=True)


def _insert(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]],
    keys: Sequence[str],
    *,
    is_put: bool,
) -> int:
    if not rows:
        return 0
    insert, defaults = _inserting(table, tuple(rows[0]), tuple(keys), is_put=is_put)
    return len(insert(connection, [{**defaults, **row} for row in rows] if defaults else rows))


@cache
def _inserting(
    table: sa.Table, names: tuple[str, ...], keys: tuple[str, ...], *, is_put: bool
) -> tuple[Each, Mapping[str, Any]]:
    """The insertion of rows that name these columns, and the values of columns that they leave to their default."""

    def build(new: New) -> Change:
        insert = new.into(table)
        if not keys:
            return insert
        if not is_put:
            return insert.on_conflict_do_nothing(index_elements=list(keys)).returning(table.c[keys[0]])
        rest = {name: insert.excluded[name] for name in names if name not in keys}
        return insert.on_conflict_do_update(index_elements=list(keys), set_=rest)

    defaults = {one.name: _default(one) for one in table.c if one.default is not None and one.name not in names}
    return Each(build, {name: table.c[name].type for name in (*names, *defaults)}), defaults


def _default(column: sa.Column[Any]) -> Any:
    given = getattr(column.default, "arg", None)
    return given(None) if callable(given) else given
