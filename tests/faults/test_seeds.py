"""Whatever dies at whatever moment: nothing is lost, nothing is doubled, and both sides say the same in the end."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Mapping

import pytest

from .chaos import play
from .conftest import Sites
from .desks import DESKS
from .matrix import cells, table
from .postmortem import story
from .site import Site

FAILED_ONCE: Mapping[str, tuple[int, ...]] = {"hubspot": (2, 6, 33), "zendesk": (3, 11)}
"""Seeds that have found a defect. They stay: the first one in every run of the tests, all of them in a soak."""

ASKED = os.environ.get("FAULT_SEEDS", "")
CRMS = os.environ.get("FAULT_CRMS", ",".join(DESKS) if ASKED else "hubspot").split(",")
EVENTS = int(os.environ.get("FAULT_EVENTS", "60"))
TICKETS, PACE = ((45, 15), 0.02) if EVENTS >= 500 else ((8, 4), 0.1)
"""A short run is slower, so that those at work are struck and not those that only start."""

MINUTES = float(os.environ.get("FAULT_MINUTES", "0"))


def seeds(crm: str) -> list[int]:
    """The seeds that are asked for and those that failed once; without any, the first that failed."""
    known = FAILED_ONCE.get(crm, ())
    return list(dict.fromkeys([*map(int, ASKED.split(",")), *known] if ASKED else known[:1]))


@pytest.mark.parametrize(("crm", "seed"), [(crm, seed) for crm in CRMS for seed in seeds(crm)])
def test_nothing_is_lost_or_doubled_whoever_dies(new_site: Sites, crm: str, seed: int) -> None:
    """A death in every place where one could matter, beside those at random moments."""
    hold(new_site(crm=crm), seed)


if MINUTES:

    @pytest.mark.parametrize("crm", CRMS)
    def test_nothing_is_lost_or_doubled_for_hours(new_site: Sites, crm: str) -> None:
        """The same with seeds that nobody has seen, until this CRM's share of the time is over."""
        deadline = time.monotonic() + MINUTES * 60 / len(CRMS)
        while time.monotonic() < deadline:
            hold(new_site(crm=crm), random.SystemRandom().randrange(1_000, 1_000_000))


def hold(site: Site, seed: int) -> None:
    """Play one run, show its table, and judge it."""
    crm = site.desk.name
    run = play(site, seed, events=EVENTS, tickets=TICKETS, pace=PACE)
    site.stop()

    hits = Counter({cell: len(dead) for cell, dead in site.traps.sprung().items()})
    print(f"\n{crm}, {run}\n{table(hits, crm)}")  # noqa: T201 - the matrix is what this run is for
    if not run.verdict.is_good:
        print(story(site.database, str(run.verdict)))  # noqa: T201 - the database is gone afterwards
    assert run.verdict.is_good, str(run.verdict)
    assert [cell for cell in cells(crm) if not hits[cell]] == [], "nobody died in these places"
