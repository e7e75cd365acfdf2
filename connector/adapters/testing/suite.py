"""The contract suite as `connector adapters test` runs it: the arena comes from `run.py`."""

from __future__ import annotations

from connector.adapters.testing.contract import AdapterContract


class TestAdapter(AdapterContract):
    """Every promise, for whatever adapter it is."""
