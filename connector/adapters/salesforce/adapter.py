"""Salesforce as the engine sees it: the parts of this folder behind the adapter protocol."""

from __future__ import annotations

from connector.adapters.base import Capabilities
from connector.adapters.building import Assembled, Parts
from connector.adapters.oauth import OAuthCredentials
from connector.adapters.salesforce.account import Account
from connector.adapters.salesforce.api import BATCH, Api
from connector.adapters.salesforce.comments import Comments
from connector.adapters.salesforce.records import Records
from connector.adapters.salesforce.schema import OUR_ID, Catalogue
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

    def __init__(self, api: Api, tokens: OAuthCredentials, parts: Parts, nobody: str | None = None) -> None:
        """`nobody` is the id of the user or queue whose cases count as unassigned: our own user, where none is given.

        `tokens` tell our org and our user.
        """
        catalogue = Catalogue(api, parts.clock, lambda: tokens.token().home.user, nobody)
        records = Records(api, catalogue, parts.forms)
        super().__init__(
            webhooks=Webhooks(parts.webhook_secrets, parts.path_tokens, tokens.account),
            records=records,
            writing=Writing(api, catalogue, records),
            comments=Comments(api, parts.forms),
            catalogue=catalogue,
            account=Account(api, catalogue, tokens.account, parts),
        )
