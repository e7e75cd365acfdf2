"""Salesforce as the engine sees it: the parts of this folder behind the adapter protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from connector.adapters.base import Capabilities, Change, Delivery, Event, Step
from connector.adapters.calls import Sender
from connector.adapters.salesforce import webhooks
from connector.adapters.salesforce.account import Doctor, people
from connector.adapters.salesforce.api import BATCH, Api
from connector.adapters.salesforce.cases import Cases
from connector.adapters.salesforce.comments import Comments, recognise
from connector.adapters.salesforce.records import Records
from connector.adapters.salesforce.schema import OUR_ID, Catalogue
from connector.adapters.salesforce.setup import Fields
from connector.domain.ticket import Record

VERSION: Final = "62.0"


class Salesforce:
    """One org. Each attribute set in `__init__` is a call of the adapter protocol, documented there.

    Beyond the protocol, `learn(schema)` takes a stored schema, so that no call is needed for it.
    """

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
        nobody: Callable[[], str],
        public_url: str,
        path: str = "/webhooks/salesforce",
        version: str = VERSION,
        auto_assign: bool = False,
        forms: Callable[[], frozenset[str]] = frozenset,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`org` gives the id of our org from the token that was last granted, without a call, and `user` our own.

        `nobody` gives the id of the user or queue whose cases count as unassigned: our own user, as a rule. `forms`
        gives what the mapping in force reads or writes beside comments.
        """
        api = Api(transport, version)
        catalogue = Catalogue(api, clock, nobody)
        records = Records(api, catalogue, forms)
        self._cases, self._path_tokens = Cases(api, records, catalogue, auto_assign=auto_assign), path_tokens
        comments = Comments(api, forms)
        self.verify = webhooks.Verifier(webhook_secrets, path_tokens, org).verify
        self.answer = webhooks.answer
        self.read, self.find, self.changes = records.read, records.find, records.changes
        self.fate, self.requesters = records.fate, records.requesters
        self.write = self._cases.write
        self.comments, self.add_comments, self.tickets_of = comments.comments, comments.add, comments.tickets_of
        self.recognise = recognise
        self.people = partial(people, api)
        self.schema, self.learn = catalogue.refresh, catalogue.learn
        self.ensure_schema = ensure = Fields(api, user).ensure
        target = public_url.rstrip("/") + path
        self.check = Doctor(api, org, forms, ensure, target=target, has_secret=any(webhook_secrets)).check

    def parse(self, delivery: Delivery) -> list[Event]:
        """The events of a verified delivery. Makes no call."""
        return webhooks.parse(delivery)

    def probe_create(self, change: Change, *, sent_at: datetime) -> Record | None:  # noqa: ARG002 - our id says it all
        """The case that a CREATE of unknown outcome left behind; repeating the CREATE is as safe."""
        return self._cases.probe(change)

    def subscribe(self, url: str, *, dry_run: bool) -> list[Step]:  # noqa: ARG002 - nothing here writes
        """What a person must do: messages, flows and triggers are the administrator's."""
        return webhooks.subscribe_by_hand(url, self._path_tokens())
