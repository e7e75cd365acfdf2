"""HubSpot as the engine sees it: the parts of this folder behind the adapter protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from connector.adapters.base import Capabilities
from connector.adapters.building import Assembled
from connector.adapters.calls import Sender
from connector.adapters.hubspot.account import Account
from connector.adapters.hubspot.api import BATCH, VERSIONS, Api
from connector.adapters.hubspot.comments import Comments
from connector.adapters.hubspot.records import Records
from connector.adapters.hubspot.schema import OUR_ID, Catalogue
from connector.adapters.hubspot.webhooks import Watched, Webhooks
from connector.adapters.hubspot.writing import Customers, Writing

V3_ONLY: Final = frozenset({"v3"})


class HubSpot(Assembled):
    """One HubSpot account."""

    name = "hubspot"
    external_id = OUR_ID
    capabilities = Capabilities(
        batch=BATCH,
        spacing=0.25,
        batch_comments=True,
        lag=900.0,
        lists_comments=True,
        merges=True,
        dated_webhooks=True,
        lacks={
            "follow_ups": "needed by none: no ticket is closed for good (developers.hubspot.com, CRM API: tickets)",
            "public_comments": "notes are seen by users of the account only (developers.hubspot.com, CRM API: notes)",
            "checks_versions": "no write takes an expected version (developers.hubspot.com, CRM API: tickets)",
        },
    )

    def __init__(
        self,
        transport: Sender,
        *,
        webhook_secrets: Sequence[str],
        public_url: str,
        path: str = "/webhooks/hubspot",
        versions: Mapping[str, str] = VERSIONS,
        signatures: frozenset[str] = V3_ONLY,
        watched: Watched = tuple,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`public_url` is our address as HubSpot calls it, which signatures cover; `path` is where our hook is.

        `watched` names the properties that the mapping reads now, for the subscriptions.
        """
        api = Api(transport, versions={**VERSIONS, **versions})
        catalogue, target = Catalogue(api, clock), public_url.rstrip("/") + path
        account = Account(api, catalogue, clock, target=target, has_secret=any(webhook_secrets))
        comments = Comments(api, account.person, clock)
        records = Records(api, catalogue, comments.tickets_of)
        super().__init__(
            webhooks=Webhooks(webhook_secrets, public_url, signatures, native=catalogue.native, watched=watched),
            records=records,
            writing=Writing(api, catalogue, records, Customers(api)),
            comments=comments,
            catalogue=catalogue,
            account=account,
        )
