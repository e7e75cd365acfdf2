"""Next Cap as `setup` and `doctor` see it: the fields of a ticket, our webhook, and what our seat may do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from connector.adapters.base import Check, Step
from connector.adapters.checks import clock_told, judged, looked_at
from connector.adapters.nextcap.answers import TICKETS, Api, Raw, pick, resource
from connector.adapters.transport import Query
from connector.domain.errors import Refused
from connector.domain.lifecycle import Status
from connector.domain.schema import FieldSchema, Option, Schema

WEBHOOKS: Final = "/external/webhooks"
EVENTS: Final = (
    "ticket.created",
    "ticket.updated",
    "ticket.status_changed",
    "ticket.assigned",
    "ticket.department_changed",
    "ticket.reopened",
    "ticket.reply",
    "ticket.customer_reply",
)
MEMBERS: Final = "/external/crm/members"
CONVERSATIONS: Final = "/external/crm/conversations"
QUEUE: Final = f"{CONVERSATIONS}/queue"
ONE: Final = {"per_page": "1"}
IN_THE_DASHBOARD: Final = "Settings > API Keys > Webhooks"
ADVICE: Final = {
    "tickets": "Look at nextcap.api_url, nextcap.api_key and the permission tickets:view of its seat.",
    "team directory": "Look at nextcap.api_url and nextcap.api_key.",
    "webhooks": "Look at nextcap.data_key.",
}

PRIORITIES: Final = ("low", "normal", "high", "urgent")
SOURCES: Final = ("handoff", "widget", "dashboard", "email", "api", "import", "telegram")
READ_ONLY: Final = (
    *("id", "number", "url", "created_at", "department.name", "custom_fields", "metadata"),
    *("requester.email", "requester.name", "requester.phone"),
)


def schema() -> Schema:
    """The fields of a ticket. `custom_fields.<key>` and `metadata.<key>` are free: Next Cap has no list of them."""
    words = [FieldSchema(name, type=kind) for name, kind in (("subject", "text"), ("description", "long_text"))]
    return Schema(
        (
            *words,
            FieldSchema("status", type="option", options=_options(Status)),
            FieldSchema("priority", type="option", options=_options(PRIORITIES)),
            FieldSchema("category"),
            FieldSchema("tags", multiple=True),
            FieldSchema("source", type="option", options=_options(SOURCES), writable=False),
            FieldSchema("department_id", type="id"),
            FieldSchema("assigned_agent_id", type="person"),
            *(FieldSchema(name, writable=False) for name in READ_ONLY),
        )
    )


def _options(values: Sequence[str] | type[Status]) -> tuple[Option, ...]:
    return tuple(Option(str(value), str(value).replace("_", " ").capitalize()) for value in values)


class Setup:
    """Set-up and diagnosis. `data_api` makes calls with the Data key; None where there is no such key."""

    def __init__(
        self,
        api: Api,
        data_api: Api | None,
        *,
        secrets: Sequence[str],
        on_secret: Callable[[str], None] | None,
        now: Callable[[], datetime],
    ) -> None:
        self._api = api
        self._data_api = data_api
        self._secrets = secrets
        self._on_secret = on_secret
        self._now = now

    # -- our webhook

    def subscribe(self, url: str, *, dry_run: bool) -> list[Step]:
        """Register our webhook unless it is there. Its secret, told once, goes to `on_secret`."""
        what = f"webhook to {url}"
        if self._data_api is None or self._on_secret is None:
            advice = f"Create it by hand in {IN_THE_DASHBOARD}, with the events {', '.join(EVENTS)}; then configure "
            return [
                Step(what, "manual", f"{advice}its secret as nextcap.webhook_secrets. Or configure nextcap.data_key.")
            ]
        listed = self._webhooks(self._data_api)
        if listed is None and any(self._secrets):
            advice = f"Next Cap does not list webhooks here and a secret is known: see {IN_THE_DASHBOARD}."
            return [Step(what, "manual", advice)]
        present = next((hook for hook in listed or () if pick(hook, "url") == url), None)
        if present is not None:
            return [self._judged(what, present)]
        if dry_run:
            return [Step(what, "would")]
        return [self._register(self._data_api, self._on_secret, what, url)]

    def _webhooks(self, data_api: Api) -> list[Raw] | None:
        """Every webhook of the organisation; None where Next Cap has no such list."""
        try:
            return [hook for page in data_api.pages(WEBHOOKS, "webhooks") for hook in page]
        except Refused as refusal:
            if refusal.status in (404, 405):
                return None
            raise

    def _judged(self, what: str, hook: Raw) -> Step:
        missing = sorted(set(EVENTS) - set(pick(hook, "events") or EVENTS))
        again = f"Delete it in {IN_THE_DASHBOARD} and run setup again"
        if pick(hook, "is_active") is False:
            return Step(what, "problem", f"It was switched off. {again}.")
        if missing:
            return Step(what, "problem", f"It lacks the events {', '.join(missing)}. {again}.")
        if not any(self._secrets):
            return Step(what, "problem", f"Its secret, told once, is not known here. {again}, or configure the secret.")
        return Step(what, "ok")

    def _register(self, data_api: Api, on_secret: Callable[[str], None], what: str, url: str) -> Step:
        answer = data_api.write("POST", WEBHOOKS, json={"url": url, "events": list(EVENTS)})
        secret = pick(resource(answer, "webhook"), "secret")
        if not isinstance(secret, str) or not secret:
            return Step(what, "problem", f"It was made, but no secret came with it: look in {IN_THE_DASHBOARD}.")
        on_secret(secret)
        return Step(what, "done", "Its secret is kept; Next Cap does not show it again.")

    # -- diagnosis

    def check(self) -> list[Check]:
        """What our keys may do. Reading only; trouble is a line, never an exception."""
        looks: dict[str, Callable[[], Iterable[Check]]] = {
            "tickets": self._tickets,
            "team directory": self._directory,
            "conversations": partial(self._of_chat, "conversations", CONVERSATIONS),
            "chat queue": partial(self._of_chat, "chat queue", QUEUE, {}),
        }
        if self._data_api is not None:
            looks["webhooks"] = partial(self._webhook_lines, self._data_api)
        return list(looked_at(looks, advice=ADVICE))

    def _tickets(self) -> Iterator[Check]:
        answer = self._api.get(TICKETS, query=ONE)
        yield Check("tickets", True, "readable")
        yield from clock_told(answer, self._now())

    def _seen(self, what: str, route: str, query: Query = ONE) -> Iterator[Check]:
        self._api.get(route, query=query)
        yield Check(what, True, "readable")

    def _directory(self) -> Iterator[Check]:
        try:
            yield from self._seen("team directory", MEMBERS)
        except Refused as refusal:
            if refusal.status != 403:
                raise
            advice = "Give the seat's role team:invite, or assignees cannot be carried."
            yield Check("team directory", ok=False, detail=str(refusal), advice=advice)

    def _of_chat(self, what: str, route: str, query: Query = ONE) -> Iterator[Check]:
        """A list that only live chat needs: it may be forbidden."""
        try:
            yield from self._seen(what, route, query)
        except Refused as refusal:
            if refusal.status != 403:
                raise
            yield Check(what, True, "not permitted to this seat; only live chat needs it")

    def _webhook_lines(self, data_api: Api) -> Iterator[Check]:
        listed = self._webhooks(data_api)
        off = ", ".join(str(pick(hook, "url")) for hook in listed or () if pick(hook, "is_active") is False)
        there = (
            f"Next Cap does not list them here; see {IN_THE_DASHBOARD}" if listed is None else f"{len(listed)} active"
        )
        detail = f"switched off: {off}" if off else there
        yield judged("webhooks", not off, detail, advice="Delete them and run setup again.")
