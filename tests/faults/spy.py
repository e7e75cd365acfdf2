"""Everything that somebody can see who may look at production's processes and not at its store."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Self

import httpx
import redis

from .site import Site

ENCODED = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")


class Spy:
    """Listens at the queue while it is open: tasks and their arguments, results, and what Flower is told."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._heard: list[str] = []
        self._client = redis.Redis.from_url(site.broker.url)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._client.close()

    def _listen(self) -> None:
        with redis.Redis.from_url(self._site.broker.url) as client, client.monitor() as said:
            for command in said.listen():
                self._heard.append(str(command["command"]))
                if self._ended.is_set():
                    return

    def queue(self) -> str:
        """All that was said to the queue, and what it holds, with what was packed unpacked."""
        kept = [str(self._client.dump(key)) for key in self._client.keys()]  # noqa: SIM118 - it is no mapping
        text = "\n".join([*self._heard, *kept])
        unpacked = []
        for packed in set(ENCODED.findall(text)):
            with suppress(ValueError):
                unpacked.append(base64.b64decode(packed + "=" * (-len(packed) % 4)).decode("utf-8", "replace"))
        return "\n".join([text, *unpacked]).lower()

    def logs(self) -> dict[str, str]:
        """What each process said."""
        return {path.name: path.read_text().lower() for path in self._site.folder.glob("*.log")}

    def asked(self, path: str, headers: Mapping[str, str] | None = None) -> str:
        """What the web process answers; of a refusal, its status."""
        answer = httpx.get(self._site.url + path, headers=headers, timeout=10)
        return answer.text if answer.is_success else str(answer.status_code)

    def tokens(self) -> list[str]:
        """The tokens that the vendor has given us, and the former ones of this run."""
        return [*self._site.hubspot.tokens._expiry]
