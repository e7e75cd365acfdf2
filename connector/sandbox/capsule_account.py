"""One Capsule account: its stock, its records, and what writing, deleting and talking does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Protocol, TypeVar

from .capsule_errors import Fault, invalid, not_found
from .capsule_index import flat
from .capsule_records import Deleted, Entry, FieldRow, File, Record, Table
from .capsule_settings import Settings
from .capsule_stock import (
    ACTIVITIES,
    BOARDS,
    CONNECTOR,
    KASES,
    KINDS,
    NOTE_ACTIVITY,
    OPPORTUNITIES,
    PARTIES,
    PEOPLE,
    PIPELINES,
    TEAMS,
    Definition,
    Kind,
    Named,
    Step,
    User,
)

T = TypeVar("T")
FIRST_ID = 4_000_001


class Announce(Protocol):
    """Told of everything that happens, while the lock is held."""

    def __call__(self, event: str, records: list[Record], *, gone: bool = False) -> None: ...


class Account:
    """Not thread-safe: callers hold the imitation's lock. Records of all kinds count from the same first id."""

    def __init__(self, now: Callable[[], datetime], settings: Settings, announce: Announce) -> None:
        self.now = now
        self.settings = settings
        self.announce = announce
        self.tables = {name: Table(kind, FIRST_ID) for name, kind in KINDS.items()}
        self._ids = count(101)
        self.entries: dict[int, Entry] = {}
        self.files: dict[int, File] = {}
        self.uploads: dict[str, File] = {}
        self.definitions: dict[int, Definition] = {}
        self.tags: dict[int, str] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.users: dict[int, User] = {}
        self.teams: dict[int, Named] = {}
        self.boards: dict[int, Named] = {}
        self.stages: dict[int, Step] = {}
        self.pipelines: dict[int, Named] = {}
        self.milestones: dict[int, Step] = {}
        self.activities = {NOTE_ACTIVITY: Named(NOTE_ACTIVITY, "Note")}
        self._stock()

    def new_id(self) -> int:
        """An id for anything that is not a record."""
        return next(self._ids)

    def _stock(self) -> None:
        for username, name, email, role in PEOPLE:
            self.add_user(username, name, email, role)
        by_name = {one.username: one.id for one in self.users.values()}
        for name, members in TEAMS.items():
            team = Named(self.new_id(), name, members={by_name[one] for one in members})
            self.teams[team.id] = team
        for name, stages in BOARDS.items():
            self.add_board(name, stages)
        for name, milestones in PIPELINES.items():
            pipeline = Named(self.new_id(), name)
            self.pipelines[pipeline.id] = pipeline
            for order, (label, complete, probability) in enumerate(milestones):
                step = Step(self.new_id(), label, pipeline.id, order, complete=complete, probability=probability)
                self.milestones[step.id] = step
        for name in ACTIVITIES:
            activity = Named(self.new_id(), name)
            self.activities[activity.id] = activity

    # -- the account's own things

    @property
    def connector(self) -> User:
        """The user behind our tokens."""
        return self.user(CONNECTOR)

    def user(self, reference: str | int) -> User:
        """A user by id, username or e-mail address."""
        found = (one for one in self.users.values() if reference in (one.id, one.username, one.email))
        return _first(found, "user")

    def named(self, things: Mapping[int, Named], reference: str | int) -> Named:
        """A team, board, pipeline or activity by id or name."""
        return _first((one for one in things.values() if reference in (one.id, one.name)), "resource")

    def step(self, steps: Mapping[int, Step], reference: str | int, parent: int | None = None) -> Step:
        """A stage or milestone by id or name, of one board or pipeline where that is given."""
        fitting = (one for one in steps.values() if reference in (one.id, one.name) and parent in (None, one.parent))
        return _first(fitting, "resource")

    def add_user(self, username: str, name: str, email: str, role: str = "NORMAL") -> User:
        """A user has a party, which holds the e-mail address."""
        first, _, last = name.partition(" ")
        party = self._new(PARTIES)
        party.values |= {"type": "person", "firstName": first, "lastName": last, "owner": None, "team": None}
        party.children["emailAddresses"] = {self.new_id(): {"type": "Work", "address": email}}
        user = User(self.new_id(), username, name, email, party.id, role)
        self.users[user.id] = user
        self._index(party)
        return user

    def add_board(self, name: str, stages: tuple[str, ...] | list[str]) -> Named:
        board = Named(self.new_id(), name)
        self.boards[board.id] = board
        for order, label in enumerate(stages):
            self.add_stage(board, label, order)
        return board

    def add_stage(self, board: Named, name: str, order: int) -> Step:
        step = Step(self.new_id(), name, board.id, order)
        self.stages[step.id] = step
        return step

    def define(self, kind: Kind, name: str, type: str, **more: Any) -> Definition:
        definition = Definition(self.new_id(), kind.plural, name, type, **more)
        self.definitions[definition.id] = definition
        return definition

    def definitions_of(self, kind: Kind) -> list[Definition]:
        return [one for one in self.definitions.values() if one.kind == kind.plural]

    def tag(self, name: str) -> int:
        """The id of a tag, made if it is new; case does not matter."""
        found = next((one for one, held in self.tags.items() if held.casefold() == name.casefold()), None)
        if found is None:
            found = self.new_id()
            self.tags[found] = name
        return found

    # -- records

    def record(self, kind: Kind, record_id: int) -> Record:
        found = self.tables[kind.plural].find(record_id)
        if found is None:
            raise not_found(kind.singular)
        return found

    def create(self, kind: Kind, wanted: Mapping[str, Any], apply: Callable[[Record], None]) -> Record:
        """Make a record by a checked change, then tell of it and let the account's automation run."""
        made = self._new(kind)
        made.values = dict(wanted)
        apply(made)
        self._index(made)
        self.announce(f"{self.event_name(kind)}/created", [made])
        self._automate(made)
        return made

    def change(self, record: Record, wanted: Mapping[str, Any], apply: Callable[[Record], None]) -> None:
        """Carry out a checked change and tell what it was: a move, a close, or an update."""
        before = dict(record.values)
        record.values |= wanted
        apply(record)
        self.touch(record)
        for what in self._what_happened(record, before):
            self.announce(f"{self.event_name(record.kind)}/{what}", [record])
        if record.values.get("stage") != before.get("stage"):
            self._automate(record)

    def touch(self, record: Record) -> None:
        record.updated_at = self.now()
        self._index(record)

    def delete(self, record: Record) -> None:
        """Delete for good, with all that hangs on it; a party takes its projects and opportunities along."""
        self.tables[record.kind.plural].records.pop(record.id, None)
        self.tables[record.kind.plural].deleted.append(Deleted(record.id, self.now()))
        for entry in [one for one in self.entries.values() if one.target == (record.kind.plural, record.id)]:
            del self.entries[entry.id]
        if record.kind is PARTIES:
            for kind in (KASES, OPPORTUNITIES):
                for one in list(self.tables[kind.plural].records.values()):
                    if one.values.get("party") == record.id:
                        self.delete(one)
        self.announce(f"{self.event_name(record.kind)}/deleted", [record], gone=True)

    def event_name(self, kind: Kind) -> str:
        return self.settings.hook_prefix if kind is KASES else kind.singular

    def is_open(self, record: Record) -> bool:
        if record.kind is OPPORTUNITIES:
            return not self.milestones[record.values["milestone"]].complete
        return record.values.get("status") != "CLOSED"

    # -- the timeline

    def talk(self, target: Record, entry: Entry) -> Entry:
        """Put an entry on a record's timeline."""
        self.entries[entry.id] = entry
        target.last_contacted_at = entry.entry_at
        if self.settings.note_touches_record:
            self.touch(target)
            self.announce(f"{self.event_name(target.kind)}/updated", [target])
        return entry

    def entries_of(self, record: Record) -> list[Entry]:
        """Newest first by their place on the timeline."""
        found = [one for one in self.entries.values() if one.target == (record.kind.plural, record.id)]
        return sorted(found, key=lambda one: (one.entry_at, one.id), reverse=True)

    # -- how it works

    @property
    def horizon(self) -> datetime:
        """The moment up to which the index has caught up."""
        return self.now() - timedelta(seconds=self.settings.search_lag)

    def new_row(self, definition: int, value: Any) -> FieldRow:
        return FieldRow(self.new_id(), definition, value)

    def _new(self, kind: Kind) -> Record:
        table = self.tables[kind.plural]
        made = Record(kind, table.new_id(), self.now(), self.now())
        table.records[made.id] = made
        return made

    def _index(self, record: Record) -> None:
        record.readings.append((self.now(), flat(self, record)))
        record.indexed(self.horizon)

    def _what_happened(self, record: Record, before: Mapping[str, Any]) -> list[str]:
        step = "milestone" if record.kind is OPPORTUNITIES else "stage"
        happened = []
        if record.values.get(step) != before.get(step):
            happened.append("moved")
        was_open = (
            not self.milestones[before["milestone"]].complete
            if record.kind is OPPORTUNITIES
            else before.get("status") != "CLOSED"
        )
        if was_open and not self.is_open(record) and record.kind is not PARTIES:
            happened.append("closed")
        others = {name for name in record.values if name not in (step, "status", "closedOn", "lastOpenMilestone")}
        changed = any(record.values.get(name) != before.get(name) for name in others)
        if changed or not happened or self.settings.overlapping_events:
            happened.append("updated")
        return happened

    def _automate(self, record: Record) -> None:
        """The board's rules: they change owner and team after a project was made or moved."""
        stage = self.stages.get(record.values.get("stage") or 0)
        for rule in self.settings.automation:
            if stage is not None and rule["stage"] in (stage.name, stage.id):
                wanted: dict[str, Any] = {}
                if "owner" in rule["set"]:
                    wanted["owner"] = rule["set"]["owner"] and self.user(rule["set"]["owner"]).id
                if "team" in rule["set"]:
                    wanted["team"] = rule["set"]["team"] and self.named(self.teams, rule["set"]["team"]).id
                record.values |= wanted
                self.touch(record)
                self.announce(f"{self.event_name(record.kind)}/updated", [record])


def _first(found: Iterable[T], what: str) -> T:
    one = next(iter(found), None)
    if one is None:
        raise not_found(what)
    return one


def unique_name(account: Account, name: str, *, but: Record | None = None) -> None:
    """Two organisations never share a name."""
    for one in account.tables[PARTIES.plural].records.values():
        is_other = one is not but and one.values.get("type") == "organisation"
        if is_other and str(one.values.get("name")).casefold() == name.casefold():
            raise invalid(Fault("name must be unique", "party", "name"))
