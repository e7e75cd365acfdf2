"""What an answer says, where it is an object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connector.domain.errors import ConnectorError


class Told(dict[str, Any]):
    """The object that an answer is; a key that must be there and is not makes it no answer."""

    def __init__(self, told: Mapping[str, Any], missing: Callable[[], ConnectorError]) -> None:
        super().__init__(told)
        self._error = missing

    def __missing__(self, key: str) -> Any:
        raise self._error()
