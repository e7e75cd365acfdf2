"""Salesforce as the engine sees it: the parts of this folder behind the adapter protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from connector.adapters.base import Capabilities
from connector.adapters.building import Assembled
from connector.adapters.calls import Sender
from connector.adapters.salesforce.account import Account
from connector.adapters.salesforce.api import BATCH, VERSION, Api, long_id
from connector.adapters.salesforce.comments import Comments
from connector.adapters.salesforce.records import Records
from connector.adapters.salesforce.schema import Catalogue
from connector.adapters.salesforce.setup import OUR_ID
from connector.adapters.salesforce.webhooks import Webhooks
from connector.adapters.salesforce.writing import Writing


class Salesforce(Assembled):
    """One org."""

    name = "salesforce"
    external_id = OUR_ID
    capabilities = Capabilities(
        batch=BATCH,
        spacing=1.5,
        public_comments=True,
        batch_comments=True,
        lag=300.0,
        lists_comments=True,
        merges=True,
        dated_webhooks=True,
        lacks={
            "follow_ups": "needed by none: no case is closed for good (Object Reference: Case)",
            "checks_versions": "collections take no If-Unmodified-Since (REST API guide: conditional requests)",
        },
    )

    def __init__(
        self,
        transport: Sender,
        *,
        webhook_secrets: Sequence[str],
        path_tokens: Callable[[], Sequence[str]],
        org: Callable[[], str],
        user: Callable[[], str],
        target: str,
        nobody: str | None = None,
        version: str = VERSION,
        auto_assign: bool = False,
        forms: Callable[[], frozenset[str]] = frozenset,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`org` gives the id of our org from the token that was last granted, without a call, and `user` our own.

        `target` is our webhook's address. `nobody` is the id of the user or queue whose cases count as unassigned: our
        own user, where none is given. `forms` gives what the mapping in force reads or writes beside comments.
        """
        api = Api(transport, version)
        catalogue = Catalogue(api, clock, user, lambda: long_id(nobody or user()))
        records = Records(api, catalogue, forms)
        super().__init__(
            webhooks=Webhooks(webhook_secrets, path_tokens, org),
            records=records,
            writing=Writing(api, records, catalogue, auto_assign=auto_assign),
            comments=Comments(api, forms),
            catalogue=catalogue,
            account=Account(api, catalogue, org, forms, target=target, has_secret=any(webhook_secrets)),
        )
