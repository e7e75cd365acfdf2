"""What every adapter promises the engine, proved against a working imitation of its vendor."""

from __future__ import annotations

from connector.adapters.testing.comments import CommentPromises
from connector.adapters.testing.records import ReadingPromises, WritingPromises
from connector.adapters.testing.setup import SetupPromises, WebhookPromises
from connector.adapters.testing.trouble import SecrecyPromises, TroublePromises


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
