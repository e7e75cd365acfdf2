"""Production's shape with everything that can be taken away from it: processes, the broker, the database's lines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import redis
import sqlalchemy as sa

from connector import config
from connector.store.database import normal_url
from connector.wiring import build
from tests.flows.world import eventually
from tests.processes.production import Production, free_port

from .armed import BROKEN, FOLDER, SWEEP, TIMING
from .matrix import Traps

QUICK: Mapping[str, float] = {
    "call": 1.5,
    "lease": 1.2,
    "renew": 0.3,
    "absent_answered": 1.5,
    "absent_silent": 2.0,
    "deaths": 1000,
}
"""The engine's moments for runs that must be short. Tickets die often here, and none is to be left to a person."""

ENTRY = "tests.faults.armed"


class Broker:
    """A Redis server that keeps nothing: when it is killed, its memory is gone."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self._port = free_port()
        self._command = [str(binary), "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""]
        self._command += ["--dir", str(folder)]
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._server = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(self._answers, within=10, what="the Redis server")

    def kill(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.wait(10)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False


class Site(Production):
    """Production, armed. `timing` replaces the engine's moments, `broken` names what is sabotaged."""

    def __init__(
        self, folder: Path, *, database: str, broker: Broker, timing: Mapping[str, float] = QUICK, broken: str = ""
    ) -> None:
        super().__init__(folder, database=database, queue=broker.url)
        self.broker = broker
        self.traps = Traps(folder / "traps")
        self._timing, self._broken = timing, broken
        self._database = normal_url(database)
        self._server = sa.create_engine(self._database.set(database="postgres"), isolation_level="AUTOCOMMIT")

    @property
    def environment(self) -> dict[str, str]:
        quick = {SWEEP: "0.5"} if self._timing else {}
        armed = {FOLDER: str(self.traps.folder), TIMING: json.dumps(dict(self._timing)), BROKEN: self._broken}
        return {**super().environment, **armed, **quick}

    def settings(self) -> config.Settings:
        """HubSpot by OAuth, so that its token must be renewed again and again."""
        super().settings()
        path = self.folder / "config.toml"
        held = self.hubspot.credentials
        oauth = {"client_id": held.client_id, "client_secret": self.hubspot.settings.client_secret}
        oauth["refresh_token"] = held.refresh_token
        lines = "\n".join(f'{name} = "{value}"' for name, value in oauth.items())
        path.write_text(path.read_text().replace(f'access_token = "{held.static_token}"', lines))
        return config.load(path)

    def start_connector(self) -> None:
        """Start every process and wait until the web one is ready."""
        self.port = self.port or free_port()
        # A token is renewed five minutes ahead of its end: this one serves for twenty seconds.
        self.hubspot.configure(token_lifetime=320)
        self.settings()
        os.environ["SECRET_KEY"] = self.environment["SECRET_KEY"]
        self.runtime = build(config.load(self.folder / "config.toml"), upgrade=True)
        for name in ("web", "worker", "beat"):
            self.launch(name)
        eventually(self._is_ready, within=60, what="the web process to be ready")

    def launch(self, name: str) -> None:
        """Start one of the Procfile's processes, armed."""
        commands = {
            "web": f"gunicorn {ENTRY}:web() -k gthread -w 2 --threads 8 --reuse-port --bind 127.0.0.1:{self.port}"
            " --no-control-socket --graceful-timeout 20 --timeout 25",
            "worker": f"celery -A {ENTRY} worker -P prefork -c 2 -Q sync --without-mingle --without-gossip",
            "beat": f"celery -A {ENTRY} beat --scheduler workers.beat:Beat --pidfile=",
        }
        self.spawn(name, commands[name])

    def restart(self, name: str) -> None:
        """Kill one process with its children, and start it anew as a platform does."""
        self.kill(name)
        self.launch(name)

    def restart_broker(self, away: float = 0.0) -> None:
        """The broker dies with all that it holds, and comes back empty."""
        self.broker.kill()
        time.sleep(away)
        self.broker.start()

    def cut_database_lines(self) -> None:
        """End every connection of the connector to its database."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
        with self._server.connect() as connection:
            connection.execute(sa.text(query), {"name": self._database.database})

    def close_database(self, closed: bool) -> None:
        """The database takes no connection, and drops those that there are; or it does again."""
        with self._server.connect() as connection:
            connection.exec_driver_sql(
                f"ALTER DATABASE {self._database.database} ALLOW_CONNECTIONS {str(not closed).lower()}"
            )
        if closed:
            self.cut_database_lines()

    def run_sql(self, statement: str) -> None:
        """Change the database behind the connector's back."""
        engine = sa.create_engine(self._database, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    def replace_all(self, overlap: float) -> dict[str, float]:
        """Start new processes beside the old ones, then ask those to end; the seconds that each took."""
        old = dict(self.processes)
        for name in old:
            self.launch(name)
        time.sleep(overlap)
        began = time.monotonic()
        for process in old.values():
            process.send_signal(signal.SIGTERM)
        took = {}
        for name, process in old.items():
            process.wait(40)
            took[name] = time.monotonic() - began
        return took

    def stop(self) -> None:
        self.traps.clear()
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
        super().stop()
        self._server.dispose()
