"""Writes in turns: a ticket's in their order, and none behind one that is still open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from connector.adapters.base import Change, ChangeKind, NewComment, Written
from connector.adapters.calls import Outcome, chunks
from connector.domain.errors import ConnectorError, NeedsReview, NotSupported, Refused, RetryLater
from connector.domain.ticket import Record

W = TypeVar("W", Change, NewComment)
Send = Callable[[Sequence[W]], Iterable[Written]]
"""Sends a part and tells what became of each."""


class Finds(Protocol):
    """Where an adapter looks records up by a field."""

    def find(self, field: str, values: Sequence[str], fields: Sequence[str], /) -> Mapping[str, Sequence[Record]]:
        """As `Adapter.find`."""


def write_changes(
    changes: Sequence[Change],
    *,
    create: Send[Change],
    update: Send[Change],
    size: int,
    system: str,
    expect: Callable[[Iterable[str]], None] = lambda _: None,
) -> list[Written]:
    """One outcome for each change: CREATEs with our id go to `create`, UPDATEs to `update`, others are not supported.

    Each call of the two gets at most `size` changes, in which each ticket comes once: vendors refuse a batch that
    names a record twice. After a change that may still be repeated, or whose outcome is unknown, the later ones of its
    ticket are held back; after trouble of the connection nothing more is sent. `expect` is told the fields first, once.
    """
    try:
        if changes:
            expect([name for change in changes for name in change.values])
    except ConnectorError as error:
        return [_failed(one, error) for one in changes]

    def send(part: Sequence[Change]) -> Iterable[Written]:
        creates = [one for one in part if one.kind is ChangeKind.CREATE and one.external_id]
        updates = [one for one in part if one.kind is ChangeKind.UPDATE and one.record_id]
        told = f"{system} takes a CREATE with our id and an UPDATE with its own, nothing else"
        taken = {one.key for one in (*creates, *updates)}
        yield from (_failed(one, NotSupported(told, code="not_supported")) for one in part if one.key not in taken)
        for changed, act in ((creates, create), (updates, update)):
            if changed:
                yield from act(changed)

    told = "an earlier change of this ticket is open"
    held_back = RetryLater(told, code="held_back", scope="record", system=system)
    return _in_turns(_turns(changes, size), send, stops=_leaves_open, held_back=held_back)


def add_in_order(
    comments: Sequence[NewComment], send: Send[NewComment], *, size: int = 1, together: bool = False
) -> list[Written]:
    """One outcome for each comment that was tried: after one that did not succeed, no later one of its ticket is.

    Each call of `send` gets at most `size`, in which each ticket comes once; or more often, where the vendor keeps the
    order of one call (`together`). After trouble of the connection nothing more is sent.
    """
    parts = chunks(comments, size) if together else _turns(comments, size)
    return _in_turns(parts, send, stops=lambda _: True)


def only_one(found: Sequence[Record]) -> Record | None:
    """The record that carries our id, if there is one. Raises NeedsReview where there are several."""
    if len(found) > 1:
        ids = tuple(one.id for one in found)
        told = f"{len(ids)} records carry our id ({', '.join(ids)}): a person chooses one"
        raise NeedsReview(told, code="ambiguous", candidates=ids)
    return found[0] if found else None


def one_by_one(act: Callable[[W], Written]) -> Callable[[Sequence[W]], list[Written]]:
    """Sends one after the other, where a vendor has no batches; after trouble of the connection none any more."""

    def send(part: Sequence[W]) -> list[Written]:
        outcomes: list[Written] = []
        trouble: ConnectorError | None = None
        for one in part:
            try:
                if trouble is not None:
                    raise trouble
                outcomes.append(act(one))
            except ConnectorError as error:
                outcomes.append(_failed(one, error))
                trouble = error if _is_everybodys(error) else None
        return outcomes

    return send


def written_of(key: str, outcome: Outcome) -> Written:
    """The outcome of one input whose answer shows its `id`."""
    return Written(key, error=outcome) if isinstance(outcome, ConnectorError) else Written(key, id=str(outcome["id"]))


def _in_turns(
    parts: Iterable[Sequence[W]],
    send: Send[W],
    *,
    stops: Callable[[ConnectorError], bool],
    held_back: ConnectorError | None = None,
) -> list[Written]:
    """`held_back` becomes of what stands behind one that stops its ticket; without it, that has no outcome."""
    outcomes: list[Written] = []
    stopped: set[str] = set()
    trouble: ConnectorError | None = None
    for part in parts:
        ready = {one.key: one for one in part if trouble is None and one.target not in stopped}
        if error := trouble or held_back:
            outcomes += [_failed(one, error) for one in part if one.key not in ready]
        for written in send(list(ready.values())) if ready else ():
            outcomes.append(written)
            if written.error is not None and stops(written.error):
                stopped.add(ready[written.key].target)
                trouble = trouble or (written.error if _is_everybodys(written.error) else None)
    return outcomes


def _turns(items: Sequence[W], size: int) -> list[Sequence[W]]:
    """Parts in which each ticket comes once, its first change in the first."""
    turns: defaultdict[int, list[W]] = defaultdict(list)
    seen: defaultdict[str, int] = defaultdict(int)
    for one in items:
        turns[seen[one.target]].append(one)
        seen[one.target] += 1
    return [chunk for turn in turns.values() for chunk in chunks(turn, size)]


def _leaves_open(error: ConnectorError) -> bool:
    """Whether a change may still be made, or may have been."""
    return not isinstance(error, Refused | NotSupported)


def _is_everybodys(error: ConnectorError) -> bool:
    """Whether the next call would meet the same: a limit, an outage, credentials."""
    return isinstance(error, RetryLater) and error.scope == "connection"


def _failed(one: Change | NewComment, error: ConnectorError) -> Written:
    record_id = one.record_id if isinstance(one, Change) else None
    return Written(one.key, id=record_id or "", error=error)
