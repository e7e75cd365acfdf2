"""For vendors' clients that send with `requests`: a session that lets them build a call, which a wire of ours sends."""

from __future__ import annotations

from typing import Any

import httpx
import requests


class Builder(requests.Session):
    """A session that keeps the last request it was given, sends nothing, and answers 200 without a body.

    No proxies, passwords or other settings come from the environment.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self._prepared = requests.PreparedRequest()

    def request(self, method: Any, url: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        self._prepared = self.prepare_request(requests.Request(method, url, **options))
        answer = requests.Response()
        answer.status_code = 200
        return answer

    @property
    def built(self) -> httpx.Request:
        """The request as a wire sends it."""
        one = self._prepared
        return httpx.Request(str(one.method), str(one.url), headers=dict(one.headers), content=one.body or None)
