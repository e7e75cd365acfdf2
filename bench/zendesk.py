"""A burst into Zendesk that comes over ten seconds: how many calls it costs, and of which kinds."""

from __future__ import annotations

import random
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg

from bench.servers import ROOT, Processes, free_port, is_up, wait_for
from connector.sandbox.nextcap import CRM_KEY, DATA_KEY
from connector.sandbox.server import Sandbox

SECRET = "bench-webhook-secret"
EVENTS = ("ticket.created", "ticket.updated", "ticket.status_changed")
PLENTY = 1_000_000
CONFIG = """
public_url = "http://127.0.0.1:{port}"
secret_key = ["a-key-for-the-figures"]
[store]
url = "{database}"
[nextcap]
api_url = "{nextcap}"
api_key = "{key}"
data_key = "{data_key}"
webhook_secrets = ["{secret}"]
calls_per_minute = {plenty}
[connections.zendesk]
crm = "zendesk"
mapping = "{mapping}"
api_url = "{zendesk}"
client_id = "{client}"
client_secret = "{client_secret}"
calls_per_minute = 2500
updates_per_minute = {plenty}
"""


class ZendeskStage:
    """Next Cap, a Zendesk account with a large plan, and `connector run` beside them, with all tickets linked."""

    def __init__(self, left: ExitStack, folder: Path, database: str, tickets: int) -> None:
        self.sandbox = left.enter_context(Sandbox(("nextcap", "zendesk")))
        self.nextcap: Any = self.sandbox.nextcap
        self.zendesk: Any = self.sandbox.imitations["zendesk"]
        self.database = database.replace("+psycopg", "")
        self.nextcap.configure(rate_limit=PLENTY)
        self.zendesk.configure(rate_limit=2500, update_limit=PLENTY)
        folder.mkdir()
        port = free_port()
        config = folder / "config.toml"
        config.write_text(self._config(port, database))
        processes = left.enter_context(Processes(folder, {"CONNECTOR_CONFIG": str(config)}))
        for name, command in (("upgrade", "connector db upgrade"), ("setup", "connector setup zendesk")):
            processes.start(name, command).wait(60)
            del processes.running[name]
        processes.start("run", f"connector run --port {port}")
        wait_for(lambda: is_up(port), what="connector run")
        self.nextcap.create_webhook(f"http://127.0.0.1:{port}/webhooks/nextcap", EVENTS, SECRET)
        named = [{"subject": f"T{number}", "customer_email": f"c{number}@home.example"} for number in range(tickets)]
        self.tickets = [str(self.nextcap.create_ticket(**one)["id"]) for one in named]
        wait_for(lambda: set(self.subjects()) >= set(self.tickets), within=600, every=0.5, what="all to be linked")
        self.rest()
        time.sleep(5)  # Timelines that grew meanwhile are looked at when their tickets have been quiet for so long.
        self.rest()

    def _config(self, port: int, database: str) -> str:
        known = self.zendesk.credentials
        told = {"client": known.client_id, "client_secret": known.client_secret, "zendesk": self.zendesk.url}
        told |= {"nextcap": self.nextcap.api_url, "key": CRM_KEY, "data_key": DATA_KEY, "secret": SECRET}
        return CONFIG.format(
            port=port, database=database, plenty=PLENTY, mapping=ROOT / "mappings" / "zendesk.yaml", **told
        )

    def subjects(self) -> dict[str, str]:
        """The subject of each Zendesk ticket, by the id of its Next Cap ticket."""
        with self.zendesk.lock:
            return {one.values["external_id"]: one.values["subject"] for one in self.zendesk.account.live()}

    def rest(self) -> None:
        """Wait until every webhook was answered and nothing is due."""
        wait_for(self._is_at_rest, within=300, every=0.1, what="rest")

    def _is_at_rest(self) -> bool:
        for side in (self.nextcap, self.zendesk):
            if not side.deliveries.wait_idle(60):
                return False
        with psycopg.connect(self.database) as connection:
            waits = "SELECT (SELECT count(*) FROM links WHERE due_at IS NOT NULL) + (SELECT count(*) FROM unplaced)"
            return connection.execute(waits).fetchone() == (0,)

    def burst(self, changes: int, seconds: float) -> Counter[str]:
        """People change subjects of random tickets, evenly over so many seconds; Zendesk's calls until all is quiet."""
        self.zendesk.calls.reset()
        dice, wanted, started = random.Random(1), dict[str, str](), time.monotonic()
        for number in range(changes):
            ticket = dice.choice(self.tickets)
            wanted[ticket] = f"S{number}, in {seconds:g} s"
            time.sleep(max(0.0, started + number * seconds / changes - time.monotonic()))
            self.nextcap.set_fields(ticket, {"subject": wanted[ticket]})
        wait_for(lambda: wanted.items() <= self.subjects().items(), within=300, every=0.1, what="both sides to agree")
        self.rest()
        return Counter(f"{call.method} {call.template}" for call in self.zendesk.calls.kept())
