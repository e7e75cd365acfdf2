"""HubSpot as the engine sees it: the parts of this folder behind the adapter protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from connector.adapters.base import Capabilities, Change, Delivery, Event, Step, taken
from connector.adapters.calls import Sender
from connector.adapters.entries import recognise
from connector.adapters.hubspot.account import Doctor, People
from connector.adapters.hubspot.api import BATCH, DEFAULT_VERSIONS, Api
from connector.adapters.hubspot.contacts import HubSpotContacts
from connector.adapters.hubspot.notes import Notes
from connector.adapters.hubspot.records import Records
from connector.adapters.hubspot.schema import OUR_ID, Catalogue, ensure_ours
from connector.adapters.hubspot.sweeps import Sweeps
from connector.adapters.hubspot.tickets import Tickets
from connector.adapters.hubspot.webhooks import Verifier, parse, subscribe_by_hand
from connector.domain.ticket import Record, Value

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
        versions: Mapping[str, str] = DEFAULT_VERSIONS,
        signatures: frozenset[str] = V3_ONLY,
        scope: Mapping[str, Value] | None = None,
        watched: Callable[[], Iterable[str]] = tuple,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`public_url` is our address as HubSpot calls it, which signatures cover; `path` is where our hook is.

        `scope` is what every ticket of the connection has (its pipeline). `watched` names the properties that the
        mapping reads now, for the subscriptions.
        """
        api = Api(transport, versions)
        catalogue, people = Catalogue(api, clock), People(api)
        records = Records(api, catalogue)
        tickets = Tickets(api, records, HubSpotContacts(api), scope or {})
        notes = Notes(api, people.find, clock)
        self._catalogue, self._tickets, self._watched = catalogue, tickets, watched
        self.verify = Verifier(webhook_secrets, public_url, signatures).verify
        self.answer = taken
        self.read, self.find = records.read, records.find
        self.changes = Sweeps(api, records, notes.tickets_of).changes
        self.fate, self.requesters = records.fate, records.requesters
        self.write = tickets.write
        self.comments, self.add_comments, self.tickets_of = notes.comments, notes.add, notes.tickets_of
        self.recognise = recognise
        self.people = people.all
        self.schema, self.learn = catalogue.refresh, catalogue.learn
        self.ensure_schema = partial(ensure_ours, api)
        target = public_url.rstrip("/") + path
        self.check = Doctor(api, scope or {}, clock, target=target, has_secret=any(webhook_secrets)).check

    def parse(self, delivery: Delivery) -> list[Event]:
        """The events of a verified delivery. Makes no call."""
        return parse(delivery.body, self._catalogue.native)

    def probe_create(self, change: Change, *, sent_at: datetime) -> Record | None:  # noqa: ARG002 - our id says it all
        """The ticket that a CREATE of unknown outcome left behind; repeating the CREATE is as safe."""
        return self._tickets.probe(change)

    def subscribe(self, url: str, *, dry_run: bool) -> list[Step]:  # noqa: ARG002 - nothing here writes
        """What a person must do: no call registers the webhooks of a project app."""
        return subscribe_by_hand(url, self._watched())
