"""What we depend on is pinned, wanted and allowed; no key stands in any file or any commit."""

from __future__ import annotations

import importlib.metadata
import math
import re
import shutil
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .door import ROOT

LOCKS = ("requirements.txt", "requirements-dev.txt")
PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([\w.!+-]+)(?: ; .*?)? \\$")

DENIED = {
    "celery-sqlalchemy-scheduler": "unmaintained; runs pickled rows",
    "html2text": "GPL",
    "markdownify": "ends in a RecursionError on a hostile mail",
    "jsonata-python": "an expression can hang a worker",
    "asteval": "an expression can hang a worker",
}
"""Distributions that were tried and turned down, and why."""

ALLOWED = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|Zope|ZPL|Unlicense|CC0|Historical Permission", re.I
)
ALLOWED_ANYWAY = {
    "psycopg": "LGPL-3.0-only, used unchanged as a library",
    "psycopg-binary": "LGPL-3.0-only, used unchanged as a library",
}

KEY = re.compile(
    r"nextcap_[a-z]{2}_\w{12,}|sk_live_\w{12,}|whsec_[A-Za-z0-9+/=]{16,}|pat-[a-z]{2}\d-[0-9a-f-]{30,}"
    r"|gh[pousr]_\w{30,}|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{16,}|eyJ[\w-]{16,}\.eyJ[\w-]{16,}\.[\w-]{16,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----\s*[A-Za-z0-9+/]{40,}|00D\w{12,15}![\w.]{40,}"
)
FAKE = re.compile(r"test|fake|example|sandbox|canary|secret|demo|0123456789|abcdef|(.)\1{5}", re.I)
"""A key that is none says so: one of these words, or one sign again and again."""
PUBLISHED = {"whsec_MfKQ9r…": "the test vector that the Standard Webhooks libraries publish"}


def pins(name: str) -> dict[str, tuple[str, int]]:
    """Each distribution of a lock file: its version, and how many hashes stand under it."""
    found: dict[str, tuple[str, int]] = {}
    last = ""
    for line in (ROOT / name).read_text().splitlines():
        if match := PIN.match(line):
            last = canonicalize_name(match[1])
            found[last] = (match[2], 0)
        elif "--hash=sha256:" in line:
            found[last] = (found[last][0], found[last][1] + 1)
        else:
            assert not line.strip() or line.lstrip().startswith("#"), f"{name}: {line!r} pins nothing"
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_by_version_and_hash(name: str) -> None:
    found = pins(name)

    assert len(found) > 30
    assert [one for one, (_, hashes) in found.items() if not hashes] == []
    assert "--require-hashes" in (ROOT / "Makefile").read_text()


def test_the_locks_hold_what_the_project_asks_for() -> None:
    """So that nobody edits one of the two alone."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {"requirements.txt": project["dependencies"]}
    wanted["requirements-dev.txt"] = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    for lock, asked in wanted.items():
        held = pins(lock)
        for one in map(Requirement, asked):
            version = held.get(canonicalize_name(one.name), ("", 0))[0]
            assert version, f"{lock} lacks {one.name}"
            assert one.specifier.contains(version, prereleases=True), f"{lock}: {one.name} {version} is not {one}"
    both = pins(LOCKS[0])
    assert {name: pins(LOCKS[1])[name] for name in both} == both


def test_nothing_that_was_turned_down_came_back() -> None:
    for lock in LOCKS:
        assert DENIED.keys() & pins(lock).keys() == set()


def test_what_is_installed_is_what_the_lock_says() -> None:
    locked = pins(LOCKS[1])
    installed = {canonicalize_name(one.name): one.version for one in importlib.metadata.distributions()}

    assert {name: installed[name] for name in locked if name in installed} == {
        name: version for name, (version, _) in locked.items() if name in installed
    }


def test_our_own_name_is_never_asked_of_an_index() -> None:
    """A stranger's upload under it must not be installed in our place."""
    assert "nextcap-connector" not in pins(LOCKS[0]).keys() | pins(LOCKS[1]).keys()
    assert re.search(r"pip install .*--no-deps --no-build-isolation --editable \.", (ROOT / "Makefile").read_text())


def licences(one: importlib.metadata.Distribution) -> str:
    told = [one.metadata.get("License-Expression"), one.metadata.get("License")]
    told += [each for each in one.metadata.get_all("Classifier") or [] if each.startswith("License")]
    return " ".join(each[:100] for each in told if each)


def test_every_licence_is_one_that_we_may_ship_with() -> None:
    locked = pins(LOCKS[0])
    found = {canonicalize_name(one.name): licences(one) for one in importlib.metadata.distributions()}
    shipped = {name: told for name, told in found.items() if name in locked and name not in ALLOWED_ANYWAY}

    assert len(shipped) > 30
    assert {name: told for name, told in shipped.items() if not ALLOWED.search(told)} == {}
    assert {name: told for name, told in shipped.items() if re.search(r"\b[AL]?GPL", told)} == {}


def keys_in(text: str) -> Iterator[str]:
    """What looks like a key of a vendor of ours and does not say that it is none."""
    for match in KEY.finditer(text):
        found = match[0]
        counts = Counter(found)
        bits = -sum(count / len(found) * math.log2(count / len(found)) for count in counts.values())
        shown = f"{found[:12]}…"
        if bits > 3 and not FAKE.search(found) and shown not in PUBLISHED:
            yield shown


def git(*arguments: str) -> str:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout.decode(
        errors="replace"
    )


def test_no_key_stands_in_any_file() -> None:
    files = [ROOT / name for name in git("ls-files", "-z").split("\0") if name]

    found = {
        file.relative_to(ROOT).as_posix(): keys
        for file in files
        if file.is_file() and (keys := list(keys_in(file.read_bytes().decode(errors="replace"))))
    }

    assert found == {}


def test_no_key_stands_in_any_commit() -> None:
    """What was committed once is known, also where a later commit takes it away."""
    assert list(keys_in(git("log", "-p", "--no-color", "--no-ext-diff", "--unified=0", "HEAD"))) == []


@pytest.mark.parametrize(
    ("text", "is_key"),
    [
        ("nextcap_" + "ck_9fK2mQ7xVb3TzL8w", True),
        ("sk_" + "live_9fK2mQ7xVb3TzL8w", True),
        ("pat-" + "na1-7c9e6679-7425-40de-944b-e07fc1f90ae7", True),
        ("-----BEGIN " + "PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ", True),
        ("eyJhbGciOiJSUzI1NiIsInR5cCI" + ".eyJzdWIiOiIxMjM0NTY3ODkwIiwi.dGhpcyBpcyBhIHNpZ25hdHVy", True),
        ("nextcap_" + "ck_sandbox0000000000", False),
        ("sk_" + "live_aaaaaaaaaaaaaaaaaaa", False),
        ("nextcap_ck_…", False),
    ],
)
def test_the_scan_sees_keys_and_lets_fakes_pass(text: str, is_key: bool) -> None:
    assert bool(list(keys_in(text))) is is_key
