"""The active mapping of each connection: a row in SQL, so that no two processes ever plan by different rules.

A file is imported when the process starts and whenever it changes on disk, and becomes active only if it passes.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from connector.adapters.registry import forms, makes_follow_ups
from connector.domain.errors import ConfigError
from connector.domain.rules import TicketMapping
from connector.engine.context import utc_now
from connector.engine.prepare import schema_from_json
from connector.mapping import compile as binding
from connector.mapping import lint, load
from connector.mapping.source import MAX_CHARACTERS
from connector.store import connections, journal, mappings
from connector.store.database import Database

LATELY = 1.0
"""Seconds for which the door may hold events against a mapping that was just replaced; plans never do."""


@dataclass(frozen=True, slots=True)
class Import:
    """What became of a mapping file: activated now, active already, or refused with these problems."""

    connection: str
    path: Path
    state: str
    problems: tuple[str, ...] = ()


class Mappings:
    """Reads, checks, activates and binds mapping files. Thread-safe."""

    def __init__(self, db: Database, files: Mapping[str, Path]) -> None:
        self.db = db
        self.files = dict(files)
        self._seen: dict[str, str] = {}
        self._bound: dict[tuple[str, str, str], TicketMapping] = {}
        self._lately: tuple[float, dict[str, TicketMapping]] = (float("-inf"), {})
        self._lock = threading.Lock()

    def active(self, connection: sa.Connection, name: str) -> TicketMapping:
        """The active mapping, bound to the account's ids. Raises ConfigError where there is none."""
        mapping = self.those_active(connection, [name]).get(name)
        if mapping is None:
            raise ConfigError(f"connection {name} has no mapping that passes; run `connector mappings check`")
        return mapping

    def those_active(self, connection: sa.Connection, names: Sequence[str]) -> dict[str, TicketMapping]:
        """The active mappings of these connections, by name; one that has none is left out.

        What is in force is asked each time, and only what was bound by it is remembered.
        """
        return {
            name: self._bind(connection, name, row.version, row.schema_at.isoformat() if row.schema_at else "")
            for name, row in mappings.in_force(connection, names).items()
            if row.version is not None
        }

    def lately(self, connection: sa.Connection) -> dict[str, TicketMapping]:
        """Those of all connections that were active within the last second, for the door, which asks most often.

        It asks whether a payload names all that they carry. Should it go wrong in that second, the next event of
        the ticket mends it, or the rotation.
        """
        asked, found = self._lately
        if time.monotonic() - asked > LATELY:
            found = self.those_active(connection, sorted(self.files))
            self._lately = time.monotonic(), found
        return found

    def _bind(self, connection: sa.Connection, name: str, version: str, stamp: str) -> TicketMapping:
        bound = self._bound.get((name, version, stamp))
        if bound is None:
            row = mappings.active(connection, name)
            assert row is not None  # noqa: S101 - its version was just read
            stored = connections.schema(connection, name)
            schema = schema_from_json(stored) if stored else None
            document = load.parse(row.text, name=str(self.files.get(name, name)))
            bound = binding.bind(document, schema, tolerant=True)
            with self._lock:
                self._bound = {key: value for key, value in self._bound.items() if key[0] != name}
                self._bound[name, version, stamp] = bound
        return bound

    def text(self, name: str) -> str:
        """The mapping in force, or the file where none is yet. Raises ConfigError where there is neither."""
        with self.db.read() as connection:
            row = mappings.active(connection, name)
        if row is not None:
            return str(row.text)
        try:
            return read_file(self.files[name])
        except OSError as problem:
            raise ConfigError(f"connections.{name}: the mapping {self.files[name]} cannot be read") from problem

    def in_sight(self, name: str) -> TicketMapping:
        """The mapping in force; before any process took one over, its file as it is. Raises ConfigError, StoreAway."""
        with self.db.read() as connection:
            found = self.those_active(connection, [name]).get(name)
        if found is not None:
            return found
        text, path = self.text(name), str(self.files[name])
        if check_text(text, name=path):
            raise ConfigError(f"connections.{name}: {path} does not pass; run `connector mappings check`")
        return binding.bind(load.parse(text, name=path), None, tolerant=True)

    def import_changed(self, *, by: str) -> list[Import]:
        """Import every file that this process has not seen as it is now. An unchanged file costs one read."""
        results = []
        for name, path in sorted(self.files.items()):
            try:
                text = read_file(path)
            except OSError as problem:
                results.append(Import(name, path, "unreadable", (f"{path}: {problem.strerror}",)))
                continue
            digest = hashlib.sha256(text.encode()).hexdigest()
            if self._seen.get(name) != digest:
                self._seen[name] = digest
                results.append(self._import(name, path, text, digest, by))
        return results

    def _import(self, name: str, path: Path, text: str, digest: str, by: str) -> Import:
        problems = check_text(text, name=str(path))
        now = utc_now()
        with self.db.write() as connection:
            if problems:
                shown = tuple(problems[:20])
                reason = f"{path.name} was changed and does not pass; the last version that passed stays active"
                details = {"problems": list(shown)}
                journal.record(connection, [journal.Line(name, None, "mapping_refused", reason, details)], now)
                return Import(name, path, "refused", shown)
            if mappings.active_version(connection, name) == digest:
                return Import(name, path, "active")
            mappings.add(connection, name, version=digest, text=text, by=by, now=now)
            self._lately = (float("-inf"), {})
            text = f"{path.name} is active now (version {digest[:8]})"
            journal.record(connection, [journal.Line(name, None, "mapping_activated", text)], now)
        return Import(name, path, "activated")


def read_file(path: Path) -> str:
    """A mapping file's text, of a hostile one no more than is needed to refuse it. Raises OSError."""
    if path.exists() and not path.is_file():
        raise OSError(0, "it is no regular file")
    with path.open("rb") as file:
        read = file.read(4 * MAX_CHARACTERS + 1)
    try:
        return read.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as problem:
        raise OSError(0, "it is not text in UTF-8") from problem


def check_text(text: str, *, name: str) -> list[str]:
    """Every mistake of a mapping text that stops it from becoming active, in words."""
    try:
        document = load.parse(text, name=name)
    except load.MappingErrors as problems:
        return [str(problem) for problem in problems.problems]
    found = lint.check(document, follows=makes_follow_ups, forms=forms)
    return [str(problem) for problem in found if problem.is_error]
