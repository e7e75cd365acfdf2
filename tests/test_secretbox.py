"""The key of an embedded installation."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from connector.secretbox import local_key


def test_all_who_start_at_the_same_moment_have_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(local_key, [tmp_path] * 64))

    assert len(keys) == 1
    assert len(keys.pop()) == 44
    assert [file.name for file in tmp_path.iterdir()] == ["connector.key"]
    assert stat.S_IMODE((tmp_path / "connector.key").stat().st_mode) == 0o600
