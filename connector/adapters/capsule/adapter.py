"""Capsule as the engine sees it: the parts of this folder behind the adapter protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from connector.adapters.base import Capabilities, Delivery, Event, Step, taken
from connector.adapters.calls import Sender
from connector.adapters.capsule.account import Doctor, Ladder, Wanted
from connector.adapters.capsule.api import BATCH, Api, target_named
from connector.adapters.capsule.catalogue import OUR_ID, Catalogue, ensure_ours
from connector.adapters.capsule.hooks import Hooks
from connector.adapters.capsule.notes import Notes
from connector.adapters.capsule.parties import Parties
from connector.adapters.capsule.records import Records
from connector.adapters.capsule.writing import Writing
from connector.adapters.entries import recognise

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


class Capsule:
    """One Capsule account. Each attribute set in `__init__` is a call of the adapter protocol, documented there.

    Beyond the protocol, `learn(schema)` takes a stored schema.
    """

    name = "capsule"
    external_id = OUR_ID

    def __init__(
        self,
        transport: Sender,
        *,
        tokens: Callable[[], Sequence[str]],
        url: str,
        has_hooks: bool,
        target: str = "projects",
        wanted: Wanted | None = None,
        watched: Callable[[], Sequence[str]] = tuple,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`url` is our hook's address without its secret end, for which `tokens` are; a ticket is a `target` there.

        `has_hooks` is false for a personal token. `watched` names the fields that the mapping reads now.
        """
        api = Api(transport)
        catalogue = Catalogue(api, target_named(target), clock)
        records = Records(api, catalogue, clock)
        writing = Writing(api, catalogue, records, Parties(api, clock))
        notes = Notes(api, catalogue.target)
        hooks = Hooks(api, catalogue.target, tokens, managed=has_hooks)
        ladder = Ladder(catalogue, wanted or Wanted())
        self.capabilities = CAPABILITIES if has_hooks else replace(CAPABILITIES, webhooks=False, lacks=WITHOUT_HOOKS)
        self._hooks, self._records, self._watched = hooks, records, watched
        self._ensure_ours, self._ladder = partial(ensure_ours, api, catalogue.target), ladder
        self.verify, self.subscribe = hooks.verify, hooks.subscribe
        self.answer = taken
        self.read, self.find, self.changes = records.read, records.find, records.changes
        self.fate, self.requesters = records.fate, records.requesters
        self.write, self.probe_create = writing.write, writing.probe
        self.comments, self.add_comments, self.tickets_of = notes.comments, notes.add, notes.tickets_of
        self.recognise = recognise
        self.schema, self.learn, self.people = catalogue.schema, catalogue.learn, catalogue.people
        self.check = Doctor(api, catalogue, ladder, hooks, url=url, managed=has_hooks).check

    def parse(self, delivery: Delivery) -> list[Event]:
        """The events of a verified delivery, each with what it tells of the fields that the mapping reads."""
        fields = self._watched()
        return self._hooks.parse(delivery, lambda item: self._records.hinted(item, fields))

    def ensure_schema(self, *, dry_run: bool) -> list[Step]:
        """Make our custom fields exist, and say whether the board of the mapping is there."""
        return [*self._ensure_ours(dry_run=dry_run), self._ladder.step()]
