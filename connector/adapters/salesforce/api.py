"""Salesforce's addresses: queries by page, collections with one outcome for every record, several calls in one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote_plus

from simple_salesforce.format import format_soql

from connector.adapters import calls
from connector.adapters.answers import mapping_of
from connector.adapters.base import Json
from connector.adapters.calls import Outcome, Sender, chunks, halved, lost
from connector.adapters.salesforce.refusals import cause_of, first_of, refusal
from connector.adapters.told import Told
from connector.adapters.transport import Request
from connector.domain.errors import ConnectorError

BATCH: Final = 200
COLLECTION: Final = "/composite/sobjects"
CHECK: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
LONGEST_QUERY: Final = 12_000
"""Salesforce takes 16,384 bytes of address and headers together."""

ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Z0-5]{3})?", re.ASCII)
VERSION: Final = "62.0"


class Api(calls.Api):
    """Calls below one version's address.

    Assignment rules of the org do not touch the cases that we write, unless `auto_assign` lets them.
    """

    def __init__(self, transport: Sender, version: str, *, auto_assign: bool) -> None:
        super().__init__(transport, f"/services/data/v{version}")
        self.version, self._rules = version, {"Sforce-Auto-Assign": "TRUE" if auto_assign else "FALSE"}

    def rows(self, soql: str, *, deleted: bool = False) -> list[Json]:
        """Every row of a query, page after page."""
        return self._whole(self.send("GET", "/queryAll" if deleted else "/query", query={"q": soql}).json)

    def rows_of(self, soql: str, ids: Iterable[str], *, size: int = BATCH) -> list[Json]:
        """Every row of a query that names `{ids}`, two hundred of them a call, or fewer where they are long."""
        rows: list[Json] = []
        for part in chunks(list(dict.fromkeys(ids)), size):
            query = format_soql(soql, ids=list(part))
            fits = size == 1 or len(quote_plus(query)) <= LONGEST_QUERY
            rows += self.rows(query) if fits else self.rows_of(soql, part, size=size // 2)
        return rows

    def rows_together(self, queries: Sequence[str]) -> list[list[Json]]:
        """Every row of at most five queries, the first pages of all in one call. Raises what one is refused with."""
        pages = self.together([self.query_url(one) for one in queries])
        if refused := next((one for one in pages if isinstance(one, ConnectorError)), None):
            raise refused
        return [self._whole(one) for one in pages]

    def _whole(self, page: Json) -> list[Json]:
        found = list(page["records"])
        while not page["done"]:
            page = self._transport.send(Request("GET", page["nextRecordsUrl"], "/query/:locator")).json
            found += page["records"]
        return found

    def together(self, queries: Sequence[str]) -> list[Outcome]:
        """The pages at several addresses of queries in one call, or what each was refused with."""
        asked = [{"method": "GET", "url": url, "referenceId": f"part{place}"} for place, url in enumerate(queries)]
        answer = self.send("POST", "/composite", json={"allOrNone": False, "compositeRequest": asked}, reads=True)
        pages: list[Outcome] = []
        for one in answer.json["compositeResponse"]:
            part = Told(mapping_of(one), answer.unreadable)
            status, page = int(part["httpStatusCode"]), Told(mapping_of(part["body"]), answer.unreadable)
            told = f"salesforce GET {part['referenceId']} of /composite: {status}"
            pages.append(page if status < 300 else refusal(first_of(part["body"]), told=told, status=status))
        if len(pages) != len(asked):
            raise answer.unreadable()
        return pages

    def query_url(self, soql: str, *, deleted: bool = False) -> str:
        """The address of a query, as a part of `together`."""
        return f"{self._base}/{'queryAll' if deleted else 'query'}?q={quote_plus(soql)}"

    def write(self, method: str, route: str, records: Mapping[str, Json], *, whole: bool = False) -> dict[str, Outcome]:
        """Write at most 200 records, each under a key of its own, and tell of every key what became of it.

        With `whole` all are written or none.
        """

        def send(part: Mapping[str, Json]) -> dict[str, Outcome]:
            body = {"allOrNone": whole, "records": list(part.values())}
            told = self.send(method, route, json=body, headers=self._rules, shape=list).json
            return _outcomes(told, part, f"{method} {route}")

        return halved(records, send, splits=lambda error: error.status == 400 and not whole)


def _outcomes(told: Json, records: Mapping[str, Json], about: str) -> dict[str, Outcome]:
    """The items of an answer come in the order of the request."""
    if len(told) != len(records):
        return dict.fromkeys(records, lost("salesforce", f"the answer to {about} does not fit"))
    return {
        key: item if item.get("success") else refusal(cause_of(item, told), told=f"salesforce {about}", status=200)
        for key, item in zip(records, told, strict=True)
    }


def is_id(told: object) -> bool:
    """Whether a text can be a record's id; of eighteen characters, the last three must fit the others."""
    text = str(told)
    return ID.fullmatch(text) is not None and long_id(text).startswith(text)


def long_id(told: object) -> str:
    """The eighteen characters of an id: the last three say which of the others are capitals. Empty of nothing."""
    text = str(told or "")
    if not ID.fullmatch(text):
        return text
    groups = (text[start : start + 5] for start in range(0, 15, 5))
    return text[:15] + "".join(
        CHECK[sum(1 << place for place, one in enumerate(group) if one.isupper())] for group in groups
    )
