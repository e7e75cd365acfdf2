"""Salesforce's addresses: queries by page, collections with one outcome for every record, several calls in one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import quote_plus

from simple_salesforce.format import format_soql

from connector.adapters.base import Json
from connector.adapters.salesforce.refusals import cause_of, first_of, refusal
from connector.adapters.transport import Query, Request, Response
from connector.domain.errors import ConfigError, ConnectorError, Refused, RetryLater, UnknownOutcome

T = TypeVar("T")
BATCH: Final = 200
CHECK: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Z0-5]{3})?", re.ASCII)
OFFSET = re.compile(r"([+-]\d{2})(\d{2})$")
NEXT = re.compile(r"/services/data/v\d+\.0/query/[\w-]+", re.ASCII)
VERSION = re.compile(r"\d{2}\.0")


class Sender(Protocol):
    """What the adapter needs of a transport."""

    def send(self, request: Request) -> Response:
        """The answer, if it is a success; an error of `domain/errors.py` otherwise."""


class Api:
    """Calls below one version's address."""

    def __init__(self, transport: Sender, version: str) -> None:
        if not VERSION.fullmatch(version):
            raise ConfigError(f"api_version = {version!r}: write it as 62.0")
        self._transport = transport
        self.version = version
        self.base = f"/services/data/v{version}"

    def send(
        self,
        method: str,
        route: str,
        *,
        query: Query | None = None,
        json: Json = None,
        reads: bool = False,
        headers: Mapping[str, str] | None = None,
        shape: type = dict,
    ) -> Response:
        """One call. `reads` marks a POST that changes nothing."""
        request = Request(
            method,
            self.base + route,
            route,
            query=query or {},
            json=json,
            repeatable=reads,
            headers=headers or {},
            shape=shape,
        )
        return self._transport.send(request)

    def rows(self, soql: str, *, deleted: bool = False) -> list[Json]:
        """Every row of a query, page after page."""
        return self._whole(self.send("GET", "/queryAll" if deleted else "/query", query={"q": soql}).json)

    def rows_together(self, queries: Sequence[str]) -> list[list[Json]]:
        """Every row of at most five queries, the first pages of all in one call. Raises what one is refused with."""
        if len(queries) == 1:
            return [self.rows(queries[0])]
        pages = self.together([self.query_url(one) for one in queries])
        if refused := next((one for one in pages if isinstance(one, ConnectorError)), None):
            raise refused
        return [self._whole(one) for one in pages]

    def _whole(self, page: Json) -> list[Json]:
        found = list(page.get("records") or ())
        while not page.get("done", True):
            page = self._transport.send(Request("GET", next_path(page["nextRecordsUrl"]), "/query/:locator")).json
            found += page.get("records") or ()
        return found

    def rows_of(self, soql: str, ids: Iterable[str], **values: Any) -> list[Json]:
        """Every row of a query that names `{ids}`, two hundred of them a call."""
        return [
            row
            for part in chunks(list(dict.fromkeys(ids)), BATCH)
            for row in self.rows(format_soql(soql, ids=list(part), **values))
        ]

    def together(self, parts: Sequence[str]) -> list[Json | ConnectorError]:
        """The answers to several GET addresses in one call, or what each was refused with."""
        asked = [{"method": "GET", "url": url, "referenceId": f"part{place}"} for place, url in enumerate(parts)]
        told = self.send("POST", "/composite", json={"allOrNone": False, "compositeRequest": asked}, reads=True).json
        answers: list[Json | ConnectorError] = []
        for one in told["compositeResponse"]:
            status, body = int(one["httpStatusCode"]), one["body"]
            about = f"salesforce GET {one['referenceId']} of /composite: {status}"
            answers.append(body if status < 300 else refusal(first_of(body), told=about, status=status))
        return answers

    def query_url(self, soql: str, *, deleted: bool = False) -> str:
        """The address of a query, as a part of `together`."""
        return f"{self.base}/{'queryAll' if deleted else 'query'}?q={quote_plus(soql)}"

    def write(
        self,
        method: str,
        route: str,
        records: Mapping[str, Json],
        *,
        all_or_none: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Json | ConnectorError]:
        """Write at most 200 records, each under a key of its own, and tell of every key what became of it.

        A call that is refused as a whole is halved until the culprits stand alone.
        """
        body = {"allOrNone": all_or_none, "records": list(records.values())}
        try:
            told = self.send(method, route, json=body, headers=headers, shape=list).json
        except Refused as error:
            if len(records) == 1 or all_or_none or error.status != 400:
                return dict.fromkeys(records, error)
            return {
                key: outcome
                for half in chunks(list(records), (len(records) + 1) // 2)
                for key, outcome in self.write(
                    method, route, {one: records[one] for one in half}, headers=headers
                ).items()
            }
        except (RetryLater, UnknownOutcome) as error:
            return dict.fromkeys(records, error)
        return _outcomes(told, records, f"salesforce {method} {route}")


def _outcomes(told: Json, records: Mapping[str, Json], about: str) -> dict[str, Json | ConnectorError]:
    """The items of an answer come in the order of the request."""
    if not isinstance(told, list) or len(told) != len(records):
        lost = UnknownOutcome(
            f"{about}: the answer does not fit", code="no_outcome", answered=True, system="salesforce"
        )
        return dict.fromkeys(records, lost)
    return {
        key: item if item.get("success") else refusal(cause_of(item.get("errors") or ()), told=about, status=200)
        for key, item in zip(records, told, strict=True)
    }


def next_path(told: object) -> str:
    """The address of a further page. Raises Refused for what cannot be one."""
    if not NEXT.fullmatch(str(told)):
        raise Refused(f"salesforce: {str(told)[:60]!r} is no place in a query", code="bad_place")
    return str(told)


def is_id(told: object) -> bool:
    """Whether a text has the form of a record id."""
    return ID.fullmatch(str(told)) is not None


def long_id(told: str) -> str:
    """The eighteen characters of an id: the last three say which of the others are capitals."""
    groups = (told[start : start + 5] for start in range(0, 15, 5))
    check = "".join(CHECK[sum(1 << place for place, one in enumerate(group) if one.isupper())] for group in groups)
    return told[:15] + check if is_id(told) else told


def moment(told: object) -> datetime | None:
    """A time as Salesforce writes it, with or without a colon in its offset. None where it cannot be read."""
    try:
        read = datetime.fromisoformat(OFFSET.sub(r"\1:\2", str(told)))
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def literal(at: datetime) -> str:
    """A moment as SOQL takes it, without quotes."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """The items in order, in parts of at most `size`."""
    return [items[start : start + size] for start in range(0, len(items), size)]
