"""What people do on either side, over HTTP: each imitation's control API, as `curl` would call it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx


class NotDone(Exception):
    """An imitation refused, or did not hear, what somebody wanted to do there; the message says why."""


class Side:
    """One imitation as its people see it. `url` is asked at each call: the port is known only once it is served."""

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url
        # No connection is kept: the one to HubSpot would break with its outage.
        self._client = httpx.Client(trust_env=False, timeout=10.0, limits=httpx.Limits(max_keepalive_connections=0))

    def close(self) -> None:
        self._client.close()

    def act(self, name: str, /, **arguments: Any) -> Any:
        """Do what somebody does there; answers what the imitation answers. Raises NotDone."""
        return self._post(f"actions/{name}", arguments).get("result")

    def set(self, **settings: Any) -> None:
        """Change settings, as an administrator."""
        self._post("settings", settings)

    def disturb(self, **faults: int) -> None:
        """Make the next webhooks go wrong: `duplicate=1`, `reorder=2`."""
        self._post("deliveries/faults", faults)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = self._client.post(f"{self._url()}/_control/{path}", json=body)
        except httpx.HTTPError as problem:
            raise NotDone(f"{path}: {type(problem).__name__}") from problem
        if answer.is_error:
            raise NotDone(f"{path}: {answer.status_code} {answer.text.strip()}")
        told: dict[str, Any] = answer.json()
        return told
