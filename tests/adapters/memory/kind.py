"""What a package says of Memo: its settings, and how its adapter is built."""

from __future__ import annotations

from datetime import UTC, datetime

from connector.adapters.building import Ask, Kind, Parts
from connector.adapters.oauth import StaticCredentials
from connector.adapters.settings import TokenSettings, shown
from connector.adapters.wires import HttpxWire

from .adapter import MemoAdapter, sort


class Settings(TokenSettings):
    """One Memo account."""

    api_url: str
    colour: str = "green"


def build(parts: Parts, settings: Settings) -> MemoAdapter:
    """The adapter of one account."""
    transport = parts.transport(
        StaticCredentials(shown(settings.access_token)),
        base_url=settings.api_url,
        wire=parts.keep(HttpxWire()),
        limits={},
        sort=sort,
    )
    return MemoAdapter(transport, clock=lambda: datetime.now(UTC))


KIND = Kind(
    label="Memo",
    settings=Settings,
    build=build,
    asks=(Ask("access_token", "Memo's API token", "MEMO_TOKEN"),),
    capabilities=MemoAdapter.capabilities,
)
