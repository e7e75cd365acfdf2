"""The engine's world around any CRM, as its shipped mapping has it and as its administrator sets it up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from connector.adapters.base import Adapter
from connector.adapters.building import Parts
from connector.adapters.registry import kind
from connector.adapters.settings import shown
from connector.doctor.parts import hook_url
from connector.domain.text import fingerprint
from connector.engine.context import NEXTCAP
from connector.engine.drain import Drained
from connector.sandbox.kernel import Delivery as Sent
from connector.sandbox.nextcap import NextCap
from connector.sandbox.server import imitation
from connector.store import effects, tables
from connector.store.links import LinkRow
from tests.engine.harness import Parcel, World
from tests.engine.parts import Clock, Wires
from tests.engine.process import HUBSPOT, PUBLIC_URL, Site

from .desks import DESKS, MAPPINGS, Desk


class CrmWorld(World):
    """Next Cap and one account of this kind, with the mapping that is shipped for it."""

    def __init__(self, desk: Desk, site: Site) -> None:
        self.desk, self.account = desk, desk.account
        super().__init__(site)
        url = hook_url(self.process.runtime.settings, desk.name)
        steps = self.engine.crms[desk.name].subscribe(url, dry_run=False)
        assert "problem" not in [one.state for one in steps], steps

    def write_mapping(self, **_: Any) -> None:
        self.site.mapping_file.write_text((MAPPINGS / self.desk.mapping).read_text())

    def _set_up_accounts(self) -> None:
        self.account.configure(**self.desk.plenty)

    def _parcel(self, source: str, one: Sent) -> Parcel:
        if source == NEXTCAP:
            return super()._parcel(source, one)
        body, headers = self.account.deliveries.attempt_of(one)
        return Parcel(urlsplit(one.url).path.removeprefix("/webhooks/"), body, headers, one.events)

    def _headers(self, parcel: Parcel) -> dict[str, str]:
        # HubSpot's imitation signs with the machine's time, which is not this world's.
        return super()._headers(parcel) if self.desk.name == HUBSPOT else dict(parcel.headers)

    def drain(self, name: str = "") -> Drained:
        return self.process.drain(name or self.desk.name)

    def link(self, ticket: str, name: str = "") -> LinkRow:
        return super().link(ticket, name or self.desk.name)

    def record_id(self, ticket: str, name: str = "") -> str:
        """The one record that carries this id."""
        (found,) = self.desk.of(ticket)
        return found.id

    # -- what stands in the CRM

    def made(self, subject: str) -> int:
        """How many records there are with this subject."""
        return [one.subject for one in self.desk.records()].count(subject)

    def written(self, record: str, words: str) -> int:
        """How many entries of a record say this."""
        return sum(fingerprint(words) in fingerprint(one) for one in self.desk.record(record).entries)

    def known(self, address: str) -> int:
        """How many customers have this address."""
        return self.desk.customers().count(address)

    # -- progress

    def is_at_rest(self) -> bool:
        """Nothing is due, and no write is open."""
        is_open = [row for row in self.rows(tables.effects) if row.state in effects.OPEN]
        return not is_open and all(row.due_at is None for row in self.rows(tables.links))

    def until_something_is_due(self, step: int) -> int:
        """Let the time pass until the sweep that finds something due, which rings every so many seconds."""
        due = [row.due_at for row in self.rows(tables.links) if row.due_at is not None]
        wait = (min(due) - self.clock.now()).total_seconds() if due else 0.0
        seconds = step * max(1, -int(-wait // step))
        self.advance(seconds)
        return seconds


@contextmanager
def crm_world(name: str, wires: Wires, folder: Path, url: str) -> Iterator[CrmWorld]:
    """A world of its own around this CRM, until it is left."""
    nextcap, account = NextCap(), imitation(name)
    desk = DESKS[name](account)
    for side in (nextcap, account):
        side.start()
    told = account.introduce(PUBLIC_URL)
    sort = kind(desk.crm)
    settings = sort.settings.model_validate({"crm": desk.crm, "mapping": MAPPINGS / desk.mapping, **told})

    def build(parts: Parts) -> Adapter:
        configured = [shown(secret) for secret in settings.webhook_secrets]
        return sort.build(replace(parts, webhook_secrets=configured or parts.webhook_secrets), settings)

    site = Site(nextcap, {name: account}, wires, Clock([nextcap, account]), folder, url, kinds={name: build})
    world = CrmWorld(desk, site)
    try:
        yield world
    finally:
        world.close()
        for side in (nextcap, account):
            side.stop()
