"""Zendesk as the engine sees it: the parts of this folder behind the adapter protocol."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from connector.adapters.base import Capabilities, Change, Delivery, Event, taken
from connector.adapters.calls import Sender
from connector.adapters.zendesk.account import Doctor, people
from connector.adapters.zendesk.api import BATCH, Api
from connector.adapters.zendesk.comments import Comments, recognise
from connector.adapters.zendesk.records import Records
from connector.adapters.zendesk.schema import OUR_ID, Catalogue, ensure_ours
from connector.adapters.zendesk.webhooks import Subscription, parse, verify
from connector.adapters.zendesk.writing import Writing
from connector.domain.ticket import Record


class Zendesk:
    """One Zendesk account. Each attribute set in `__init__` is a call of the adapter protocol, documented there.

    Beyond the protocol, `learn(schema)` takes a stored schema, so that custom fields are known without a call.
    """

    name = "zendesk"
    external_id = OUR_ID
    capabilities = Capabilities(
        batch=BATCH,
        together=5 * BATCH,
        spacing=1.5,
        stretch=4.0,
        public_comments=True,
        follow_ups=True,
        lag=61.0,
        lists_comments=True,
        dated_webhooks=True,
        merges=True,
        checks_versions=True,
        lacks={
            "batch_comments": "comments are listed a ticket at a time (developer.zendesk.com: ticket comments)",
        },
    )

    def __init__(
        self,
        transport: Sender,
        *,
        webhook_secrets: Sequence[str],
        keep_webhook_secret: Callable[[str], None],
        target: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`target` is our hook's whole address; `keep_webhook_secret` keeps the secret that Zendesk makes for it."""
        api = Api(transport, sleep)
        catalogue = Catalogue(api, clock)
        records = Records(api, catalogue, clock)
        writing, comments = Writing(api, records, catalogue), Comments(api, records)
        subscription = Subscription(api, webhook_secrets, keep_webhook_secret)
        self._writing = writing
        self._secrets = webhook_secrets
        self.answer = taken
        self.read, self.find, self.changes = records.read, records.find, records.changes
        self.fate, self.requesters = records.fate, records.requesters
        self.write = writing.write
        self.comments, self.add_comments, self.tickets_of = comments.comments, comments.add, comments.tickets_of
        self.recognise = recognise
        self.people = partial(people, api)
        self.schema, self.learn = catalogue.schema, catalogue.learn
        self.ensure_schema = partial(ensure_ours, api)
        self.subscribe = subscription.subscribe
        self.check = Doctor(api, subscription, clock, target).check

    def verify(self, delivery: Delivery, *, now: datetime) -> None:
        """Check the raw bytes. Raises BadDelivery for a signature that is wrong or missing, or not of now."""
        verify(delivery, self._secrets, now=now)

    def parse(self, delivery: Delivery) -> list[Event]:
        """The events of a verified delivery. Makes no call."""
        return parse(delivery.body)

    def probe_create(self, change: Change, *, sent_at: datetime) -> Record | None:  # noqa: ARG002 - our id says it all
        """The ticket that a CREATE of unknown outcome left behind; repeating the CREATE is as safe."""
        return self._writing.probe(change)
