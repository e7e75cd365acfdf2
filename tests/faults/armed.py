"""The connector as the Procfile starts it, in a process that a test can end at a named point, or break on purpose.

Nothing of the product is patched: this module joins the same parts as production does, and hands the engine what the
test's environment asks for. A trap is a file named `<point>.<kind>`; whoever passes that point takes it and obeys.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from celery import signals
from flask import Flask

from connector import config, log
from connector.adapters.base import Adapter, Change, NewComment, Written
from connector.adapters.transport import may_send
from connector.domain.ticket import Comment, Record
from connector.engine.context import Timing
from connector.engine.points import Point, passed
from connector.web.app import create_app
from connector.wiring import Runtime, build, with_engine
from workers.app import app, runtime
from workers.bell import bell_for

FOLDER, TIMING, BROKEN, SWEEP = "FAULTS_FOLDER", "FAULTS_TIMING", "FAULTS_BROKEN", "FAULTS_SWEEP"


def cell_of(point: str, kind: str) -> str:
    """A place of the matrix: comments to a CRM are one kind, whoever wrote them."""
    return f"{point}.{'comment_crm' if kind.endswith('_crm') and kind[:6] not in ('create', 'update') else kind}"


def web() -> Flask:
    """What gunicorn calls."""
    settings = config.load()
    made = build(settings, bell=bell_for(settings))
    log.configure(level=settings.log_level)
    made.import_mappings()
    return create_app(arm(made))


@signals.worker_process_init.connect(weak=False)
def _arm_child(**_: object) -> None:
    arm(runtime())


if SWEEP in os.environ:
    app.conf.beat_schedule = {
        name: {**entry, "schedule": min(entry["schedule"], float(os.environ[SWEEP]))}
        for name, entry in app.conf.beat_schedule.items()
        if name in ("sweep", "poll-nextcap", "reconcile")
    }


def arm(made: Runtime) -> Runtime:
    """Give this process its timing, its traps and what is to be broken in it."""
    passed.connect(_pass, weak=False)
    timing = Timing(**json.loads(os.environ.get(TIMING, "{}")))
    with_engine(made, timing=timing)
    match os.environ.get(BROKEN):
        case "probe":
            blind(made)
        case "fence":
            _wrap(made, _Careless)
    return made


def _pass(point: Point, *, kind: str) -> None:
    """Take the trap of this point, if there is one, and do to this process what it says."""
    folder = Path(os.environ[FOLDER])
    taken = folder / "sprung" / f"{cell_of(point, kind)}.{os.getpid()}"
    with suppress(FileNotFoundError):
        (folder / "set" / cell_of(point, kind)).rename(taken)
        os.kill(os.getpid(), getattr(signal, taken.read_text()))


def blind(made: Runtime) -> None:
    """Let nobody of this process find what an interrupted write left behind."""
    _wrap(made, _Blind)


def _wrap(made: Runtime, wrapper: type[_Wrapped]) -> None:
    crms = {name: wrapper(adapter) for name, adapter in made.engine.crms.items()}
    with_engine(made, nextcap=wrapper(made.engine.nextcap), crms=crms)


class _Wrapped:
    """An adapter, but for what a subclass breaks."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)


class _Blind(_Wrapped):
    """Finds nothing of what an interrupted write left behind."""

    def recognise(
        self, comment: NewComment, timeline: Sequence[Comment], *, sent_at: datetime, taken: frozenset[str]
    ) -> str | None:
        return None

    def probe_create(self, change: Change, *, sent_at: datetime) -> Record | None:
        return None


class _Careless(_Wrapped):
    """Sends comments without asking whose the ticket is by now."""

    def add_comments(self, comments: Sequence[NewComment]) -> Sequence[Written]:
        token = may_send.set(None)
        try:
            return self._adapter.add_comments(comments)
        finally:
            may_send.reset(token)


__all__ = ["app", "arm", "blind", "cell_of", "web"]
