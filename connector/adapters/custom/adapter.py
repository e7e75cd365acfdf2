"""A declared CRM as the engine sees it: the parts of this folder behind the adapter protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from connector.adapters.base import Capabilities, Change, Check, Step, taken
from connector.adapters.calls import Sender
from connector.adapters.checks import looked_at, readable
from connector.adapters.custom.client import Client, Live
from connector.adapters.custom.comments import Conversations
from connector.adapters.custom.records import Records
from connector.adapters.custom.shapes import is_true, text_at
from connector.adapters.custom.webhooks import Hooks
from connector.adapters.entries import recognise
from connector.adapters.people import person_of
from connector.domain.errors import ConfigError, ConnectorError, NotSupported, Refused
from connector.domain.schema import FieldSchema, Option, Schema
from connector.domain.ticket import Person, Record
from connector.mapping.grammar import Grammar
from connector.mapping.places import slots

LATELY = timedelta(days=7)
MISSED = "`changes` lists a ticket that `read` does not find: is `record: id` what `read` asks for?"
PRIVATE = "PrivateAddress"
LACKS: Mapping[str, str] = {
    "find": "existing tickets are not found before a new one is made, nor what a create made whose answer was lost",
    "create": "no ticket is made in this CRM",
    "changes": "what no webhook told of is found by a slow rotation only",
    "deleted": "a deleted ticket is noticed when it is next read",
    "comments": "no conversation crosses",
    "people": "nobody can be assigned",
    "webhook": "changes are found by asking, minutes later",
}
"""What a block may leave out, and what that means."""

UNDECLARED: Mapping[str, str] = {
    "batch": "`read` declares no {ids}",
    "creates": "`create` is not declared",
    "public_comments": "`comments` declares no way to show one to the customer",
    "idempotent_create": "`create` is not declared as repeatable",
    "follow_ups": "a declared CRM is asked for none",
    "webhooks": "`webhook` is not declared",
    "dated_webhooks": "`webhook` declares no timestamp",
    "batch_comments": "a declared CRM is asked for the comments of one ticket at a time",
    "lists_comments": "`changes` and `comments` are not both declared",
    "merges": "`record` declares no merged_into",
    "checks_versions": "a declared CRM is told no expected version",
}
"""What a declaration leaves out, or has no words for, by capability."""


class Custom:
    """One declared CRM. Each attribute set in `__init__` is a call of the adapter protocol, documented there."""

    def __init__(
        self,
        transport: Sender,
        live: Live,
        *,
        name: str,
        webhook_secrets: Sequence[str],
        path_tokens: Callable[[], Sequence[str]] = tuple,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = name
        self._live, self._clock, self._secrets, self._path_tokens = live, clock, webhook_secrets, path_tokens
        self._client = client = Client(transport, live)
        self._records = records = Records(client, name)
        conversations, hooks = Conversations(client, name), Hooks(live, webhook_secrets, path_tokens)
        self.verify, self.parse, self.answer = hooks.verify, hooks.parse, taken
        self.read, self.find, self.write = records.read, records.find, records.write
        self.fate, self.requesters, self.changes = records.fate, records.requesters, records.changes
        self.comments, self.add_comments = conversations.comments, conversations.add
        self.recognise = recognise

    @property
    def external_id(self) -> str:
        """The field that holds our id; empty where none is declared, or no mapping is there yet."""
        grammar = self._grammar()
        return (grammar.record.external_id or "") if grammar else ""

    @property
    def capabilities(self) -> Capabilities:
        """What is declared. Without a mapping that can be read: nothing."""
        grammar = self._grammar()
        if grammar is None:
            return Capabilities(creates=False, webhooks=False, lacks=UNDECLARED)
        is_batched = "ids" in slots(grammar.read.parts)
        declared = Capabilities(
            batch=grammar.read.batch if is_batched else 1,
            creates=grammar.create is not None,
            public_comments=bool(grammar.comments and grammar.comments.shows_customers),
            idempotent_create=bool(grammar.create and grammar.create.is_repeatable),
            webhooks=grammar.webhook is not None,
            lag=grammar.changes.lag if grammar.changes else 60.0,
            merges=grammar.record.merged_into is not None,
            lists_comments=bool(grammar.changes and grammar.comments),
            dated_webhooks=bool(grammar.webhook and (grammar.webhook.timestamp or grammar.webhook.kind == "standard")),
        )
        return replace(declared, lacks={name: UNDECLARED[name] for name in declared.missing})

    def _grammar(self) -> Grammar | None:
        try:
            return self._live.grammar
        except (ConfigError, NotSupported):
            return None

    def probe_create(self, change: Change, *, sent_at: datetime) -> Record | None:  # noqa: ARG002 - our id says it all
        """The ticket that a CREATE of unknown outcome left behind, where `find` is declared."""
        return self._records.probe(change)

    def tickets_of(self, comment_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:  # noqa: ARG002 - never looked up
        """Events about comments must name their ticket (`webhook: ticket_id`)."""
        raise NotSupported("a declared CRM does not look up the ticket of a comment", code="not_supported")

    def people(self) -> list[Person]:
        """Everybody who can be assigned."""
        block = self._live.grammar.people
        if block is None:
            raise NotSupported("the adapter block declares no 'people'", code="not_supported")
        found = {
            one: person_of(
                one,
                text_at(block.email, item),
                text_at(block.name, item),
                active=block.is_active is None or is_true(block.is_active, item),
            )
            for item in self._client.all(block, {})
            if (one := text_at(block.id, item))
        }
        return list(found.values())

    def schema(self) -> Schema:
        """The declared fields. Makes no call."""
        return Schema(
            tuple(
                FieldSchema(
                    name,
                    one.label or name,
                    "choice" if one.options else one.type,
                    tuple(Option(value, label) for value, label in one.options.items()),
                    multiple=one.multiple,
                    writable=one.writable,
                    required=one.required,
                )
                for name, one in self._live.grammar.fields.items()
            )
        )

    def ensure_schema(self, *, dry_run: bool) -> list[Step]:  # noqa: ARG002 - nothing is written
        """A person makes our field in such a CRM."""
        our_id = self.external_id
        if not our_id:
            return [Step("field for the Next Cap ticket's id", "manual", "none is declared: no ticket can be made")]
        return [Step(f"field {our_id}", "manual", "make it in the CRM, a text of 64 characters, unless it is there")]

    def subscribe(self, url: str, *, dry_run: bool) -> list[Step]:
        """What a person must enter in the CRM. A secret part of the address is shown only outside a dry run."""
        block = self._live.grammar.webhook
        if block is None:
            return [Step("webhook", "manual", "none is declared: changes are found by asking")]
        names = ", ".join(block.kinds)
        if block.kind != "token":
            return [Step("webhook", "manual", f"in the CRM, send {names} to {url}; its secret is webhook_secrets")]
        token = "<token>" if dry_run else next(iter(self._path_tokens()), "<token>")
        return [Step("webhook", "manual", f"in the CRM, send {names} to {url}/{token}")]

    def check(self) -> list[Check]:
        """Each declared list is asked for, and what is not declared is named."""
        try:
            grammar = self._live.grammar
        except (ConfigError, NotSupported) as problem:
            return [Check("adapter block", ok=False, detail=str(problem), advice="run `connector mappings check`")]
        lines = [Check("adapter block", ok=True, detail=f"{len(grammar.fields)} fields declared")]
        lines += self._asked(grammar)
        if grammar.webhook and grammar.webhook.kind != "token" and not any(self._secrets):
            advice = "configure webhook_secrets; without one every webhook is refused"
            lines.append(Check("webhook secret", ok=False, detail="none is configured", advice=advice))
        lacking = [(key, told) for key, told in LACKS.items() if getattr(grammar, key) is None]
        return lines + [Check(f"no {key}", ok=True, detail=f"not declared: {told}") for key, told in lacking]

    def _asked(self, grammar: Grammar) -> Iterator[Check]:
        probes: dict[str, Callable[[], object]] = {"people": self.people} if grammar.people else {}
        yield from readable(probes, advise=_about_addresses)
        yield from looked_at({"reading tickets": lambda: self._ticket_shown(grammar)}, advise=_about_addresses)

    def _ticket_shown(self, grammar: Grammar) -> Iterator[Check]:
        """Whether a ticket can be read, and which of the declared fields it shows.

        One that changed lately is read, where it can be asked for. Else any is asked for, and being told that there is
        none, or that nobody has such an id, will do.
        """
        lately = self.changes(self._clock() - LATELY, ()).records if grammar.changes else ()
        one = lately[-1].id if lately else "0"
        try:
            read = self.read([one], tuple(grammar.fields))
        except Refused as error:
            if lately or error.status in (401, 403):
                raise
            read = {}
        if one not in read:
            yield Check("reading tickets", ok=not lately, detail="no ticket to try it with" if not lately else MISSED)
            return
        yield Check("reading tickets", ok=True, detail=f"ticket {one}")
        if hidden := [name for name in grammar.fields if name not in read[one].fields]:
            yield Check("fields that it does not show", ok=True, detail=f"{', '.join(hidden)}: is each `place` right?")


def _about_addresses(error: ConnectorError) -> str:
    return "the address is private: allow_private = true lets it be called" if PRIVATE in str(error) else ""
