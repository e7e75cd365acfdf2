"""The front door on SQLite, and the PostgreSQL server of the engine's tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import db_url as db_url
from tests.engine.conftest import emptied as emptied
from tests.engine.conftest import migrated as migrated
from tests.engine.conftest import postgres as postgres

from .door import Door


@pytest.fixture
def door(tmp_path: Path, migrated: Path) -> Iterator[Door]:
    """An empty installation."""
    shutil.copy(migrated, tmp_path / "connector.db")
    made = Door(tmp_path)
    yield made
    made.close()
