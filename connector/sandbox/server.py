"""All imitations together, as `connector sandbox`, the demo and the tests start them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

if TYPE_CHECKING:
    from .hubspot import HubSpot
    from .kernel import Imitation
    from .nextcap import NextCap

VENDORS = {
    "nextcap": "connector.sandbox.nextcap:NextCap",
    "example": "connector.sandbox.example:Example",
    "hubspot": "connector.sandbox.hubspot:HubSpot",
    "capsule": "connector.sandbox.capsule:Capsule",
    "salesforce": "connector.sandbox.salesforce:Salesforce",
    "zendesk": "connector.sandbox.zendesk:Zendesk",
}
"""Where each vendor's imitation is: a class that takes its port."""


def imitation(vendor: str, port: int = 0) -> Imitation:
    """A new imitation of one vendor, not yet started. Raises KeyError on a vendor without one."""
    module, _, name = VENDORS[vendor].partition(":")
    return cast("Imitation", getattr(importlib.import_module(module), name)(port))


class Sandbox:
    """Next Cap and CRMs on 127.0.0.1; a context manager.

    `ports` are given as `nextcap_port=8101`; without one, or with 0, a free port is taken.
    """

    def __init__(self, vendors: Iterable[str] = ("nextcap", "hubspot"), **ports: int) -> None:
        self.imitations = {vendor: imitation(vendor, ports.pop(f"{vendor}_port", 0)) for vendor in vendors}
        if ports:
            raise TypeError(f"no such port: {', '.join(ports)}")

    @property
    def nextcap(self) -> NextCap:
        """The imitation of Next Cap."""
        return cast("NextCap", self.imitations["nextcap"])

    @property
    def hubspot(self) -> HubSpot:
        """The imitation of HubSpot."""
        return cast("HubSpot", self.imitations["hubspot"])

    def start(self) -> None:
        """Start every imitation."""
        for one in self.imitations.values():
            one.start()

    def stop(self) -> None:
        """Stop every imitation; their state is kept."""
        for one in self.imitations.values():
            one.stop()

    def reset(self) -> None:
        """Return every imitation to how it was at first."""
        for one in self.imitations.values():
            one.reset()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
