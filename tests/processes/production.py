"""The shape of production on this machine: gunicorn, a Celery worker, beat, PostgreSQL and a Redis server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from connector import config
from connector.wiring import build
from tests.flows.world import NEXTCAP_SECRET, World, eventually

BIN = Path(sys.executable).parent


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Production(World):
    """A world whose connector is the Procfile's processes instead of threads."""

    def __init__(self, folder: Path, *, database: str, queue: str) -> None:
        super().__init__(folder, database=database)
        self.queue = queue
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What the platform would set."""
        return {
            **os.environ,
            "CONNECTOR_CONFIG": str(self.folder / "config.toml"),
            "DATABASE_URL": self.database,
            "REDIS_URL": self.queue,
            "SECRET_KEY": "a-key-for-tests",
            "TMPDIR": str(self.folder),
            "REMAP_SIGTERM": "SIGQUIT",
        }

    def start_connector(self) -> None:
        """Start every process and wait until the web one is ready."""
        self.port = self.port or free_port()
        self.settings()
        self.runtime = build(config.load(self.folder / "config.toml"), upgrade=True)
        web = f"gunicorn connector.web.app:create_app() -k gthread --threads 8 --bind 127.0.0.1:{self.port}"
        self.spawn("web", f"{web} --no-control-socket --graceful-timeout 20 --timeout 25")
        self.spawn("worker", "celery -A workers.app worker -P prefork -c 2 -Q sync --without-mingle --without-gossip")
        self.spawn("beat", "celery -A workers.app beat --scheduler workers.beat:Beat --pidfile=")
        eventually(self._is_ready, within=30, what="the web process to be ready")

    def spawn(self, name: str, command: str) -> None:
        """Start one process; what it says goes to a file of its name."""
        program, *arguments = command.split(" ")
        with (self.folder / f"{name}.log").open("ab") as said:
            self.processes[name] = subprocess.Popen(
                [str(BIN / program), *arguments],
                env=self.environment,
                cwd=Path(__file__).parents[2],
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """End one process and its children without a word of warning."""
        process = self.processes[name]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def stop_connector(self) -> None:
        """End every process at once. That each ends in time when it is asked to is held in `tests/faults`."""
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        self.runtime.close()

    def _is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
                line.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
                return b" 200 " in line.recv(100)
        except OSError:
            return False


__all__ = ["NEXTCAP_SECRET", "Production", "free_port"]
