"""A renewal whose answer is lost ends the old pair: the connection waits and says what a person must do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from connector.store import connections

from .world import EVENTS, NEXTCAP_SECRET, eventually
from .zendesk_world import ZendeskWorld


class RefreshingWorld(ZendeskWorld):
    """Its token is renewed by a refresh token, which each renewal replaces."""

    def access(self) -> dict[str, object]:
        return {**super().access(), "refresh_token": self.zendesk.credentials.refresh_token}


def test_a_lost_renewal_closes_the_circuit_and_says_what_to_do(tmp_path: Path) -> None:
    """The second try is refused, as only Zendesk knows the new token; then nobody asks for a minute."""
    world = RefreshingWorld(tmp_path)
    world.sandbox.start()
    world.zendesk.faults.add("lost_answer", method="POST", path="/oauth/tokens", times=1)
    world.start_connector()
    world.nextcap.create_webhook(f"{world.url}/webhooks/nextcap", EVENTS, NEXTCAP_SECRET)
    world.nextcap.create_ticket(subject="Meanwhile", customer_email="b@home.example")

    eventually(lambda: "a person must connect it again" in cause(world), what="what to do")
    eventually(lambda: closed_for(world) > timedelta(seconds=40), what="a closed circuit")
    grants = world.zendesk.tokens.grants
    world.stop()

    assert grants in (2, 3), "one try more only where a drain and a sweep asked at the same time"


def cause(world: ZendeskWorld) -> str:
    with world.runtime.db.read() as connection:
        return str(connections.state(connection, "zendesk").cause)


def closed_for(world: ZendeskWorld) -> timedelta:
    now = world.runtime.engine.now()
    with world.runtime.db.read() as connection:
        return (connections.state(connection, "zendesk").closed_until or now) - now
