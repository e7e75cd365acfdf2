"""What holds an adapter to its protocol: the contract suite, and one arena a CRM in which it is run.

    class TestAcme(AdapterContract):
        @pytest.fixture
        def arena(self) -> Iterator[Arena]: ...

An arena joins an adapter to a working imitation of its vendor. A bug found in one adapter becomes a promise here, for
all of them. This package needs pytest, which is a part of the extra `testing`; nothing that runs in production imports
it.
"""

from __future__ import annotations

import pytest

for part in ("arena", "comments", "records", "setup", "trouble"):
    pytest.register_assert_rewrite(f"{__name__}.{part}")

from connector.adapters.testing.arena import GREETING, Arena, RecordingWire  # noqa: E402 - after the rewrite
from connector.adapters.testing.contract import AdapterContract  # noqa: E402

__all__ = ["GREETING", "AdapterContract", "Arena", "RecordingWire"]
