"""Both imitations, the connector without any thread of its own, and a clock that only the test moves.

Nothing happens unless the test says so: webhooks wait until they are posted, work waits until it is drained, and time
stands still. So every interleaving can be played, a crash between any two steps included.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from connector.engine.context import NEXTCAP
from connector.engine.drain import Drained
from connector.sandbox.hubspot_events import sign_v3
from connector.sandbox.kernel import Delivery as Sent
from connector.sandbox.kernel import Imitation, epoch_ms, iso
from connector.sandbox.nextcap_hooks import EVENTS, sign

from .mapping import mapping_text
from .process import HUBSPOT, PUBLIC_URL, SECRET, Process, Site
from .sight import Sight


@dataclass(frozen=True, slots=True)
class Parcel:
    """One webhook request on its way. It can be posted late, twice or never."""

    source: str
    body: bytes
    headers: Mapping[str, str]
    events: tuple[str, ...]


class World(Sight):
    """The imitations, one database, and the processes that share it. `process` is the present one."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.nextcap, self.crms, self.clock = site.nextcap, site.crms, site.clock
        self.sides: Mapping[str, Imitation] = {NEXTCAP: site.nextcap, **site.crms}
        self._posted: set[str] = set()
        self.silent: set[str] = set()
        """Systems whose webhooks are all lost."""
        self._numbers = count(1)
        self._counting_since = self.clock.now()
        self._processes: list[Process] = []
        self._set_up()
        self.process = self.new_process()

    def _set_up(self) -> None:
        for side in self.sides.values():
            side.deliveries.pause()
        self.nextcap.configure(rate_limit=100_000)
        self._set_up_accounts()
        events = [event for event in EVENTS if event.startswith("ticket.")]
        self.nextcap.create_webhook(f"{PUBLIC_URL}/webhooks/{NEXTCAP}", events, SECRET)
        self.write_mapping()

    def _set_up_accounts(self) -> None:
        for name, account in self.crms.items():
            account.configure(
                burst=100_000,
                association_burst=100_000,
                search_burst=100_000,
                search_lag=0.0,
                event_window=0.0,
                webhook_url=f"{PUBLIC_URL}/webhooks/{name}",
            )

    def write_mapping(self, **changes: Any) -> None:
        """Write the mapping file, with these parts of it changed; the present process imports it if there is one."""
        self.site.mapping_file.write_text(mapping_text(**changes))
        if self._processes:
            found = self.process.runtime.import_mappings()
            assert [one.state for one in found] == ["activated"], found

    # -- processes

    def new_process(self, *, steps: int | None = None, **changes: Any) -> Process:
        """Start a connector on the database; with `steps`, it dies after so many. See `Site.start`."""
        self._processes.append(self.site.start(steps=steps, **changes))
        return self._processes[-1]

    def restart(self, **changes: Any) -> Process:
        """A new process in the place of the present one, which may be dead."""
        self.process = self.new_process(**changes)
        return self.process

    def close(self) -> None:
        for one in self._processes:
            one.close()

    # -- webhooks

    def mail(self, *sources: str) -> list[Parcel]:
        """Take the webhooks that the vendors (all, or these) have sent since the last time; they are on their way."""
        found: list[Parcel] = []
        for source in sources or (one for one in self.sides if one not in self.silent):
            for one in self.sides[source].deliveries.all():
                if one.id not in self._posted:
                    self._posted.add(one.id)
                    found.append(self._parcel(source, one))
        return found

    def _parcel(self, source: str, one: Sent) -> Parcel:
        if source == NEXTCAP:
            headers = sign(self.nextcap.settings, self.nextcap.clock, one)
            return Parcel(source, one.body, headers, one.events)
        return Parcel(source, self.crms[source].announcer.render(one), {}, one.events)

    def forge(self, event: str, **fields: Any) -> Parcel:
        """A webhook of Next Cap, rightly signed, that says what the test wants."""
        now = self.nextcap.now()
        body = json.dumps({"event": event, "timestamp": iso(now), "data": fields}).encode()
        about = {"secret": SECRET, "event": event}
        return self._parcel(NEXTCAP, Sent(f"forged-{next(self._numbers)}", "", body, (event,), now, about))

    def post(self, parcel: Parcel, *, process: Process | None = None, answered: int = 202) -> None:
        """Let a webhook arrive."""
        headers = dict(parcel.headers) if parcel.source == NEXTCAP else self._headers(parcel)
        client = (process or self.process).client
        path = f"/webhooks/{parcel.source}"
        answer = client.post(path, data=parcel.body, headers=headers, content_type="application/json")
        assert answer.status_code == answered, answer.status_code

    def _headers(self, parcel: Parcel) -> dict[str, str]:
        """A CRM's signature is of the moment at which the webhook arrives."""
        timestamp = str(epoch_ms(self.clock.now()))
        secret = self.crms[parcel.source].settings.client_secret
        url = f"{PUBLIC_URL}/webhooks/{parcel.source}"
        signature = sign_v3(secret, "POST", url, parcel.body, timestamp)
        return {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": timestamp}

    def deliver(self, *sources: str) -> list[Parcel]:
        """Let everything that is on its way arrive, in order."""
        parcels = self.mail(*sources)
        for parcel in parcels:
            self.post(parcel)
        return parcels

    # -- progress

    def drain(self, name: str = HUBSPOT) -> Drained:
        return self.process.drain(name)

    def poll(self) -> int:
        return self.process.poll()

    def settle(self) -> None:
        """Deliver and work until nothing more is to be done now."""
        for _ in range(30):
            arrived = self.deliver()
            drained = [self.drain(name) for name in self.crms]
            alone = self.process.work_alone()
            if not (arrived or alone or any(one.worked or one.cause for one in drained)):
                return
        raise AssertionError("it does not come to rest")

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def forget_calls(self) -> None:
        """Count calls from here on."""
        for side in self.sides.values():
            side.calls.reset()
        for tap in self.process.taps.values():
            tap.calls.clear()
        self._counting_since = self.clock.now()

    def sent(self, name: str, call: str) -> int:
        """How often the present process called so: a method and the end of a route."""
        return len(self.moments(name, call))

    def moments(self, name: str, call: str) -> list[int]:
        """When it called so, in whole seconds since calls are counted."""
        method, _, end = call.partition(" ")
        calls = self.process.taps[name].calls
        found = [at for at, its_method, route in calls if its_method == method and route.endswith(end)]
        return [round((at - self._counting_since).total_seconds()) for at in found]

    def pass_time(self, seconds: int) -> None:
        """Let so many seconds pass one by one, with all that falls due in them."""
        for _ in range(seconds):
            self.settle()
            self.advance(1)
        self.settle()

    def ticket(self, **fields: Any) -> str:
        """A customer opens a ticket in Next Cap; its id."""
        values = {"subject": "Cannot log in", "customer_email": "jo@home.example", "customer_name": "Jo", **fields}
        return str(self.nextcap.create_ticket(**values)["id"])

    def linked(self, **fields: Any) -> tuple[str, str]:
        """A ticket and its HubSpot record, at rest, with the call counters at zero."""
        ticket = self.ticket(**fields)
        self.settle()
        self.advance(60)
        self.settle()
        self.forget_calls()
        return ticket, self.record_id(ticket)


def json_of(parcel: Parcel) -> Any:
    """A webhook's body."""
    return json.loads(parcel.body)
