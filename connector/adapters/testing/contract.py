"""What every adapter promises the engine, proved against a working imitation of its vendor."""

from __future__ import annotations

from connector.adapters.testing.comments import CommentPromises
from connector.adapters.testing.records import FatePromises, ReadingPromises, WritingPromises
from connector.adapters.testing.setup import CapabilityPromises, SetupPromises, WebhookPromises
from connector.adapters.testing.trouble import SecrecyPromises, TroublePromises


class AdapterContract(
    ReadingPromises,
    FatePromises,
    WritingPromises,
    CommentPromises,
    TroublePromises,
    SecrecyPromises,
    WebhookPromises,
    CapabilityPromises,
    SetupPromises,
):
    """The promises. `write` and `add_comments` never raise for one item: they give an outcome for each."""
