"""The same flows with gunicorn, a Celery worker, beat, PostgreSQL and Redis. Their deaths are in `tests/faults`."""

from __future__ import annotations

from tests.flows.test_story import *  # noqa: F403 - every promise of the story, here on production's shape
