"""Playing a story: act, then wait until what must be so is so, or say what is not."""

from __future__ import annotations

import time
from collections.abc import Sequence

from connector.demo.agreement import differences
from connector.demo.picture import Picture, is_quiet, look
from connector.demo.screen import Screen
from connector.demo.story import Step
from connector.demo.world import World

WITHIN = 15.0
GLANCE = 0.05


class Stuck(Exception):
    """A step after which something that must be so was not so in time."""

    def __init__(self, caption: str, unmet: Sequence[str]) -> None:
        super().__init__(f"the story came to a stand after {caption!r}: not so within {WITHIN:g} s")
        self.unmet = tuple(unmet)


def play(world: World, steps: Sequence[Step], screen: Screen, *, pause: float) -> None:
    """Play all steps, `pause` seconds apart so that people can read. Raises Stuck."""
    for number, step in enumerate(steps, start=1):
        before = look(world)
        started = time.monotonic()
        screen.begin(number, step.caption, before)
        step.act(before)
        settled = _until_so(world, step, screen)
        screen.settled(settled, time.monotonic() - started)
        time.sleep(pause)


def _until_so(world: World, step: Step, screen: Screen) -> Picture:
    """Show how things are until all is as it must be, and answer that moment. Raises Stuck."""
    deadline = time.monotonic() + WITHIN
    while True:
        picture = look(world)
        screen.show(picture)
        unmet = unmet_claims(world, step, picture)
        if not unmet:
            return picture
        if time.monotonic() > deadline:
            raise Stuck(step.caption, unmet)
        time.sleep(GLANCE)


def unmet_claims(world: World, step: Step, picture: Picture) -> list[str]:
    """What is not yet as it must be after this step."""
    try:
        claims = dict(step.then(picture))
    except LookupError as missing:
        return [str(missing)]
    differing: list[str] = []
    if not step.apart:
        differing = differences(picture.nextcap, picture.hubspot)
        claims["all is at rest"] = is_quiet(world)
    return [f"not so: {claim}" for claim, holds in claims.items() if not holds] + differing
