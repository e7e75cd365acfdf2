"""The bell between processes: one Celery message a connection, sent after the commit, never awaited."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Sequence
from typing import Any

from celery import Celery
from kombu import Queue
from kombu.exceptions import OperationalError

from connector.config import Settings
from connector.engine.context import Bell, no_bell

REST = 10.0
"""Seconds for which nothing is published after a broker did not answer; the sweep covers them."""


def broker(settings: Settings) -> dict[str, Any]:
    """How to reach the broker: fail fast, and say explicitly whether certificates are checked."""
    url = settings.queue.url
    conf: dict[str, Any] = {
        "broker_url": url,
        "broker_connection_timeout": 3,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "task_publish_retry": False,
        "task_queues": [Queue("sync")],
        "task_default_queue": "sync",
        "task_create_missing_queues": False,
        "task_ignore_result": True,
        "result_backend": None,
        "task_serializer": "json",
        "accept_content": ["json"],
    }
    if url.startswith("redis"):
        conf["broker_transport_options"] = {
            "socket_timeout": 3,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "retry_on_timeout": False,
            "health_check_interval": 25,
            "visibility_timeout": 300,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            "global_keyprefix": "connector:",
            "client_name": "connector",
        }
    if url.startswith("rediss://"):
        # A bare rediss:// means "no check" to kombu, so it is always told.
        needed = ssl.CERT_REQUIRED if settings.queue.check_certificate else ssl.CERT_NONE
        conf["broker_use_ssl"] = {"ssl_cert_reqs": needed}
    return conf


class CeleryBell:
    """Rings `drain` tasks. A broker that does not answer is left alone for a while."""

    def __init__(self, settings: Settings) -> None:
        self._app = Celery("connector-bell", set_as_current=False)
        self._app.conf.update(broker(settings))
        self._quiet_until = 0.0
        self._lock = threading.Lock()

    def __call__(self, names: Sequence[str]) -> None:
        if time.monotonic() < self._quiet_until:
            return
        try:
            for name in names:
                self._app.send_task("drain", (name,), retry=False, expires=60, ignore_result=True)
        except OperationalError:
            with self._lock:
                self._quiet_until = time.monotonic() + REST


def bell_for(settings: Settings) -> Bell:
    """The bell that this configuration means."""
    return no_bell if settings.queue.url.startswith("memory") else CeleryBell(settings)
