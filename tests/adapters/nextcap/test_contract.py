"""Next Cap keeps the adapter contract, against its imitation over real HTTP."""

from __future__ import annotations

from connector.adapters.testing import AdapterContract


class TestNextCapContract(AdapterContract):
    """The promises of every adapter."""
