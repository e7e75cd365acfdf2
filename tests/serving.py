"""A web application behind waitress that can be ended: its own `run` is torn from its sockets when they are closed."""

from __future__ import annotations

import threading
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.server import create_server


class Served:
    """Answers on a port of this machine from the moment that it is made until `stop`."""

    def __init__(self, app: Flask, *, port: int = 0, threads: int, **limits: Any) -> None:
        self._server = create_server(app, host="127.0.0.1", port=port, threads=threads, **limits)
        self.port = int(self._server.effective_port)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread first, and then what it watched."""
        self._ended.set()
        self._thread.join()
        self._server.task_dispatcher.shutdown()
        self._server.close()
        wasyncore.close_all(self._server._map, ignore_all=True)

    def _serve(self) -> None:
        while not self._ended.is_set():
            wasyncore.loop(timeout=0.05, map=self._server._map, count=1)
