"""Calls as they are declared: sent through the transport, answers judged, lists read to their end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx

from connector.adapters.answers import LONGEST_WAIT
from connector.adapters.calls import Sender
from connector.adapters.custom.shapes import at, filled, listed, path_of, route_of, text_at
from connector.adapters.transport import Rate, Request, Response, retry_after, vendor_message
from connector.domain.errors import ConnectorError, Gone, NotSupported, Refused, RetryLater, Scope
from connector.mapping.grammar import Call, ErrorRule, Grammar, Limits, ListCall, Paging
from connector.mapping.load import parse

LOOK_AGAIN: Final = 5.0
MOST_PAGES: Final = 200
CONFLICT: Final = 409


class Live:
    """The adapter block of the mapping in force; a mapping that was changed is seen within seconds."""

    def __init__(self, text: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._text, self._clock = text, clock
        self._known, self._read_at = "", -LOOK_AGAIN
        self._grammar: Grammar | None = None

    @property
    def grammar(self) -> Grammar:
        """The block. Raises ConfigError where there is no mapping that can be read, NotSupported without a block."""
        if self._grammar is None or self._clock() - self._read_at >= LOOK_AGAIN:
            text = self._text()
            if text != self._known or self._grammar is None:
                self._grammar, self._known = parse(text, name="mapping").file.adapter, text
            self._read_at = self._clock()
        if self._grammar is None:
            raise NotSupported("the mapping has no block 'adapter'", code="no_adapter_block")
        return self._grammar

    def sort(self, request: Request, response: Response) -> ConnectorError | None:
        """The error that an answer stands for, by the declared rules."""
        told = f"{response.system} {request.method} {request.route}: {response.status}"
        return judged(self.grammar.errors, response.status, response.maybe_json, told, asked=retry_after(response))

    def rate(self, response: Response) -> Rate | None:
        """What an answer's headers say of the limit."""
        return _rate(self.grammar.limits, response)


def judged(
    rules: tuple[ErrorRule, ...], status: int, body: Any, told: str, *, asked: float | None = None
) -> ConnectorError | None:
    """The error of an answer by the first rule that fits; None where none does and the transport knows better."""
    for rule in rules:
        if (rule.status and status not in rule.status) or (rule.when and not at(rule.when, body)):
            continue
        said = text_at(rule.message, body)
        told = f"{told}: {vendor_message(said)}" if said else told
        if rule.then in ("wait", "limit"):
            after = _seconds(text_at(rule.after, body)) or asked
            scope: Scope = "connection" if rule.then == "limit" else "record"
            code = "rate_limited" if rule.then == "limit" else "vendor_busy"
            return RetryLater(told, code=code, after=min(after, LONGEST_WAIT) if after else None, scope=scope)
        if rule.then == "gone":
            return Gone(told, status=status)
        if rule.then == "conflict":
            return RetryLater(f"{told}; read it again", code="conflict", scope="record")
        return Refused(told, code=f"http_{status}", field=text_at(rule.field, body) or None, status=status)
    if status == 429:
        return RetryLater(told, code="rate_limited", after=min(asked, LONGEST_WAIT) if asked else None)
    return RetryLater(f"{told}; read it again", code="conflict", scope="record") if status == CONFLICT else None


def _seconds(told: str) -> float | None:
    try:
        return max(0.0, float(told)) if told else None
    except ValueError:
        return None


def _rate(limits: Limits, response: Response) -> Rate | None:
    def told(header: str | None) -> float | None:
        return _seconds(response.headers.get(header.lower(), "")) if header else None

    limit, remaining, reset = told(limits.limit), told(limits.remaining), told(limits.reset)
    if limit is None and remaining is None:
        return None
    if reset is not None and limits.reset_is == "epoch":
        reset = max(0.0, reset - time.time())
    return Rate(
        None if limit is None else int(limit),
        None if remaining is None else int(remaining),
        reset_in=min(reset if reset is not None else limits.seconds, LONGEST_WAIT),
    )


@dataclass(frozen=True, slots=True)
class Page:
    """A list's next page: all that is needed to ask for it, in another process too."""

    path: str
    query: Mapping[str, str]

    def __str__(self) -> str:
        return json.dumps([self.path, dict(self.query)])


