"""`adapters list` and `adapters test`, with our CRMs and with one that a package brings."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from connector import config
from connector.adapters import registry
from connector.adapters.base import Capabilities
from connector.adapters.registry import CRMS, kind, known
from connector.adapters.testing import Arena, arenas
from connector.cli.adapters import CAN
from connector.domain.errors import ConfigError

from .conftest import Connector

ROOT = Path(__file__).parents[2]
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a package with these entry points where Python finds packages."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    def installed(package: str, *, adapters: str = "", arenas: str = "") -> None:
        about = tmp_path / "site" / f"{package}-1.2.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        (about / "entry_points.txt").write_text(f"[connector.adapters]\n{adapters}\n[connector.arenas]\n{arenas}\n")

    return installed


@pytest.fixture
def memo(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of somebody else's that brings the CRM `memo` and its arena, and wants to be HubSpot too."""
    monkeypatch.delitem(sys.modules, "acme_memo", raising=False)
    install(
        "acme_memo",
        adapters="memo = acme_memo:KIND\nhubspot = acme_memo:KIND\nBad-Word = acme_memo:KIND",
        arenas="memo = acme_memo:MemoArena\nhubspot = acme_memo:MemoArena",
    )
    code = "from tests.adapters.memory.arena import MemoArena\nfrom tests.adapters.memory.kind import KIND\n"
    (tmp_path / "site" / "acme_memo.py").write_text(code)


def test_each_of_ours_is_listed_with_what_it_lacks_and_where_that_is_documented(connector: Connector) -> None:
    told = {one["crm"]: one for one in json.loads(connector("adapters", "list", "--json").stdout)}

    assert set(told) == set(CRMS)
    assert all(one["from"] == "built in" for one in told.values())
    lacks = [why for crm, one in told.items() if crm != "custom" for why in one["lacks"].values()]
    assert len(lacks) >= 8
    assert all("(" in why and any(one in why.lower() for one in ("developer", "guide", "reference")) for why in lacks)
    assert set(CAN) == {"batch", *(one.name for one in fields(Capabilities) if isinstance(one.default, bool))}
    assert "comments that customers see: notes are seen" in connector("adapters", "list").stdout


@pytest.mark.usefixtures("memo")
def test_a_package_brings_a_crm_and_takes_no_place_of_ours(connector: Connector) -> None:
    (told,) = [one for one in json.loads(connector("adapters", "list", "--json").stdout) if one["crm"] == "memo"]

    assert (told["label"], told["from"]) == ("Memo", "acme_memo 1.2")
    assert "checks_versions" in told["can"]
    assert set(known()) == {*CRMS, "memo"}
    assert kind("hubspot").label == "HubSpot"


