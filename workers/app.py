"""The Celery application: doorbells only. A lost message costs a sweep, a double one an empty query."""

from __future__ import annotations

import copy
import gc
from typing import Any

from celery import Celery, signals
from celery.app.task import Task
from celery.exceptions import CeleryError

from connector import config, log
from connector.domain.errors import ConnectorError
from connector.wiring import Runtime, build
from workers.bell import bell_for, broker
from workers.schedule import schedule

_runtime: Runtime | None = None


def runtime() -> Runtime:
    """This process's engine, built on first use and never before a fork."""
    global _runtime
    if _runtime is None:
        settings = config.load()
        _runtime = build(settings, bell=bell_for(settings))
    return _runtime


class Defect(ConnectorError):
    """Something of ours failed in a way that nobody thought of."""


class DiscreetTask(Task):  # type: ignore[type-arg]
    """A task whose errors may be shown in Flower and in logs: without anybody's words, values or secrets."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it."""
        try:
            return self.run(*args, **kwargs)
        except CeleryError:
            raise
        except ConnectorError as problem:
            raise shown(problem) from None
        except Exception as problem:  # noqa: BLE001
            raise Defect(log.told(problem), code="defect") from None


def shown(problem: ConnectorError) -> ConnectorError:
    """The error as whoever looks at the queue may see it."""
    same = copy.copy(problem)
    same.args = (log.washed(str(problem)),)
    return same


def _app() -> Celery:
    settings = config.load()
    app: Celery[Any] = Celery("connector", include=["workers.tasks"], task_cls=DiscreetTask)
    app.conf.update(_conf(settings))
    return app


def _conf(settings: config.Settings) -> dict[str, Any]:
    return broker(settings) | {
        "task_acks_late": False,
        "task_reject_on_worker_lost": False,
        "worker_prefetch_multiplier": 1,
        "worker_soft_shutdown_timeout": 10.0,
        "worker_enable_soft_shutdown_on_idle": False,
        "task_soft_time_limit": 45,
        "task_time_limit": 60,
        "worker_max_tasks_per_child": 5000,
        "worker_max_memory_per_child": 220_000,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_send_task_events": True,
        "task_send_sent_event": False,
        "timezone": "UTC",
        "enable_utc": True,
        "beat_schedule": schedule(settings.events),
    }


app = _app()


@signals.setup_logging.connect
def _set_up_logging(**_: object) -> None:
    log.configure(level=config.load().log_level, json=True)


@signals.worker_process_init.connect
def _after_fork(**_: object) -> None:
    """A child builds its own connections."""
    global _runtime
    if _runtime is not None:
        _runtime.db.forget_connections()
        _runtime = None


@signals.worker_init.connect
@signals.beat_init.connect
def _import_mappings(**_: object) -> None:
    """Once a process, before any child is forked."""
    first = build()
    first.import_mappings()
    first.close()


@signals.celeryd_after_setup.connect
def _share_what_is_loaded(**_: object) -> None:
    """What is there before children are forked stays shared: their collectors leave it alone."""
    gc.collect()
    gc.freeze()


@signals.task_postrun.connect
def _keep_count(sender: Task[..., Any] | None = None, **_: object) -> None:
    if _runtime is not None and sender is not None:
        _runtime.flush_counters()
