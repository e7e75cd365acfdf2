"""Production's shape with everything that can be taken away from it: processes, the broker, the database's lines."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import redis
import sqlalchemy as sa

from connector import config
from connector.sandbox.kernel import Imitation
from connector.sandbox.server import Sandbox
from connector.store.database import normal_url
from connector.wiring import build
from tests.flows.world import Sections, eventually
from tests.processes.production import Production, free_port

from .armed import BROKEN, FOLDER, SWEEP, TIMING
from .desks import DESKS
from .matrix import Traps

QUICK: Mapping[str, Any] = {
    "call": 1.2,
    "lease": 0.8,
    "renew": 0.2,
    "absent_answered": 0.8,
    "absent_silent": 1.2,
    "deaths": 1000,
    "longest_repeat": 2.0,
    "unplaced": (0.5, 1.0, 4.0),
}
"""The engine's moments for runs that must be short. Tickets die often here, and none is to be left to a person."""

ENTRY = "tests.faults.armed"
METRICS_TOKEN = "a-token-of-the-metrics"


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
        self,
        folder: Path,
        *,
        database: str,
        broker: Broker,
        crm: str = "hubspot",
        timing: Mapping[str, Any] = QUICK,
        broken: str = "",
    ) -> None:
        super().__init__(folder, database=database, queue=broker.url)
        self.crm, self.sandbox = crm, Sandbox(("nextcap", crm))
        self.desk = DESKS[crm](self.account)
        self.broker = broker
        self.traps = Traps(folder / "traps")
        self._timing, self._broken = timing, broken
        self._database = normal_url(database)
        self._server = sa.create_engine(self._database.set(database="postgres"), isolation_level="AUTOCOMMIT")

    @property
    def sides(self) -> tuple[Imitation, Imitation]:
        """Both imitations."""
        return self.nextcap, self.desk.account

    @property
    def environment(self) -> dict[str, str]:
        quick = {SWEEP: "0.5"} if self._timing else {}
        armed = {FOLDER: str(self.traps.folder), TIMING: json.dumps(dict(self._timing)), BROKEN: self._broken}
        return {**super().environment, **armed, **quick}

    def prepare(self) -> None:
        self.desk.account.configure(**self.desk.plenty)

    def listen(self) -> None:
        steps = self.runtime.engine.crms[self.crm].subscribe(f"{self.url}/webhooks/{self.crm}", dry_run=False)
        assert "problem" not in [one.state for one in steps], steps

    def access(self) -> dict[str, object]:
        """As the vendor's administrator hands it over."""
        told = {**self.desk.access(self.url), "sweep_seconds": 10, **self.desk.configured}
        return {**told, "crm": self.desk.crm, "mapping": "mapping.yaml"}

    def sections(self) -> Sections:
        """Nobody listens to outgoing events."""
        told = super().sections()
        del told["events.listener"]
        told[""] |= {"metrics_token": METRICS_TOKEN, "secret_key": [self.environment["SECRET_KEY"]]}
        told["nextcap"] |= {"calls_per_minute": 6000}
        return {**told, "queue": {"url": self.broker.url}}

    def settings(self) -> config.Settings:
        (self.folder / "mapping.yaml").write_text(self.desk.mapped())
        return super().settings()

    def start_connector(self) -> None:
        """Start every process and wait until the web one is ready."""
        self.port = self.port or free_port()
        self.settings()
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
        """End everything, once."""
        if not self.processes:
            return
        self.traps.clear()
        super().stop()
        self.processes.clear()
        self.broker.kill()
        self._server.dispose()