@pytest.mark.usefixtures("memo")
def test_a_connection_of_it_is_configured_with_its_own_keys(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    head = '[nextcap]\napi_key = "nextcap_ck_1"\n[connections.notes]\ncrm = "memo"\nmapping = "m.yaml"\n'
    path.write_text(f'{head}api_url = "https://memo.example"\naccess_token = "t"\ncolour = "blue"\n')

    (one,) = config.load(path).connections.values()
    path.write_text(f'{head}api_url = "https://memo.example"\naccess_token = "t"\nshape = "round"\n')
    with pytest.raises(ConfigError, match="shape"):
        config.load(path)

    assert getattr(one, "colour", "") == "blue"


def test_a_crm_that_two_packages_bring_is_refused_with_both_names(install: Install) -> None:
    install("one_memo", adapters="memo = one_memo:KIND")
    install("other_memo", adapters="memo = other_memo:KIND")

    with pytest.raises(ConfigError, match=r"one_memo 1\.2 and other_memo 1\.2|other_memo 1\.2 and one_memo 1\.2"):
        kind("memo")


@pytest.mark.parametrize("value", ["nowhere.at.all:KIND", "json:KIND", "json:dumps"])
def test_a_package_that_leads_nowhere_is_named(connector: Connector, install: Install, value: str) -> None:
    install("broken_memo", adapters=f"memo = {value}")

    with pytest.raises(ConfigError, match="memo"):
        kind("memo")
    assert connector("adapters", "list").exit_code == 0


@pytest.mark.usefixtures("memo")
def test_a_package_is_not_imported_before_a_connection_needs_it() -> None:
    known()

    assert "acme_memo" not in sys.modules


@pytest.mark.usefixtures("memo")
def test_an_adapter_that_keeps_its_promises(connector: Connector) -> None:
    result = connector("adapters", "test", "memo")

    assert result.exit_code == 0, result.output
    assert "kept    a note is added once and nobody outside sees it" in result.stdout
    assert "Each is added once, in its order, and seen only by those who may." in result.stdout
    assert result.stdout.strip().endswith(" promises, 0 broken")


FORGETFUL = """
from tests.adapters.memory.arena import MemoArena

class Forgetful(MemoArena):
    def __init__(self, memo):
        super().__init__(memo)
        keep = self.adapter._add
        self.adapter._add = lambda comment: keep(comment) and keep(comment)

class Unready(MemoArena):
    def set_up(self):
        raise ValueError("there is no board")
"""


def test_an_adapter_that_breaks_one_is_told_which_and_why(
    connector: Connector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the address of its arena, so that nothing need be installed while it is written."""
    (tmp_path / "forgetful.py").write_text(FORGETFUL)
    monkeypatch.chdir(tmp_path)

    result = connector("adapters", "test", "forgetful:Forgetful", "--only", "comment")
    machine = json.loads(
        connector("adapters", "test", "forgetful:Forgetful", "--only", "equal comments", "--json").stdout
    )

    assert result.exit_code == 1
    assert "BROKEN  two equal comments stay two" in result.stdout
    assert "why it matters: People do say the same twice" in result.stdout
    assert "(comments.py:" in result.stdout
    assert machine["ok"] is False
    assert [one["name"] for one in machine["promises"]] == ["two equal comments stay two"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nobody", "'nobody' is no CRM that is known"),
        ("nowhere.at.all:Arena", "nowhere.at.all:Arena cannot be loaded"),
        ("json:dumps", "no subclass of connector.adapters.testing.Arena"),
    ],
)
def test_what_cannot_be_tested_is_told_plainly(connector: Connector, name: str, told: str) -> None:
    result = connector("adapters", "test", name)

    assert result.exit_code == 2
    assert told in result.stderr


def test_an_arena_that_cannot_be_set_up_is_told_once(
    connector: Connector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unready.py").write_text(FORGETFUL)
    monkeypatch.chdir(tmp_path)

    result = connector("adapters", "test", "unready:Unready", "--only", "comment")

    assert result.exit_code == 2
    assert "nothing could be tried, always for one reason: ValueError: there is no board (unready.py:" in result.stderr


def test_words_that_no_promise_has_are_a_usage_error(connector: Connector) -> None:
    result = connector("adapters", "test", "custom", "--only", "no such words")

    assert result.exit_code == 2
    assert "no promise has 'no such words'" in result.stderr


def test_without_pytest_it_says_how_to_get_it(tmp_path: Path) -> None:
    """Production is installed without it."""
    (tmp_path / "pytest.py").write_text("raise ModuleNotFoundError(\"No module named 'pytest'\", name='pytest')\n")
    code = (
        "import sys; sys.argv = ['connector', 'adapters', 'test', 'custom']; import connector.cli; connector.cli.main()"
    )

    result = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 2
    assert "pip install 'nextcap-connector[testing]'" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_page_for_authors_names_all_that_an_arena_is_asked_for() -> None:
    page = (ROOT / "docs" / "adapters.md").read_text()
    asked = {*Arena.__abstractmethods__, *Arena.__annotations__} - {"adapter", "imitation"}

    assert [name for name in sorted(asked) if not re.search(rf"\b{name}\b", page)] == []
    assert f'entry-points."{registry.GROUP}"' in page
    assert f'entry-points."{arenas.GROUP}"' in page
