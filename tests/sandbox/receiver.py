"""A webhook's target for the imitations' own tests."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from connector.sandbox.kernel import Answer, Environ, HttpServer, Imitation


class Receiver:
    """Keeps what it gets and answers as told, 200 at first."""

    path: ClassVar[str]
    """Where it is called."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self._server = HttpServer(self._take)

    @property
    def url(self) -> str:
        return f"{self._server.url}{self.path}"

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def bodies(self, imitation: Imitation) -> list[Any]:
        """What was received, once nothing is under way any more."""
        assert imitation.deliveries.wait_idle(5)
        return [json.loads(body) for _, body in self.got]

    def _take(self, environ: Environ) -> Answer:
        headers = {key: str(value) for key, value in environ.items() if key.startswith("HTTP_")}
        self.got.append((headers, environ["wsgi.input"].getvalue()))
        return Answer(self.statuses.pop(0) if self.statuses else 200)
