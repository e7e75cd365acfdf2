"""The one door to SQL: SQLite for the embedded start, PostgreSQL in production, the same behaviour."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from connector.domain.errors import ConfigError, StoreContended
from connector.domain.errors import StoreAway as StoreAway

MIGRATION_LOCK = 7_264_501
DEADLOCK = "40P01"


def normal_url(url: str) -> sa.URL:
    """The address with our driver: `postgres://` as platforms write it becomes psycopg 3. Raises ConfigError."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            url = "postgresql+psycopg://" + url[len(prefix) :]
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as problem:
        raise ConfigError("store.url is not a database address; use sqlite:///file.db or postgresql://…") from problem
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigError(f"store.url names {parsed.get_backend_name()}; SQLite and PostgreSQL are supported")
    return parsed


class Database:
    """A pool of connections. `write()` and `read()` are the only transactions there are."""

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self.url = normal_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        options: dict[str, Any] = {"pool_pre_ping": False, "hide_parameters": True}
        if self.is_sqlite:
            options["connect_args"] = {"timeout": 10, "check_same_thread": False}
            options["pool_size"] = pool_size
        else:
            options |= {"pool_size": pool_size, "max_overflow": 4, "pool_recycle": 280, "pool_timeout": 5}
            options["connect_args"] = {"connect_timeout": 5, "options": "-c timezone=UTC"}
        self.engine = sa.create_engine(self.url, **options)
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction that may write. Raises StoreAway where the database cannot be reached."""
        with _told_plainly(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One transaction that only reads; on SQLite it takes no write lock."""
        with _told_plainly(), self.engine.connect().execution_options(read_only=True) as connection:
            yield connection

    def forget_connections(self) -> None:
        """After a fork: leave the parent's connections to the parent."""
        self.engine.dispose(close=False)

    def close(self) -> None:
        """Close the pool's connections."""
        self.engine.dispose()

    def upgrade(self) -> None:
        """Bring the schema to the newest version, behind a lock, so that several processes may all call it."""
        with _told_plainly(), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
                connection.commit()
            try:
                config = _alembic()
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                connection.commit()
            finally:
                if not self.is_sqlite:
                    connection.rollback()
                    connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
                    connection.commit()

    def is_current(self) -> bool:
        """Whether every migration of this code has been applied; a newer schema serves too (after a rollback)."""
        with self.read() as connection:
            present = MigrationContext.configure(connection).get_current_revision()
        return present is not None and present not in _older_versions()


@contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as problem:
        raise _store_away(problem) from problem


def _store_away(problem: sa.exc.SQLAlchemyError) -> StoreAway:
    """Why nothing can be kept, as far as the database says: PostgreSQL's class 53 is a lack of room of some kind."""
    told = getattr(problem, "orig", None)
    state = str(getattr(told, "sqlstate", None) or "")
    if state == DEADLOCK:
        return StoreContended()
    if state == "53100" or getattr(told, "sqlite_errorname", "") == "SQLITE_FULL":
        return StoreAway("the database's disk is full: make room, nothing else is needed", code="store_full")
    if state.startswith("53"):
        lacks = "connections" if state == "53300" else "memory or another resource"
        return StoreAway(f"the database has no {lacks} left", code="store_short")
    return StoreAway()


@cache
def _older_versions() -> frozenset[str | None]:
    """Every version of the schema that this code has a migration from."""
    script = ScriptDirectory.from_config(_alembic())
    return frozenset(one.revision for one in script.walk_revisions()) - {script.get_current_head()}


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    """Writers queue for the lock at once: a deferred upgrade would fail, whatever the busy time-out."""
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
