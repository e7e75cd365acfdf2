"""Beat goes on when the clock went back."""

from __future__ import annotations

from datetime import timedelta

from celery import Celery

from workers.beat import Beat
from workers.schedule import SCHEDULE


def test_beat_does_not_wait_for_a_time_that_was_wrong() -> None:
    """It last spoke an hour ahead: it speaks again when it would after a start."""
    app = Celery("test", broker="memory://", set_as_current=False)
    app.conf.beat_schedule = SCHEDULE
    beat = Beat(app=app)
    beat.tick()
    for entry in beat.schedule.values():
        entry.last_run_at = app.now() + timedelta(hours=1)
    beat.old_schedulers = None

    assert 0 < beat.tick() <= 5
    assert all(entry.last_run_at <= app.now() for entry in beat.schedule.values())
