"""Writes of absolute values that were interrupted: what the sides show now is their outcome."""

from __future__ import annotations

from connector.domain.decision import STATUS, Shadow
from connector.domain.ticket import Side
from connector.engine import fuses
from connector.engine.context import Engine
from connector.engine.effects import UPDATE_CRM, UPDATE_NEXTCAP, WALK
from connector.engine.work import Work
from connector.store.effects import Effect
from connector.store.links import from_json


def open_writes(work: Work) -> list[Effect]:
    """Writes of absolute values whose outcome nobody knows."""
    return [one for one in work.open_effects if one.kind in (UPDATE_CRM, UPDATE_NEXTCAP, WALK)]


def settle_writes(engine: Engine, work: Work) -> None:
    """Take what the sides show now as the outcome of writes that were interrupted.

    Both sides have been read. A value of ours that the target shows is settled; one that it does not show was not
    applied, or somebody changed it since: either way the plan decides it afresh.
    """
    for effect in open_writes(work):
        if effect.kind == WALK:
            _settle_walk(engine, work, effect)
        else:
            _settle_values(engine, work, effect)
        work.dropped.append(effect.id)


def _settle_values(engine: Engine, work: Work, effect: Effect) -> None:
    shown = work.values(effect.side)
    applied = []
    for name, (source, target) in effect.payload["pairs"].items():
        ours, theirs = from_json(source), from_json(target)
        if shown.get(name) != theirs:
            continue
        applied.append(name)
        fuses.remember(work, name, effect.side, theirs, engine.now())
        if name in effect.payload.get("merged", ()):
            continue
        pair = Shadow(ours, theirs) if effect.side is Side.CRM else Shadow(theirs, ours)
        work.shadows[name] = pair
    work.say(
        "write_found",
        "the answer to a write was lost; reading showed which of its values were applied",
        applied=applied,
    )


def _settle_walk(engine: Engine, work: Work, effect: Effect) -> None:
    """A status on the unfinished walk is ours, and on it goes from there; any other is a person's.

    Wherever the CRM stands by now counts as news, be it back where it was before the walk.
    """
    path = list(effect.payload["path"])
    present = work.values(Side.NEXTCAP).get(STATUS)
    if present not in path:
        return
    crm = None
    if present == path[-1]:
        crm = from_json(effect.payload["crm"])
        fuses.remember(work, STATUS, Side.NEXTCAP, present, engine.now())
    work.shadows[STATUS] = Shadow(present, crm)
    work.say("walk_found", f"the answer to a status change was lost; Next Cap shows {present}, a step on its way")
