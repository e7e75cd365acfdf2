"""Migrations: behind a lock, and only adding, so that the code of before and the code of after run side by side."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

import connector.store.migrations as migrations
from connector.store.database import Database

UPGRADERS = 4


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any table, of the kind that the test asks for."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    address: sa.URL = request.getfixturevalue("postgres")
    server = sa.create_engine(address, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE unmigrated TEMPLATE template0")
    yield address.set(database="unmigrated").render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.exec_driver_sql("DROP DATABASE unmigrated WITH (FORCE)")
    server.dispose()


both = pytest.mark.parametrize("empty_url", ["sqlite", "postgresql"], indirect=True)


@both
def test_several_processes_may_upgrade_at_once(empty_url: str) -> None:
    """One does it, the others wait and find it done."""
    start, troubles = threading.Barrier(UPGRADERS), list[Exception]()

    def upgrade() -> None:
        db = Database(empty_url)
        start.wait()
        try:
            db.upgrade()
            assert db.is_current()
        except Exception as problem:  # noqa: BLE001 - whatever it is, the test tells it
            troubles.append(problem)
        db.close()

    threads = [threading.Thread(target=upgrade) for _ in range(UPGRADERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert troubles == []


@both
def test_every_migration_only_adds(empty_url: str) -> None:
    """The code of before still finds what it knows, and what it writes is still taken."""
    before: dict[str, dict[str, Any]] = {}
    for revision in _revisions():
        engine = sa.create_engine(Database(empty_url).url)
        with engine.connect() as connection:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            connection.commit()
            after = _tables(connection)
        engine.dispose()

        for table, columns in before.items():
            assert columns.keys() <= after[table].keys(), f"{revision} drops a column of {table}"
            for name, column in columns.items():
                assert str(after[table][name]["type"]) == str(column["type"]), f"{revision} changes {table}.{name}"
            for name in after[table].keys() - columns.keys():
                new = after[table][name]
                is_given = new["nullable"] or new["default"] is not None
                assert is_given, f"{revision}: the code of before writes no {table}.{name}"
        before = after


@both
def test_the_code_of_before_serves_a_newer_schema(empty_url: str) -> None:
    """After a rollback of the code the schema stays; an older schema is not enough."""
    db = Database(empty_url)
    db.upgrade()

    with db.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'v9999'")

    assert db.is_current()
    db.close()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(next(iter(migrations.__path__)))))
    return config


def _revisions() -> list[str]:
    """Oldest first."""
    return [one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]


def _tables(connection: sa.Connection) -> dict[str, dict[str, Any]]:
    """The columns of every table by name."""
    inspector = sa.inspect(connection)
    return {table: {one["name"]: one for one in inspector.get_columns(table)} for table in inspector.get_table_names()}