class Client:
    """Sends declared calls."""

    def __init__(self, transport: Sender, live: Live) -> None:
        self._transport = transport
        self._live = live

    @property
    def grammar(self) -> Grammar:
        """The block in force."""
        return self._live.grammar

    def send(self, call: Call, given: Mapping[str, Any], *, reads: bool = False) -> Response:
        """One declared call with its placeholders filled. `reads`: it changes nothing, whatever its method."""
        return self._transport.send(
            Request(
                call.method,
                path_of(call.path, given),
                route_of(call.path),
                query=_texts(filled(call.query, given)),
                json=filled(call.body, given),
                headers=_texts(filled(call.headers, given)),
                repeatable=reads,
                shape=object,
            )
        )

    def page(
        self, call: ListCall, given: Mapping[str, Any], at_page: Page | None = None
    ) -> tuple[list[Any], Page | None]:
        """One page of a list, and where the next one is."""
        query = at_page.query if at_page else {**_texts(filled(call.query, given)), **_first(call.paging)}
        path = at_page.path if at_page else path_of(call.path, given)
        response = self._transport.send(
            Request(
                call.method,
                path,
                route_of(call.path),
                query=query,
                json=filled(call.body, given),
                headers=_texts(filled(call.headers, given)),
                repeatable=True,
                shape=object,
            )
        )
        told = response.json
        items = listed(call.items, told)
        return items, self._next(call.paging, Page(path, query), response, items)

    def all(self, call: ListCall, given: Mapping[str, Any]) -> Iterator[Any]:
        """A list to its end. Raises RetryLater where it has none."""
        place: Page | None = None
        seen: set[str] = set()
        for _ in range(MOST_PAGES):
            items, place = self.page(call, given, place)
            yield from items
            if place is None:
                return
            if str(place) in seen:
                break
            seen.add(str(place))
        raise RetryLater(f"the list {route_of(call.path)} does not end", code="endless_list", scope="record")

    def _next(self, paging: Paging | None, here: Page, response: Response, items: list[Any]) -> Page | None:
        if paging is None or not items:
            return None
        if paging.kind == "cursor":
            cursor = text_at(paging.next, response.json)
            return Page(here.path, {**here.query, paging.param: cursor}) if cursor else None
        if paging.kind == "link":
            return self._elsewhere(here, _linked(response))
        if paging.kind == "next_url":
            return self._elsewhere(here, text_at(paging.next, response.json))
        if len(items) < paging.size:
            return None
        step = 1 if paging.kind == "page" else len(items)
        return Page(here.path, {**here.query, paging.param: str(int(here.query.get(paging.param, "0")) + step)})

    def _elsewhere(self, here: Page, address: str) -> Page | None:
        """The page at an address that the CRM wrote: on its own host and below `api_url`, or nowhere."""
        if not address:
            return None
        base = urlsplit(self._transport.base_url)
        target = urlsplit(urljoin(self._transport.base_url + here.path, address))
        if (target.scheme, target.netloc) != (base.scheme, base.netloc) or not target.path.startswith(f"{base.path}/"):
            raise Refused("the next page is on another host than api_url", code="foreign_address")
        return Page(target.path.removeprefix(base.path), dict(parse_qsl(target.query, keep_blank_values=True)))


def _first(paging: Paging | None) -> dict[str, str]:
    """The query of a list's first page."""
    if paging is None:
        return {}
    size = {paging.size_param: str(paging.size)} if paging.size_param else {}
    starts = {"page": str(paging.first), "offset": "0"}
    return {**size, paging.param: starts[paging.kind]} if paging.kind in starts else size


def _linked(response: Response) -> str:
    """The address that a Link header calls the next one."""
    parsed = httpx.Response(200, headers={"link": response.headers.get("link", "")}).links
    return str((parsed.get("next") or {}).get("url") or "")


def _texts(given: Mapping[str, Any]) -> dict[str, str]:
    return {name: ",".join(map(str, one)) if isinstance(one, list | tuple) else str(one) for name, one in given.items()}
