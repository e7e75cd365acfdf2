"""HubSpot as the engine sees it: the parts of this folder behind the adapter protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from connector.adapters.base import Capabilities, taken
from connector.adapters.calls import Sender
from connector.adapters.entries import recognise
from connector.adapters.hubspot.account import Doctor, owners
from connector.adapters.hubspot.api import BATCH, VERSIONS, Api
from connector.adapters.hubspot.comments import Comments
from connector.adapters.hubspot.contacts import HubSpotContacts
from connector.adapters.hubspot.records import Records
from connector.adapters.hubspot.schema import OUR_ID, Catalogue, ensure_ours
from connector.adapters.hubspot.webhooks import Webhooks
from connector.adapters.hubspot.writing import Writing
from connector.adapters.people import People

V3_ONLY: Final = frozenset({"v3"})


class HubSpot:
    """One HubSpot account. Each attribute set in `__init__` is a call of the adapter protocol, documented there.

    Beyond the protocol, `learn(schema)` takes a stored schema, so that webhooks' values are read right without a call.
    """

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
        watched: Callable[[], Iterable[str]] = tuple,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`public_url` is our address as HubSpot calls it, which signatures cover; `path` is where our hook is.

        `watched` names the properties that the mapping reads now, for the subscriptions.
        """
        api = Api(transport, versions={**VERSIONS, **versions})
        catalogue, people = Catalogue(api, clock), People(partial(owners, api))
        comments = Comments(api, people.find, clock)
        records = Records(api, catalogue, comments.tickets_of)
        writing = Writing(api, records, HubSpotContacts(api))
        webhooks = Webhooks(webhook_secrets, public_url, signatures, native=catalogue.native, watched=watched)
        target = public_url.rstrip("/") + path
        self.verify, self.parse, self.subscribe = webhooks.verify, webhooks.parse, webhooks.subscribe
        self.answer = taken
        self.read, self.find, self.changes = records.read, records.find, records.changes
        self.fate, self.requesters = records.fate, records.requesters
        self.write, self.probe_create = writing.write, writing.probe
        self.comments, self.add_comments, self.tickets_of = comments.comments, comments.add, comments.tickets_of
        self.recognise = recognise
        self.people = people.all
        self.schema, self.learn = catalogue.refresh, catalogue.learn
        self.ensure_schema = partial(ensure_ours, api)
        self.check = Doctor(api, clock, target=target, has_secret=any(webhook_secrets)).check
