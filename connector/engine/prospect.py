"""What a pass would decide by what both sides last said: for whoever asks before anything is done. Makes no call."""

from __future__ import annotations

from connector.domain.decision import Plan
from connector.domain.rules import Directories
from connector.engine import deciding, reading
from connector.engine.context import Engine
from connector.engine.work import Work


def plan_of(engine: Engine, work: Work, people: Directories) -> Plan | None:
    """The plan for a link that was loaded just now; None where a side has never been read."""
    work.nextcap = reading.stored_reading(work)
    if work.nextcap is None or (work.crm or work.known_crm()) is None:
        return None
    deciding.plan(engine, work, people)
    return work.plan
