"""Whether a column holds one of many values, in SQL that is the same however many they are.

`IN` with a parameter for each value is another statement for each number of them: compiled, parsed and planned anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import TypeEngine


class _Values(sa.types.TypeDecorator[Any]):
    """Many values as one parameter: an array on PostgreSQL, JSON on SQLite."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, kind: TypeEngine[Any]) -> None:
        super().__init__()
        self.kind = kind

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(postgresql.ARRAY(self.kind) if _is_postgresql(dialect) else sa.Text())

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        return value if _is_postgresql(dialect) else json.dumps(value)


def _is_postgresql(dialect: sa.Dialect) -> bool:
    return dialect.name == "postgresql"


class _Among(sa.ColumnElement[bool]):
    """`column = ANY(values)`."""

    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012 - how SQLAlchemy asks for the parts of an expression
        ("column", InternalTraversal.dp_clauseelement),
        ("values", InternalTraversal.dp_clauseelement),
    ]
    type = sa.Boolean()

    def __init__(self, column: sa.ColumnElement[Any], values: sa.BindParameter[Any]) -> None:
        self.column = column
        self.values = values

    def self_group(self, against: Any = None) -> sa.ColumnElement[bool]:  # noqa: ARG002 - SQLAlchemy asks so
        """As it is: SQLAlchemy would compare it with 1 on SQLite, and then no index answers it."""
        return self


@compiles(_Among, "postgresql")
def _on_postgresql(one: _Among, compiler: Any, **how: Any) -> str:
    return f"{compiler.process(one.column, **how)} = ANY ({compiler.process(one.values, **how)})"


@compiles(_Among, "sqlite")
def _on_sqlite(one: _Among, compiler: Any, **how: Any) -> str:
    column, values = (compiler.process(part, **how) for part in (one.column, one.values))
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - SQLAlchemy's own text of both


def among(column: sa.ColumnElement[Any], values: Iterable[Any]) -> sa.ColumnElement[bool]:
    """Whether the column holds one of these numbers or texts."""
    return _Among(column, sa.bindparam(None, list(values), type_=_Values(column.type), unique=True))


def among_given(column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
    """The same, of a list that is given as the parameter of this name when the statement is executed."""
    return _Among(column, sa.bindparam(name, type_=_Values(column.type)))
