"""Who is measured: the connector as the Procfile starts it, and the naive one with the same process counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.servers import Processes, free_port, is_up, wait_for
from bench.stage import PLENTY, SECRET, Stage

GUNICORN = (
    "gunicorn '{app}' -k gthread --workers 2 --threads 16 --bind 127.0.0.1:{port} --no-control-socket --keep-alive 30"
)
"""Two processes, since there are two cores: what WEB_CONCURRENCY asks for on a platform."""
CELERY = "celery -A {app} worker -P prefork -c {workers} -Q {queue} --without-mingle --without-gossip -l WARNING"
WORKERS = 4


@dataclass(slots=True)
class Contender:
    """One connector at work: where its webhooks go, its processes, and its database."""

    port: int
    processes: Processes
    database: str

    def scalar(self, query: str) -> int:
        """One number out of its database."""
        with psycopg.connect(self.database.replace("+psycopg", "")) as connection:
            row = connection.execute(query.encode()).fetchone()
        return int(row[0]) if row else 0


@contextmanager
def ours(
    stage: Stage, folder: Path, *, database: str, queue: str, calls: int = PLENTY, callbacks: bool = True
) -> Iterator[Contender]:
    """The connector, with every ticket of the stage linked. `callbacks`: HubSpot's webhooks reach it."""
    folder.mkdir()
    port = free_port()
    config = stage.write_config(folder, port=port, database=database, calls=calls)
    environment = {"CONNECTOR_CONFIG": str(config), "REDIS_URL": queue, "DATABASE_URL": database}
    with Processes(folder, {**environment, "TMPDIR": str(folder), "REMAP_SIGTERM": "SIGQUIT"}) as processes:
        processes.start("release", "connector db upgrade").wait(60)
        del processes.running["release"]
        if callbacks:
            stage.hubspot.configure(webhook_url=f"http://127.0.0.1:{port}/webhooks/hubspot")
        processes.start("web", GUNICORN.format(app="connector.web.app:create_app()", port=port))
        processes.start("worker", CELERY.format(app="workers.app", workers=WORKERS, queue="sync"))
        processes.start("beat", f"celery -A workers.app beat --schedule {folder / 'beat'} --pidfile= -l WARNING")
        wait_for(lambda: is_up(port), what="our web process")
        made = Contender(port, processes, database)
        wait_for(lambda: stage.linked() >= len(stage.tickets), within=600, every=0.5, what="every ticket to be linked")
        rest(made)
        yield made
        stage.hubspot.configure(webhook_url="")


def rest(contender: Contender, *, within: float = 600.0) -> float:
    """Wait until nothing is due; the seconds that it took."""
    due = "SELECT count(*) FROM links WHERE due_at <= now() + interval '1 second'"
    return wait_for(lambda: contender.scalar(due) == 0, within=within, every=0.05, what="rest")


@contextmanager
def bare(folder: Path, *, database: str) -> Iterator[Contender]:
    """The bare route and its table."""
    port, url = free_port(), database.replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE inbox (id bigserial PRIMARY KEY, body bytea, at timestamptz)")
    with Processes(folder, {"BENCH_SECRET": SECRET, "BENCH_DATABASE": url}) as processes:
        processes.start("web", GUNICORN.format(app="bench.bare:create_app()", port=port))
        wait_for(lambda: is_up(port), what="the bare route")
        yield Contender(port, processes, database)


@contextmanager
def naive(stage: Stage, folder: Path, *, database: str, queue: str) -> Iterator[Contender]:
    """The naive connector, knowing the records that the stage's tickets have."""
    folder.mkdir()
    port = free_port()
    environment = {
        "REDIS_URL": queue,
        "BENCH_SECRET": SECRET,
        "BENCH_SQLALCHEMY": database,
        "BENCH_HUBSPOT": stage.hubspot.url,
        "BENCH_TOKEN": stage.hubspot.credentials.static_token,
    }
    with Processes(folder, environment) as processes:
        processes.start("web", GUNICORN.format(app="bench.naive:create_app()", port=port))
        wait_for(lambda: is_up(port), what="the naive web process")
        with psycopg.connect(database.replace("+psycopg", "")) as connection:
            connection.execute("CREATE TABLE links (ticket text PRIMARY KEY, record text)")
            pairs = [(one["properties"]["nextcap_ticket_id"], one["id"]) for one in stage.records()]
            connection.cursor().executemany("INSERT INTO links VALUES (%s, %s)", pairs)
        processes.start("worker", CELERY.format(app="bench.naive:celery", workers=WORKERS, queue="celery"))
        yield Contender(port, processes, database)
