"""Capsule as the engine sees it: the parts of this folder behind the adapter protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from connector.adapters.base import Capabilities
from connector.adapters.building import Assembled
from connector.adapters.calls import Sender
from connector.adapters.capsule.account import Account
from connector.adapters.capsule.api import BATCH, Api, target_named
from connector.adapters.capsule.comments import Comments
from connector.adapters.capsule.parties import Parties
from connector.adapters.capsule.records import Records
from connector.adapters.capsule.schema import OUR_ID, Catalogue, Wanted
from connector.adapters.capsule.webhooks import Webhooks
from connector.adapters.capsule.writing import Writing

CAPABILITIES: Final = Capabilities(
    batch=BATCH,
    spacing=1.0,
    idempotent_create=False,
    lag=60.0,
    lists_comments=True,
    lacks={
        "follow_ups": "needed by none: what is closed can be opened again (developer.capsulecrm.com/v2/models/project)",
        "public_comments": "entries are never shown to customers (developer.capsulecrm.com/v2/operations/Entry)",
        "idempotent_create": "no call takes an idempotency key (developer.capsulecrm.com/v2/operations/Project)",
        "dated_webhooks": "hooks are not signed (developer.capsulecrm.com/v2/overview/avoid-polling-with-rest-hooks)",
        "batch_comments": "entries are listed a record at a time (developer.capsulecrm.com/v2/operations/Entry)",
        "merges": "only parties can be merged (developer.capsulecrm.com/v2/operations/Project)",
        "checks_versions": "there is no ETag and no version (developer.capsulecrm.com/v2/operations/Project)",
    },
)

WITHOUT_HOOKS: Final = {
    **CAPABILITIES.lacks,
    "webhooks": "only an OAuth application can register hooks (developer.capsulecrm.com/v2/operations/REST_Hook)",
}


class Capsule(Assembled):
    """One Capsule account."""

    name = "capsule"
    external_id = OUR_ID

    def __init__(
        self,
        transport: Sender,
        *,
        tokens: Callable[[], Sequence[str]],
        has_hooks: bool,
        target: str = "projects",
        wanted: Wanted | None = None,
        watched: Callable[[], Sequence[str]] = tuple,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`tokens` are the secret ends of our hook's address, newest first; a ticket is a `target` there.

        `has_hooks` is false for a personal token. `watched` names the fields that the mapping reads now.
        """
        api = Api(transport)
        catalogue = Catalogue(api, target_named(target), wanted or Wanted(), clock)
        records = Records(api, catalogue, clock)
        self.capabilities = CAPABILITIES if has_hooks else replace(CAPABILITIES, webhooks=False, lacks=WITHOUT_HOOKS)
        super().__init__(
            webhooks=Webhooks(api, records, tokens, watched, managed=has_hooks),
            records=records,
            writing=Writing(api, catalogue, records, Parties(api, clock)),
            comments=Comments(api, catalogue.target),
            catalogue=catalogue,
            account=Account(api, catalogue),
        )
