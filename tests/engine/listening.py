"""A world in which somebody listens to outgoing events."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from connector.events.announcer import Announcer
from connector.events.catalogue import USUAL, Endpoint, EventType
from connector.events.courier import Courier, Sent
from connector.store import outbox

from .harness import World
from .parts import Tap
from .process import Process
from .receiver import Receiver


def secret(letter: str) -> str:
    """A signing secret, different for every letter."""
    return "whsec_" + base64.b64encode(letter.encode() * 32).decode()


class Listening:
    """One endpoint of a world's connector. Nothing is sent unless the test says so."""

    def __init__(self, world: World, receiver: Receiver, **about: Any) -> None:
        self.world, self.receiver = world, receiver
        values = {"types": USUAL, "secrets": (secret("a"),), **about}
        self.endpoint = Endpoint(name="listener", url=receiver.url, **values)
        world.restart(announcer=Announcer([self.endpoint]))

    @property
    def courier(self) -> Courier:
        return self.courier_of(self.world.process)

    def courier_of(self, process: Process) -> Courier:
        """Who sends in this process, and dies with it."""
        world = self.world
        wire = Tap(world.site.wires.nextcap, process.life, world.clock)
        return Courier(process.engine.db, self.endpoint, wire, now=world.clock.now, clock=world.clock.monotonic)

    def send(self) -> Sent:
        """What a process does every second or two, until nothing more is due."""
        sent = Sent()
        for _ in range(50):
            one = self.courier.run()
            sent += one
            if not one.taken:
                return sent
        raise AssertionError("it does not come to rest")

    def settle(self) -> None:
        """Let the connector work, and tell what there is to tell."""
        self.world.settle()
        self.send()

    def pass_time(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass, and send what falls due in it."""
        passed = 0.0
        while passed < seconds:
            self.world.advance(step)
            passed += step
            self.send()

    def messages(self, state: str | None = None) -> list[dict[str, Any]]:
        with self.world.process.engine.db.read() as connection:
            return [dict(one) for one in outbox.listed(connection, name="listener", state=state, limit=1000)][::-1]

    def row(self) -> Any:
        with self.world.process.engine.db.read() as connection:
            return outbox.endpoint(connection, "listener")


@contextmanager
def listening() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


__all__ = ["EventType", "Listening", "listening", "secret"]
