"""Webhooks of vendors that do not sign: the address ends with a secret that only they were told."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.adapters.signing import WRONG_PATH, check_path_token
from connector.domain.errors import BadDelivery, ConfigError
from connector.secretbox import SecretBox
from connector.store.database import Database


@pytest.fixture
def db(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'store.db'}")


def test_every_process_and_connection_has_a_token_of_its_own(db: Database) -> None:
    tokens = SecretBox(db, ["key"]).path_tokens("sales")

    assert SecretBox(db, ["key"]).path_tokens("sales") == tokens
    assert SecretBox(db, ["key"]).path_tokens("service") != tokens
    assert len(tokens[0]) == 43


def test_a_former_keys_token_serves_until_the_key_is_gone(db: Database) -> None:
    old = SecretBox(db, ["old"]).path_tokens("sales")[0]

    assert SecretBox(db, ["new", "old"]).path_tokens("sales")[1] == old
    assert old not in SecretBox(db, ["new"]).path_tokens("sales")


def test_without_a_key_there_is_none(db: Database) -> None:
    with pytest.raises(ConfigError, match="SECRET_KEY"):
        SecretBox(db, []).path_tokens("sales")


def test_the_right_token_passes() -> None:
    check_path_token("/webhooks/sales/new-token?x=1", ["new-token", "old-token"])
    check_path_token("/webhooks/sales/old-token", ["new-token", "old-token"])


@pytest.mark.parametrize(
    "path", ["/webhooks/sales", "/webhooks/sales/", "/webhooks/sales/wrong", "/webhooks/sales/tökén"]
)
def test_any_other_path_is_nobodys(path: str) -> None:
    with pytest.raises(BadDelivery) as refused:
        check_path_token(path, ["token", ""])

    assert refused.value.code == WRONG_PATH
