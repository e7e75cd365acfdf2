"""What there is to tell, and whom: the types of outgoing events, and the endpoints that listen."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit


class EventType(StrEnum):
    """The names are a promise to receivers: one may be added, none is renamed."""

    CREATED = "ticket.created"
    UPDATED = "ticket.updated"
    STATUS_CHANGED = "ticket.status_changed"
    ASSIGNED = "ticket.assigned"
    REPLIED = "ticket.replied"
    NOTED = "ticket.noted"
    LINKED = "ticket.linked"
    UNLINKED = "ticket.unlinked"
    PARKED = "ticket.parked"
    UNPARKED = "ticket.unparked"
    TEST = "connector.test"


CHOOSABLE: Final = frozenset(EventType) - {EventType.TEST}
USUAL: Final = CHOOSABLE - {EventType.NOTED}
"""What an endpoint is told that does not choose: everything but internal notes."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One listener. `secrets` are newest first; each signs. `words` lets it be told what people wrote."""

    name: str
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    types: frozenset[EventType] = USUAL
    connections: frozenset[str] = frozenset()
    """Only tickets that one of these carries; all where it is empty."""
    words: bool = False

    @property
    def host(self) -> str:
        """What may be shown of the address: its path and query may hold a secret."""
        return urlsplit(self.url).netloc
