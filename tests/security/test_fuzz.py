"""Ten thousand bad requests at the front door: none of them is an error of ours, and none that we took is lost."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from connector.store import tables
from tests.engine.process import everywhere

from .door import Door, Knock
from .hostile import mutation, signed_nonsense

HONEST = frozenset({200, 202, 308, 400, 401, 404, 405, 413})
"""A 503 is honest too, but here the database is never away."""
MUTATIONS, DRAWN, BATCH = 9_500, 500, 500


def light(count: int) -> settings:
    """So many examples, the same at every run; what fails is told as it is, not shrunk."""
    phases = (Phase.explicit, Phase.generate)
    checks = list(HealthCheck)
    return settings(
        max_examples=count, derandomize=True, database=None, deadline=None, phases=phases, suppress_health_check=checks
    )


def knock_all(door: Door, *, mutations: int, drawn: int) -> None:
    """Half of what is changed, and all that is drawn, stands under a right signature, to reach the readers behind."""
    for seed in range(mutations):
        answered_honestly(door, mutation(seed))
        if seed % BATCH == 0:
            assert_nothing_is_lost(door)

    @light(drawn)
    @given(signed_nonsense())
    def every(knock: Knock) -> None:
        assert answered_honestly(door, knock) == 202

    every()
    assert_nothing_is_lost(door)


def answered_honestly(door: Door, knock: Knock) -> int:
    status = door.knock(knock)
    assert status in HONEST, (status, knock)
    return status


def assert_nothing_is_lost(door: Door) -> None:
    """Each delivery that was answered as received is in the store, and none that was refused; no reader failed."""
    assert door.taken_in() == door.answers.get(202, 0)
    assert "defect" not in {row["code"] for row in door.rows(tables.parked)}


def test_ten_thousand_bad_requests_are_refused_or_kept(door: Door) -> None:
    knock_all(door, mutations=MUTATIONS, drawn=DRAWN)

    assert sum(door.answers.values()) >= 10_000
    assert {202, 400, 401, 404, 405, 413} <= set(door.answers), "a kind of input has fallen away"
    assert min(door.answers[202], door.answers[401]) > 1_000


@everywhere
def test_each_kind_of_database_holds_what_was_kept(tmp_path: Path, db_url: str) -> None:
    """PostgreSQL refuses characters, sizes and numbers that SQLite takes."""
    door = Door(tmp_path, db_url)

    knock_all(door, mutations=400, drawn=150)

    door.close()
