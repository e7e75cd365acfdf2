"""Who is told the figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from .door import Door

HERE, ELSEWHERE = "127.0.0.1", "203.0.113.7"


@pytest.mark.parametrize(
    ("address", "headers", "answered"),
    [
        (HERE, {}, 200),
        ("::1", {}, 200),
        (ELSEWHERE, {}, 401),
        (HERE, {"X-Forwarded-For": ELSEWHERE}, 401),
        (HERE, {"Forwarded": f"for={ELSEWHERE}"}, 401),
        (HERE, {"Authorization": "Bearer "}, 200),
    ],
)
def test_without_a_token_the_figures_are_for_this_machine_alone(
    door: Door, address: str, headers: dict[str, str], answered: int
) -> None:
    client = door.app.test_client()

    answer = client.get("/metrics", headers=headers, environ_overrides={"REMOTE_ADDR": address})

    assert answer.status_code == answered


@pytest.mark.parametrize(
    ("given", "answered"),
    [("Bearer the-token", 200), ("Bearer the-toke", 401), ("the-token", 401), ("", 401), ("Bearer \xe9", 401)],
)
def test_with_a_token_it_is_asked_for(tmp_path: Path, given: str, answered: int) -> None:
    """From this machine too."""
    door = Door(tmp_path, metrics_token="the-token")

    answer = door.app.test_client().get("/metrics", headers={"Authorization": given})
    door.close()

    assert answer.status_code == answered
    assert (b"connector_due_links" in answer.data) == (answered == 200)
