"""The lines of `doctor` and the steps of `setup`, as every adapter tells them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar

from connector.adapters.base import Check, Step
from connector.adapters.times import http_date
from connector.adapters.transport import Response
from connector.domain.errors import ConnectorError, Refused, RetryLater, UnknownOutcome

T = TypeVar("T")
SKEW: Final = 60.0
NEARLY: Final = 0.9
SETUP: Final = "run `connector setup` for this connection"

Advise = Callable[[ConnectorError], str]
"""What to do about an error, where something is known to help; empty otherwise."""


def looked_at(
    looks: Mapping[str, Callable[[], Iterable[Check]]],
    *,
    advise: Advise = lambda _: "",
    advice: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Check]:
    """The lines of each look, by what it looks at. One that cannot be made is a line that is not well.

    What to do about it says `advise`, by the error, or `advice`, by what was looked at.
    """
    for what, look in looks.items():
        try:
            yield from look()
        except ConnectorError as error:
            yield Check(what, ok=False, detail=str(error), advice=advise(error) or advice.get(what, ""))


def readable(probes: Mapping[str, Callable[[], object]], *, advise: Advise = lambda _: "") -> Iterator[Check]:
    """Whether each of these can be read, by its name: a line `reading tickets`."""
    for what, ask in probes.items():
        try:
            ask()
        except ConnectorError as error:
            yield Check(f"reading {what}", ok=False, detail=str(error), advice=advise(error))
        else:
            yield Check(f"reading {what}", ok=True)


def judged(what: str, ok: bool, detail: str = "", *, advice: str) -> Check:
    """A line with advice only where it is not well."""
    return Check(what, ok=ok, detail=detail, advice="" if ok else advice)


def clock_told(answer: Response, now: datetime) -> Iterator[Check]:
    """How far this machine's clock is from the vendor's, where an answer tells the time."""
    if told := http_date(answer.headers.get("date", "")):
        ahead = (now - told).total_seconds()
        detail = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the vendor's"
        advice = "set this machine's clock: signatures older than five minutes are refused"
        yield judged("clock", abs(ahead) <= SKEW, detail, advice=advice)


def used(what: str, calls: int, limit: int, *, nearly: float = NEARLY, advice: str) -> Check:
    """How many of a limit's calls are used, by whomever."""
    return judged(what, calls < nearly * limit or not limit, f"{calls} of {limit}", advice=advice)


def ours_exist(what: str, steps: Sequence[Step]) -> Check:
    """Whether our own fields are there, by what a dry run of `ensure_schema` would do."""
    lacking = "; ".join(f"{one.what} {one.advice}" for one in steps if one.state != "ok")
    return judged(what, not lacking, lacking or "ours exist", advice=SETUP)


def unfit(
    held: Mapping[str, Any], wanted: Mapping[str, Any], *, place: str, value: Callable[[Any], object] = lambda one: one
) -> str:
    """Why a field of ours that was there already cannot serve; empty where it can.

    Both may have a `type` and `options`, of which `value` takes the value; `place` is where a person adds options.
    """
    if wanted.get("type") not in (None, held.get("type")):
        return f"it exists with the type {held.get('type')}, not {wanted['type']}"
    there = {value(one) for one in held.get("options") or ()}
    lacking = ", ".join(str(one) for one in map(value, wanted.get("options") or ()) if one not in there)
    return f"it lacks the options {lacking}: add them in {place}" if lacking else ""


def ensured(
    what: str,
    present: T | None,
    *,
    make: Callable[[], object],
    look: Callable[[], T | None],
    judge: Callable[[T], str],
    refused: Callable[[Refused], str] = str,
    dry_run: bool,
) -> Step:
    """Make something of ours exist: `present` is what was found, or None.

    `judge` says why what is there cannot serve, and nothing where it can. Where making did not succeed, `look` looks
    again, as it or somebody else may have made it; `refused` says what a person does about a refusal. Raises RetryLater
    where nobody knows what became of it and it is not there.
    """
    if present is None and dry_run:
        return Step(what, "would", "would be created")
    if present is None:
        try:
            make()
        except Refused as error:
            if (present := look()) is None:
                return Step(what, "problem", refused(error))
        except UnknownOutcome as error:
            if (present := look()) is None:
                raise RetryLater(f"{what}: {error}", code=error.code, system=error.system) from error
        else:
            return Step(what, "done")
    problem = judge(present)
    return Step(what, "problem" if problem else "ok", problem)
