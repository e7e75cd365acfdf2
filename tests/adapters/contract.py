"""What every adapter promises the engine, proved against a working imitation of its vendor.

A vendor's test module gives an `Arena` and inherits `AdapterContract`:

    class TestAcme(AdapterContract):
        @pytest.fixture
        def arena(self) -> Iterator[Arena]: ...

A bug found in one adapter becomes a promise here, for all of them.
"""

from __future__ import annotations

from tests.adapters.contract_arena import GREETING, Arena, RecordingWire
from tests.adapters.contract_comments import CommentPromises
from tests.adapters.contract_records import ReadingPromises, WritingPromises
from tests.adapters.contract_setup import SetupPromises, WebhookPromises
from tests.adapters.contract_trouble import SecrecyPromises, TroublePromises

__all__ = ["GREETING", "AdapterContract", "Arena", "RecordingWire"]


class AdapterContract(
    ReadingPromises,
    WritingPromises,
    CommentPromises,
    TroublePromises,
    SecrecyPromises,
    WebhookPromises,
    SetupPromises,
):
    """The promises. `write` and `add_comments` never raise for one item: they give an outcome for each."""
