"""Secrets are nowhere; customers' words are shown to nobody but those who may see the ticket."""

from __future__ import annotations

import logging
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog

from connector import config, log
from connector.adapters.hubspot import sort as hubspot_sort
from connector.adapters.nextcap import sort as nextcap_sort
from connector.adapters.transport import Request, Response, vendor_message
from connector.cli import show
from connector.domain.errors import Refused
from connector.store.database import Database, StoreAway
from workers.app import DiscreetTask, shown

from .door import Door, door_settings, from_nextcap

SECRET = "canary-7f3e-secret"
WORDS = "My card is 4111 and I live in Canary Lane"


def logged(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_a_vendors_quotation_stays_out_of_logs_and_flower_and_is_told_to_operators(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Vendors quote the value that they refuse."""
    request = Request("PATCH", "/x", "/crm/objects/tickets")
    hubspot = Response(400, {}, f'{{"category": "VALIDATION_ERROR", "message": "{WORDS} was not one of"}}'.encode())
    nextcap = Response(400, {}, f'{{"error": {{"code": "INVALID", "message": "bad {WORDS}"}}}}'.encode())
    for problem in (hubspot_sort(request, hubspot), nextcap_sort(request, nextcap)):
        assert isinstance(problem, Refused)
        assert WORDS in str(problem)

        log.get("test").warning("ticket_failed", reason=str(problem), several=[str(problem)], deep={"a": str(problem)})
        flower = shown(problem)

        assert WORDS not in logged(capsys)
        assert WORDS not in repr(flower) + str(flower) + repr(pickle.loads(pickle.dumps(flower)))  # noqa: S301
        assert (type(flower), flower.code) == (type(problem), problem.code)


def test_words_cannot_break_out_of_their_quotation() -> None:
    assert WORDS not in log.washed(f"refused: {vendor_message('»' + WORDS + '«')} (correlation 7)")
    assert WORDS[:20] not in log.washed(f"refused: {vendor_message(WORDS)}"[:30])
    assert "correlation 7" in log.washed(f"refused: {vendor_message(WORDS)} (correlation 7)")


def test_an_exception_is_logged_by_kind_and_place_without_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    local = WORDS
    try:
        int(local)
    except ValueError:
        log.get("test").exception("thread_failed")

    told = logged(capsys)
    assert WORDS not in told
    assert "ValueError in test_an_exception" in told
    assert "test_secrecy.py" in told


def test_what_libraries_log_is_washed_too() -> None:
    log.hide([SECRET])
    root, handlers = logging.getLogger(), logging.getLogger().handlers[:]
    root.handlers[:] = []
    try:
        log.configure()
        (handler,) = root.handlers
        try:
            raise KeyError(WORDS)
        except KeyError:
            record = logging.LogRecord("lib", 40, "", 1, "it %s\nfailed", (SECRET,), sys.exc_info())
        told = handler.format(record)
    finally:
        root.handlers[:] = handlers
        structlog.reset_defaults()
        log.configure_by_default()

    assert told.startswith("ERROR lib it *** failed KeyError in test_what_libraries")
    assert WORDS not in told


def test_a_tasks_error_shows_neither_words_nor_values() -> None:
    class Reads(DiscreetTask):
        name = "reads"

        def run(self, problem: Exception) -> None:
            raise problem from ValueError(WORDS)

    for problem in (KeyError(WORDS), Refused(f"refused {vendor_message(WORDS)}", code="bad")):
        with pytest.raises(Exception, match=r"KeyError in run|refused «…»") as caught:
            Reads()(problem)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
        assert WORDS not in repr(caught.value)


def test_a_database_error_tells_no_values(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'x.db'}")
    with pytest.raises((sa.exc.SQLAlchemyError, StoreAway)) as caught, db.write() as connection:
        connection.execute(sa.text("INSERT INTO nothing VALUES (:words)"), {"words": WORDS})
    db.close()

    assert WORDS not in str(caught.value) + str(caught.value.__cause__)


def test_no_repr_of_the_configuration_shows_a_secret(tmp_path: Path) -> None:
    given = door_settings(
        tmp_path,
        secret_key=[SECRET],
        metrics_token=SECRET,
        store={"url": f"postgresql://me:{SECRET}@db/x"},
        queue={"url": f"rediss://:{SECRET}@redis/0"},
        nextcap={"api_key": SECRET, "data_key": SECRET, "webhook_secrets": [SECRET]},
    )

    assert SECRET not in repr(given) + str(given)
    assert config.secrets_of(given).count(SECRET) == 7


def test_every_configured_secret_is_blotted_out_of_logs(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    secrets = config.secrets_of(door.runtime.settings)
    assert len(secrets) >= 4

    for secret in secrets:
        log.get("test").info("said", text=f"< {secret} >", header_names=[secret])

    told = logged(capsys)
    assert [one for one in secrets if one in told] == []
    assert told.count("< *** >") == len(secrets)


def test_a_refused_delivery_is_logged_without_its_headers_values_or_body(
    door: Door, capsys: pytest.CaptureFixture[str]
) -> None:
    headers: dict[str, Any] = {"X-Odd": "canary-header", "Authorization": "Bearer canary"}

    assert door.knock(from_nextcap(b'{"x": "canary-body"}', secret="wrong", **headers)) == 401

    told = logged(capsys)
    assert "delivery_refused" in told
    assert "canary" not in told


def test_words_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A subject may hold escapes that hide lines or change the window's title."""
    hostile = "a\x1b]0;owned\x07b\x9b31mc\u202etxt"

    show.table(["subject"], [[hostile]])
    show.as_json({"subject": hostile})

    told = capsys.readouterr().out
    assert not any(sign in told for sign in "\x1b\x07\x9b\u202e")
    assert "owned" in told
