"""Migrations: behind a lock, and only adding, so that the code of before and the code of after run side by side."""

from __future__ import annotations

import subprocess
import sys
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
UPGRADE = "import sys; from connector.store.database import Database; Database(sys.argv[1]).upgrade()"


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
    upgraders = [subprocess.Popen([sys.executable, "-c", UPGRADE, empty_url]) for _ in range(UPGRADERS)]

    assert [one.wait(60) for one in upgraders] == [0] * UPGRADERS
    db = Database(empty_url)
    assert db.is_current()
    db.close()


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
