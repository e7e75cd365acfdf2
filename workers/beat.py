"""What `celery beat` runs: a schedule that is kept nowhere, and that a clock which went back does not hush."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery.beat import Scheduler

SLACK = timedelta(seconds=60)


class Beat(Scheduler):
    """Several may run at once. Celery's own would wait until the clock has caught up with the last time it spoke."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Say what is due, after the clock went back as after a start; the seconds until the next time."""
        now = self.app.now()
        entries = list(self.schedule.values())
        if any(entry.last_run_at and entry.last_run_at > now + SLACK for entry in entries):
            for entry in entries:
                entry.last_run_at = now
            self.old_schedulers = None  # Celery plans anew where the schedule is not the one that it knows.
        return float(super().tick(*args, **kwargs))
